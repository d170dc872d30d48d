using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Training;

[Collection(nameof(Alone))]
public class AllocationTests
{
    const int WarmUpSteps = 40, MeasuredSteps = 50, Windows = 4;

    static readonly Dictionary<string, LayerOptions[]> s_stacks = new()
    {
        ["Rnn"] = [new RnnOptions(40)],
        ["LstmPeepholes"] = [new LstmOptions(24) { Peepholes = true }],
        ["LayerNormLstm"] = [new LayerNormLstmOptions(24) { RecurrentDropout = 0.1 }],
        ["Gru"] = [new GruOptions(24)],
        ["GruBeforeProduct"] = [new GruOptions(24) { ResetGate = ResetGate.BeforeProduct }],
        ["Stacked"] = [new LstmOptions(16), new DropoutOptions(0.2), new GruOptions(16)],
    };

    public static MatrixTheoryData<string, int, string> Cases => new(s_stacks.Keys, [1, 2], ["windows", "closed loop", "streams"]);

    [Theory]
    [MemberData(nameof(Cases))]
    public void TrainingStep_AllocatesNothing_OnAnyThread(string stack, int threads, string examples)
    {
        using var engine = new Engine(threads);
        var model = TrainerTests.Model([.. s_stacks[stack], new LinearOptions(1)], engine);
        var series = NoisySine.Generate(2000, new MersenneTwister(12));
        ISequenceSource source = examples switch
        {
            "windows" => new WindowSource(series, 30, WindowTarget.EachNext),
            "streams" => new StreamSource(series, 21, 15, 30),
            _ => new ClosedLoopSource(series, 10, 21),
        };
        // 30 steps · 21 rows · 2·40·41 multiply-adds or more: a pass is split over the threads.
        var options = TrainerTests.Options(epochs: 1, batchSize: 21) with { StepsPerEpoch = WarmUpSteps + (Windows * MeasuredSteps), ClipNorm = 0.1 };
        AssertAllocatesNothing(new Trainer(model, new Adam(model), new MeanSquaredError(), options), source, engine);
    }

    [Theory]
    [InlineData("none", 1)]
    [InlineData("none", 2)]
    [InlineData("additive", 1)]
    [InlineData("additive", 2)]
    [InlineData("multiplicative", 2)]
    public void EncoderDecoderStep_AllocatesNothing_OnAnyThread(string attention, int threads)
    {
        using var engine = new Engine(threads);
        var options = new EncoderDecoderOptions(
            1, [new EmbeddingOptions(9, 20), new BidirectionalOptions(new LstmOptions(24))], [new OneHotOptions(9), new DropoutOptions(0.1), new LstmOptions(40)], 8, 8)
        {
            Attention = attention switch { "additive" => new AdditiveAttentionOptions(16), "multiplicative" => new MultiplicativeAttentionOptions(), _ => null },
        };
        var model = new EncoderDecoder(options, engine);
        Initialization.PyTorch.Apply(model, new MersenneTwister(3));
        var training = TrainerTests.Options(epochs: 1, batchSize: 21) with
        {
            StepsPerEpoch = WarmUpSteps + (Windows * MeasuredSteps),
            ClipNorm = 0.1,
            TeacherForcing = _ => 0.7,
        };
        AssertAllocatesNothing(new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), training), EncoderDecoderTrainingTests.Reversals(60, 12), engine);
    }

    static void AssertAllocatesNothing(Trainer trainer, ISequenceSource source, Engine engine)
    {
        var threads = engine.Threads;
        AllocationProbe[] probes = [.. Enumerable.Range(0, Windows + 1).Select(_ => new AllocationProbe(threads))];
        trainer.Train(
            source,
            new MersenneTwister(1),
            callbacks:
            [
                new ProgressCallback(
                    progress =>
                    {
                        if (progress.Step == WarmUpSteps)
                            Assert.Equal(threads > 1, TrainerTests.HasSplitWork(engine));
                        if (progress.Step >= WarmUpSteps && (progress.Step - WarmUpSteps) % MeasuredSteps == 0)
                            engine.Team.Run(probes[(progress.Step - WarmUpSteps) / MeasuredSteps], threads);
                    },
                    everyStep: true),
            ]);
        Assert.DoesNotContain(0, probes[0].Threads);
        Assert.All(probes, probe => Assert.Equal(probes[0].Threads, probe.Threads));

        // A garbage collection, which other tests cause, books what is left of a thread's buffer as allocated. An
        // allocation of the step itself would show in every window.
        for (var thread = 0; thread < threads; thread++)
            Assert.Contains(0, probes.Zip(probes.Skip(1), (before, after) => after.Bytes[thread] - before.Bytes[thread]));
    }

    [Fact]
    public void ShuffledEpoch_AllocatesNothing_BetweenItsSteps()
    {
        var model = TrainerTests.Model([new LstmOptions(6), new LastStepOptions(), new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
        var source = new WindowSource(NoisySine.Generate(400, new MersenneTwister(12)), 10);
        foreach (var optimizer in new Optimizer[] { new Sgd(model, 0.9), new AdamW(model), new RmsProp(model) })
        {
            var trainer = new Trainer(model, optimizer, new MeanSquaredError(), TrainerTests.Options(epochs: 1, batchSize: 4));
            GC.Collect(); // so that none falls between the steps
            var (before, last) = (0L, 0);
            var growth = new List<long>(100);
            trainer.Train(
                source,
                new MersenneTwister(1),
                callbacks:
                [
                    new ProgressCallback(
                        progress =>
                        {
                            var now = GC.GetAllocatedBytesForCurrentThread();
                            if (progress.Step > WarmUpSteps)
                                growth.Add(now - before);
                            last = progress.Step;
                            before = GC.GetAllocatedBytesForCurrentThread();
                        },
                        everyStep: true),
                ]);
            Assert.Equal(98, last); // 390 examples: the last batch is smaller
            Assert.All(growth, bytes => Assert.Equal(0, bytes));
        }
    }

    /// <summary>Reads how much each thread of a team has allocated so far, exactly and whatever other threads do.</summary>
    sealed class AllocationProbe(int threads) : ParallelJob
    {
        int _arrived;

        public long[] Bytes { get; } = new long[threads];

        public int[] Threads { get; } = new int[threads];

        public override void Execute(int worker, int workers)
        {
            // Shares that meet run on a thread each.
            Interlocked.Increment(ref _arrived);
            while (Volatile.Read(ref _arrived) < workers)
                Thread.Yield();
            (Bytes[worker], Threads[worker]) = (GC.GetAllocatedBytesForCurrentThread(), Environment.CurrentManagedThreadId);
        }
    }
}
