using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

public class UnrolledModelTests(ITestOutputHelper output)
{
    /// <summary>Relative to the largest element of each tensor.</summary>
    const double Tolerance = 2e-5;

    public enum Loop
    {
        Open,
        Closed,
        Mixed,
    }

    // T, B, I, H: every edge of tiles (6 rows, 1 to 4 vectors), of the row block (60) and of single elements.
    public static TheoryData<int, int, int, int> Sizes => new()
    {
        { 1, 1, 1, 1 }, { 2, 1, 1, 1 }, { 5, 1, 3, 2 }, { 1, 7, 2, 5 }, { 3, 2, 5, 8 }, { 4, 3, 1, 15 }, { 2, 6, 16, 16 },
        { 3, 5, 7, 17 }, { 6, 2, 2, 31 }, { 2, 13, 33, 33 }, { 3, 4, 1, 50 }, { 2, 61, 3, 9 }, { 2, 3, 70, 64 }, { 3, 10, 1, 70 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Pass_AgreesWithTheory_ForEveryCellAndKernel(int T, int B, int I, int H)
    {
        var worst = 0.0;
        foreach (var cell in CellOptions.All(H))
        {
            foreach (var kernel in Kernels.All)
                worst = Math.Max(worst, CompareWithTheory(new SequenceModelOptions(I, [cell, new LinearOptions(3)]), kernel, T, B, Loop.Open));
        }

        output.WriteLine($"T={T} B={B} I={I} H={H}: worst relative error {worst:E2}");
    }

    [Theory]
    [InlineData(7, 3, 1, 5, Loop.Closed)]
    [InlineData(6, 9, 2, 17, Loop.Closed)]
    [InlineData(6, 4, 3, 33, Loop.Mixed)]
    public void ClosedLoop_AgreesWithTheory_ForEveryCellAndKernel(int T, int B, int features, int H, Loop loop)
    {
        var worst = 0.0;
        foreach (var cell in CellOptions.All(H))
        {
            foreach (var kernel in Kernels.All)
                worst = Math.Max(worst, CompareWithTheory(new SequenceModelOptions(features, [cell, new LinearOptions(features)]), kernel, T, B, loop));
        }

        output.WriteLine($"{loop} T={T} B={B} F={features} H={H}: worst relative error {worst:E2}");
    }

    [Fact]
    public void StackedLayers_AgreeWithTheory()
    {
        LayerOptions[][] stacks =
        [
            [new LstmOptions(9), new LstmOptions(6), new LinearOptions(2)],
            [new GruOptions(5), new RnnOptions(7), new LstmOptions(4) { Peepholes = true }, new LinearOptions(1)],
            [new LayerNormLstmOptions(6), new LayerNormLstmOptions(9), new LinearOptions(2)],
        ];
        foreach (var layers in stacks)
        {
            foreach (var kernel in Kernels.All)
            {
                CompareWithTheory(new SequenceModelOptions(3, layers), kernel, 5, 4, Loop.Open);
                CompareWithTheory(new SequenceModelOptions(((LinearOptions)layers[^1]).OutputSize, layers), kernel, 5, 4, Loop.Mixed);
            }
        }
    }

    [Fact]
    public void Pass_GivesTheSameBits_ForEveryKernelAndThreadCount()
    {
        foreach (var cell in CellOptions.All(35))
        {
            var expected = Bits(cell, new Engine(1, KernelKind.Naive));
            foreach (var kernel in Kernels.All)
            {
                foreach (var threads in new[] { 1, 2, 3 })
                {
                    using var engine = new Engine(threads, kernel);
                    Assert.Equal(expected, Bits(cell, engine));
                }
            }
        }

        static float[] Bits(RecurrentOptions cell, Engine engine)
        {
            var model = Model(new SequenceModelOptions(2, [cell, new DropoutOptions(0.3), new LinearOptions(2)]), engine);
            var unrolled = Prepared(model, 30, 67, out var feedback, Loop.Mixed);
            unrolled.Forward(training: true, Flat(feedback), noise: 99);
            unrolled.Backward(inputGradient: true, initialStateGradient: true);
            return [.. unrolled.Output, .. model.Parameters.Gradients, .. unrolled.InputGradient, .. unrolled.InitialStateGradient.Hidden(0)];
        }
    }

    // Passes whose weight gradients are summed in two halves of the batch: more than 20 million operations.
    public static TheoryData<string> LargePasses => ["rnn 12,40,40,130", "lstm 6,37,20,100", "gru-after 8,37,20,100", "gru-before 8,33,21,100"];

    static (LayerOptions Layer, int T, int B, int I) LargePass(string name)
    {
        var (cell, sizes) = (name.Split(' ')[0], name.Split(' ')[1].Split(',').Select(int.Parse).ToArray());
        return (cell switch
        {
            "rnn" => new RnnOptions(sizes[3]),
            "lstm" => new LstmOptions(sizes[3]) { Peepholes = true },
            "gru-after" => new GruOptions(sizes[3]),
            "gru-before" => new GruOptions(sizes[3]) { ResetGate = ResetGate.BeforeProduct, RecurrentDropout = 0.2 },
            _ => new BidirectionalOptions(new LstmOptions(sizes[3])),
        }, sizes[0], sizes[1], sizes[2]);
    }

    [Theory]
    [MemberData(nameof(LargePasses))]
    public void LargePass_AgreesWithTheory_InEveryKernel(string name)
    {
        var (layer, T, B, I) = LargePass(name);
        foreach (var kernel in Kernels.All)
            output.WriteLine($"{name} {kernel}: worst relative error {CompareWithTheory(new SequenceModelOptions(I, [layer, new LinearOptions(2)]), kernel, T, B, Loop.Open):E2}");
    }

    [Theory]
    [MemberData(nameof(LargePasses))]
    [InlineData("bidirectional 8,33,20,100")]
    public void LargePass_GivesTheSameBits_ForEveryKernelAndThreadCount(string name)
    {
        var (layer, T, B, I) = LargePass(name);
        var expected = Bits(new Engine(1, KernelKind.Naive));
        foreach (var kernel in Kernels.All)
        {
            foreach (var threads in new[] { 1, 2, 3, 5 })
            {
                using var engine = new Engine(threads, kernel);
                Assert.Equal(expected, Bits(engine));
            }
        }

        float[] Bits(Engine engine)
        {
            var model = Model(new SequenceModelOptions(I, [layer, new LinearOptions(2)]), engine);
            var unrolled = Prepared(model, T, B, out _, Loop.Open);
            int[] lengths = [.. Enumerable.Range(0, B).Select(b => b % (T + 1))];
            unrolled.Forward(training: true, noise: 5);
            unrolled.Backward();
            unrolled.InitialState.Hidden(0).Clear();
            unrolled.Forward(training: true, noise: 6, lengths: lengths);
            unrolled.Backward(inputGradient: true);
            return [.. unrolled.Output, .. model.Parameters.Gradients, .. unrolled.InputGradient];
        }
    }

    [Fact]
    public void Backward_WithoutAccumulating_GivesWhatAddingToZerosGives()
    {
        (int T, int B, LayerOptions[] Layers)[] passes =
        [
            .. from cell in CellOptions.All(11)
               from pass in new[] { (T: 5, B: 4), (T: 1, B: 3) }
               select (pass.T, pass.B, new LayerOptions[] { cell, new LinearOptions(2) }),
            (7, 5, [new BidirectionalOptions(new LstmOptions(9) { Peepholes = true }), new DropoutOptions(0.2), new GruOptions(50)]),
            (6, 37, [new LstmOptions(120)]), // in two halves of the batch
        ];
        foreach (var (T, B, layers) in passes)
        {
            foreach (var kernel in Kernels.All)
            {
                foreach (var threads in new[] { 1, 2 })
                {
                    using var engine = new Engine(threads, kernel);
                    var model = Model(new SequenceModelOptions(3, layers), engine);
                    var unrolled = Prepared(model, T, B, out _, Loop.Open);
                    var overwriting = Prepared(model, T, B, out _, Loop.Open, accumulate: false);
                    int[][] lengths = [[], [.. Enumerable.Range(0, B).Select(b => b % (T + 1))]];
                    foreach (var valid in lengths)
                    {
                        float[] start = [.. unrolled.OutputGradient];
                        unrolled.Forward(training: true, noise: 3, lengths: valid);
                        model.Parameters.ZeroGradients();
                        unrolled.Backward();
                        float[] expected = [.. model.Parameters.Gradients];

                        model.Parameters.Gradients.Fill(float.NaN);
                        overwriting.Forward(training: true, noise: 3, lengths: valid);
                        start.CopyTo(overwriting.OutputGradient);
                        overwriting.Backward();
                        Assert.Equal(expected, model.Parameters.Gradients);

                        // The first step's product with a state of zeros may be left out.
                        start.CopyTo(unrolled.OutputGradient);
                        for (var layer = 0; layer < unrolled.InitialState.LayerCount; layer++)
                        {
                            unrolled.InitialState.Hidden(layer).Clear();
                            overwriting.InitialState.Hidden(layer).Clear();
                        }
                    }
                }
            }
        }
    }

    [Fact]
    public void TwoHalves_WithCarriedState_EqualOnePass()
    {
        foreach (var cell in CellOptions.All(11))
        {
            var model = Model(new SequenceModelOptions(3, [cell, new GruOptions(5), new LinearOptions(2)]), Kernels.Engine(Kernels.Chosen));
            var whole = Prepared(model, 8, 4, out _, Loop.Open);
            whole.Forward();

            var half = model.Unroll(4, 4);
            half.InitialState.CopyFrom(whole.InitialState);
            whole.Input[..(4 * 4 * 3)].CopyTo(half.Input);
            half.Forward();
            Assert.Equal(whole.Output[..half.Output.Length], half.Output);
            half.CopyFinalState(half.InitialState);
            whole.Input[(4 * 4 * 3)..].CopyTo(half.Input);
            half.Forward();
            Assert.Equal(whole.Output[half.Output.Length..], half.Output);
        }
    }

    [Fact]
    public void Batch_EqualsItsRowsAlone()
    {
        foreach (var cell in CellOptions.All(7))
        {
            var model = Model(new SequenceModelOptions(2, [cell, new LinearOptions(3)]), Kernels.Engine(Kernels.Chosen));
            var batch = Prepared(model, 5, 6, out _, Loop.Open);
            batch.Forward();
            var single = model.Unroll(5, 1);
            for (var row = 0; row < 6; row++)
            {
                for (var t = 0; t < 5; t++)
                    batch.Input.Slice(((t * 6) + row) * 2, 2).CopyTo(single.Input[(t * 2)..]);
                batch.InitialState.Hidden(0).Slice(row * 7, 7).CopyTo(single.InitialState.Hidden(0));
                if (!batch.InitialState.Cell(0).IsEmpty)
                    batch.InitialState.Cell(0).Slice(row * 7, 7).CopyTo(single.InitialState.Cell(0));
                single.Forward();
                for (var t = 0; t < 5; t++)
                    Assert.Equal(batch.Output.Slice(((t * 6) + row) * 3, 3), single.Output.Slice(t * 3, 3));
            }
        }
    }

    [Fact]
    public void ClosedLoop_EqualsFeedingTheOutputByHand()
    {
        var model = Model(new SequenceModelOptions(1, [new LstmOptions(6), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        var loop = model.Unroll(9, 1);
        ReadOnlySpan<float> given = [0.3f, -0.2f, 0.5f];
        given.CopyTo(loop.Input);
        loop.Forward(feedback: [0, 0, 0, 1, 1, 1, 1, 1, 1]);

        var step = model.Unroll(1, 1);
        for (var t = 0; t < 9; t++)
        {
            step.Input[0] = t < 3 ? given[t] : loop.Output[t - 1];
            step.Forward();
            Assert.Equal(loop.Output[t], step.Output[0]);
            step.CopyFinalState(step.InitialState);
        }
    }

    [Fact]
    public void LastStep_HasTheGradientOfTheLastOutputAlone()
    {
        var engine = Kernels.Engine(Kernels.Chosen);
        var each = Model(new SequenceModelOptions(2, [new GruOptions(5), new LinearOptions(1)]), engine);
        var last = Model(new SequenceModelOptions(2, [new GruOptions(5), new LastStepOptions(), new LinearOptions(1)]), engine);
        each.Parameters.Values.CopyTo(last.Parameters.Values);
        var a = Prepared(each, 6, 3, out _, Loop.Open);
        var b = last.Unroll(6, 3);
        b.InitialState.CopyFrom(a.InitialState);
        b.FinalStateGradient.CopyFrom(a.FinalStateGradient);
        a.Input.CopyTo(b.Input);
        a.Forward();
        b.Forward();
        Assert.Equal(a.Output[^3..], b.Output);

        a.OutputGradient[..^3].Clear();
        a.OutputGradient[^3..].CopyTo(b.OutputGradient);
        a.Backward(inputGradient: true, initialStateGradient: true);
        b.Backward(inputGradient: true, initialStateGradient: true);
        Assert.Equal(a.InputGradient, b.InputGradient);
        // The bias sums over fewer, but otherwise equal, rows.
        Assert.Equal(each.Parameters.Gradients, last.Parameters.Gradients);
    }

    [Fact]
    public void Dropout_ZeroesItsRate_KeepsTheMean_AndIsOffInEvaluation()
    {
        var model = new SequenceModel(new SequenceModelOptions(50, [new DropoutOptions(0.25)]), Kernels.Engine(Kernels.Chosen));
        var unrolled = model.Unroll(40, 50);
        unrolled.Input.Fill(1f);
        unrolled.Forward(training: true, noise: 7);
        var zeros = unrolled.Output.Count(0f) / 100_000.0;
        Assert.InRange(zeros, 0.24, 0.26); // ± 7 standard deviations
        Assert.Equal(100_000 - unrolled.Output.Count(0f), unrolled.Output.Count(1f / 0.75f));

        unrolled.OutputGradient.Fill(1f);
        var kept = unrolled.Output.ToArray();
        unrolled.Backward(inputGradient: true, initialStateGradient: true);
        Assert.Equal(kept, unrolled.InputGradient);

        unrolled.Forward(training: false, noise: 7);
        Assert.Equal(100_000, unrolled.Output.Count(1f));
        unrolled.Forward(training: true, noise: 8);
        Assert.NotEqual(kept, unrolled.Output.ToArray());
    }

    [Fact]
    public void DropoutPerSequence_HasOneMaskForAllSteps_AndAnotherForEachRow()
    {
        const int T = 6, B = 40, F = 50;
        var model = new SequenceModel(new SequenceModelOptions(F, [new DropoutOptions(0.25) { PerSequence = true }]), Kernels.Engine(Kernels.Chosen));
        var unrolled = model.Unroll(T, B);
        unrolled.Input.Fill(1f);
        unrolled.Forward(training: true, noise: 7);
        var mask = unrolled.Output[..(B * F)].ToArray();
        Assert.InRange(mask.Count(value => value == 0) / (double)(B * F), 0.18, 0.32); // ± 7 standard deviations
        Assert.Equal(B * F, mask.Count(value => value is 0 or 1 / 0.75f));
        Assert.Equal(B, mask.Chunk(F).Select(row => string.Join(',', row)).Distinct().Count());
        for (var t = 0; t < T; t++)
            Assert.Equal(mask, unrolled.Output.Slice(t * B * F, B * F));

        unrolled.OutputGradient.Fill(1f);
        unrolled.Backward(inputGradient: true);
        Assert.Equal(unrolled.Output, unrolled.InputGradient);

        // Fewer rows have the masks they had among more.
        unrolled.Resize(T, 3);
        unrolled.Input.Fill(1f);
        unrolled.Forward(training: true, noise: 7);
        Assert.Equal(mask.AsSpan(0, 3 * F), unrolled.Output[^(3 * F)..]);
        unrolled.Forward(training: true, noise: 8);
        Assert.NotEqual(mask[..(3 * F)], unrolled.Output[^(3 * F)..].ToArray());
        unrolled.Forward(training: false, noise: 7);
        Assert.Equal(T * 3 * F, unrolled.Output.Count(1f));
    }

    [Fact]
    public void RecurrentDropout_HidesTheSameUnitsAtEveryStep_AndIsOffInEvaluation()
    {
        // h₁ = relu(m⊙h₀) with h₀ = 1 is the mask, h₂ = m⊙m.
        const int T = 3, B = 40, H = 50;
        var model = new SequenceModel(
            new SequenceModelOptions(1, [new RnnOptions(H) { Nonlinearity = Nonlinearity.Relu, RecurrentDropout = 0.25 }]), Kernels.Engine(Kernels.Chosen));
        var weights = model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh));
        for (var j = 0; j < H; j++)
            weights[j * (H + 1)] = 1f;
        var unrolled = model.Unroll(T, B);
        unrolled.InitialState.Hidden(0).Fill(1f);
        unrolled.Forward(training: true, noise: 7);
        var mask = unrolled.Output[..(B * H)].ToArray();
        Assert.InRange(mask.Count(value => value == 0) / (double)(B * H), 0.18, 0.32); // ± 7 standard deviations
        Assert.Equal(B * H, mask.Count(value => value is 0 or 1 / 0.75f));
        Assert.Equal(B, mask.Chunk(H).Select(row => string.Join(',', row)).Distinct().Count());
        Assert.Equal(mask.Select(m => m * m * m), unrolled.Output[^(B * H)..].ToArray());
        unrolled.Forward(training: true, noise: 8);
        Assert.NotEqual(mask, unrolled.Output[..(B * H)].ToArray());
        unrolled.Forward(training: false, noise: 7);
        Assert.Equal(T * B * H, unrolled.Output.Count(1f));
    }

    [Fact]
    public void Resize_ComputesTheSmallerPassExactly()
    {
        var model = Model(new SequenceModelOptions(2, [new LstmOptions(9), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        var large = model.Unroll(20, 16);
        large.Resize(5, 3);
        var small = model.Unroll(5, 3);
        new Random(1).NextValues(small.Input);
        small.Input.CopyTo(large.Input);
        small.Forward();
        large.Forward();
        Assert.Equal(small.Output, large.Output);
    }

    // H whose last vector is whole, 2 units, 4 units, or an odd number in some kernel.
    [Theory]
    [InlineData(1, 9)]
    [InlineData(5, 10)]
    [InlineData(3, 12)]
    [InlineData(4, 16)]
    [InlineData(2, 50)]
    public void Lstm_GivesTheSameBits_WhetherItKeepsTanhOrComputesItAgain(int B, int H)
    {
        const int T = 6, I = 2;
        foreach (var cell in CellOptions.All(H).OfType<LstmOptions>())
        {
            foreach (var kernel in Kernels.All)
            {
                var model = Model(new SequenceModelOptions(I, [cell, new LinearOptions(2)]), Kernels.Engine(kernel));
                var near = Prepared(model, T, B, out _, Loop.Open);

                // Gates of 512 Ki floats and more are not kept near; such a model computes smaller passes the same way.
                var far = model.Unroll(((512 * 1024) / (B * H)) + 1, B);
                Assert.True(far.ActivationBytes > 2 * 1024 * 1024);
                far.Resize(T, B);
                near.Input.CopyTo(far.Input);
                near.OutputGradient.CopyTo(far.OutputGradient);
                foreach (var (from, to) in new[] { (near.InitialState, far.InitialState), (near.FinalStateGradient, far.FinalStateGradient) })
                {
                    from.Hidden(0).CopyTo(to.Hidden(0));
                    from.Cell(0).CopyTo(to.Cell(0));
                }

                var expected = Gradients(model, near);
                Assert.Contains(expected, value => value != 0);
                Assert.Equal(expected, Gradients(model, far));
            }
        }

        static float[] Gradients(SequenceModel model, UnrolledModel unrolled)
        {
            model.Parameters.ZeroGradients();
            unrolled.Forward();
            unrolled.Backward(inputGradient: true, initialStateGradient: true);
            return [.. unrolled.Output, .. model.Parameters.Gradients, .. unrolled.InputGradient, .. unrolled.InitialStateGradient.Cell(0)];
        }
    }

    [Fact]
    public void Passes_AreThoseOfAFreshModel_WhateverPassCameBefore()
    {
        const int T = 6, B = 5, I = 2;
        (int Steps, int Rows, bool HasState, bool Masks, int[] Lengths)[] passes =
        [
            (T, B, false, false, []), (T, B, true, false, []), (T, B, true, true, []), (T, B, false, true, []), (T, B, false, false, [6, 3, 0, 5, 1]),
            (T, B, false, false, []), (4, B, false, false, []), (T, 3, true, false, []), (T, B, true, false, []),
        ];
        foreach (var cell in CellOptions.All(10))
        {
            var model = Model(new SequenceModelOptions(I, [cell, new LinearOptions(2)]), Kernels.Engine(Kernels.Chosen));
            var used = model.Unroll(T, B);
            for (var index = 0; index < passes.Length; index++)
            {
                if ((used.Steps, used.BatchSize) != (passes[index].Steps, passes[index].Rows))
                    used.Resize(passes[index].Steps, passes[index].Rows);
                Assert.Equal(Pass(index, model.Unroll(passes[index].Steps, passes[index].Rows)), Pass(index, used));
            }

            float[] Pass(int index, UnrolledModel unrolled)
            {
                var pass = passes[index];
                var random = new Random(index);
                random.NextValues(unrolled.Input);
                random.NextValues(unrolled.OutputGradient);
                unrolled.InitialState.Clear();
                if (pass.HasState)
                    random.NextValues(unrolled.InitialState.Hidden(0)[..(pass.Rows * 10)]);
                model.Parameters.ZeroGradients();
                unrolled.Forward(training: pass.Masks, noise: 3, lengths: pass.Lengths);
                float[] output = [.. unrolled.Output];
                unrolled.Backward();
                return [.. output, .. model.Parameters.Gradients];
            }
        }
    }

    [Fact]
    public void TinyGradients_BecomeZero_NotDenormal()
    {
        // The loss on the last of 300 steps of a strongly contracting network: gradients fall far below 1e-38.
        var model = Model(new SequenceModelOptions(1, [new RnnOptions(20), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        foreach (ref var value in model.Parameters.Values)
            value *= 0.3f;
        var unrolled = model.Unroll(300, 4);
        new Random(2).NextValues(unrolled.Input);
        unrolled.Forward();
        unrolled.OutputGradient.Clear();
        unrolled.OutputGradient[^4..].Fill(1f);
        unrolled.Backward(inputGradient: true, initialStateGradient: true);
        foreach (var gradient in unrolled.InputGradient)
            Assert.False(float.IsSubnormal(gradient));
        foreach (var gradient in model.Parameters.Gradients)
            Assert.False(float.IsSubnormal(gradient));
        Assert.Equal(0f, unrolled.InputGradient[0]);
        Assert.NotEqual(0f, unrolled.InputGradient[^1]);
    }

    [Fact]
    public void BadCalls_SayWhatWasExpected()
    {
        var engine = Kernels.Engine(Kernels.Chosen);
        var model = Model(new SequenceModelOptions(2, [new RnnOptions(3), new LinearOptions(1)]), engine);
        var unrolled = model.Unroll(4, 2);
        Check<ArgumentOutOfRangeException>("Expected 1 to 4", () => unrolled.Resize(5, 2));
        Check<ArgumentOutOfRangeException>("Expected 1 to 2", () => unrolled.Resize(4, 0));
        Check<InvalidOperationException>("call Forward first", () => unrolled.Backward());
        Check<ArgumentException>("T·B = 4·2 values, got 3", () => unrolled.Forward(feedback: [0, 0, 1]));
        Check<ArgumentException>("first step", () => unrolled.Forward(feedback: [1, 0, 0, 0, 0, 0, 0, 0]));
        Check<ArgumentException>("2 inputs and 1 outputs", () => unrolled.Forward(feedback: new byte[8]));
        Check<ArgumentException>("at least one layer", () => _ = new SequenceModel(new SequenceModelOptions(1, [])));
        Check<ArgumentOutOfRangeException>("1 to 16384", () => _ = new LstmOptions(0));
        Check<ArgumentOutOfRangeException>("below 1", () => _ = new DropoutOptions(1));
        Check<ArgumentOutOfRangeException>("RecurrentDropout", () => _ = new GruOptions(2) { RecurrentDropout = double.NaN });
        Check<ArgumentOutOfRangeException>("input size", () => _ = new SequenceModel(new SequenceModelOptions(0, [new RnnOptions(1)])));
        Check<ArgumentException>("No parameter '0.Weight'", () => model.Parameters.Find(0, ParameterRole.Weight));

        static void Check<TException>(string part, Action action)
            where TException : Exception => Assert.Contains(part, Assert.Throws<TException>(action).Message, StringComparison.Ordinal);
    }

    static double CompareWithTheory(SequenceModelOptions options, KernelKind kernel, int T, int B, Loop loop)
    {
        var model = Model(options, Kernels.Engine(kernel));
        var unrolled = Prepared(model, T, B, out var feedback, loop);
        var (output, gradients) = new TheoryTwin(model).Run(unrolled, feedback);
        unrolled.Forward(feedback: Flat(feedback));
        unrolled.Backward(inputGradient: true, initialStateGradient: true);

        var worst = Compare("y", output, unrolled.Output);
        foreach (var parameter in model.Parameters.All)
            worst = Math.Max(worst, Compare(parameter.Name, gradients[parameter.Name], model.Parameters.GradientOf(parameter)));
        worst = Math.Max(worst, Compare("x", gradients["x"], unrolled.InputGradient, Cancelling(model.InputSize, "0.WeightIh")));
        for (var layer = 0; layer < unrolled.InitialStateGradient.LayerCount; layer++)
        {
            var h0 = gradients[$"h0[{layer}]"];
            worst = Math.Max(worst, Compare("h0", h0, unrolled.InitialStateGradient.Hidden(layer), Cancelling(h0.Length / B, "0.WeightHh")));
            worst = Math.Max(worst, Compare("c0", gradients[$"c0[{layer}]"], unrolled.InitialStateGradient.Cell(layer)));
        }

        return worst;

        // A normalised product with a single number keeps its sign alone: the gradient on the number is what little is
        // left of terms of the size of the weight's gradient.
        double Cancelling(int size, string weight) =>
            size == 1 && options.Layers[0] is LayerNormLstmOptions ? gradients[weight].Max(Math.Abs) : 0;

        double Compare(string tensor, double[] expected, ReadOnlySpan<float> actual, double scale = 0)
        {
            Assert.Equal(expected.Length, actual.Length);
            var error = 0.0;
            for (var i = 0; i < expected.Length; i++)
            {
                scale = Math.Max(scale, Math.Abs(expected[i]));
                error = Math.Max(error, Math.Abs(expected[i] - actual[i]));
            }

            var relative = error == 0 ? 0 : error / scale;
            Assert.True(relative <= Tolerance, $"{options.Layers[0]} {kernel} {loop} {tensor}: relative error {relative:E2}");
            return relative;
        }
    }

    static SequenceModel Model(SequenceModelOptions options, Engine engine)
    {
        var model = new SequenceModel(options, engine);
        var random = new Random(17);
        random.NextParameters(model.Parameters, 2);
        return model;
    }

    /// <summary>Inputs, states, the loss's direction and the feedback mask, all random.</summary>
    static UnrolledModel Prepared(SequenceModel model, int T, int B, out bool[,] feedback, Loop loop, bool accumulate = true)
    {
        var unrolled = model.Unroll(T, B, accumulate);
        var random = new Random(23);
        random.NextValues(unrolled.Input);
        random.NextValues(unrolled.OutputGradient);
        foreach (var state in new[] { unrolled.InitialState, unrolled.FinalStateGradient })
        {
            for (var layer = 0; layer < state.LayerCount; layer++)
            {
                random.NextValues(state.Hidden(layer));
                random.NextValues(state.Cell(layer));
            }
        }

        feedback = new bool[T, B];
        for (var t = 1; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                feedback[t, b] = loop == Loop.Closed ? t >= 2 : loop == Loop.Mixed && random.Next(2) == 0;
        }

        return unrolled;
    }

    static byte[] Flat(bool[,] feedback) =>
        feedback.Cast<bool>().Any(value => value) ? [.. feedback.Cast<bool>().Select(value => value ? (byte)1 : (byte)0)] : [];
}

static class RandomExtensions
{
    /// <summary>Fills with numbers from −scale to scale.</summary>
    public static void NextValues(this Random random, Span<float> values, float scale = 1)
    {
        foreach (ref var value in values)
            value = ((2 * random.NextSingle()) - 1) * scale;
    }

    /// <summary>Fills every parameter with numbers from −scale/√n to scale/√n, n the length of its rows.</summary>
    public static void NextParameters(this Random random, ParameterSet parameters, float scale)
    {
        foreach (var parameter in parameters.All)
            random.NextValues(parameters.ValuesOf(parameter), scale / MathF.Sqrt(parameter.Shape[^1]));
    }
}
