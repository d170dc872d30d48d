using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

/// <summary>
/// A large LSTM before a last step goes back in segments whose states it computes again; a smaller one whose gates are many keeps c
/// and leaves h in its place. The same layer without the last step keeps all states: with a gradient at the last valid steps
/// alone, both are the same network.
/// </summary>
public class SegmentTests
{
    const int I = 3;

    // Of 367 and 368 units a segment has 369 and 368 rows at least; with 41 rows in the batch, 21 steps are three segments.
    const int T = 21;

    // Steps after which the pre-activations of 41 rows, 44 and more in each, exceed 2 MiB.
    const int FarT = 300;

    // Layers of this size take the naive kernel minutes; that it gives the same bits is shown once.
    static readonly KernelKind s_kernel = Kernels.Chosen == KernelKind.Naive ? KernelKind.Vector128 : Kernels.Chosen;

    public static TheoryData<int, string> Layers => new()
    {
        { 368, "all gates" }, { 367, "all gates" }, { 432, "no forget gate" }, { 434, "no input gate" }, { 420, "no output gate" }, { 730, "neither" },
    };

    public static TheoryData<int, string> SmallLayers => new()
    {
        { 24, "all gates" }, { 23, "all gates" }, { 50, "no forget gate" }, { 25, "no input gate" }, { 24, "no output gate" }, { 44, "neither" },
    };

