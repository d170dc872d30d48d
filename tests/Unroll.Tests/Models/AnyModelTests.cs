using CsCheck;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

/// <summary>
/// Whatever layers a model has, of whatever sizes: every kernel, number of threads and room gives the bits of the naive kernel on one
/// thread, a prediction those of the pass that could go back, and a stream those of the prediction.
/// </summary>
public class AnyModelTests
{
    static readonly Gen<LayerOptions?> s_end = Gen.OneOf<LayerOptions?>(
        Gen.Const((LayerOptions?)null), Gen.Const((LayerOptions?)new LastStepOptions()),
        Gen.Enum<PoolingKind>().Array[1, 3].Select(LayerOptions? (kinds) => new PoolingOptions(kinds)));

    static readonly Gen<Pass> s_passes =
        from layers in Any.Layer.Array[1, 3]
        from end in s_end
        from output in Gen.Bool
        from closed in Gen.Int[0, 3]
        from tokens in Gen.Int[0, 3]
        from size in Gen.Int[1, 20]
        from steps in Gen.Int[1, 9]
        from rows in Gen.OneOf(Gen.Int[1, 9], Gen.Int[10, 70])
        from lengths in Any.Lengths(steps, rows)
        from hasState in Gen.Bool
        from seed in Gen.Int[0, 1_000_000]
        select Pass.Of(layers, end, output, closed == 0, tokens == 0, size, steps, rows, lengths, hasState, seed);

    [Fact]
    public void Passes_GiveTheSameBits_InEveryWay() => Gen.Select(s_passes, Any.Way.Array[3]).Sample(
        (pass, ways) => Any.AssertSame(pass.Train, ways), iter: 200, seed: "0000Kx9eUnR0", threads: 1);

    [Fact]
    public void Predictions_AndStreams_GiveTheBitsOfTheForwardPass() => Gen.Select(s_passes, Any.Way).Where((pass, _) => pass.Feedback.Length == 0).Sample(
        (pass, way) =>
        {
            using var engine = new Engine(way.Threads, way.Kernel);
            var model = pass.Model(engine);
            var unrolled = model.Unroll(pass.Steps, pass.Rows);
            pass.Fill(unrolled);
            float[] input = [.. unrolled.Input];
            unrolled.Forward(lengths: pass.Lengths);
            float[] expected = [.. unrolled.Output], actual = new float[expected.Length];
            ModelState expectedState = model.CreateState(pass.Rows), actualState = model.CreateState(pass.Rows);
            unrolled.CopyFinalState(expectedState);
            model.CreatePredictor(pass.Steps + way.MoreSteps, pass.Rows + way.MoreRows)
                .Predict(input, pass.Steps, pass.Rows, actual, unrolled.InitialState, actualState, pass.Lengths);
            Assert.Equal(expected, actual);
            Assert.Equal(Values(expectedState, pass.Rows), Values(actualState, pass.Rows));
            if (!model.ReadsForward || pass.Lengths.Length > 0 || pass.Layers.Any(layer => layer is PoolingOptions))
                return;

            var stream = model.CreateStream(pass.Rows);
            stream.RestoreState(unrolled.InitialState);
            float[] step = new float[pass.Rows * model.OutputSize], last = expected[^step.Length..];
            for (var t = 0; t < pass.Steps; t++)
            {
                stream.Step(input.AsSpan(t * pass.Rows * model.InputSize, pass.Rows * model.InputSize), step);
                if (model.HasOutputAtEveryStep)
                    Assert.Equal(expected[(t * step.Length)..((t + 1) * step.Length)], step);
            }

            Assert.Equal(last, step);
        },
        iter: 300, seed: "0000Kx9eUnR0", threads: 1);

    /// <summary>All that a state holds for its first rows.</summary>
    static float[] Values(ModelState state, int rows) =>
        [.. Enumerable.Range(0, state.LayerCount).SelectMany(layer => (float[])[.. First(state.Hidden(layer), state, rows), .. First(state.Cell(layer), state, rows)])];

