using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

/// <summary>What a thread hands over of a pass to others that wait changes no bit of it.</summary>
public unsafe class HandOverTests
{
    const int I = 5;

    public static TheoryData<LayerOptions> Layers =>
    [
        .. CellOptions.All(64),
        new BidirectionalOptions(new LstmOptions(60)),
        new BidirectionalOptions(new GruOptions(60)) { Merge = BidirectionalMerge.Sum },
        new LinearOptions(900) { Activation = Nonlinearity.Tanh },
    ];

    [Theory]
    [MemberData(nameof(Layers))]
    public void Pass_WhileAnotherThreadWaits_GivesTheBitsOfOneThread(LayerOptions layer)
    {
        // Few rows; more than go through time together; and those whose gradient has vanished before the first step.
        foreach (var (steps, rows) in new[] { (70, 13), (9, 280) })
        {
            foreach (var lengths in new[] { [], Lengths(steps, rows) })
            {
                var expected = Pass(1, layer, steps, rows, lengths);
                Assert.Equal(expected, Pass(2, layer, steps, rows, lengths));
                Assert.Equal(expected, Pass(3, layer, steps, rows, lengths));
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Training_OfRowsOfVeryDifferentLengths_GivesTheBitsOfOneThread(int threads)
    {
        LayerOptions[][] stacks =
        [
            [new LstmOptions(64), new LastStepOptions(), new LinearOptions(3)],
            [new GruOptions(64), new LstmOptions(48) { Peepholes = true }, new LinearOptions(200)],
            [new LstmOptions(368), new LastStepOptions()],
        ];
        foreach (var layers in stacks)
        {
            // One thread's rows have all steps, the others' one.
            const int T = 40, B = 48;
            for (var longest = 0; longest < threads; longest++)
            {
                var (start, end) = ParallelJob.Share(B, longest, threads);
                int[] lengths = [.. Enumerable.Range(0, B).Select(b => b >= start && b < end ? T : 1)];
                Assert.Equal(Train(1, layers, T, B, lengths), Train(threads, layers, T, B, lengths));
            }
        }
    }

    [Fact]
    public void TallProduct_WhileAnotherThreadWaits_GivesTheBitsOfTheThreeLoops()
    {
        foreach (var kernel in Kernels.All.Except([KernelKind.Naive]))
        {
            // Several blocks of rows, of k and of columns; gaps; panels of several matrices; too little to be handed over.
            foreach (var (rows, m, widths) in new[]
            {
                (TallRows.First(2000), 200, new[] { 90, 1, 7, 1 }), (new TallRows(9, 130, 41), 500, [33, 1, 33, 1]),
                (TallRows.First(700), 60, [250, 1]), (TallRows.First(90), 2100, [40, 1, 20]), (TallRows.First(600), 100, [1400]), (TallRows.First(20), 30, [30]),
            })
            {
                for (var adds = 0; adds < 16; adds += 5)
                {
                    var expected = Sums(1, KernelKind.Naive, rows, m, widths, adds);
                    foreach (var threads in new[] { 1, 2, 3 })
                        Assert.Equal(expected, Sums(threads, kernel, rows, m, widths, adds));
                }
            }
        }
    }

    static int[] Lengths(int steps, int rows) => [.. Enumerable.Range(0, rows).Select(b => (b * 7 % (steps + 1)))];

    /// <summary>Outputs, gradients and all, of passes that one thread begins while all others wait.</summary>
    static float[] Pass(int threads, LayerOptions options, int steps, int rows, int[] lengths)
    {
        using var engine = new Engine(threads, Kernels.Chosen);
        var model = new SequenceModel(new SequenceModelOptions(I, [options]), engine);
        var random = new Random(5);
        Fill(random, model.Parameters.Values, 0.3f);
        var unrolled = model.Unroll(steps, rows);
        Fill(random, unrolled.Input, 1);

        // Makes ready, packs the weights and goes through the steps once.
        unrolled.Forward(training: true, noise: 3, lengths: lengths);
        var layer = unrolled.Layers[0];
        WhileOthersWait(engine, () => layer.Forward(0, steps, 0, rows));
        List<float> result = [.. unrolled.Output];

        Fill(random, unrolled.OutputGradient, 1);
        float[] outputGradient = [.. unrolled.OutputGradient], inputGradient = new float[steps * rows * I];
        unrolled.Backward(inputGradient: true, initialStateGradient: true);
        outputGradient.CopyTo(unrolled.OutputGradient);
        unrolled.Forward(training: true, noise: 3, lengths: lengths);
        layer.PrepareBackward();
        foreach (var recurrent in layer.Recurrences)
        {
            new Span<float>(recurrent.CarriedHidden, rows * recurrent.Layer.OutputSize).Fill(0.01f);
            if (recurrent.CarriedCell != null)
                new Span<float>(recurrent.CarriedCell, rows * recurrent.Layer.OutputSize).Clear();
        }

        layer.PackBackward(0, 1);
        WhileOthersWait(engine, () => layer.Backward(0, steps, 0, rows));
        new ReadOnlySpan<float>(layer.InputGradient, inputGradient.Length).CopyTo(inputGradient);
        result.AddRange(inputGradient);
        model.Parameters.Gradients.Clear();
        layer.PrepareGradients();
        WhileOthersWait(engine, () => layer.AccumulateGradients(0, 1));
        if (layer.MergesGradients)
            layer.MergeGradients(0, 1);
        result.AddRange(model.Parameters.Gradients);
        GC.KeepAlive(unrolled);
        return [.. result];
    }

    static float[] Train(int threads, LayerOptions[] layers, int steps, int rows, int[] lengths)
    {
        using var engine = new Engine(threads, Kernels.Chosen == KernelKind.Naive ? KernelKind.Vector128 : Kernels.Chosen);
        var model = new SequenceModel(new SequenceModelOptions(I, layers), engine);
        var random = new Random(6);
        Fill(random, model.Parameters.Values, 0.2f);
        var unrolled = model.Unroll(steps, rows, accumulate: false);
        List<float> result = [];
        for (var pass = 0; pass < 3; pass++)
        {
            Fill(random, unrolled.Input, 1);
            unrolled.Forward(lengths: lengths);
            result.AddRange(unrolled.Output);
            Fill(random, unrolled.OutputGradient, 1);
            unrolled.Backward(inputGradient: true);
            result.AddRange(unrolled.InputGradient);
            result.AddRange(model.Parameters.Gradients);
        }

        var predicted = new float[unrolled.Output.Length];
        model.CreatePredictor(steps, rows).Predict(unrolled.Input, steps, rows, predicted, lengths: lengths);
        return [.. result, .. predicted];
    }

    static float[] Sums(int threads, KernelKind kernel, TallRows rows, int m, int[] widths, int adds)
    {
        using var engine = new Engine(threads, kernel);
        var random = new Random(m);
        var k = rows.Count + ((rows.Runs - 1) * rows.Gap);
        AlignedBuffer a = Buffer(random, k * m);
        AlignedBuffer[] sources = Array.ConvertAll(widths, width => Buffer(random, width == 1 ? 1 : k * width));
        AlignedBuffer[] destinations = Array.ConvertAll(widths, width => Buffer(random, m * width));
        TallColumns[] columns =
        [
            .. widths.Select((width, group) => width == 1
                ? TallColumns.Bias(sources[group].Pointer, destinations[group].Pointer, (adds >> group & 1) != 0)
                : TallColumns.Matrix(sources[group].Pointer, width, destinations[group].Pointer, (adds >> group & 1) != 0)),
        ];
        var team = new TallTeam(engine);
        team.Reserve(m, widths);
        team.Commit();
        WhileOthersWait(engine, () =>
        {
            var action = new TallAction { Team = team, Rows = rows, A = a.Pointer, M = m, Columns = columns };
            engine.Run(ref action);
        });
        GC.KeepAlive(a);
        GC.KeepAlive(sources);
        return [.. destinations.SelectMany(destination => destination.Span.ToArray())];
    }

    static void WhileOthersWait(Engine engine, Action work) => engine.Team.Run(new LonelyJob(engine, work), engine.Threads);

    static AlignedBuffer Buffer(Random random, int length)
    {
        var buffer = new AlignedBuffer(length);
        Fill(random, buffer.Span, 0.5f);
        return buffer;
    }

    static void Fill(Random random, Span<float> values, float most)
    {
        foreach (ref var value in values)
            value = ((2 * random.NextSingle()) - 1) * most;
    }

    /// <summary>The first share does all, once another thread waits.</summary>
    sealed class LonelyJob(Engine engine, Action work) : ParallelJob
    {
        public override void Execute(int worker, int workers)
        {
            if (worker > 0)
                return;
            if (workers > 1)
                SpinWait.SpinUntil(() => engine.Team.WantsPart);
            work();
        }
    }

    struct TallAction : IKernelAction
    {
        public TallTeam Team;
        public TallRows Rows;
        public float* A;
        public int M;
        public TallColumns[] Columns;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Team.Accumulate<S, V>(new TallProblem(Rows, A, M, Columns), 0, M, worker: 0);
    }
}
