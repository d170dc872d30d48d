using Unroll.Data;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Training;

/// <summary>Another source that remembers which examples were asked for.</summary>
class LoggingSource(ISequenceSource inner, List<int[]> log, Action? onFill = null) : ISequenceSource
{
    public int Count => inner.Count;

    public int MaxSteps => inner.MaxSteps;

    public int InputSize => inner.InputSize;

    public int TargetSize => inner.TargetSize;

    public int Streams => inner.Streams;

    public virtual void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        log.Add(indices.ToArray());
        onFill?.Invoke();
        inner.Fill(batch, indices);
    }
}

/// <summary>The same inputs with the opposite targets: the better a model learns the one, the worse it does on the other.</summary>
sealed class OppositeSource(ISequenceSource inner) : LoggingSource(inner, [])
{
    public override void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        base.Fill(batch, indices);
        foreach (ref var target in batch.Targets)
            target = -target;
    }
}

static class TrainerExtensions
{
    /// <summary>Trains until the end, or until the test is cancelled.</summary>
    public static TrainingHistory Train(
        this Trainer trainer,
        ISequenceSource source,
        MersenneTwister random,
        ISequenceSource? validation = null,
        IReadOnlyList<TrainingCallback>? callbacks = null) =>
        trainer.Fit(source, random, validation, callbacks, cancellation: TestContext.Current.CancellationToken);
}