    static LstmOptions Lstm(int H, string gates) => gates switch
    {
        "no forget gate" => new LstmOptions(H) { ForgetGate = false },
        "no input gate" => new LstmOptions(H) { InputGate = false },
        "no output gate" => new LstmOptions(H) { OutputGate = false },
        "neither" => new LstmOptions(H) { ForgetGate = false, InputGate = false, OutputGate = false },
        _ => new LstmOptions(H),
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void LastStep_GivesWhatTheLayerWithAllItsStatesGives(int H, string gates)
    {
        foreach (var lengths in Lengths(41, T))
            AssertSame([Lstm(H, gates)], 41, lengths, T, tolerance: 2e-6f);
    }

    [Theory]
    [MemberData(nameof(SmallLayers))]
    public void LastStepOfManySteps_GivesTheBitsThatTheSmallLayerWithAllItsStatesGives(int H, string gates)
    {
        foreach (var lengths in Lengths(41, FarT))
            AssertSame([Lstm(H, gates)], 41, lengths, FarT, tolerance: 0);
    }

    [Fact]
    public void SmallLayers_GiveTheSameBits_WhateverRoomThereIs()
    {
        const int B = 41;
        foreach (var lengths in Lengths(B, T))
        {
            float[][]? expected = null;
            foreach (var (steps, threads) in new[] { (T, 1), (FarT, 1), (FarT, 3) })
            {
                using var engine = new Engine(threads, s_kernel);
                var model = Model([new LstmOptions(24), new LastStepOptions()], engine);
                var unrolled = model.Unroll(steps, B + threads, accumulate: false);
                unrolled.Resize(T, B);
                Prepare(unrolled);
                unrolled.Forward(lengths: lengths);
                unrolled.Backward(inputGradient: true, initialStateGradient: true);
                var final = model.CreateState(B);
                unrolled.CopyFinalState(final);
                float[][] actual =
                [
                    [.. unrolled.Output], [.. model.Parameters.Gradients], [.. unrolled.InputGradient], [.. final.Hidden(0)], [.. final.Cell(0)],
                    [.. unrolled.InitialStateGradient.Hidden(0)[..(24 * B)]], [.. unrolled.InitialStateGradient.Cell(0)[..(24 * B)]],
                ];
                expected ??= actual;
                Assert.Equal(expected, actual);
            }
        }
    }

    [Fact]
    public void LastStep_AboveOtherLayers_GivesWhatTheLayersWithAllTheirStatesGive()
    {
        foreach (var lengths in Lengths(50, T))
        {
            AssertSame([new GruOptions(17), new LstmOptions(368)], 50, lengths, T, tolerance: 2e-6f);
            AssertSame([new LstmOptions(368), new DropoutOptions(0.2), new LstmOptions(361)], 50, lengths, T, tolerance: 2e-6f);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 2)]
    [InlineData(9, 41)]
    [InlineData(10, 41)]
    [InlineData(1, 400)]
    [InlineData(2, 400)]
    [InlineData(740, 1)]
    public void LastStep_GivesWhatTheLayerWithAllItsStatesGives_InFewAndManySegments(int steps, int B) =>
        AssertSame([new LstmOptions(368)], B, [], steps, tolerance: 2e-6f);

    [Fact]
    public void Gradients_AreTheSameBits_WhateverRoomAndThreadsThereAreAndWhereverTheyAreWritten()
    {
        const int B = 41;
        foreach (var H in new[] { 367, 368 })
        {
            float[]? expected = null;
            // The naive kernel takes seconds.
            foreach (var kernel in H == 368 ? Kernels.All : Kernels.All.Except([KernelKind.Naive]))
            {
                foreach (var threads in kernel == KernelKind.Naive ? [2] : new[] { 1, 2, 3 })
                {
                    foreach (var accumulate in new[] { true, false })
                    {
                        using var engine = new Engine(threads, kernel);
                        var model = Model([new LstmOptions(H), new LastStepOptions()], engine);
                        var unrolled = model.Unroll(T + (accumulate ? 9 : 0), B + (threads * 7), accumulate);
                        unrolled.Resize(T, B);
                        Prepare(unrolled);
                        unrolled.Forward();
                        if (!accumulate)
                            model.Parameters.Gradients.Fill(float.NaN);
                        unrolled.Backward();
                        expected ??= [.. model.Parameters.Gradients];
                        Assert.Equal(expected, model.Parameters.Gradients);
                    }
                }
            }
        }
    }

    [Fact]
    public void VanishedGradient_LeavesOutWholeSegments()
    {
        foreach (var accumulate in new[] { true, false })
        {
            // The states' gradients shrink by the forget gate, σ(−20), in each step; of one row they come back to the middle segment.
            var full = Model([new LstmOptions(368)], Kernels.Engine(s_kernel));
            full.Parameters.ValuesOf(full.Parameters.Find(0, ParameterRole.WeightHh)).Clear();
            full.Parameters.ValuesOf(full.Parameters.Find(0, ParameterRole.BiasIh))[368..736].Fill(-20);
            int[] lengths = [.. Enumerable.Repeat(T, 40), 12];
            AssertSame(full, [new LstmOptions(368)], 41, lengths, T, accumulate, tolerance: 2e-6f, out var inputGradient);
            Assert.All(inputGradient[..(3 * 41 * I)].ToArray(), value => Assert.Equal(0, value));
            Assert.Contains(inputGradient[(11 * 41 * I)..(12 * 41 * I)].ToArray(), value => value != 0);
        }
    }

    [Theory]
    [InlineData(368, T)]
    [InlineData(24, FarT)]
    public void State_AfterAnyStep_IsThatOfTheLayerWithAllItsStates(int H, int T)
    {
        const int B = 41;
        var engine = Kernels.Engine(s_kernel);
        var model = Model([new LstmOptions(H), new LastStepOptions()], engine);
        var whole = Twin(model, [new LstmOptions(H)], engine);
        UnrolledModel segments = model.Unroll(T, B), all = whole.Unroll(T, B);
        ModelState actual = model.CreateState(B), expected = whole.CreateState(B);
        foreach (var lengths in Lengths(B, T))
        {
            Prepare(segments);
            Copy(segments, all);
            segments.Forward(lengths: lengths);
            all.Forward(lengths: lengths);
            foreach (var steps in new[] { 1, 3, 4, 11, 12, 13, 20, T })
            {
                segments.CopyState(steps, actual);
                all.CopyState(steps, expected);
                Assert.Equal(expected.Hidden(0), actual.Hidden(0));
                Assert.Equal(expected.Cell(0), actual.Cell(0));
            }

            // What was looked at is gone by the time of the backward pass.
            float[] before = [.. Gradients(model, segments)];
            segments.Forward(lengths: lengths);
            Prepare(segments);
            Assert.Equal(before, Gradients(model, segments));
        }

        static ReadOnlySpan<float> Gradients(SequenceModel model, UnrolledModel unrolled)
        {
            model.Parameters.ZeroGradients();
            unrolled.Backward();
            return model.Parameters.Gradients;
        }
    }

    [Theory]
    [InlineData(368, T)]
    [InlineData(24, FarT)]
    public void Padding_HoldsNothingOfAnEarlierPass(int H, int T)
    {
        const int B = 41;
        var model = Model([new LstmOptions(H), new LastStepOptions()], Kernels.Engine(s_kernel));
        UnrolledModel used = model.Unroll(T, B, accumulate: false), fresh = model.Unroll(T, B, accumulate: false);
        used.Input.Fill(float.NaN);
        used.Forward();

        var lengths = Lengths(B, T).Last();
        float[][] gradients = [.. new[] { used, fresh }.Select(Gradients)];

        Assert.Equal(gradients[1], gradients[0]);

        float[] Gradients(UnrolledModel unrolled)
        {
            Prepare(unrolled);
            unrolled.Forward(lengths: lengths);
            unrolled.Backward();
            return [.. model.Parameters.Gradients];
        }
    }

    [Fact]
    public void BackwardThroughTime_GivesTheSameInputGradient_WithAndWithoutTheParameters()
    {
        var unrolled = Model([new LstmOptions(368), new LastStepOptions()], Kernels.Engine(s_kernel)).Unroll(T, 41, accumulate: false);
        Prepare(unrolled);
        unrolled.Forward();
        unrolled.Backward(inputGradient: true);
        float[] expected = [.. unrolled.InputGradient];
        Prepare(unrolled);
        unrolled.Forward();
        unrolled.BackwardThroughTime(inputGradient: true, initialStateGradient: false);
        Assert.Equal(expected, unrolled.InputGradient);
    }

    /// <summary>All steps are valid; or from none to all.</summary>
    static IEnumerable<int[]> Lengths(int batch, int steps) => [[], [.. Enumerable.Range(0, batch).Select(b => b * 7 % (steps + 1))]];

    static void AssertSame(LayerOptions[] layers, int B, int[] lengths, int steps, float tolerance)
    {
        foreach (var accumulate in new[] { true, false })
            AssertSame(Model(layers, Kernels.Engine(s_kernel)), layers, B, lengths, steps, accumulate, tolerance, out _);
    }

    /// <summary>Outputs, states and their gradients to the bit; those of the weights, which segments sum in another order, within a part of the largest.</summary>
    static void AssertSame(
        SequenceModel full, LayerOptions[] layers, int B, int[] lengths, int T, bool accumulate, float tolerance, out ReadOnlySpan<float> inputGradient)
    {
        var last = Twin(full, [.. layers, new LastStepOptions()], full.Engine);
        UnrolledModel all = full.Unroll(T, B), segments = last.Unroll(T, B, accumulate);
        var H = full.OutputSize;
        Prepare(segments);
        Copy(segments, all);
        all.OutputGradient.Clear();
        for (var b = 0; b < B; b++)
        {
            var length = lengths.Length == 0 ? T : lengths[b];
            if (length > 0)
                segments.OutputGradient.Slice(b * H, H).CopyTo(all.OutputGradient[((((length - 1) * B) + b) * H)..]);
        }

        foreach (var _ in new[] { "first pass", "second pass" })
        {
            float[] start = [.. segments.OutputGradient], startOfAll = [.. all.OutputGradient];
            segments.Forward(training: true, noise: 9, lengths: lengths);
            all.Forward(training: true, noise: 9, lengths: lengths);
            for (var b = 0; b < B; b++)
            {
                var length = lengths.Length == 0 ? T : lengths[b];
                var expected = length == 0 ? new float[H] : all.Output.Slice((((length - 1) * B) + b) * H, H);
                Assert.Equal(expected, segments.Output.Slice(b * H, H));
            }

            last.Parameters.Gradients.Fill(accumulate ? 0 : float.NaN);
            full.Parameters.ZeroGradients();
            segments.Backward(inputGradient: true, initialStateGradient: true);
            all.Backward(inputGradient: true, initialStateGradient: true);
            Assert.Equal(all.InputGradient, segments.InputGradient);
            AssertSame(all.InitialStateGradient, segments.InitialStateGradient);
            foreach (var parameter in full.Parameters.All)
                AssertClose(full.Parameters.GradientOf(parameter), last.Parameters.GradientOf(parameter), tolerance, parameter.Name);

            ModelState expectedState = full.CreateState(B), actualState = last.CreateState(B);
            all.CopyFinalState(expectedState);
            segments.CopyFinalState(actualState);
            AssertSame(expectedState, actualState);
            start.CopyTo(segments.OutputGradient);
            startOfAll.CopyTo(all.OutputGradient);
        }

        inputGradient = segments.InputGradient;
    }

    static void AssertSame(ModelState expected, ModelState actual)
    {
        for (var layer = 0; layer < expected.LayerCount; layer++)
        {
            Assert.Equal(expected.Hidden(layer), actual.Hidden(layer));
            Assert.Equal(expected.Cell(layer), actual.Cell(layer));
        }
    }

    static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, float tolerance, string tensor)
    {
        float largest = 0, error = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected[i]));
            error = Math.Max(error, Math.Abs(expected[i] - actual[i]));
        }

        Assert.True(largest > 0);
        Assert.True(error <= tolerance * largest, $"{tensor}: {error / largest:E2}");
    }

    static SequenceModel Model(LayerOptions[] layers, Engine engine)
    {
        var model = new SequenceModel(new SequenceModelOptions(I, layers), engine);
        var random = new Random(5);
        random.NextParameters(model.Parameters, 1.5f);
        return model;
    }

    static SequenceModel Twin(SequenceModel model, LayerOptions[] layers, Engine engine)
    {
        var twin = new SequenceModel(new SequenceModelOptions(I, layers), engine);
        model.Parameters.Values.CopyTo(twin.Parameters.Values);
        return twin;
    }

    static void Prepare(UnrolledModel unrolled)
    {
        var random = new Random(29);
        random.NextValues(unrolled.Input);
        random.NextValues(unrolled.OutputGradient);
        foreach (var state in new[] { unrolled.InitialState, unrolled.FinalStateGradient })
        {
            for (var layer = 0; layer < state.LayerCount; layer++)
            {
                // The rows of the pass, whatever room there is.
                random.NextValues(state.Hidden(layer)[..(state.Hidden(layer).Length / state.BatchSize * unrolled.BatchSize)]);
                random.NextValues(state.Cell(layer)[..(state.Cell(layer).Length / state.BatchSize * unrolled.BatchSize)]);
            }
        }
    }

    static void Copy(UnrolledModel from, UnrolledModel to)
    {
        from.Input.CopyTo(to.Input);
        foreach (var (source, target) in new[] { (from.InitialState, to.InitialState), (from.FinalStateGradient, to.FinalStateGradient) })
        {
            for (var layer = 0; layer < source.LayerCount; layer++)
            {
                source.Hidden(layer).CopyTo(target.Hidden(layer));
                source.Cell(layer).CopyTo(target.Cell(layer));
            }
        }
    }
}
