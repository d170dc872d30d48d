using Unroll.Models;

namespace Unroll.Training;

/// <summary>One epoch of a training run.</summary>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="TrainingLoss">The mean loss of its steps.</param>
/// <param name="ValidationLoss">The loss on the validation examples after it; NaN without any.</param>
/// <param name="LearningRate">The rate of its last step.</param>
/// <param name="GradientNorm">The mean gradient norm before clipping.</param>
/// <param name="Seconds">Its duration.</param>
public sealed record EpochRecord(int Epoch, double TrainingLoss, double ValidationLoss, double LearningRate, double GradientNorm, double Seconds);

/// <summary>What happened in a training run.</summary>
public sealed class TrainingHistory
{
    readonly List<EpochRecord> _epochs = [];

    /// <summary>The epochs in order.</summary>
    public IReadOnlyList<EpochRecord> Epochs => _epochs;

    /// <summary>Why the run ended.</summary>
    public TrainingEnd End { get; internal set; }

    internal void Add(EpochRecord epoch) => _epochs.Add(epoch);
}

/// <summary>Why a training run ended.</summary>
public enum TrainingEnd
{
    /// <summary>Every epoch was done.</summary>
    Completed,

    /// <summary>A callback asked to stop.</summary>
    Stopped,

    /// <summary>The cancellation token fired; the model holds the parameters of the last whole step.</summary>
    Cancelled,
}

/// <summary>Where a run stands; what callbacks see and may change.</summary>
public sealed class TrainingProgress
{
    internal TrainingProgress(Trainer trainer, TrainingHistory history, int totalEpochs)
    {
        (Trainer, History, TotalEpochs) = (trainer, history, totalEpochs);
    }

    /// <summary>Who trains.</summary>
    public Trainer Trainer { get; }

    /// <summary>What is trained.</summary>
    public TrainableModel Model => Trainer.Model;

    /// <summary>The epochs so far.</summary>
    public TrainingHistory History { get; }

    /// <summary>The present epoch, from 1.</summary>
    public int Epoch { get; internal set; }

    /// <summary>The epochs planned.</summary>
    public int TotalEpochs { get; }

    /// <summary>The present step over all epochs, from 1.</summary>
    public int Step { get; internal set; }

    /// <summary>The loss of the last step.</summary>
    public double StepLoss { get; internal set; }

    internal bool StopRequested { get; private set; }

    /// <summary>Ends the run after the present step or epoch.</summary>
    public void Stop() => StopRequested = true;
}

/// <summary>Something that happens beside the training: each method does nothing unless overridden.</summary>
public abstract class TrainingCallback
{
    /// <summary>Before the first step.</summary>
    public virtual void OnStart(TrainingProgress progress)
    {
    }

    /// <summary>Before the examples of a step are drawn.</summary>
    public virtual void OnStepStarting(TrainingProgress progress)
    {
    }

    /// <summary>After the parameters were updated.</summary>
    public virtual void OnStepEnd(TrainingProgress progress)
    {
    }

    /// <summary>After an epoch, its record being the last of the history.</summary>
    public virtual void OnEpochEnd(TrainingProgress progress)
    {
    }

    /// <summary>After the last step, also of a cancelled run; not after an error.</summary>
    public virtual void OnEnd(TrainingProgress progress)
    {
    }

    /// <summary>Writes what the callback must know to go on after a resume.</summary>
    internal virtual void Save(CheckpointWriter writer)
    {
    }

    /// <summary>Reads what <see cref="Save"/> wrote; changes nothing unless all of it is there.</summary>
    internal virtual void Restore(CheckpointReader reader, TrainingProgress progress)
    {
    }
}

/// <summary>A run whose loss or gradient is no longer a finite number.</summary>
public sealed class TrainingDivergedException : Exception
{
    internal TrainingDivergedException(int epoch, int step, double loss, double gradientNorm, double lastNorm)
        : base($"The training diverged in epoch {epoch}, step {step}: loss {loss}, gradient norm {gradientNorm} (the step before: {lastNorm:G4}). Lower the learning rate, clip the gradient, or scale the data to about unit size.")
    {
        (Epoch, Step, Loss, GradientNorm) = (epoch, step, loss, gradientNorm);
    }

    /// <summary>The epoch, from 1.</summary>
    public int Epoch { get; }

    /// <summary>The step over all epochs, from 1.</summary>
    public int Step { get; }

    /// <summary>The loss of the step.</summary>
    public double Loss { get; }

    /// <summary>The gradient norm of the step.</summary>
    public double GradientNorm { get; }
}
