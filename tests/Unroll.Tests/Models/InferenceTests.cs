using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

/// <summary>Predictors and streams against the pass that training makes: the same bits with less memory.</summary>
[Collection(nameof(Alone))]
public class InferenceTests
{
    const int I = 3;

    // The largest batch is split over threads: 60·67 rows · 8·19·22 operations and more.
    static readonly (int T, int B)[] s_sizes = [(1, 1), (2, 1), (7, 2), (5, 13), (60, 67)];

    static IEnumerable<SequenceModelOptions> Models()
    {
        foreach (var cell in CellOptions.All(19))
        {
            yield return new(I, [cell, new LinearOptions(2)]);
            yield return new(I, [cell, new LastStepOptions()]);
        }

        yield return new(I, [new LstmOptions(9), new DropoutOptions(0.4), new GruOptions(21), new LinearOptions(2)]);
        yield return new(I, [new LinearOptions(5), new LstmOptions(33), new RnnOptions(6), new LastStepOptions(), new LinearOptions(4)]);
        yield return new(I, [new LinearOptions(5), new LastStepOptions()]);
        yield return new(I, [new GruOptions(8) { ResetGate = ResetGate.BeforeProduct }, new LastStepOptions(), new DropoutOptions(0.1), new LinearOptions(1)]);
        yield return new(I, [new LastStepOptions()]);
    }

    [Fact]
    public void Predict_GivesTheBitsOfForward_WithAndWithoutStates_ForEveryThreadCount()
    {
        foreach (var threads in new[] { 1, 2 })
        {
            using var engine = new Engine(threads, Kernels.Chosen);
            foreach (var options in Models())
            {
                var model = Random(options, engine);
                var predictor = model.CreatePredictor(60, 67);
                foreach (var (T, B) in s_sizes)
                {
                    var input = Values(T * B * I, 5);
                    var unrolled = model.Unroll(T, B);
                    input.CopyTo(unrolled.Input);
                    unrolled.Forward();
                    Assert.Equal(unrolled.Output.ToArray(), predictor.Predict(input, T, B));

                    var state = model.CreateState(B + 1);
                    Fill(state, 6);
                    unrolled.InitialState.CopyFrom(Rows(model, state, B));
                    unrolled.Forward();
                    var output = new float[unrolled.Output.Length];
                    predictor.Predict(input, T, B, output, state, state);
                    Assert.Equal(unrolled.Output.ToArray(), output);
                    AssertSame(model, unrolled, state);
                }
            }
        }
    }

    [Fact]
    public void Stream_GivesTheBitsOfOnePass_StepByStep()
    {
        foreach (var options in Models())
        {
            foreach (var B in new[] { 1, 4 })
            {
                const int T = 9;
                var model = Random(options, Kernels.Engine(Kernels.Chosen));
                var input = Values(T * B * I, 7);
                var stream = model.CreateStream(B);
                for (var pass = 0; pass < 2; pass++)
                {
                    var output = new float[B * model.OutputSize];
                    for (var t = 0; t < T; t++)
                    {
                        stream.Step(input.AsSpan(t * B * I, B * I), output);
                        var expected = model.CreatePredictor(t + 1, B).Predict(input.AsSpan(0, (t + 1) * B * I), t + 1, B);
                        Assert.Equal(expected[^output.Length..], output);
                    }

                    Assert.Equal(T, stream.StepCount);
                    stream.Reset();
                }
            }
        }
    }

    /// <summary>Weights beyond the nearest cache, which a single row reads from one end and from the other by turns.</summary>
    [Fact]
    public void Stream_GivesTheBitsOfABatch_WhereWeightsAreLarge()
    {
        const int T = 6, B = 3, Width = 30;
        foreach (var threads in new[] { 1, 2 })
        {
            using var engine = new Engine(threads, Kernels.Chosen);
            foreach (var cell in CellOptions.All(101))
            {
                var model = Random(new(Width, [cell]), engine);
                var input = Values(T * B * Width, 8);
                var expected = model.CreatePredictor(T, B).Predict(input, T, B);
                for (var row = 0; row < B; row++)
                {
                    var stream = model.CreateStream();
                    var output = new float[101];
                    for (var t = 0; t < T; t++)
                    {
                        stream.Step(input.AsSpan(((t * B) + row) * Width, Width), output);
                        Assert.Equal(expected.AsSpan(((t * B) + row) * 101, 101).ToArray(), output);
                    }
                }
            }
        }
    }

    /// <summary>Large enough that the threads share the units of a step: above two million operations a layer.</summary>
    public static TheoryData<RecurrentOptions> LargeCells =>
    [
        new RnnOptions(1001), new LstmOptions(501) { Peepholes = true }, new LstmOptions(601) { ForgetGate = false },
        new GruOptions(577), new GruOptions(577) { ResetGate = ResetGate.BeforeProduct }, new LayerNormLstmOptions(501),
    ];

