using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Models;
using Unroll.Tests.Theory;
using Unroll.Theory;
using Unroll.Training;
using EncoderDecoder = Unroll.Models.EncoderDecoder;
using Linear = Unroll.Theory.Linear;
using LstmOptions = Unroll.Layers.LstmOptions;
using MeanSquaredError = Unroll.Training.MeanSquaredError;
using Merge = Unroll.Layers.BidirectionalMerge;
using PoolingKind = Unroll.Layers.PoolingKind;
using SoftmaxCrossEntropy = Unroll.Training.SoftmaxCrossEntropy;

namespace Unroll.Tests.Training;

/// <summary>
/// What the microscope shows, against its definition: the loss of the double-precision twin from a step on, as a function
/// of the state there, by central differences.
/// </summary>
public class MicroscopeTests(ITestOutputHelper output)
{
    const int T = 5, B = 4, I = 3, H = 4;
    const double Tolerance = 1e-4;

    static readonly int[] s_lengths = [3, 0, 5, 1];

    static Engine TestEngine => Kernels.Engine(Kernels.Chosen);

    [Fact]
    public void GradientNormsAndGates_AgreeWithTheTheory_ForEveryCell()
    {
        var worst = 0.0;
        foreach (var cell in CellOptions.All(H))
        {
            foreach (var lengths in new[] { [], s_lengths })
                worst = Math.Max(worst, CompareWithTheory([cell], lengths));
        }

        output.WriteLine($"worst relative error {worst:E2}");
    }

    [Fact]
    public void GradientNormsAndGates_AgreeWithTheTheory_InBothDirections()
    {
        foreach (var cell in new RecurrentOptions[] { new RnnOptions(H), new LstmOptions(H) { Peepholes = true }, new GruOptions(H), new LayerNormLstmOptions(H) })
        {
            foreach (var merge in Enum.GetValues<Merge>())
            {
                CompareWithTheory([new BidirectionalOptions(cell) { Merge = merge }], []);
                CompareWithTheory([new BidirectionalOptions(cell) { Merge = merge }], s_lengths);
            }
        }
    }

    [Fact]
    public void GradientNormsAndGates_AgreeWithTheTheory_InStacks()
    {
        LayerOptions[][] stacks =
        [
            [new LstmOptions(H), new GruOptions(6)],
            [new RnnOptions(H), new LayerNormLstmOptions(5)],
            [new BidirectionalOptions(new LstmOptions(H)), new BidirectionalOptions(new GruOptions(H) { ResetGate = ResetGate.BeforeProduct }), new LstmOptions(H)],
        ];
        foreach (var layers in stacks)
        {
            CompareWithTheory(layers, []);
            CompareWithTheory(layers, s_lengths);
        }
    }

    [Fact]
    public void DropoutAndTheLastStep_LeaveWhatTheLastStepsGradientAlone_Gives()
    {
        foreach (var cell in CellOptions.All(H))
        {
            foreach (var last in new LayerOptions[] { new LastStepOptions(), new PoolingOptions(PoolingKind.Last) })
            {
                var pooled = Model(new(I, [cell, new DropoutOptions(0.5), last]), TestEngine);
                var direct = Model(new(I, [cell, last]), TestEngine);
                var every = Model(new(I, [cell]), TestEngine);
                var batch = Batch(T, B, I, s_lengths);
                var dLast = Values(B * H, 5);
                var dEvery = new float[T * B * H];
                for (var b = 0; b < B; b++)
                {
                    if (s_lengths[b] > 0)
                        dLast.AsSpan(b * H, H).CopyTo(dEvery.AsSpan((((s_lengths[b] - 1) * B) + b) * H));
                }

                var expected = Bits(Microscope.Look(every, batch, dEvery));
                Assert.Equal(expected, Bits(Microscope.Look(pooled, batch, dLast)));
                Assert.Equal(expected, Bits(Microscope.Look(direct, batch, dLast)));
            }
        }
    }

