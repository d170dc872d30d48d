namespace Unroll.Training;

/// <summary>What the learning-rate schedule counts.</summary>
public enum ScheduleUnit
{
    /// <summary>Epochs.</summary>
    Epoch,

    /// <summary>Optimizer steps.</summary>
    Step,
}

/// <summary>How a model is trained.</summary>
public sealed record TrainerOptions
{
    /// <summary>Epochs, at least 1.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>B, the rows of a mini-batch, at least 1.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>
    /// Null: an epoch passes over every example once, shuffled. Otherwise an epoch is this many steps on examples drawn
    /// with replacement; or, of a source of streams, on the windows that follow, from one epoch to the next.
    /// </summary>
    public int? StepsPerEpoch { get; init; }

    /// <summary>The learning rate over time.</summary>
    public LearningRateSchedule LearningRate { get; init; } = new ConstantRate(0.001);

    /// <summary>What <see cref="LearningRate"/> counts.</summary>
    public ScheduleUnit ScheduleUnit { get; init; }

    /// <summary>The largest gradient norm; longer gradients are scaled to it. Null: no clipping.</summary>
    public double? ClipNorm { get; init; }
}