    static Span<float> First(Span<float> values, ModelState state, int rows) => values[..(values.Length / state.BatchSize * rows)];

    /// <summary>A model and a pass over it.</summary>
    sealed record Pass(int InputSize, LayerOptions[] Layers, int Steps, int Rows, int[] Lengths, byte[] Feedback, bool HasState, int Seed)
    {
        const int Vocabulary = 11;

        bool ReadsTokens => Layers[0] is OneHotOptions or EmbeddingOptions;

        /// <summary>Tokens need a layer that reads them; a closed loop numbers that come back from a last layer at every step.</summary>
        public static Pass Of(
            LayerOptions[] layers, LayerOptions? end, bool output, bool closed, bool tokens, int size, int steps, int rows, int[] lengths, bool hasState, int seed)
        {
            closed &= !tokens && layers.All(layer => layer is not BidirectionalOptions);
            LayerOptions[] first = !tokens ? [] : size % 2 == 0 ? [new OneHotOptions(Vocabulary)] : [new EmbeddingOptions(Vocabulary, size)];
            LayerOptions[] last = closed || output ? [new LinearOptions(size)] : [];
            var random = new Random(seed);
            byte[] feedback = closed ? [.. Enumerable.Range(0, steps * rows).Select(index => (byte)(index < rows ? 0 : random.Next(2)))] : [];
            return new Pass(tokens ? 1 : size, [.. first, .. layers, .. closed || end is null ? [] : (LayerOptions[])[end], .. last], steps, rows, lengths, feedback, hasState, seed);
        }

        public SequenceModel Model(Engine engine)
        {
            var model = new SequenceModel(new SequenceModelOptions(InputSize, Layers), engine);
            var random = new Random(Seed);
            random.NextParameters(model.Parameters, 1);
            return model;
        }

        public void Fill(UnrolledModel unrolled)
        {
            var random = new Random(Seed + 1);
            if (ReadsTokens)
            {
                foreach (ref var token in unrolled.Input)
                    token = random.Next(Vocabulary);
            }
            else
            {
                random.NextValues(unrolled.Input);
            }

            random.NextValues(unrolled.OutputGradient);
            foreach (var state in new[] { unrolled.InitialState, unrolled.FinalStateGradient })
            {
                for (var layer = 0; HasState && layer < state.LayerCount; layer++)
                {
                    random.NextValues(First(state.Hidden(layer), state, Rows));
                    random.NextValues(First(state.Cell(layer), state, Rows));
                }
            }
        }

        /// <summary>All that the pass gives, there and back.</summary>
        public Dictionary<string, float[]> Train(Way way)
        {
            using var engine = new Engine(way.Threads, way.Kernel);
            var model = Model(engine);
            var unrolled = model.Unroll(Steps + way.MoreSteps, Rows + way.MoreRows, way.Accumulate);
            if (way.IsUsed)
            {
                Fill(unrolled);
                unrolled.Forward();
                unrolled.Backward();
            }

            unrolled.Resize(Steps, Rows);
            Fill(unrolled);
            model.Parameters.Gradients.Fill(way.Accumulate ? 0 : float.NaN);
            unrolled.Forward(training: true, Feedback, noise: 7, Lengths);
            var state = model.CreateState(Rows);
            unrolled.CopyFinalState(state);
            var results = new Dictionary<string, float[]> { ["output"] = [.. unrolled.Output], ["final state"] = Values(state, Rows) };
            unrolled.Backward(inputGradient: !ReadsTokens, initialStateGradient: true);
            results["input gradient"] = [.. unrolled.InputGradient];
            results["initial state's gradient"] = Values(unrolled.InitialStateGradient, Rows);
            foreach (var parameter in model.Parameters.All)
                results[parameter.Name] = [.. model.Parameters.GradientOf(parameter)];
            return results;
        }

        public override string ToString() =>
            $"{InputSize} → {string.Join(" → ", Layers.Select(layer => layer.ToString()))}, T={Steps}, B={Rows}, lengths [{string.Join(",", Lengths)}], feedback {Feedback.Length > 0}, state {HasState}, seed {Seed}";
    }
}