    [Fact]
    public void EncoderAndDecoder_AgreeWithTheTheory()
    {
        const int S = 4, V = 3;
        foreach (var cell in new RecurrentOptions[] { new RnnOptions(H), new LstmOptions(H) { Peepholes = true }, new GruOptions(H) })
        {
            var model = Filled(new EncoderDecoder(new EncoderDecoderOptions(I, [cell], [new OneHotOptions(V), cell], V, 1), TestEngine));
            var batch = Batch(S, B, I, [4, 2, 1, 3], targetSteps: T);
            for (var at = 0; at < batch.Labels.Length; at++)
                batch.Labels[at] = at * 7 % V;
            var dLogits = Values(T * B * V, 9);
            var view = Microscope.Look(model, batch, dLogits);

            var encoder = new Recurrent(Twin(model, 0, cell, I));
            var decoder = new Recurrent(Twin(model, 2, cell, V));
            var readout = new Linear(H, V);
            foreach (var parameter in model.Parameters.All.Where(parameter => parameter.LayerIndex == 3))
            {
                var tensor = parameter.Role == ParameterRole.Weight ? readout.Parameters.Weight.Values : readout.Parameters.Bias;
                Copy(model.Parameters.ValuesOf(parameter), tensor);
            }

            var x = new Sequence(S, B, I, batch.Inputs);
            var tokens = new Sequence(T, B, V);
            for (var t = 0; t < T; t++)
            {
                for (var b = 0; b < B; b++)
                    tokens[t, b, t == 0 ? 1 : batch.Labels[((t - 1) * B) + b]] = 1;
            }

            var encoded = encoder.Forward(x, lengths: batch.Lengths.ToArray());
            var decoded = decoder.Forward(tokens, encoded.FinalStates);
            Close("logits", readout.Forward(decoded.Y).Values, [.. view.Output.ToArray().Select(value => (double)value)]);
            var dDecoded = readout.Backward(decoded.Y, new Sequence(T, B, V, dLogits.AsSpan())).DX;
            var dFirst = decoder.Backward(decoded, dDecoded).DInitialStates;
            Assert.Equal([$"encoder {NameOf(cell)}, layer 0", $"decoder {NameOf(cell)}, layer 1"], view.Layers.Select(layer => layer.Name));
            CompareLayer(view.Layers[0], encoder, x, new Sequence(S, B, H), batch.Lengths.ToArray(), reverse: false, dFinal: dFirst[0]);
            CompareLayer(view.Layers[1], decoder, tokens, dDecoded, [.. Enumerable.Repeat(T, B)], reverse: false, initial: encoded.FinalStates[0]);
        }
    }

