namespace Unroll.Training;

/// <summary>Calls a function after every epoch, or after every step.</summary>
public sealed class ProgressCallback : TrainingCallback
{
    readonly Action<TrainingProgress> _report;
    readonly bool _everyStep;

    /// <summary>Reports to <paramref name="report"/>.</summary>
    /// <param name="report">What is called.</param>
    /// <param name="everyStep">After every step instead of every epoch.</param>
    public ProgressCallback(Action<TrainingProgress> report, bool everyStep = false)
    {
        ArgumentNullException.ThrowIfNull(report);
        (_report, _everyStep) = (report, everyStep);
    }

    /// <inheritdoc/>
    public override void OnStepEnd(TrainingProgress progress)
    {
        if (_everyStep)
            _report(progress);
    }

    /// <inheritdoc/>
    public override void OnEpochEnd(TrainingProgress progress)
    {
        if (!_everyStep)
            _report(progress);
    }
}

/// <summary>
/// Ends a run whose validation loss (the training loss, without validation) no longer falls, and gives the model back
/// the parameters of its best epoch.
/// </summary>
public sealed class EarlyStopping : TrainingCallback
{
    readonly int _patience;
    readonly double _minimumImprovement;
    float[] _best = [];
    int _badEpochs;

    /// <summary>Sets the patience.</summary>
    /// <param name="patience">Epochs without improvement that are borne, at least 1.</param>
    /// <param name="minimumImprovement">How far the loss must fall below its best to count, at least 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below its minimum.</exception>
    public EarlyStopping(int patience, double minimumImprovement = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(patience, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(minimumImprovement);
        (_patience, _minimumImprovement) = (patience, minimumImprovement);
    }

    /// <summary>The best epoch, from 1; 0 before the first.</summary>
    public int BestEpoch { get; private set; }

    /// <summary>The loss of the best epoch.</summary>
    public double BestLoss { get; private set; } = double.PositiveInfinity;

    /// <inheritdoc/>
    public override void OnStart(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        if (progress.Epoch > 0)
            return; // resumed: the checkpoint has told the best so far
        (BestEpoch, BestLoss, _badEpochs) = (0, double.PositiveInfinity, 0);
    }

    /// <inheritdoc/>
    public override void OnEpochEnd(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        var epoch = progress.History.Epochs[^1];
        var loss = double.IsNaN(epoch.ValidationLoss) ? epoch.TrainingLoss : epoch.ValidationLoss;
        if (loss < BestLoss - _minimumImprovement || BestEpoch == 0)
        {
            (BestLoss, BestEpoch, _badEpochs) = (loss, epoch.Epoch, 0);
            if (_best.Length == 0)
                _best = new float[progress.Model.Parameters.Count];
            progress.Model.Parameters.Values.CopyTo(_best);
        }
        else if (++_badEpochs >= _patience)
        {
            progress.Stop();
        }
    }

    /// <inheritdoc/>
    public override void OnEnd(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        if (BestEpoch > 0)
            _best.CopyTo(progress.Model.Parameters.Values);
    }

    internal override void Save(CheckpointWriter writer)
    {
        writer.Add("earlyStopping.best", _best);
        writer.Add("earlyStopping", [BestEpoch, BestLoss, _badEpochs]);
    }

    internal override void Restore(CheckpointReader reader, TrainingProgress progress)
    {
        var best = reader.Floats("earlyStopping.best", progress.Model.Parameters.Count);
        var numbers = reader.Numbers("earlyStopping", 3);
        _best = best.ToArray();
        (BestEpoch, BestLoss, _badEpochs) = ((int)numbers[0], numbers[1], (int)numbers[2]);

        // The run had stopped when this was saved.
        if (_badEpochs >= _patience)
            progress.Stop();
    }
}

/// <summary>Writes a checkpoint after every few epochs, from which <see cref="Trainer.Fit"/> can go on exactly.</summary>
public sealed class CheckpointCallback : TrainingCallback
{
    readonly string _path;
    readonly int _everyEpochs;

    /// <summary>Writes to <paramref name="path"/>, each checkpoint replacing the one before only when it is complete.</summary>
    /// <param name="path">The file.</param>
    /// <param name="everyEpochs">Epochs between two checkpoints, at least 1.</param>
    /// <exception cref="ArgumentException">The path is empty or the interval below 1.</exception>
    public CheckpointCallback(string path, int everyEpochs = 1)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(everyEpochs, 1);
        (_path, _everyEpochs) = (path, everyEpochs);
    }

    /// <inheritdoc/>
    public override void OnEpochEnd(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        if (progress.Epoch % _everyEpochs == 0)
            Checkpoint.Save(_path, progress);
    }
}
