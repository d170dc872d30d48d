using Unroll.Data;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Training;

/// <summary>Runs that are cut off and resumed.</summary>
public sealed class CheckpointTests : IDisposable
{
    const int Epochs = 6;
    const int CutAfter = 3;

    static readonly string[] s_optimizers = ["Sgd", "Adam", "AdamW", "RmsProp"];

    readonly string _folder = Directory.CreateTempSubdirectory("unroll-checkpoint-").FullName;

    string Target => Path.Combine(_folder, "run.safetensors");

    public static MatrixTheoryData<string, bool, bool> Runs => new(s_optimizers, [false, true], [false, true]);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Runs))]
    public void ResumedRun_EndsWithTheBitsOfOneThatNeverStopped(string optimizer, bool sampled, bool validated)
    {
        var settings = new Settings { Optimizer = optimizer, Sampled = sampled, Validated = validated };
        var whole = new Session(settings);
        var expected = whole.Fit();
        Assert.Equal(Epochs, expected.Epochs.Count);
        Assert.True(expected.Epochs[^1].LearningRate < expected.Epochs[0].LearningRate, "the plateau was meant to be met");

        Cut(settings);
        var resumed = new Session(settings, generatorSeed: 999);
        AssertEqual(expected, resumed.Fit(resumeFrom: Target));
        Assert.Equal(whole.Values, resumed.Values);
        Assert.Equal(whole.Random.GetState().ToBase64(), resumed.Random.GetState().ToBase64());
        Assert.Equal(whole.Optimizer.StepCount, resumed.Optimizer.StepCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ResumedRun_KeepsTheBestEpoch_WhereverTheCheckpointStandsInTheList(bool checkpointFirst)
    {
        // Nothing counts as progress, so the first epoch stays the best and the fifth is the last.
        var settings = new Settings { Patience = 4, MinimumImprovement = 1e9, CheckpointFirst = checkpointFirst };
        var whole = new Session(settings);
        var expected = whole.Fit();
        Assert.Equal((5, TrainingEnd.Stopped, 1), (expected.Epochs.Count, expected.End, whole.Stopping!.BestEpoch));

        Cut(settings);
        var resumed = new Session(settings, generatorSeed: 999);
        AssertEqual(expected, resumed.Fit(resumeFrom: Target));
        Assert.Equal(TrainingEnd.Stopped, resumed.History!.End);
        Assert.Equal((whole.Stopping.BestEpoch, whole.Stopping.BestLoss), (resumed.Stopping!.BestEpoch, resumed.Stopping.BestLoss));
        Assert.Equal(whole.Values, resumed.Values);
    }

    /// <summary>6 windows, so that the fourth epoch of 5 steps begins in the middle of the streams; one of a whole pass at their start.</summary>
    [Theory]
    [InlineData("lstm", true)]
    [InlineData("lstm", false)]
    [InlineData("gru", true)]
    public void ResumedRun_GoesOnWhereItsStreamsStood(string cell, bool sampled)
    {
        var settings = new Settings { Streams = true, Sampled = sampled, Cell = cell == "lstm" ? new LstmOptions(7) : new GruOptions(7) };
        var whole = new Session(settings);
        var expected = whole.Fit();

        Cut(settings);
        var resumed = new Session(settings, generatorSeed: 999);
        AssertEqual(expected, resumed.Fit(resumeFrom: Target));
        Assert.Equal(whole.Values, resumed.Values);
    }

    [Fact]
    public void ResumedRun_StaysStopped_WhenTheCheckpointIsOfItsLastEpoch()
    {
        var settings = new Settings { Patience = 4, MinimumImprovement = 1e9 };
        var whole = new Session(settings);
        var expected = whole.Fit(checkpoint: true, path: Target);
        var resumed = new Session(settings);
        AssertEqual(expected, resumed.Fit(resumeFrom: Target));
        Assert.Equal(whole.Values, resumed.Values);

        // More patience lets it go on.
        Assert.Equal(Epochs, new Session(settings with { Patience = 9 }).Fit(resumeFrom: Target).Epochs.Count);
    }

    [Fact]
    public void ResumedRun_MayBeCutAgain_AndCanBeLonger()
    {
        var settings = new Settings { Patience = 50 };
        var whole = new Session(settings with { Epochs = 9 });
        var expected = whole.Fit();

        Cut(settings, after: 2);
        Cut(settings, after: 4, resume: true);
        new Session(settings).Fit(checkpoint: true, resumeFrom: Target); // to the end of its 6 epochs
        var last = new Session(settings with { Epochs = 9 });
        AssertEqual(expected, last.Fit(resumeFrom: Target));
        Assert.Equal(whole.Values, last.Values);
    }

    [Fact]
    public void Checkpoint_IsAModelFile()
    {
        var settings = new Settings { Patience = 4 };
        var session = new Session(settings);
        session.Fit(checkpoint: true, epochs: 1, path: Target);
        var model = ModelFile.Load(Target, Kernels.Engine(Kernels.Chosen));
        Assert.Equal(session.Model.Options, model.Options);
        Assert.Equal(session.Values, model.Parameters.Values);
        var given = new Session(settings).Model;
        ModelFile.LoadParameters(Target, given);
        Assert.Equal(session.Values, given.Parameters.Values);
        Assert.Equal([Target], Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void Checkpoint_IsWrittenEveryFewEpochs()
    {
        var session = new Session(new Settings());
        var seen = new List<bool>();
        session.Callbacks.Add(new CheckpointCallback(Target, everyEpochs: 4));
        session.Callbacks.Add(new Watch(progress => seen.Add(File.Exists(Target))));
        session.Fit();
        // Checkpoints come after every other callback of the same epoch.
        Assert.Equal([false, false, false, false, true, true], seen);
        var resumed = new Session(new Settings());
        Assert.Equal(6, resumed.Fit(resumeFrom: Target).Epochs.Count);
        Assert.Equal(session.Values, resumed.Values);
    }

    [Theory]
    [InlineData("another optimizer", "Sgd")]
    [InlineData("another size", "")]
    [InlineData("another layer", "")]
    [InlineData("another nonlinearity", "of another model")]
    [InlineData("another schedule", "schedule")]
    [InlineData("early stopping that the run had not", "earlyStopping")]
    [InlineData("streams that the run had not", "streams")]
    [InlineData("streams of another length", "streams of 48 windows in all, the source has 40")]
    [InlineData("a plain model file", "unroll.checkpoint")]
    [InlineData("a truncated file", "")]
    [InlineData("a damaged file", "SHA-256")]
    [InlineData("no file", "no such file")]
    [InlineData("a directory", "directory")]
    public void Resume_RefusesWhatDoesNotFit_AndChangesNothing(string what, string part)
    {
        var made = new Settings();
        var present = made;
        var path = Target;
        switch (what)
        {
            case "another optimizer":
                made = made with { Optimizer = "Sgd" };
                break;
            case "another size":
                made = made with { Cell = new LstmOptions(8) };
                break;
            case "another layer":
                made = made with { Cell = new GruOptions(7) };
                break;
            case "another nonlinearity":
                made = made with { Cell = new RnnOptions(7) };
                present = present with { Cell = new RnnOptions(7) { Nonlinearity = Nonlinearity.Relu } };
                break;
            case "another schedule":
                present = present with { Schedule = new ConstantRate(0.01) };
                break;
            case "early stopping that the run had not":
                present = present with { Patience = 4 };
                break;
            case "streams that the run had not":
                present = present with { Streams = true };
                break;
            case "streams of another length":
                made = made with { Streams = true };
                present = present with { Streams = true, SeriesLength = 42 };
                break;
            case "no file":
                path = Path.Combine(_folder, "none");
                break;
            case "a directory":
                path = _folder;
                break;
        }

        Cut(made);
        var bytes = File.ReadAllBytes(Target);
        if (what == "a plain model file")
            ModelFile.Save(Target, new Session(made).Model);
        else if (what == "a truncated file")
            File.WriteAllBytes(Target, bytes[..^100]);
        else if (what == "a damaged file")
            File.WriteAllBytes(Target, [.. bytes[..^1], (byte)(bytes[^1] ^ 1)]);

        // A session that has learnt something, so that any change would be seen.
        var session = new Session(present with { Patience = 0 });
        session.Fit(epochs: 2);
        if (present.Patience > 0)
            session.Callbacks.Add(new EarlyStopping(present.Patience));
        var before = session.Snapshot();
        var message = Assert.Throws<ModelFileException>(() => session.Fit(resumeFrom: path)).Message;
        Assert.StartsWith($"{path}: ", message, StringComparison.Ordinal);
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.Equal(before, session.Snapshot());
    }

    [Fact]
    public void UnwritableCheckpoint_IsOneClearError()
    {
        foreach (var path in new[] { Path.Combine(_folder, "missing", "run.safetensors"), _folder })
        {
            var session = new Session(new Settings());
            session.Callbacks.Add(new CheckpointCallback(path));
            var message = Assert.Throws<ModelFileException>(() => session.Fit()).Message;
            Assert.StartsWith($"{path}: ", message, StringComparison.Ordinal);
            Assert.Contains("directory", message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        Assert.Throws<ArgumentException>(() => new CheckpointCallback(" "));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CheckpointCallback(Target, 0));
    }

    /// <summary>A run that dies in the first step after an epoch, leaving its checkpoint.</summary>
    void Cut(Settings settings, int after = CutAfter, bool resume = false)
    {
        var session = new Session(settings);
        session.Callbacks.Add(new ProgressCallback(progress => _ = progress.Epoch > after ? throw new TimeoutException() : 0, everyStep: true));
        Assert.Throws<TimeoutException>(() => session.Fit(checkpoint: true, resumeFrom: resume ? Target : null, path: Target));
    }

    /// <summary>Equal but for the clock.</summary>
    static void AssertEqual(TrainingHistory expected, TrainingHistory actual)
    {
        Assert.Equal(expected.Epochs.Select(epoch => epoch with { Seconds = 0 }), actual.Epochs.Select(epoch => epoch with { Seconds = 0 }));
        Assert.Equal(expected.End, actual.End);
    }

    sealed record Settings
    {
        public string Optimizer { get; init; } = "Adam";

        public bool Sampled { get; init; }

        public bool Validated { get; init; } = true;

        public bool Streams { get; init; }

        public int SeriesLength { get; init; } = 50;

        public int Patience { get; init; }

        public double MinimumImprovement { get; init; }

        public bool CheckpointFirst { get; init; }

        public int Epochs { get; init; } = CheckpointTests.Epochs;

        public RecurrentOptions Cell { get; init; } = new LstmOptions(7);

        public LearningRateSchedule? Schedule { get; init; }
    }

    sealed class Watch(Action<TrainingProgress> look) : TrainingCallback
    {
        public override void OnEpochEnd(TrainingProgress progress) => look(progress);
    }

    /// <summary>Everything of a run, as a new process would build it.</summary>
    sealed class Session
    {
        readonly Settings _settings;
        readonly LearningRateSchedule _schedule;

        public Session(Settings settings, uint generatorSeed = 7)
        {
            _settings = settings;
            // Every epoch but the first is a bad one, so that the rate falls within the run.
            _schedule = settings.Schedule ?? new ReduceOnPlateau(0.01, factor: 0.5, patience: 1, threshold: 0.9);
            Model = new SequenceModel(new SequenceModelOptions(1, [settings.Cell, new DropoutOptions(0.3), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
            Initialization.PyTorch.Apply(Model, new MersenneTwister(3));
            Random = new MersenneTwister(generatorSeed);
            Optimizer = settings.Optimizer switch
            {
                "Sgd" => new Sgd(Model, 0.9),
                "Adam" => new Adam(Model),
                "AdamW" => new AdamW(Model),
                _ => new RmsProp(Model),
            };
            Stopping = settings.Patience > 0 ? new EarlyStopping(settings.Patience, settings.MinimumImprovement) : null;
            if (Stopping is not null)
                Callbacks.Add(Stopping);
        }

        public SequenceModel Model { get; }

        public Optimizer Optimizer { get; }

        public MersenneTwister Random { get; }

        public EarlyStopping? Stopping { get; }

        public List<TrainingCallback> Callbacks { get; } = [];

        public TrainingHistory? History { get; private set; }

        public float[] Values => Model.Parameters.Values.ToArray();

        public TrainingHistory Fit(bool checkpoint = false, int? epochs = null, string? resumeFrom = null, string? path = null)
        {
            var series = NoisySine.Generate(70, new MersenneTwister(12), 20, 0.05);
            var trainer = new Trainer(Model, Optimizer, new MeanSquaredError(), new TrainerOptions
            {
                Epochs = epochs ?? _settings.Epochs,
                BatchSize = 8,
                StepsPerEpoch = _settings.Sampled ? 5 : null,
                LearningRate = _schedule,
                ClipNorm = 1,
            });
            List<TrainingCallback> callbacks = [.. Callbacks];
            if (checkpoint)
                callbacks.Insert(_settings.CheckpointFirst ? 0 : callbacks.Count, new CheckpointCallback(path ?? resumeFrom!));
            var values = series.AsSpan(0, _settings.SeriesLength);
            return History = trainer.Fit(
                _settings.Streams ? new StreamSource(values, 8, 1, 4) : new WindowSource(values, 6, WindowTarget.EachNext), Random,
                _settings.Validated ? new WindowSource(series.AsSpan(44), 6, WindowTarget.EachNext) : null,
                callbacks, resumeFrom, TestContext.Current.CancellationToken);
        }

        /// <summary>All that a refused resume must leave alone.</summary>
        public IEnumerable<object> Snapshot() =>
        [
            .. Values.Cast<object>(), Random.GetState().ToBase64(), Optimizer.StepCount, _schedule.Rate(0),
            .. Enumerable.Range(0, Optimizer.MemoryCount).SelectMany(index => Optimizer.MemoryAt(index).ToArray()).Cast<object>(),
            .. Callbacks.OfType<EarlyStopping>().Select(stopping => stopping.BestEpoch).Cast<object>(),
        ];
    }
}