    [Fact]
    public void OneUnit_LosesHalfTheGradientPerStep_UntilItIsExactlyZero()
    {
        // hₜ = tanh(½hₜ₋₁) at h = 0: ∂hₜ/∂hₜ₋₁ = ½.
        const int Long = 120;
        var model = new SequenceModel(new(1, [new RnnOptions(1), new LastStepOptions()]), TestEngine);
        model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh))[0] = 0.5f;
        var layer = Assert.Single(Microscope.Look(model, Batch(Long, 1, 1, [], value: 0), [1f]).Layers);
        for (var t = 0; t < Long; t++)
        {
            var expected = Math.ScaleB(1, t - (Long - 1));
            Assert.Equal(2 * expected < 1e-30 ? 0 : expected, layer.HiddenGradientNorms[t]);
        }

        Assert.Equal(0, layer.HiddenGradientNorms[0]);
        Assert.Empty(layer.CellGradientNorms);
        Assert.Empty(layer.Gates);
    }

    [Fact]
    public void ConstantErrorCarousel_CarriesTheGradientUnchanged()
    {
        const int Long = 1000;
        var bare = new LstmOptions(1) { InputGate = false, ForgetGate = false, OutputGate = false };
        var model = new SequenceModel(new(1, [bare, new LastStepOptions()]), TestEngine);
        var layer = Assert.Single(Microscope.Look(model, Batch(Long, 1, 1, [], value: 0), [1f]).Layers);
        Assert.Equal(Enumerable.Repeat(1.0, Long), layer.CellGradientNorms);
        Assert.Equal(["g"], layer.Gates.Keys);
    }

    [Fact]
    public void ALossGivesWhatItsOwnGradientGives_AndNothingOfTheModelChanges()
    {
        var model = Model(new(I, [new LstmOptions(H), new DropoutOptions(0.5), new GruOptions(H), new LinearOptions(2)]), TestEngine);
        var batch = Batch(T, B, I, s_lengths, targetSize: 2);
        Values(T * B * 2, 3).CopyTo(batch.Targets);
        float[] Pass()
        {
            var unrolled = model.Unroll(T, B);
            batch.Inputs.CopyTo(unrolled.Input);
            unrolled.Forward(lengths: batch.Lengths);
            new MeanSquaredError().Evaluate(unrolled.Output, batch, unrolled.OutputGradient);
            var dY = unrolled.OutputGradient.ToArray();
            model.Parameters.ZeroGradients();
            unrolled.Backward(inputGradient: true, initialStateGradient: true);
            return [.. dY, .. unrolled.Output, .. unrolled.InputGradient, .. model.Parameters.Gradients, .. model.Parameters.Values];
        }

        var before = Pass();
        var gradients = model.Parameters.Gradients.ToArray();
        var view = Microscope.Look(model, batch, new MeanSquaredError());
        Assert.Equal(gradients, model.Parameters.Gradients);
        Microscope.Influence(model, batch);
        Assert.Equal(gradients, model.Parameters.Gradients);
        Assert.Equal(before, Pass());

        var n = view.Output.Length;
        Assert.Equal(Bits(Microscope.Look(model, batch, before.AsSpan(0, n))), Bits(view));
        Assert.Equal(before.AsSpan(n, n), view.Output.Span);
        Assert.Equal(before.AsSpan(2 * n, T * B * I), view.InputGradient.Span);
        for (var t = 0; t < T; t++)
            Assert.Equal(Math.Sqrt(view.InputGradient.ToArray().AsSpan(t * B * I, B * I).ToArray().Sum(value => (double)value * value)), view.InputGradientNorms[t], 1e-12);
    }

    [Fact]
    public void EveryKernelAndThreadCount_GivesTheSameBits()
    {
        const int Steps = 30, Rows = 67, Hidden = 35;
        LayerOptions[][] stacks =
        [
            [new BidirectionalOptions(new LstmOptions(Hidden) { Peepholes = true }), new GruOptions(Hidden), new LinearOptions(2)],
            [new LayerNormLstmOptions(Hidden), new LastStepOptions()],
        ];
        foreach (var layers in stacks)
        {
            double[]? expected = null;
            foreach (var kernel in Kernels.All)
            {
                foreach (var threads in new[] { 1, 2, 3 })
                {
                    using var engine = new Engine(threads, kernel);
                    var model = Model(new(I, layers), engine);
                    var batch = Batch(Steps, Rows, I, [.. Enumerable.Range(0, Rows).Select(b => b * 13 % 31)]);
                    var view = Microscope.Look(model, batch, Values((model.HasOutputAtEveryStep ? Steps : 1) * Rows * model.OutputSize, 4));
                    var bits = Bits(view);
                    expected ??= bits;
                    Assert.Equal(expected, bits);
                }
            }
        }
    }

    [Fact]
    public void Influence_IsTheNormOfTheJacobian()
    {
        LayerOptions[][] stacks =
        [
            [new RnnOptions(H), new LinearOptions(2)],
            [new LstmOptions(H) { Peepholes = true }, new GruOptions(H)],
            [new BidirectionalOptions(new GruOptions(H)), new LinearOptions(2)],
            [new LayerNormLstmOptions(H), new LastStepOptions(), new LinearOptions(3)],
            [new BidirectionalOptions(new LstmOptions(H)), new PoolingOptions(PoolingKind.Mean, PoolingKind.Last)],
        ];
        foreach (var layers in stacks)
        {
            var model = Model(new(I, layers), TestEngine);
            var batch = Batch(T, 1, I, []);
            var influence = Microscope.Influence(model, batch);
            var outputSteps = model.HasOutputAtEveryStep ? T : 1;
            Assert.Equal((outputSteps, T), (influence.GetLength(0), influence.GetLength(1)));
            var predictor = model.CreatePredictor(T, 1);
            for (var s = 0; s < T; s++)
            {
                var squares = new double[outputSteps];
                for (var feature = 0; feature < I; feature++)
                {
                    const float Shift = 1f / 256;
                    var (above, below) = (Output(Shift), Output(-Shift));
                    for (var at = 0; at < above.Length; at++)
                        squares[at / model.OutputSize] += Math.Pow((above[at] - below[at]) / (2.0 * Shift), 2);

                    float[] Output(float shift)
                    {
                        var x = batch.Inputs.ToArray();
                        x[(s * I) + feature] += shift;
                        return predictor.Predict(x, T, 1);
                    }
                }

                for (var t = 0; t < outputSteps; t++)
                {
                    Assert.True(Math.Abs(Math.Sqrt(squares[t]) - influence[t, s]) <= 2e-3 * (influence[t, s] + 0.02), $"{layers[0]} t={t} s={s}: {influence[t, s]} but differences give {Math.Sqrt(squares[t])}");
                    var sees = !model.HasOutputAtEveryStep || !model.ReadsForward || s <= t;
                    Assert.Equal(sees, influence[t, s] > 0);
                }
            }
        }
    }

    [Fact]
    public void Influence_OfManyRows_IsTheMeanOverThoseThatHaveBothSteps()
    {
        foreach (var layers in new LayerOptions[][] { [new BidirectionalOptions(new GruOptions(H))], [new LstmOptions(H), new LastStepOptions(), new LinearOptions(9)] })
        {
            var model = Model(new(I, layers), TestEngine);
            var batch = Batch(T, B, I, s_lengths);
            var all = Microscope.Influence(model, batch);
            for (var t = 0; t < all.GetLength(0); t++)
            {
                for (var s = 0; s < T; s++)
                {
                    var (sum, count) = (0.0, 0);
                    for (var b = 0; b < B; b++)
                    {
                        if (s >= s_lengths[b] || (all.GetLength(0) > 1 && t >= s_lengths[b]))
                            continue;
                        var row = Batch(s_lengths[b], 1, I, []);
                        for (var step = 0; step < s_lengths[b]; step++)
                            batch.Inputs.Slice(((step * B) + b) * I, I).CopyTo(row.Inputs[(step * I)..]);
                        sum += Math.Pow(Microscope.Influence(model, row)[t, s], 2);
                        count++;
                    }

                    Assert.Equal(count == 0 ? 0 : Math.Sqrt(sum / count), all[t, s], 1e-9);
                }
            }
        }
    }

    [Fact]
    public void Influence_OfAFedBackStep_PassesThroughTheOutputsThatAreRead()
    {
        // One unit without a state of its own: yₜ = tanh(½xₜ), of which only x₀ is given, so ∂yₜ/∂x₀ = ½ᵗ⁺¹ at 0.
        var model = new SequenceModel(new(1, [new RnnOptions(1)]), TestEngine);
        model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightIh))[0] = 0.5f;
        var batch = new SequenceBatch(T, 1, 1, 0);
        batch.Resize(T, 1, T, feedback: true);
        batch.Feedback[1..].Fill(1);
        var influence = Microscope.Influence(model, batch);
        for (var t = 0; t < T; t++)
        {
            for (var s = 0; s < T; s++)
                Assert.Equal(s == 0 ? Math.ScaleB(1, -t - 1) : 0, influence[t, s]);
        }
    }

    [Fact]
    public void Tokens_StandForTheVectorsThatAreMadeOfThem()
    {
        const int V = 4, E = 5;
        foreach (var tokens in new LayerOptions[] { new EmbeddingOptions(V, E), new OneHotOptions(V) })
        {
            var size = tokens is OneHotOptions ? V : E;
            var model = Model(new(1, [tokens, new LstmOptions(H), new LastStepOptions()]), TestEngine);
            var vectors = new SequenceModel(new(size, [new LstmOptions(H), new LastStepOptions()]), TestEngine);
            model.Parameters.Values[^vectors.Parameters.Count..].CopyTo(vectors.Parameters.Values);
            var table = tokens is OneHotOptions ? [] : model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightEmbedding)).ToArray();
            var (words, read) = (Batch(T, B, 1, [], value: 0), Batch(T, B, size, [], value: 0));
            for (var at = 0; at < T * B; at++)
            {
                words.Inputs[at] = at * 5 % V;
                if (tokens is OneHotOptions)
                    read.Inputs[(at * size) + (at * 5 % V)] = 1;
                else
                    table.AsSpan(at * 5 % V * E, E).CopyTo(read.Inputs[(at * E)..]);
            }

            var dY = Values(B * H, 8);
            var (one, other) = (Microscope.Look(model, words, dY), Microscope.Look(vectors, read, dY));
            Assert.Equal(Bits(other), Bits(one));
            Assert.DoesNotContain(0.0, one.InputGradientNorms);
            Assert.Equal(Microscope.Influence(vectors, read), Microscope.Influence(model, words));
        }
    }

    [Fact]
    public void EncoderDecoder_ShowsTheSourcesGradient_AndWhatEachLogitDependsOn()
    {
        const int S = 4, V = 3;
        foreach (var attention in new AttentionOptions?[] { null, new AdditiveAttentionOptions(5), new MultiplicativeAttentionOptions() })
        {
            var options = new EncoderDecoderOptions(I, [new BidirectionalOptions(new GruOptions(H))], [new EmbeddingOptions(V + 1, 2), new LstmOptions(H)], V, V) { Attention = attention };
            var model = Filled(new EncoderDecoder(options, TestEngine));
            var batch = Batch(S, B, I, [4, 2, 1, 3], targetSteps: T);
            for (var at = 0; at < batch.Labels.Length; at++)
                batch.Labels[at] = at * 7 % V;
            var view = Microscope.Look(model, batch, new SoftmaxCrossEntropy());
            Assert.Equal(["encoder Gru forward, layer 0", "encoder Gru backward, layer 0", "decoder Lstm, layer 1"], view.Layers.Select(layer => layer.Name));
            Assert.Equal([false, true, false], view.Layers.Select(layer => layer.Reverse));
            Assert.Equal([S, S, T], view.Layers.Select(layer => layer.HiddenGradientNorms.Count));
            Assert.All(view.Layers, layer => Assert.DoesNotContain(0.0, layer.HiddenGradientNorms));

            var unrolled = model.Unroll(S, T, B);
            batch.Inputs.CopyTo(unrolled.Source);
            batch.Lengths.CopyTo(unrolled.SourceLengths);
            unrolled.ForceTokens(batch.Labels);
            unrolled.Forward();
            Assert.Equal(unrolled.Output, view.Output.Span);
            new SoftmaxCrossEntropy().Evaluate(unrolled.Output, batch, unrolled.OutputGradient);
            unrolled.Backward(sourceGradient: true);
            Assert.Equal(unrolled.SourceGradient, view.InputGradient.Span);

            // One logit at a time, of the first row alone.
            var single = Batch(S, 1, I, [], targetSteps: T);
            for (var s = 0; s < S; s++)
                batch.Inputs.Slice(s * B * I, I).CopyTo(single.Inputs[(s * I)..]);
            for (var t = 0; t < T; t++)
                single.Labels[t] = batch.Labels[t * B];
            var influence = Microscope.Influence(model, single);
            Assert.Equal((T, S), (influence.GetLength(0), influence.GetLength(1)));
            for (var t = 0; t < T; t++)
            {
                var squares = new double[S];
                for (var token = 0; token < V; token++)
                {
                    var one = new float[T * V];
                    one[(t * V) + token] = 1;
                    var norms = Microscope.Look(model, single, one).InputGradientNorms;
                    for (var s = 0; s < S; s++)
                        squares[s] += norms[s] * norms[s];
                }

                for (var s = 0; s < S; s++)
                    Assert.Equal(Math.Sqrt(squares[s]), influence[t, s], 1e-9);
            }
        }
    }

    [Fact]
    public void BadCalls_SayWhatWasExpected()
    {
        var model = Model(new(I, [new GruOptions(H), new LinearOptions(2)]), TestEngine);
        var batch = Batch(T, B, I, [], targetSize: 1);
        Check<ArgumentException>("batch of 3 input features, got 2", () => Microscope.Look(model, Batch(T, B, 2, []), new MeanSquaredError()));
        Check<ArgumentException>("batch of 3 input features, got 2", () => Microscope.Influence(model, Batch(T, B, 2, [])));
        Check<ArgumentException>("T'·B·O = 5·4·2 = 40 values, got 3", () => Microscope.Look(model, batch, [1f, 2f, 3f]));
        Check<ArgumentException>("check the model's output size", () => Microscope.Look(model, batch, new MeanSquaredError()));
        Check<ArgumentNullException>("loss", () => Microscope.Look(model, batch, (Loss)null!));
        Check<ArgumentNullException>("model", () => Microscope.Look(null!, batch, new MeanSquaredError()));
        Check<ArgumentNullException>("model", () => Microscope.Influence(null!, batch));
        Check<ArgumentNullException>("batch", () => Microscope.Influence(model, null!));
        var gate = Microscope.Look(model, batch, Values(T * B * 2, 1)).Layers[0].Gates["z"];
        Check<ArgumentOutOfRangeException>("Expected 0 to 3", () => _ = gate[0, 0, H]);
        Check<ArgumentOutOfRangeException>("Expected 0 to 4", () => _ = gate[-1, 0, 0]);
        Check<ArgumentOutOfRangeException>("Expected 0 to 3", () => _ = gate[0, B, 0]);

        static void Check<TException>(string part, Action action)
            where TException : Exception => Assert.Contains(part, Assert.Throws<TException>(action).Message, StringComparison.Ordinal);
    }

    /// <summary>A stack of recurrent layers, one direction after the other.</summary>
    static double CompareWithTheory(LayerOptions[] layers, int[] lengths)
    {
        var model = Model(new(I, layers), TestEngine);
        var batch = Batch(T, B, I, lengths);
        var dY = Values(T * B * model.OutputSize, 2);
        var view = Microscope.Look(model, batch, dY);
        int[] valid = lengths.Length > 0 ? lengths : [.. Enumerable.Repeat(T, B)];

        // Up through the twin's layers, then down again.
        var x = new Sequence(T, B, I, batch.Inputs);
        var twins = new List<(SequenceLayer Layer, Recurrent[] Directions, Sequence X, LayerCache Cache)>();
        for (var index = 0; index < layers.Length; index++)
        {
            Cell TwinOf(bool reverse) => Twin(model, index, layers[index].Recurrence!, x.F, reverse);
            SequenceLayer twin = layers[index] is BidirectionalOptions { Merge: var merge }
                ? new global::Unroll.Theory.Bidirectional(TwinOf(false), TwinOf(true), (global::Unroll.Theory.BidirectionalMerge)(int)merge)
                : new Recurrent(TwinOf(false));
            var cache = twin.Forward(x, lengths: valid);
            twins.Add((twin, [.. twin.Cells.Select(cell => new Recurrent(cell))], x, cache));
            x = cache.Y;
        }

        var worst = 0.0;
        var seen = view.Layers.Count;
        var gradient = new Sequence(T, B, model.OutputSize, dY.AsSpan());
        foreach (var (twin, directions, input, cache) in Enumerable.Reverse(twins))
        {
            seen -= directions.Length;
            for (var d = 0; d < directions.Length; d++)
            {
                var dDirection = directions.Length == 1 ? gradient : Part(gradient, (BidirectionalCache)cache, ((global::Unroll.Theory.Bidirectional)twin).Merge, d);
                Assert.Equal(d == 1, view.Layers[seen + d].Reverse);
                worst = Math.Max(worst, CompareLayer(view.Layers[seen + d], directions[d], input, dDirection, valid, reverse: d == 1));
            }

            gradient = twin.Backward(cache, gradient).DX;
        }

        Assert.Equal(0, seen);
        Close("dX", gradient.Values, [.. view.InputGradient.ToArray().Select(value => (double)value)]);
        return worst;
    }

    /// <summary>One direction's share of the gradient on the merged outputs.</summary>
    static Sequence Part(Sequence dY, BidirectionalCache cache, global::Unroll.Theory.BidirectionalMerge merge, int direction)
    {
        var other = direction == 0 ? cache.Backward.Y : cache.Forward.Y;
        var part = new Sequence(dY.T, dY.B, other.F);
        for (var t = 0; t < dY.T; t++)
        {
            for (var b = 0; b < dY.B; b++)
            {
                for (var j = 0; j < part.F; j++)
                {
                    part[t, b, j] = merge switch
                    {
                        global::Unroll.Theory.BidirectionalMerge.Concat => dY[t, b, (direction * part.F) + j],
                        global::Unroll.Theory.BidirectionalMerge.Sum => dY[t, b, j],
                        global::Unroll.Theory.BidirectionalMerge.Average => dY[t, b, j] / 2,
                        _ => dY[t, b, j] * other[t, b, j],
                    };
                }
            }
        }

        return part;
    }

    /// <summary>
    /// One direction of a layer: the loss Σ dY⊙y (+ dFinal⊙final state) from each step on, as a function of h there, and of
    /// c there with h following it, by central differences.
    /// </summary>
    static double CompareLayer(
        MicroscopeLayer seen, Recurrent twin, Sequence x, Sequence dY, int[] lengths, bool reverse, CellState[]? dFinal = null, CellState[]? initial = null)
    {
        var cell = Assert.Single(twin.Cells);
        var (hidden, state) = (new double[x.T], new double[cell.CellSize > 0 ? x.T : 0]);
        for (var b = 0; b < x.B; b++)
        {
            var n = lengths[b];
            if (n == 0)
                continue;
            var (row, dRow) = (Views.Sample(x, b, n), Views.Sample(dY, b, n));
            if (reverse)
                (row, dRow) = (Views.Mirror(row), Views.Mirror(dRow));
            var cache = twin.Forward(row, initial is null ? null : [[initial[b]]]);
            for (var step = 0; step < n; step++)
            {
                var t = reverse ? n - 1 - step : step;
                var kept = cache.Steps[step, 0]!;
                CompareGates(seen, kept, t, b);
                double Loss(double[] h, double[] c)
                {
                    var loss = Dot(dRow[step, 0], h);
                    var last = new CellState(h, c);
                    if (step + 1 < n)
                    {
                        var rest = twin.Forward(Views.Steps(row, step + 1, n), [[last]]);
                        loss += Dot(dRow.Values.AsSpan((step + 1) * cell.HiddenSize), rest.Y.Values);
                        last = rest.FinalStates[0][0];
                    }

                    return loss + (dFinal is null ? 0 : Dot(dFinal[b].H, last.H) + Dot(dFinal[b].C, last.C));
                }

                hidden[t] += SquaredSlope(kept.State.H, h => Loss(h, kept.State.C));
                if (cell.CellSize > 0)
                    state[t] += SquaredSlope(kept.State.C, c => Loss(OutputOf(cell, kept, c), c));
            }
        }

        foreach (var gate in seen.Gates.Values)
        {
            for (var t = 0; t < x.T; t++)
            {
                double[] open = [.. from b in Enumerable.Range(0, x.B) where t < lengths[b] from j in Enumerable.Range(0, gate.Units) select (double)gate[t, b, j]];
                Assert.Equal(open.Length == 0 ? 0 : open.Average(), gate.Means[t], 1e-9);
                for (var b = 0; b < x.B; b++)
                    Assert.True(t < lengths[b] || gate[t, b, 0] == 0);
            }
        }

        return Math.Max(
            Close($"{seen.Name} dh", [.. hidden.Select(Math.Sqrt)], seen.HiddenGradientNorms), Close($"{seen.Name} dc", [.. state.Select(Math.Sqrt)], seen.CellGradientNorms));
    }

    /// <summary>h that an LSTM's step gives to another c, with the gates' inputs as they were but for the output gate's peephole.</summary>
    static double[] OutputOf(Cell cell, CellCache step, double[] c)
    {
        if (step is LayerNormLstmCache normalised)
        {
            var y = global::Unroll.Theory.LayerNorm.Forward(c, cell.Parameters.GainCell, cell.Parameters.BiasCell).Y;
            return [.. y.Select((value, j) => normalised.O[j] * Math.Tanh(value))];
        }

        var lstm = (LstmCache)step;
        var options = ((global::Unroll.Theory.LstmCell)cell).Options;
        var peephole = options is { Peepholes: true, OutputGate: true } ? cell.Parameters.WeightPeephole[^c.Length..] : new double[c.Length];
        return [.. c.Select((value, j) => Math.Tanh(value) * (options.OutputGate ? 1 / (1 + (((1 / lstm.O[j]) - 1) * Math.Exp(-peephole[j] * (value - step.State.C[j])))) : 1))];
    }

    static void CompareGates(MicroscopeLayer seen, CellCache step, int t, int b)
    {
        Dictionary<string, double[]> gates = step switch
        {
            LstmCache lstm => new() { ["i"] = lstm.I, ["f"] = lstm.F, ["g"] = lstm.G, ["o"] = lstm.O },
            LayerNormLstmCache lstm => new() { ["i"] = lstm.I, ["f"] = lstm.F, ["g"] = lstm.G, ["o"] = lstm.O },
            GruCache gru => new() { ["r"] = gru.R, ["z"] = gru.Z, ["n"] = gru.N },
            _ => [],
        };
        string[] existing = seen.Cell is LstmOptions options
            ? [.. options.InputGate ? ["i"] : Array.Empty<string>(), .. options.ForgetGate ? ["f"] : Array.Empty<string>(), "g", .. options.OutputGate ? ["o"] : Array.Empty<string>()]
            : [.. gates.Keys];
        Assert.Equal(existing, seen.Gates.Keys);
        foreach (var name in existing)
        {
            for (var j = 0; j < gates[name].Length; j++)
                Assert.Equal(gates[name][j], seen.Gates[name][t, b, j], 1e-5);
        }
    }

    static double SquaredSlope(double[] at, Func<double[], double> loss)
    {
        const double Shift = 1e-6;
        var sum = 0.0;
        for (var j = 0; j < at.Length; j++)
        {
            double[] above = [.. at], below = [.. at];
            above[j] += Shift;
            below[j] -= Shift;
            sum += Math.Pow((loss(above) - loss(below)) / (2 * Shift), 2);
        }

        return sum;
    }

    static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var sum = 0.0;
        for (var k = 0; k < y.Length; k++)
            sum += x[k] * y[k];
        return sum;
    }

    static double Close(string what, double[] expected, IReadOnlyList<double> actual)
    {
        Assert.Equal(expected.Length, actual.Count);
        var scale = expected.Select(Math.Abs).DefaultIfEmpty(1).Max();
        var error = expected.Select((value, k) => Math.Abs(value - actual[k])).DefaultIfEmpty(0).Max() / scale;
        Assert.True(error <= Tolerance, $"{what}: relative error {error:E2}, expected {string.Join(" ", expected)}, got {string.Join(" ", actual)}");
        return error;
    }

    /// <summary>The cell of the theory with the parameters of a layer.</summary>
    static Cell Twin(TrainableModel model, int layerIndex, RecurrentOptions options, int inputSize, bool reverse = false)
    {
        var cell = TheoryTwin.CellOf(options, inputSize);
        foreach (var parameter in model.Parameters.All.Where(parameter => parameter.LayerIndex == layerIndex && parameter.Reverse == reverse))
            Copy(model.Parameters.ValuesOf(parameter), TheoryTwin.TensorOf(parameter.Role, cell.Parameters));
        return cell;
    }

    static void Copy(ReadOnlySpan<float> values, double[] tensor)
    {
        Assert.Equal(tensor.Length, values.Length);
        for (var k = 0; k < tensor.Length; k++)
            tensor[k] = values[k];
    }

    static string NameOf(RecurrentOptions cell) => cell.GetType().Name.Replace("Options", "", StringComparison.Ordinal);

    static double[] Bits(MicroscopeView view) =>
    [
        .. view.InputGradientNorms, .. view.InputGradient.ToArray().Select(value => (double)value),
        .. view.Layers.SelectMany(layer => layer.HiddenGradientNorms.Concat(layer.CellGradientNorms)),
        .. view.Layers.SelectMany(layer => layer.Gates.Values).SelectMany(gate => gate.Means.Concat(gate.Values.ToArray().Select(value => (double)value))),
    ];

    static SequenceModel Model(SequenceModelOptions options, Engine engine) => Filled(new SequenceModel(options, engine));

    static TModel Filled<TModel>(TModel model)
        where TModel : TrainableModel
    {
        var random = new Random(17);
        random.NextParameters(model.Parameters, 2);
        return model;
    }

    static float[] Values(int count, int seed)
    {
        var values = new float[count];
        new Random(seed).NextValues(values);
        return values;
    }

    /// <summary>Random inputs, or all of one value.</summary>
    static SequenceBatch Batch(int steps, int rows, int features, int[] lengths, int targetSize = 0, int? targetSteps = null, float? value = null)
    {
        var most = Math.Max(steps, targetSteps ?? steps);
        var batch = new SequenceBatch(most, rows, features, targetSize);
        batch.Resize(steps, rows, targetSteps ?? steps, lengths: lengths.Length > 0);
        lengths.CopyTo(batch.Lengths);
        if (value is { } same)
            batch.Inputs.Fill(same);
        else
            new Random(6).NextValues(batch.Inputs);
        return batch;
    }
}
