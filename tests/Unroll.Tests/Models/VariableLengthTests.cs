using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Theory;
using Bidirectional = Unroll.Theory.Bidirectional;
using BidirectionalMerge = Unroll.Layers.BidirectionalMerge;
using LstmOptions = Unroll.Layers.LstmOptions;
using MeanSquaredError = Unroll.Training.MeanSquaredError;
using PoolingKind = Unroll.Layers.PoolingKind;

namespace Unroll.Tests.Models;

/// <summary>Rows of different lengths, in one direction and in both, against the theory and by their laws.</summary>
public class VariableLengthTests(ITestOutputHelper output)
{
    const int T = 6, B = 9, I = 3, H = 7;
    const double Tolerance = 2e-5;

    // In any order, from empty to full; neighbours that are equal, and single ones.
    static readonly int[] s_lengths = [6, 0, 3, 3, 1, 6, 0, 5, 2];

    static IEnumerable<LayerOptions> Layers() =>
    [
        .. CellOptions.All(H),
        .. from cell in CellOptions.All(H) from merge in Enum.GetValues<BidirectionalMerge>() select new BidirectionalOptions(cell) { Merge = merge },
    ];

    [Fact]
    public void EveryCellAndMerge_AgreesWithTheTheory_WithAndWithoutLengths()
    {
        var worst = 0.0;
        foreach (var options in Layers())
        {
            foreach (var lengths in new[] { s_lengths, [] })
                worst = Math.Max(worst, CompareWithTheory(options, lengths, Kernels.Chosen));
        }

        output.WriteLine($"worst relative error {worst:E2}");
    }

    [Fact]
    public void RecurrentDropout_AgreesWithTheTheory_InOneDirectionAndInBoth()
    {
        foreach (var cell in CellOptions.WithDropout(H))
        {
            foreach (var options in new LayerOptions[] { cell, new BidirectionalOptions(cell) })
            {
                foreach (var kernel in Kernels.All)
                {
                    CompareWithTheory(options, s_lengths, kernel, noise: 77);
                    CompareWithTheory(options, [], kernel, noise: 78);
                }
            }
        }
    }

    [Fact]
    public void EveryKernelAndThreadCount_GivesTheSameBits()
    {
        LayerOptions[] layers =
        [
            new BidirectionalOptions(new LstmOptions(35) { Peepholes = true }), new GruOptions(35) { ResetGate = ResetGate.BeforeProduct },
            new BidirectionalOptions(new LayerNormLstmOptions(35)), .. CellOptions.WithDropout(35),
        ];
        foreach (var options in layers)
        {
            foreach (var last in new LayerOptions[] { new LastStepOptions(), new PoolingOptions(PoolingKind.Mean, PoolingKind.Max, PoolingKind.First, PoolingKind.Last) })
            {
                var lengths = Enumerable.Range(0, 67).Select(b => b * 13 % 31).ToArray();
                float[]? expected = null;
                foreach (var kernel in Kernels.All)
                {
                    foreach (var threads in new[] { 1, 2, 3 })
                    {
                        using var engine = new Engine(threads, kernel);
                        var bits = Bits(Model([options, last, new LinearOptions(2)], engine), 30, 67, lengths, 5);
                        expected ??= bits;
                        Assert.Equal(expected, bits);
                    }
                }
            }
        }
    }

    [Fact]
    public void Padding_ChangesNothing_WhateverStandsInIt()
    {
        foreach (var options in Layers())
        {
            foreach (var last in new LayerOptions?[] { null, new LastStepOptions(), new PoolingOptions(PoolingKind.Mean, PoolingKind.Max, PoolingKind.First, PoolingKind.Last) })
            {
                LayerOptions[] layers = last is null ? [options, new LinearOptions(2)] : [options, last, new LinearOptions(2)];
                var model = Model(layers, Kernels.Engine(Kernels.Chosen));
                var expected = Bits(model, T, B, s_lengths, 8);
                Assert.Equal(expected, Bits(model, T + 3, B, s_lengths, 8));
                Assert.All(expected, value => Assert.True(float.IsFinite(value)));
            }
        }
    }

