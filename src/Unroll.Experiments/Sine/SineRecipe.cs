using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Experiments.Sine;

/// <summary>One way to train a cell on the noisy sine, and to continue the wave with it.</summary>
public abstract record SineRecipe
{
    private protected SineRecipe(string name, string title, Initialization initialization, int epochs)
    {
        (Name, Title, Initialization, Epochs) = (name, title, initialization, epochs);
    }

    /// <summary>Its name on the command line and in <c>metrics.json</c>.</summary>
    public string Name { get; }

    /// <summary>What it does, in a few words.</summary>
    public string Title { get; }

    /// <summary>How the parameters start.</summary>
    public Initialization Initialization { get; }

    /// <summary>Epochs of a full run.</summary>
    public int Epochs { get; init; }

    /// <summary>Settings by name, for the report.</summary>
    public abstract IReadOnlyList<KeyValuePair<string, string>> Describe();

    /// <summary>The layers around the cell.</summary>
    internal abstract SequenceModelOptions Model(RecurrentOptions cell);

    /// <summary>Trains the model.</summary>
    internal abstract TrainingHistory Train(
        SequenceModel model, SineData data, MersenneTwister random, Action<TrainingProgress> report, CancellationToken cancellation);

    /// <summary>One example as the training shows it at its end: the first.</summary>
    internal SequenceBatch Example(SineData data)
    {
        var source = Examples(data);
        var batch = new SequenceBatch(source.MaxSteps, 1, source.InputSize, source.TargetSize);
        source.Fill(batch, [0]);
        return batch;
    }

    /// <summary>What is trained on.</summary>
    private protected abstract ISequenceSource Examples(SineData data);

    /// <summary>Continues the wave from the first values of the noisy data.</summary>
    internal abstract float[] Continue(SequenceModel model, SineData data, int horizon);
}

/// <summary>
/// The classic recipe: windows of 25 values from a zero state predict the next value; Adam at 0.001, batches of 10.
/// </summary>
public sealed record ClassicRecipe : SineRecipe
{
    const int BatchSize = 10;
    const double LearningRate = 0.001;

    /// <summary>The recipe with its 500 epochs.</summary>
    public ClassicRecipe()
        : base("classic", "one-step prediction of windows", Initialization.PyTorch, epochs: 500)
    {
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> Describe() =>
    [
        new("examples", $"windows of {SineData.WarmUp} values, target: the next value"),
        new("start", "PyTorch's uniform distribution"),
        new("optimizer", $"Adam, learning rate {LearningRate}, batches of {BatchSize}, {Epochs} epochs"),
        new("continuation", $"the last {SineData.WarmUp} values slide over the model's own outputs, from a zero state each time"),
    ];

    internal override SequenceModelOptions Model(RecurrentOptions cell) => new(1, [cell, new LastStepOptions(), new LinearOptions(1)]);

    internal override TrainingHistory Train(
        SequenceModel model, SineData data, MersenneTwister random, Action<TrainingProgress> report, CancellationToken cancellation)
    {
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = Epochs,
            BatchSize = BatchSize,
            LearningRate = new ConstantRate(LearningRate),
        });
        return trainer.Fit(
            Examples(data), random, new WindowSource(data.Validation, SineData.WarmUp),
            [new ProgressCallback(report)], cancellation: cancellation);
    }

    private protected override WindowSource Examples(SineData data) => new(data.Training, SineData.WarmUp);

    internal override float[] Continue(SequenceModel model, SineData data, int horizon) =>
        Forecaster.SlidingWindow(model, data.Noisy.AsSpan(0, SineData.WarmUp), SineData.WarmUp, horizon);
}

/// <summary>
/// Training as it will be used: warmed up on 25 values, the model runs on its own output, and the gradient runs back
/// through all of it. The horizon grows from 10 to 200 steps.
/// </summary>
public sealed record ClosedLoopRecipe : SineRecipe
{
    const int BatchSize = 8;
    const int StepsPerEpoch = 10;
    const int LastHorizon = 200;
    const double LearningRate = 0.003;
    const double ClipNorm = 1;

    // Starts at the full horizon; predictions beyond the training points do not count.
    const int MinimumStarts = 31;

    // Share of the training after which the horizon is at its full length.
    const double GrowthShare = 0.8;

    /// <summary>The horizon at the start of the training.</summary>
    public int FirstHorizon { get; init; } = 10;

    /// <summary>A recipe with its 300 epochs of 10 updates.</summary>
    public ClosedLoopRecipe(string name, string title, Initialization initialization)
        : base(name, title, initialization, epochs: 300)
    {
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<string, string>> Describe() =>
    [
        new("examples", $"{SineData.WarmUp} values given, then the model's own outputs: "
            + (FirstHorizon == LastHorizon ? $"{LastHorizon} steps" : $"{FirstHorizon} steps at first, growing quadratically to {LastHorizon} after {100 * GrowthShare:F0} % of the training")),
        new("start", Initialization.RecurrentWeights == WeightInitializer.Orthogonal ? "orthogonal recurrent matrix per gate, zero biases" : "PyTorch's uniform distribution"),
        new("optimizer", $"Adam, learning rate {LearningRate} falling to 0 by a cosine, gradient clipped to norm {ClipNorm}, batches of {BatchSize} random starts, {Epochs * StepsPerEpoch} updates"),
        new("continuation", $"state carried from the {SineData.WarmUp} given values, then the model's own outputs"),
    ];

    internal override SequenceModelOptions Model(RecurrentOptions cell) => new(1, [cell, new LinearOptions(1)]);

    internal override TrainingHistory Train(
        SequenceModel model, SineData data, MersenneTwister random, Action<TrainingProgress> report, CancellationToken cancellation)
    {
        var updates = Epochs * StepsPerEpoch;
        var source = Examples(data);
        var validation = new ClosedLoopSource(data.Validation, SineData.WarmUp, data.Validation.Length - SineData.WarmUp);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = Epochs,
            StepsPerEpoch = StepsPerEpoch,
            BatchSize = BatchSize,
            LearningRate = new CosineDecay(LearningRate, updates),
            ScheduleUnit = ScheduleUnit.Step,
            ClipNorm = ClipNorm,
        });
        return trainer.Fit(
            source, random, validation, [new GrowingHorizon(source, FirstHorizon, updates), new ProgressCallback(report)], cancellation: cancellation);
    }

    private protected override ClosedLoopSource Examples(SineData data) =>
        new(data.Training, SineData.WarmUp, LastHorizon, minimumStarts: MinimumStarts);

    internal override float[] Continue(SequenceModel model, SineData data, int horizon) =>
        Forecaster.ClosedLoop(model, data.Noisy.AsSpan(0, SineData.WarmUp), horizon);

    /// <summary>K = first + (200 − first)·min(1, u/(0.8·U))² in update u of U.</summary>
    sealed class GrowingHorizon(ClosedLoopSource source, int first, int updates) : TrainingCallback
    {
        public override void OnStepStarting(TrainingProgress progress)
        {
            var share = Math.Min(1, progress.Step / (GrowthShare * updates));
            source.Horizon = first + (int)((LastHorizon - first) * share * share);
        }
    }
}