    [Theory]
    [MemberData(nameof(LargeCells))]
    public void Stream_GivesTheSameBits_HoweverManyThreadsShareAStep(RecurrentOptions cell)
    {
        const int T = 3, B = 2, Width = 30;
        var input = Values(T * B * Width, 11);
        float[]? expected = null;
        foreach (var threads in new[] { 1, 2, 3, 4 })
        {
            using var engine = new Engine(threads, Kernels.Chosen);
            var stream = Random(new(Width, [cell, new LinearOptions(2)]), engine).CreateStream(B);
            var outputs = new List<float>();
            var y = new float[B * 2];
            for (var t = 0; t < T; t++)
            {
                stream.Step(input.AsSpan(t * B * Width, B * Width), y);
                outputs.AddRange(y);
            }

            expected ??= [.. outputs];
            Assert.Equal<float>(expected, outputs.ToArray());
            Assert.Equal(threads > B && cell is not LayerNormLstmOptions || threads == B, engine.Team.HasStarted);
        }
    }

    [Fact]
    public void Stream_GivesTheSameBits_WhetherShortStepsComeAtOnceOrLate()
    {
        // 0.2 to 0.3 million operations a layer: shared where a step follows within microseconds of the one before.
        const int T = 400, Width = 40;
        LayerOptions[] layers = [new LstmOptions(150), new GruOptions(140), new LinearOptions(2)];
        var input = Values(T * Width, 12);
        float[]? expected = null;
        foreach (var (threads, rest) in new[] { (1, 0), (2, 0), (3, 0), (2, 40) })
        {
            using var engine = new Engine(threads, Kernels.Chosen);
            var stream = Random(new(Width, layers), engine).CreateStream();
            var outputs = new float[T * 2];
            for (var t = 0; t < T; t++)
            {
                stream.Step(input.AsSpan(t * Width, Width), outputs.AsSpan(t * 2, 2));
                if (rest > 0 && t % rest == 0)
                    Thread.Sleep(1);
            }

            expected ??= outputs;
            Assert.Equal<float>(expected, outputs);
        }
    }

    [Fact]
    public void Stream_GoesOnFromASavedState_AndAClone_GoesItsOwnWay()
    {
        var model = Random(new(I, [new LstmOptions(10), new GruOptions(7), new LinearOptions(2)]), Kernels.Engine(Kernels.Chosen));
        var input = Values(8 * I, 3);
        float[] y = new float[2], z = new float[2];
        foreach (var before in new[] { 2, 3 })
        {
            var stream = model.CreateStream();
            for (var t = 0; t < before; t++)
                stream.Step(input.AsSpan(t * I, I), y);
            var saved = model.CreateState(1);
            stream.SaveState(saved);
            var clone = stream.Clone();
            Assert.Equal(before, clone.StepCount);

            var expected = Continue(stream, before);
            var other = model.CreateStream();
            other.RestoreState(saved);
            Assert.Equal(expected, Continue(other, before));
            stream.RestoreState(saved);
            Assert.Equal(expected, Continue(stream, before));
            Assert.Equal(expected, Continue(clone, before));
            stream.Step(input.AsSpan(0, I), y);
            clone.Step(input.AsSpan(I, I), z);
            Assert.NotEqual(y, z);
        }

        float[] Continue(StreamingModel stream, int from)
        {
            var outputs = new List<float>();
            for (var t = from; t < 8; t++)
            {
                stream.Step(input.AsSpan(t * I, I), y);
                outputs.AddRange(y);
            }

            return [.. outputs];
        }
    }