    [Fact]
    public void Batch_GivesEachRowWhatItGetsAlone()
    {
        foreach (var options in Layers())
        {
            foreach (var last in new LayerOptions[] { new LastStepOptions(), new PoolingOptions(PoolingKind.Mean, PoolingKind.Max, PoolingKind.First, PoolingKind.Last) })
            {
                var model = Model([options, last, new LinearOptions(2)], Kernels.Engine(Kernels.Chosen));
                var unrolled = Prepared(model, T, B, s_lengths, 4);
                unrolled.Forward(lengths: s_lengths);
                var predictor = model.CreatePredictor(T, B);
                Assert.Equal(unrolled.Output.ToArray(), Predict(predictor, unrolled, s_lengths));
                for (var b = 0; b < B; b++)
                {
                    if (s_lengths[b] == 0)
                        continue;
                    var row = new float[s_lengths[b] * I];
                    for (var t = 0; t < s_lengths[b]; t++)
                        unrolled.Input.Slice(((t * B) + b) * I, I).CopyTo(row.AsSpan(t * I));
                    var alone = new float[2];
                    predictor.Predict(row, s_lengths[b], 1, alone, RowOf(model, unrolled.InitialState, b));
                    Assert.Equal(unrolled.Output.Slice(b * 2, 2).ToArray(), alone);
                }
            }
        }
    }

    [Fact]
    public void Predictor_AgreesWithForward_AtEveryStep_AndInItsStates()
    {
        foreach (var options in Layers())
        {
            // A third layer reuses the memory of the first one's outputs.
            foreach (var layers in new LayerOptions[][] { [options], [options, new LastStepOptions()], [options, new GruOptions(31), new LstmOptions(40), new LinearOptions(1)] })
            {
                var model = Model(layers, Kernels.Engine(Kernels.Chosen));
                var unrolled = Prepared(model, T, B, s_lengths, 4);
                unrolled.Forward(lengths: s_lengths);
                var (expected, actual) = (model.CreateState(B), model.CreateState(B));
                unrolled.CopyFinalState(expected);
                var y = new float[unrolled.Output.Length];
                model.CreatePredictor(T, B).Predict(unrolled.Input, T, B, y, unrolled.InitialState, actual, s_lengths);
                Assert.Equal(unrolled.Output.ToArray(), y);
                for (var layer = 0; layer < expected.LayerCount; layer++)
                {
                    Assert.Equal(expected.Hidden(layer).ToArray(), actual.Hidden(layer).ToArray());
                    Assert.Equal(expected.Cell(layer).ToArray(), actual.Cell(layer).ToArray());
                }
            }
        }
    }

    [Fact]
    public void Loss_CountsNoPaddedTarget()
    {
        var batch = new SequenceBatch(3, 2, 1, 1);
        batch.Resize(3, 2, 3, lengths: true);
        batch.Lengths[0] = 3;
        batch.Lengths[1] = 1;
        Assert.Equal([1f, 1f, 1f, 0f, 1f, 0f], batch.Weights.ToArray());
        batch.Targets.Clear();
        var dY = new float[6];
        Assert.Equal((1.0 + 4 + 9 + 25) / 4, new MeanSquaredError().Evaluate([1, 2, 3, 100, 5, 200], batch, dY), 1e-12);
        Assert.Equal([0f, 0f], [dY[3], dY[5]]);
        batch.Resize(3, 2, 1, lengths: true); // one target a sequence
        Assert.True(batch.Weights.IsEmpty);
    }

    [Fact]
    public void WrongLengths_AreNamed_AndWhatNeedsTheWholeSequence_IsRefused()
    {
        var model = Model([new BidirectionalOptions(new GruOptions(2)), new LinearOptions(I)], Kernels.Engine(Kernels.Chosen));
        var unrolled = model.Unroll(T, 2);
        Check<ArgumentException>("Expected 2 lengths [B], got 1", () => unrolled.Forward(lengths: [3]));
        Check<ArgumentException>("Expected lengths of 0 to T = 6, got 7 in row 1", () => unrolled.Forward(lengths: [3, 7]));
        Check<ArgumentException>("got -1 in row 0", () => unrolled.Forward(lengths: [-1, 2]));
        Check<ArgumentException>("reads the whole sequence", () => unrolled.Forward(feedback: new byte[T * 2]));
        Check<InvalidOperationException>("Use CreatePredictor", () => model.CreateStream());
        Check<InvalidOperationException>("Use CreatePredictor", () => Model([new PoolingOptions(PoolingKind.Mean)], Kernels.Engine(Kernels.Chosen)).CreateStream());
        Check<ArgumentException>("at least one pooling", () => _ = new PoolingOptions());
        Check<ArgumentNullException>("cell", () => _ = new BidirectionalOptions(null!));

        static void Check<TException>(string part, Action action)
            where TException : Exception => Assert.Contains(part, Assert.Throws<TException>(action).Message, StringComparison.Ordinal);
    }

