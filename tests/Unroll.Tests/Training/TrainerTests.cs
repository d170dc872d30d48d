using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Training;

public class TrainerTests(ITestOutputHelper output)
{
    static readonly float[] s_sine = NoisySine.Clean(120, period: 25);

    public static TheoryData<string> Learners => [.. s_learners.Keys];

    static readonly Dictionary<string, RecurrentOptions> s_learners = new()
    {
        ["Rnn"] = new RnnOptions(12),
        ["RnnRelu"] = new RnnOptions(12) { Nonlinearity = Nonlinearity.Relu },
        ["Lstm"] = new LstmOptions(12),
        ["LstmPeepholes"] = new LstmOptions(12) { Peepholes = true },
        ["LstmOf1997"] = new LstmOptions(12) { ForgetGate = false },
        ["Gru"] = new GruOptions(12),
        ["GruBeforeProduct"] = new GruOptions(12) { ResetGate = ResetGate.BeforeProduct },
    };

    [Theory]
    [MemberData(nameof(Learners))]
    public void Training_LowersTheLossTenfold_ForEveryCell(string cell)
    {
        var model = Model([s_learners[cell], new LinearOptions(1)], new Engine(1));
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), Options(epochs: 20, batchSize: 10, rate: 0.01) with { ClipNorm = 1 });
        var source = new WindowSource(s_sine, 20, WindowTarget.EachNext);
        var before = trainer.Evaluate(source);
        var history = trainer.Train(source, new MersenneTwister(1));
        var after = trainer.Evaluate(source);
        output.WriteLine($"{cell}: {before:G3} → {after:G3}");
        Assert.True(after < before / 10, $"{before} → {after}");
        Assert.Equal(TrainingEnd.Completed, history.End);
        Assert.Equal(20, history.Epochs.Count);
        Assert.True(history.Epochs[^1].TrainingLoss < history.Epochs[0].TrainingLoss / 10);
    }

    [Fact]
    public void Training_GivesTheSameBits_ForEveryKernelAndThreadCount()
    {
        var expected = TrainedBits(1, KernelKind.Naive);
        Assert.All(expected, value => Assert.True(float.IsFinite(value)));
        (int Threads, KernelKind Kernel)[] others =
            [(3, KernelKind.Naive), (2, KernelKind.Vector128), (3, KernelKind.Vector256), (1, KernelKind.Vector512), (2, KernelKind.Vector512)];
        foreach (var (threads, kernel) in others)
            Assert.Equal(expected, TrainedBits(threads, kernel));

        static float[] TrainedBits(int threads, KernelKind kernel)
        {
            // 20 steps · 11 rows · 9,800 multiply-adds a step: enough for a pass to be split over the threads.
            using var engine = new Engine(threads, kernel);
            var model = Model([new LstmOptions(20), new DropoutOptions(0.1), new LstmOptions(20), new LinearOptions(1)], engine);
            var options = Options(epochs: 2, batchSize: 11, rate: 0.01) with { StepsPerEpoch = 100, ClipNorm = 0.05 };
            var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), options);
            var source = new WindowSource(NoisySine.Generate(300, new MersenneTwister(12)), 20, WindowTarget.EachNext);
            var before = trainer.Evaluate(source);
            var history = trainer.Train(source, new MersenneTwister(5));
            var after = trainer.Evaluate(source);
            Assert.True(after < before / 4, $"{before} → {after}: too little training to compare");
            Assert.True(history.Epochs[0].GradientNorm > 0.05, "the gradient was never clipped");
            Assert.Equal(threads > 1, HasSplitWork(engine));
            return [.. model.Parameters.Values, (float)after];
        }
    }

    [Fact]
    public void Training_WithTheSameSeed_RepeatsItself_AndWithAnotherDoesNot()
    {
        Assert.Equal(Losses(4), Losses(4));
        Assert.NotEqual(Losses(4), Losses(5));

        static double[] Losses(uint seed)
        {
            var (trainer, source) = Small(Options(epochs: 3, batchSize: 16));
            return [.. trainer.Train(source, new MersenneTwister(seed), source).Epochs.SelectMany(epoch => new[] { epoch.TrainingLoss, epoch.ValidationLoss })];
        }
    }

    [Fact]
    public void EarlyStopping_StopsAfterItsPatience_AndRestoresTheBestWeights()
    {
        var (trainer, source) = Small(Options(epochs: 50, batchSize: 20, rate: 0.003));
        var afterEpoch = new List<float[]>();
        var keep = new ProgressCallback(progress => afterEpoch.Add(progress.Model.Parameters.Values.ToArray()));
        var stopping = new EarlyStopping(patience: 3);
        var history = trainer.Train(source, new MersenneTwister(1), new OppositeSource(source), [keep, stopping]);

        Assert.Equal(TrainingEnd.Stopped, history.End);
        Assert.Equal(4, history.Epochs.Count);
        Assert.Equal(1, stopping.BestEpoch);
        Assert.Equal(history.Epochs[0].ValidationLoss, stopping.BestLoss);
        Assert.True(history.Epochs[^1].ValidationLoss > history.Epochs[0].ValidationLoss);
        Assert.Equal(afterEpoch[0], trainer.Model.Parameters.Values);
        Assert.NotEqual(afterEpoch[0], afterEpoch[3]);
        Assert.Equal(stopping.BestLoss, trainer.Evaluate(new OppositeSource(source)));
    }

    [Fact]
    public void EarlyStopping_LetsARunGoOn_WhileItImproves_AndWatchesTheTrainingLossAlone()
    {
        var (trainer, source) = Small(Options(epochs: 6, batchSize: 20));
        var stopping = new EarlyStopping(patience: 1);
        var history = trainer.Train(source, new MersenneTwister(1), callbacks: [stopping]);
        Assert.Equal(TrainingEnd.Completed, history.End);
        Assert.Equal(6, stopping.BestEpoch);
        Assert.Equal(history.Epochs[^1].TrainingLoss, stopping.BestLoss);
    }

    [Fact]
    public void EarlyStopping_WantsItsMinimumImprovement()
    {
        var (trainer, source) = Small(Options(epochs: 50, batchSize: 20));
        var stopping = new EarlyStopping(patience: 2, minimumImprovement: 1e6);
        Assert.Equal(3, trainer.Train(source, new MersenneTwister(1), callbacks: [stopping]).Epochs.Count);
        Assert.Equal(1, stopping.BestEpoch);
    }

    [Fact]
    public void Cancellation_EndsAfterTheStep_WithItsParameters()
    {
        using var cancellation = new CancellationTokenSource();
        var (trainer, source) = Small(Options(epochs: 10, batchSize: 20)); // 100 examples: 5 steps an epoch
        var log = new List<string>();
        float[] last = [];
        var cancel = new ProgressCallback(
            progress =>
            {
                last = progress.Model.Parameters.Values.ToArray();
                if (progress.Step == 7)
                    cancellation.Cancel();
            },
            everyStep: true);
        var history = trainer.Fit(source, new MersenneTwister(1), callbacks: [cancel, new LoggingCallback(log)], cancellation: cancellation.Token);

        Assert.Equal(TrainingEnd.Cancelled, history.End);
        Assert.Single(history.Epochs); // the second was not whole
        Assert.Equal(7, log.Count(entry => entry.StartsWith("step end", StringComparison.Ordinal)));
        Assert.Equal("end", log[^1]);
        Assert.Equal(last, trainer.Model.Parameters.Values);
        Assert.All(last, value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Cancellation_BeforeTheRun_TrainsNothing()
    {
        var (trainer, source) = Small(Options(epochs: 10, batchSize: 20));
        var before = trainer.Model.Parameters.Values.ToArray();
        var log = new List<string>();
        var history = trainer.Fit(source, new MersenneTwister(1), callbacks: [new LoggingCallback(log)], cancellation: new CancellationToken(canceled: true));
        Assert.Equal(TrainingEnd.Cancelled, history.End);
        Assert.Equal(before, trainer.Model.Parameters.Values);
        Assert.Equal(["start", "end"], log);
    }

    [Fact]
    public void Stop_EndsTheRun_AfterTheStep()
    {
        var (trainer, source) = Small(Options(epochs: 10, batchSize: 20));
        var log = new List<string>();
        var stop = new ProgressCallback(
            progress =>
            {
                if (progress.Step == 8)
                    progress.Stop();
            },
            everyStep: true);
        var history = trainer.Train(source, new MersenneTwister(1), callbacks: [stop, new LoggingCallback(log)]);
        Assert.Equal(TrainingEnd.Stopped, history.End);
        Assert.Equal(8, log.Count(entry => entry.StartsWith("step end", StringComparison.Ordinal)));
        Assert.Equal("end", log[^1]);
    }

    [Fact]
    public void Divergence_IsNamed_ByEpochStepAndNorm()
    {
        var model = Model([new LinearOptions(3), new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
        var trainer = new Trainer(model, new Sgd(model), new MeanSquaredError(), Options(epochs: 10, batchSize: 20, rate: 1e12));
        var log = new List<string>();
        var source = new WindowSource(s_sine, 20, WindowTarget.EachNext);
        var exception = Assert.Throws<TrainingDivergedException>(() => trainer.Train(source, new MersenneTwister(1), callbacks: [new LoggingCallback(log)]));

        Assert.InRange(exception.Step, 2, 5);
        Assert.Equal(1, exception.Epoch);
        Assert.False(double.IsFinite(exception.Loss) && double.IsFinite(exception.GradientNorm));
        Assert.Contains($"epoch 1, step {exception.Step}: loss {exception.Loss}, gradient norm {exception.GradientNorm}", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Lower the learning rate", exception.Message, StringComparison.Ordinal);
        Assert.Equal($"step starting 1.{exception.Step}", log[^1]); // neither its end nor that of the run
    }

    [Fact]
    public void Divergence_InALaterEpoch_CountsStepsOverAllEpochs()
    {
        var (trainer, source) = Small(Options(epochs: 10, batchSize: 20));
        var poison = new ProgressCallback(progress =>
        {
            if (progress.Epoch == 2)
                progress.Model.Parameters.Values[0] = float.NaN;
        });
        var exception = Assert.Throws<TrainingDivergedException>(() => trainer.Train(source, new MersenneTwister(1), callbacks: [poison]));
        Assert.Equal((3, 11), (exception.Epoch, exception.Step));
        Assert.True(double.IsNaN(exception.Loss));
    }

    [Theory]
    [InlineData(ScheduleUnit.Epoch, new[] { 0, 0, 0, 1, 1, 1 })]
    [InlineData(ScheduleUnit.Step, new[] { 0, 1, 2, 3, 4, 5 })]
    public void Schedule_CountsEpochsOrSteps_AndSeesEachEpochsLoss(ScheduleUnit unit, int[] indices)
    {
        var schedule = new LoggingSchedule();
        var (trainer, source) = Small(Options(epochs: 2, batchSize: 4) with { StepsPerEpoch = 3, LearningRate = schedule, ScheduleUnit = unit });
        var history = trainer.Train(source, new MersenneTwister(1));
        Assert.Equal(indices, schedule.Indices);
        Assert.Equal(history.Epochs.Select(epoch => epoch.TrainingLoss), schedule.Losses);
        Assert.Equal([LoggingSchedule.RateAt(indices[2]), LoggingSchedule.RateAt(indices[5])], history.Epochs.Select(epoch => epoch.LearningRate));

        schedule.Losses.Clear();
        history = trainer.Train(source, new MersenneTwister(1), source);
        Assert.Equal(history.Epochs.Select(epoch => epoch.ValidationLoss), schedule.Losses);
    }

    [Fact]
    public void LearningRate_IsThatOfTheStep()
    {
        // Plain gradient descent moves the parameters by η times the (clipped) gradient.
        var (trainer, source) = Small(
            Options(epochs: 1, batchSize: 4) with { StepsPerEpoch = 6, LearningRate = new LoggingSchedule(), ScheduleUnit = ScheduleUnit.Step, ClipNorm = 1e-3 },
            model => new Sgd(model));
        var before = trainer.Model.Parameters.Values.ToArray();
        var moves = new List<double>();
        var measure = new ProgressCallback(
            progress =>
            {
                var now = progress.Model.Parameters.Values.ToArray();
                moves.Add(Math.Sqrt(now.Zip(before, (a, b) => Math.Pow((double)a - b, 2)).Sum()));
                before = now;
            },
            everyStep: true);
        var history = trainer.Train(source, new MersenneTwister(1), callbacks: [measure]);
        Assert.True(history.Epochs[0].GradientNorm > 1e-2); // that before clipping
        for (var step = 0; step < 6; step++)
            Assert.Equal(1e-3 * LoggingSchedule.RateAt(step), moves[step], 1e-3 * LoggingSchedule.RateAt(step) * 0.02); // roundings of θ
    }

    [Fact]
    public void Epoch_ShowsEveryExampleOnce_Shuffled()
    {
        var log = new List<int[]>();
        var (trainer, source) = Small(Options(epochs: 2, batchSize: 30)); // 100 examples: 30 + 30 + 30 + 10
        trainer.Train(new LoggingSource(source, log), new MersenneTwister(1));
        Assert.Equal([30, 30, 30, 10, 30, 30, 30, 10], log.Select(rows => rows.Length));
        int[][] epochs = [[.. log.Take(4).SelectMany(rows => rows)], [.. log.Skip(4).SelectMany(rows => rows)]];
        Assert.All(epochs, epoch => Assert.Equal(Enumerable.Range(0, 100), epoch.Order()));
        Assert.All(epochs, epoch => Assert.NotEqual(Enumerable.Range(0, 100), epoch));
        Assert.NotEqual(epochs[0], epochs[1]);
    }

    [Fact]
    public void BatchLargerThanTheSource_TakesItWhole()
    {
        var log = new List<int[]>();
        var (trainer, source) = Small(Options(epochs: 1, batchSize: 1000));
        trainer.Train(new LoggingSource(source, log), new MersenneTwister(1));
        Assert.Equal([100], log.Select(rows => rows.Length));
    }

    [Fact]
    public void StepsPerEpoch_DrawsFullBatches_FromAllExamples()
    {
        var log = new List<int[]>();
        var (trainer, source) = Small(Options(epochs: 3, batchSize: 150) with { StepsPerEpoch = 5 });
        var history = trainer.Train(new LoggingSource(source, log), new MersenneTwister(1));
        Assert.Equal(15, log.Count);
        Assert.Equal(3, history.Epochs.Count);
        Assert.All(log, rows => Assert.Equal(150, rows.Length));
        // Of 2250 draws, an example is missed with probability 0.99²²⁵⁰ ≈ 1.5e-10.
        Assert.Equal(Enumerable.Range(0, 100), log.SelectMany(rows => rows).Distinct().Order());
    }

    [Fact]
    public void GrowingHorizon_ReachesTheNextStep_AndStaysInsideTheSeries()
    {
        var model = Model([new GruOptions(4), new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
        var source = new ClosedLoopSource(s_sine.AsSpan(0, 40), warmUp: 5, maxHorizon: 30);
        var (log, counts) = (new List<int[]>(), new List<(int Steps, int Count)>());
        var logging = new SizeLog(source, counts);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), Options(epochs: 3, batchSize: 20) with { StepsPerEpoch = 10 });
        trainer.Train(new LoggingSource(logging, log), new MersenneTwister(1), callbacks: [new HorizonGrowth(source)]);
        Assert.Equal(Enumerable.Range(1, 30).Select(horizon => (4 + horizon, 36 - horizon)), counts);
        for (var step = 0; step < 30; step++)
            Assert.All(log[step], index => Assert.InRange(index, 0, 35 - (step + 1)));
        Assert.Contains(log.SelectMany(rows => rows), index => index > 25); // beyond what fits the largest horizon
    }

    [Fact]
    public void Callbacks_AreCalledInOrder()
    {
        var log = new List<string>();
        var (trainer, source) = Small(Options(epochs: 2, batchSize: 4) with { StepsPerEpoch = 2 });
        trainer.Train(
            new LoggingSource(source, [], () => log.Add("fill")),
            new MersenneTwister(1),
            callbacks: [new LoggingCallback(log, "a "), new LoggingCallback(log, "b ")]);

        string[] Both(string entry) => [$"a {entry}", $"b {entry}"];
        Assert.Equal(
            [
                .. Both("start"),
                .. Both("step starting 1.1"), "fill", .. Both("step end 1.1"),
                .. Both("step starting 1.2"), "fill", .. Both("step end 1.2"),
                .. Both("epoch end 1"),
                .. Both("step starting 2.3"), "fill", .. Both("step end 2.3"),
                .. Both("step starting 2.4"), "fill", .. Both("step end 2.4"),
                .. Both("epoch end 2"),
                .. Both("end"),
            ],
            log);
    }

    [Fact]
    public void History_HoldsTheMeanOfItsSteps()
    {
        var (trainer, source) = Small(Options(epochs: 2, batchSize: 8) with { StepsPerEpoch = 4 });
        var losses = new List<double>();
        var history = trainer.Train(
            source, new MersenneTwister(1), callbacks: [new ProgressCallback(progress => losses.Add(progress.StepLoss), everyStep: true)]);
        Assert.Equal(losses.Take(4).Average(), history.Epochs[0].TrainingLoss, 1e-12);
        Assert.Equal(losses.Skip(4).Average(), history.Epochs[1].TrainingLoss, 1e-12);
        Assert.All(history.Epochs, epoch => Assert.True(double.IsNaN(epoch.ValidationLoss)));
        Assert.All(history.Epochs, epoch => Assert.True(epoch.Seconds > 0));
        Assert.Equal([1, 2], history.Epochs.Select(epoch => epoch.Epoch));
    }

    [Fact]
    public void Evaluate_IsTheMeanOverExamples_AndChangesNothing()
    {
        var model = Model([new GruOptions(4), new DropoutOptions(0.5), new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), Options(epochs: 1));
        var series = NoisySine.Generate(420, new MersenneTwister(3), period: 25);
        var source = new WindowSource(series, 20, WindowTarget.EachNext); // 400 examples: one batch of 256 and a rest
        var before = model.Parameters.Values.ToArray();
        var sum = 0.0;
        for (var start = 0; start < 400; start++)
            sum += trainer.Evaluate(new WindowSource(series.AsSpan(start, 21), 20, WindowTarget.EachNext));
        Assert.Equal(sum / 400, trainer.Evaluate(source), 1e-12);
        Assert.Equal(before, model.Parameters.Values);
    }

    [Fact]
    public void Validation_DoesNotTouchTheTraining()
    {
        Assert.Equal(Bits(false), Bits(true));

        static float[] Bits(bool validate)
        {
            var (trainer, source) = Small(Options(epochs: 3, batchSize: 16));
            trainer.Train(source, new MersenneTwister(4), validate ? new WindowSource(s_sine, 7, WindowTarget.EachNext) : null);
            return trainer.Model.Parameters.Values.ToArray();
        }
    }

    [Fact]
    public void BadArguments_SayWhatWasExpected()
    {
        var (trainer, source) = Small(Options(epochs: 1));
        var model = trainer.Model;
        var other = Model([new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
        var (adam, loss, random) = (new Adam(model), new MeanSquaredError(), new MersenneTwister(1));
        Check("another", () => _ = new Trainer(model, new Adam(other), loss, new TrainerOptions()));
        Check("at least 1 epochs, got 0", () => _ = new Trainer(model, adam, loss, new TrainerOptions { Epochs = 0 }));
        Check("rows in a batch, got -1", () => _ = new Trainer(model, adam, loss, new TrainerOptions { BatchSize = -1 }));
        Check("steps per epoch, got 0", () => _ = new Trainer(model, adam, loss, new TrainerOptions { StepsPerEpoch = 0 }));
        foreach (var clip in new[] { 0, -1, double.NaN })
            Check("positive gradient norm", () => _ = new Trainer(model, adam, loss, new TrainerOptions { ClipNorm = clip }));

        var wide = new WindowSource(s_sine, 5, WindowTarget.EachNext, features: 2);
        Check("Expected examples of 1 input features, as the model has; got 2", () => trainer.Train(wide, random));
        Check("got 2", () => trainer.Train(source, random, wide));
        Check("got 2", () => trainer.Evaluate(wide));
        Check("ends in its last step", () => trainer.Train(new WindowSource(s_sine, 5), random)); // one target, an output at every step
        Check("at least one example", () => trainer.Train(new EmptySource(), random));
        Assert.Throws<ArgumentNullException>(() => trainer.Train(null!, random));
        Assert.Throws<ArgumentNullException>(() => trainer.Train(source, null!));
        Assert.Throws<ArgumentNullException>(() => trainer.Evaluate(null!));
        Assert.Throws<ArgumentNullException>(() => new Trainer(null!, adam, loss, new TrainerOptions()));
        Assert.Throws<ArgumentNullException>(() => new Trainer(model, null!, loss, new TrainerOptions()));
        Assert.Throws<ArgumentNullException>(() => new Trainer(model, adam, null!, new TrainerOptions()));
        Assert.Throws<ArgumentNullException>(() => new Trainer(model, adam, loss, null!));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EarlyStopping(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new EarlyStopping(1, -1));
        Assert.Throws<ArgumentNullException>(() => new ProgressCallback(null!));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CheckpointCallback("x", 0));
        Assert.Throws<ArgumentException>(() => new CheckpointCallback(" "));

        static void Check(string part, Action action) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
    }

    internal static SequenceModel Model(LayerOptions[] layers, Engine engine)
    {
        var model = new SequenceModel(new SequenceModelOptions(1, layers), engine);
        Initialization.PyTorch.Apply(model, new MersenneTwister(2));
        return model;
    }

    internal static TrainerOptions Options(int epochs, int batchSize = 32, double rate = 0.003) =>
        new() { Epochs = epochs, BatchSize = batchSize, LearningRate = new ConstantRate(rate) };

    /// <summary>A small network with dropout, and 100 windows of a sine.</summary>
    static (Trainer Trainer, WindowSource Source) Small(TrainerOptions options, Func<SequenceModel, Optimizer>? optimizer = null)
    {
        var model = Model([new GruOptions(6), new DropoutOptions(0.1), new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
        var trainer = new Trainer(model, optimizer is null ? new Adam(model) : optimizer(model), new MeanSquaredError(), options);
        return (trainer, new WindowSource(s_sine, 20, WindowTarget.EachNext));
    }

    /// <summary>Whether the engine's team ever ran on more than the calling thread.</summary>
    public static bool HasSplitWork(Engine engine) => engine.Team.HasStarted;

    sealed class LoggingCallback(List<string> log, string name = "") : TrainingCallback
    {
        public override void OnStart(TrainingProgress progress) => log.Add($"{name}start");

        public override void OnStepStarting(TrainingProgress progress) => log.Add($"{name}step starting {progress.Epoch}.{progress.Step}");

        public override void OnStepEnd(TrainingProgress progress) => log.Add($"{name}step end {progress.Epoch}.{progress.Step}");

        public override void OnEpochEnd(TrainingProgress progress) => log.Add($"{name}epoch end {progress.History.Epochs[^1].Epoch}");

        public override void OnEnd(TrainingProgress progress) => log.Add($"{name}end");
    }

    sealed class LoggingSchedule : LearningRateSchedule
    {
        public List<int> Indices { get; } = [];

        public List<double> Losses { get; } = [];

        public static double RateAt(int index) => 0.5 / (1 + index);

        public override double Rate(int index)
        {
            Indices.Add(index);
            return RateAt(index);
        }

        public override void Observe(double loss) => Losses.Add(loss);
    }

    /// <summary>One more prediction at every step.</summary>
    sealed class HorizonGrowth(ClosedLoopSource source) : TrainingCallback
    {
        public override void OnStepStarting(TrainingProgress progress) => source.Horizon = progress.Step;
    }

    sealed class SizeLog(ClosedLoopSource source, List<(int Steps, int Count)> sizes) : LoggingSource(source, [])
    {
        public override void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
        {
            base.Fill(batch, indices);
            sizes.Add((batch.Steps, Count));
        }
    }

    sealed class EmptySource : ISequenceSource
    {
        public int Count => 0;

        public int MaxSteps => 1;

        public int InputSize => 1;

        public int TargetSize => 1;

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices) => throw new InvalidOperationException("no example was promised");
    }

    [Fact]
    public void EarlyStopping_StartsAfresh_WhenUsedForASecondRun()
    {
        var stopping = new EarlyStopping(patience: 3);
        var source = new WindowSource(NoisySine.Generate(100, new MersenneTwister(12)), 10, WindowTarget.EachNext);
        foreach (var scale in new[] { 0.1f, 30f })
        {
            // The second model starts so badly that the first one's best would stop it at once.
            var model = Model([new RnnOptions(4), new LinearOptions(1)], Kernels.Engine(Kernels.Chosen));
            foreach (ref var value in model.Parameters.Values)
                value *= scale;
            var history = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions { Epochs = 6 })
                .Train(source, new MersenneTwister(1), callbacks: [stopping]);
            Assert.Equal(history.Epochs.Min(epoch => epoch.TrainingLoss), stopping.BestLoss);
        }
    }
}