    [Fact]
    public void Weights_AreASnapshot_UntilRefreshed_AlsoForClones()
    {
        var model = Random(new(I, [new GruOptions(6), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        var input = Values(4 * I, 3);
        var predictor = model.CreatePredictor(4, 1);
        var clone = predictor.Clone();
        var before = predictor.Predict(input, 4, 1);
        foreach (ref var value in model.Parameters.Values)
            value *= 0.5f;
        Assert.Equal(before, predictor.Predict(input, 4, 1));
        predictor.Refresh();
        var after = model.CreatePredictor(4, 1).Predict(input, 4, 1);
        Assert.NotEqual(before, after);
        Assert.Equal(after, predictor.Predict(input, 4, 1));
        Assert.Equal(after, clone.Predict(input, 4, 1));
    }

    [Fact]
    public void Memory_IsTwoOutputsOfTheWidestLayer_OrTheStateAlone()
    {
        const int T = 1000, B = 8;
        var engine = Kernels.Engine(Kernels.Chosen);
        long input = T * B * I;

        var deep = new SequenceModel(new(I, [new LstmOptions(16), new GruOptions(32), new RnnOptions(8), new LinearOptions(1)]), engine);
        // Pre-activations: 8 rows have room for two groups of up to 96 floats.
        long states = B * ((3 * 208) + 16);
        Assert.InRange(deep.CreatePredictor(T, B).ActivationBytes, 4 * (input + (2 * T * B * 32)), 4 * (input + (2 * (T + 1) * B * 32) + states + (12 * 16)));

        var last = new SequenceModel(new(I, [new LstmOptions(64), new LastStepOptions(), new LinearOptions(1)]), engine);
        Assert.InRange(last.CreatePredictor(T, B).ActivationBytes, 4 * input, 4 * (input + (2 * (T + 1) * B) + (B * ((4 * 64) + 16 + (3 * 64))) + (8 * 16)));
    }

    [Fact]
    public void Steps_AllocateNothing()
    {
        using var engine = new Engine(1);
        var model = Random(new(I, [new LstmOptions(20), new DropoutOptions(0.1), new GruOptions(12), new LinearOptions(2)]), engine);
        var stream = model.CreateStream(3);
        var predictor = model.CreatePredictor(5, 3);
        float[] input = Values(5 * 3 * I, 2), output = new float[5 * 3 * 2];
        var state = model.CreateState(3);

        Allocations.AssertNone(() =>
        {
            stream.Step(input.AsSpan(0, 3 * I), output.AsSpan(0, 6));
            stream.SaveState(state);
            stream.RestoreState(state);
            predictor.Predict(input, 5, 3, output, state, state);
        });
    }

    [Fact]
    public void WrongShapes_AreNamed()
    {
        var model = Random(new(I, [new LstmOptions(4), new LinearOptions(2)]), Kernels.Engine(Kernels.Chosen));
        var other = Random(new(I, [new GruOptions(4), new LinearOptions(2)]), Kernels.Engine(Kernels.Chosen));
        var predictor = model.CreatePredictor(5, 2);
        var stream = model.CreateStream(2);
        Check<ArgumentOutOfRangeException>("1 to 5", () => predictor.Predict(new float[6 * 2 * I], 6, 2));
        Check<ArgumentOutOfRangeException>("1 to 2", () => predictor.Predict(new float[5 * 3 * I], 5, 3));
        Check<ArgumentException>("Expected 30 inputs [T, B, I], got 29", () => predictor.Predict(new float[29], 5, 2));
        Check<ArgumentException>("Expected 20 outputs [T', B, O], got 19", () => predictor.Predict(new float[30], 5, 2, new float[19]));
        Check<ArgumentException>("at least 2 rows, got 1", () => predictor.Predict(new float[30], 5, 2, new float[20], model.CreateState(1)));
        Check<ArgumentException>("another model", () => predictor.Predict(new float[30], 5, 2, new float[20], null, other.CreateState(2)));
        Check<ArgumentException>("Expected 6 inputs [B, I], got 3", () => stream.Step(new float[3], new float[4]));
        Check<ArgumentException>("Expected 4 outputs [B, O], got 5", () => stream.Step(new float[6], new float[5]));
        Check<ArgumentException>("another model", () => stream.RestoreState(other.CreateState(2)));
        Check<ArgumentException>("at least 2 rows, got 1", () => stream.SaveState(model.CreateState(1)));
        Check<ArgumentOutOfRangeException>("batchSize", () => model.CreateStream(0));

        static void Check<TException>(string named, Action action)
            where TException : Exception =>
            Assert.Contains(named, Assert.Throws<TException>(action).Message, StringComparison.Ordinal);
    }

    static SequenceModel Random(SequenceModelOptions options, Engine engine)
    {
        var model = new SequenceModel(options, engine);
        Values(model.Parameters.Count, 11).CopyTo(model.Parameters.Values);
        return model;
    }

    static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        var values = new float[count];
        foreach (ref var value in values.AsSpan())
            value = (random.NextSingle() - 0.5f) * 0.8f;
        return values;
    }

    static void Fill(ModelState state, int seed)
    {
        for (var layer = 0; layer < state.LayerCount; layer++)
        {
            Values(state.Hidden(layer).Length, seed + layer).CopyTo(state.Hidden(layer));
            Values(state.Cell(layer).Length, seed + layer + 50).CopyTo(state.Cell(layer));
        }
    }

    static ModelState Rows(SequenceModel model, ModelState state, int rows)
    {
        var copy = model.CreateState(rows);
        for (var layer = 0; layer < copy.LayerCount; layer++)
        {
            state.Hidden(layer)[..copy.Hidden(layer).Length].CopyTo(copy.Hidden(layer));
            state.Cell(layer)[..copy.Cell(layer).Length].CopyTo(copy.Cell(layer));
        }

        return copy;
    }

    static void AssertSame(SequenceModel model, UnrolledModel unrolled, ModelState state)
    {
        var expected = model.CreateState(unrolled.BatchSize);
        unrolled.CopyFinalState(expected);
        var actual = Rows(model, state, unrolled.BatchSize);
        for (var layer = 0; layer < expected.LayerCount; layer++)
        {
            Assert.Equal(expected.Hidden(layer).ToArray(), actual.Hidden(layer).ToArray());
            Assert.Equal(expected.Cell(layer).ToArray(), actual.Cell(layer).ToArray());
        }
    }
}