    /// <param name="options">The layer.</param>
    /// <param name="lengths">The valid steps of each row, or none.</param>
    /// <param name="kernel">What computes.</param>
    /// <param name="noise">The seed of the masks; no dropout if null.</param>
    static double CompareWithTheory(LayerOptions options, int[] lengths, KernelKind kernel, ulong? noise = null)
    {
        var model = Model([options], Kernels.Engine(kernel));
        var unrolled = Prepared(model, T, B, lengths, 6);
        var cells = (options is BidirectionalOptions both ? [both.Cell, both.Cell] : new[] { (RecurrentOptions)options })
            .Select(cell => TheoryTwin.CellOf(cell, I)).ToArray();
        foreach (var parameter in model.Parameters.All)
        {
            var values = model.Parameters.ValuesOf(parameter);
            var tensor = TheoryTwin.TensorOf(parameter, _ => cells[parameter.Reverse ? 1 : 0].Parameters, null!);
            for (var i = 0; i < values.Length; i++)
                tensor[i] = values[i];
        }

        SequenceLayer twin = options is BidirectionalOptions { Merge: var merge }
            ? new Bidirectional(cells[0], cells[1], (global::Unroll.Theory.BidirectionalMerge)(int)merge)
            : new Recurrent(cells[0]);
        var valid = lengths.Length == 0 ? null : lengths;
        var x = new Sequence(T, B, I, unrolled.Input);
        var cache = twin.Forward(x, TheoryTwin.States(unrolled.InitialState, B), valid, noise is null ? null : [.. cells.Select((_, d) => Masks(d))]);
        var gradients = twin.Backward(cache, new Sequence(T, B, model.OutputSize, unrolled.OutputGradient), TheoryTwin.States(unrolled.FinalStateGradient, B));

        unrolled.Forward(training: noise is not null, lengths: lengths, noise: noise ?? 0);
        var final = model.CreateState(B);
        unrolled.CopyFinalState(final);
        var worst = Compare("y", cache.Y.Values, unrolled.Output);
        for (var d = 0; d < cells.Length; d++)
        {
            worst = Math.Max(worst, Compare("hT", CellState.JoinH(cache.FinalStates[d]), final.Hidden(d)));
            worst = Math.Max(worst, Compare("cT", CellState.JoinC(cache.FinalStates[d]), final.Cell(d)));
        }

        unrolled.Backward(inputGradient: true, initialStateGradient: true);
        worst = Math.Max(worst, Compare("dX", gradients.DX.Values, unrolled.InputGradient));
        foreach (var parameter in model.Parameters.All)
        {
            var expected = TheoryTwin.TensorOf(parameter, _ => gradients.DParameters[parameter.Reverse ? 1 : 0], null!);
            worst = Math.Max(worst, Compare(parameter.Name, expected, model.Parameters.GradientOf(parameter)));
        }

        for (var d = 0; d < cells.Length; d++)
        {
            worst = Math.Max(worst, Compare("dh0", CellState.JoinH(gradients.DInitialStates[d]), unrolled.InitialStateGradient.Hidden(d)));
            worst = Math.Max(worst, Compare("dc0", CellState.JoinC(gradients.DInitialStates[d]), unrolled.InitialStateGradient.Cell(d)));
        }

        return worst;

        VariationalMasks Masks(int direction)
        {
            var mask = new DropoutMask(cells.Length == 2 ? ((BidirectionalOptions)options).Cell.RecurrentDropout : ((RecurrentOptions)options).RecurrentDropout, direction == 0 ? noise!.Value : ~noise!.Value);
            var hidden = new Matrix(B, H);
            for (var k = 0; k < B * H; k++)
                hidden.Values[k] = mask.Apply(1f, k);
            return new VariationalMasks(null, hidden);
        }

        double Compare(string tensor, double[] expected, ReadOnlySpan<float> actual)
        {
            Assert.Equal(expected.Length, actual.Length);
            double scale = 1e-30, error = 0;
            for (var i = 0; i < expected.Length; i++)
            {
                scale = Math.Max(scale, Math.Abs(expected[i]));
                error = Math.Max(error, Math.Abs(expected[i] - actual[i]));
            }

            Assert.True(error <= Tolerance * scale, $"{options} {tensor}: relative error {error / scale:E2}");
            return error / scale;
        }
    }

