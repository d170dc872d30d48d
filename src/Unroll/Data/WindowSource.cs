namespace Unroll.Data;

/// <summary>What a window's targets are.</summary>
public enum WindowTarget
{
    /// <summary>The value after the window: one target per window, for a model that ends in its last step.</summary>
    Next,

    /// <summary>After every step, the value that follows it: as many targets as steps.</summary>
    EachNext,
}

/// <summary>
/// Sliding windows over a series [N, F]: example s has the inputs x[s … s+T−1] and is to predict x[s+T], or every x[s+1 … s+T].
/// </summary>
public sealed class WindowSource : ISequenceSource
{
    readonly float[] _series;
    readonly WindowTarget _target;

    /// <summary>Cuts a series into windows.</summary>
    /// <param name="series">[N, F], row-major.</param>
    /// <param name="window">T, the steps of a window, 1 to N − 1.</param>
    /// <param name="target">What is predicted.</param>
    /// <param name="features">F.</param>
    /// <exception cref="ArgumentException">A value is not finite, or the series is too short for one window.</exception>
    public WindowSource(ReadOnlySpan<float> series, int window, WindowTarget target = WindowTarget.Next, int features = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 1);
        _series = SeriesValues.Check(series, features);
        _target = target;
        MaxSteps = window;
        InputSize = features;
        Count = (_series.Length / features) - window;
        if (Count < 1)
        {
            throw new ArgumentException(
                $"Expected at least {window + 1} steps for a window of {window} and the value after it, got {_series.Length / features}; use a longer series or a shorter window.", nameof(series));
        }
    }

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public int MaxSteps { get; }

    /// <inheritdoc/>
    public int InputSize { get; }

    /// <inheritdoc/>
    public int TargetSize => InputSize;

    /// <inheritdoc/>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var (window, features) = (MaxSteps, InputSize);
        batch.Resize(window, indices.Length, _target == WindowTarget.Next ? 1 : window);
        for (var b = 0; b < indices.Length; b++)
        {
            for (var t = 0; t < window; t++)
            {
                Step(indices[b] + t).CopyTo(batch.Inputs[(((t * indices.Length) + b) * features)..]);
                if (_target == WindowTarget.EachNext)
                    Step(indices[b] + t + 1).CopyTo(batch.Targets[(((t * indices.Length) + b) * features)..]);
            }

            if (_target == WindowTarget.Next)
                Step(indices[b] + window).CopyTo(batch.Targets[(b * features)..]);
        }
    }

    ReadOnlySpan<float> Step(int t) => _series.AsSpan(t * InputSize, InputSize);
}