    static SequenceModel Model(LayerOptions[] layers, Engine engine)
    {
        var model = new SequenceModel(new(I, layers), engine);
        var random = new Random(17);
        random.NextParameters(model.Parameters, 2);
        return model;
    }

    /// <summary>Inputs with NaN behind the lengths, states and gradients, the same for every T.</summary>
    static UnrolledModel Prepared(SequenceModel model, int steps, int rows, int[] lengths, int seed)
    {
        var unrolled = model.Unroll(steps, rows);
        var random = new Random(seed);
        unrolled.Input.Fill(lengths.Length == 0 ? 0 : float.NaN);
        unrolled.OutputGradient.Clear();
        foreach (var state in new[] { unrolled.InitialState, unrolled.FinalStateGradient })
        {
            for (var layer = 0; layer < state.LayerCount; layer++)
            {
                random.NextValues(state.Hidden(layer));
                random.NextValues(state.Cell(layer));
            }
        }

        for (var b = 0; b < rows; b++)
        {
            for (var t = 0; t < (lengths.Length == 0 ? steps : lengths[b]); t++)
                random.NextValues(unrolled.Input.Slice(((t * rows) + b) * model.InputSize, model.InputSize));
            for (var t = 0; t < (unrolled.OutputSteps == 1 ? 1 : lengths.Length == 0 ? steps : lengths[b]); t++)
                random.NextValues(unrolled.OutputGradient.Slice(((t * rows) + b) * model.OutputSize, model.OutputSize));
        }

        return unrolled;
    }

    /// <summary>What does not depend on T: gradients of parameters and states, outputs and input gradients of valid steps.</summary>
    static float[] Bits(SequenceModel model, int steps, int rows, int[] lengths, int seed)
    {
        var unrolled = Prepared(model, steps, rows, lengths, seed);
        unrolled.Forward(training: true, lengths: lengths);
        model.Parameters.ZeroGradients();
        var outputs = unrolled.Output.ToArray();
        unrolled.Backward(inputGradient: true, initialStateGradient: true);
        var bits = new List<float>(model.Parameters.Gradients.ToArray());
        for (var layer = 0; layer < unrolled.InitialStateGradient.LayerCount; layer++)
        {
            bits.AddRange(unrolled.InitialStateGradient.Hidden(layer));
            bits.AddRange(unrolled.InitialStateGradient.Cell(layer));
        }

        for (var b = 0; b < rows; b++)
        {
            for (var t = 0; t < lengths[b]; t++)
            {
                bits.AddRange(unrolled.InputGradient.Slice(((t * rows) + b) * model.InputSize, model.InputSize));
                if (unrolled.OutputSteps > 1)
                    bits.AddRange(outputs.AsSpan(((t * rows) + b) * model.OutputSize, model.OutputSize));
            }
        }

        if (unrolled.OutputSteps == 1)
            bits.AddRange(outputs);
        return [.. bits];
    }

    static float[] Predict(Predictor predictor, UnrolledModel unrolled, int[] lengths)
    {
        var y = new float[unrolled.Output.Length];
        predictor.Predict(unrolled.Input, unrolled.Steps, unrolled.BatchSize, y, unrolled.InitialState, lengths: lengths);
        return y;
    }

    static ModelState RowOf(SequenceModel model, ModelState state, int b)
    {
        var row = model.CreateState(1);
        for (var layer = 0; layer < row.LayerCount; layer++)
        {
            state.Hidden(layer).Slice(b * row.Hidden(layer).Length, row.Hidden(layer).Length).CopyTo(row.Hidden(layer));
            state.Cell(layer).Slice(b * row.Cell(layer).Length, row.Cell(layer).Length).CopyTo(row.Cell(layer));
        }

        return row;
    }
}
