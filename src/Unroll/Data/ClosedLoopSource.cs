namespace Unroll.Data;

/// <summary>
/// Stretches of a series [N, F] for training in closed loop: example s gives the model x[s … s+W−1] to warm up, then
/// lets it run on its own output for the rest of a horizon of K predictions, each compared with the series.
/// </summary>
/// <remarks>
/// The predictions of the warm-up itself have weight 0, but for the last one, which is the first of the horizon. So
/// T = W + K − 1 steps, and the targets x[s+W … s+W+K−1] count. Where a long horizon leaves few starts, later ones may be
/// asked for: their predictions beyond the end of the series have weight 0.
/// </remarks>
public sealed class ClosedLoopSource : ISequenceSource
{
    readonly float[] _series;
    readonly int _minimumStarts;
    int _horizon;

    /// <summary>Prepares a series.</summary>
    /// <param name="series">[N, F], row-major.</param>
    /// <param name="warmUp">W, the given steps, at least 1.</param>
    /// <param name="maxHorizon">The most predictions K of an example, at least 1; W + K ≤ N.</param>
    /// <param name="features">F.</param>
    /// <param name="minimumStarts">The fewest starts at any horizon, from 1 to N − W.</param>
    /// <exception cref="ArgumentException">A value is not finite, or the series is too short for one example.</exception>
    public ClosedLoopSource(ReadOnlySpan<float> series, int warmUp, int maxHorizon, int features = 1, int minimumStarts = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(warmUp, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxHorizon, 1);
        _series = SeriesValues.Check(series, features);
        (WarmUp, MaxHorizon, InputSize, _horizon) = (warmUp, maxHorizon, features, maxHorizon);
        if (Length < warmUp + maxHorizon)
        {
            throw new ArgumentException(
                $"Expected at least {warmUp + maxHorizon} steps for a warm-up of {warmUp} and a horizon of {maxHorizon}, got {Length}; use a longer series or a shorter horizon.", nameof(series));
        }

        if (minimumStarts < 1 || minimumStarts > Length - warmUp)
            throw new ArgumentOutOfRangeException(nameof(minimumStarts), minimumStarts, $"Expected 1 to {Length - warmUp} starts, so that each has a target.");
        _minimumStarts = minimumStarts;
    }

    /// <summary>W, the steps given at the start.</summary>
    public int WarmUp { get; }

    /// <summary>The largest <see cref="Horizon"/>.</summary>
    public int MaxHorizon { get; }

    /// <summary>K, the predictions of an example. It may change between epochs, or at any step where <c>StepsPerEpoch</c> is set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1 or above <see cref="MaxHorizon"/>.</exception>
    public int Horizon
    {
        get => _horizon;
        set => _horizon = value >= 1 && value <= MaxHorizon
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"Expected a horizon of 1 to {MaxHorizon}.");
    }

    /// <summary>The starts from which the present horizon fits into the series, or the fewest that were asked for.</summary>
    public int Count => Math.Max(_minimumStarts, Length - WarmUp - Horizon + 1);

    /// <inheritdoc/>
    public int MaxSteps => WarmUp + MaxHorizon - 1;

    /// <inheritdoc/>
    public int InputSize { get; }

    /// <inheritdoc/>
    public int TargetSize => InputSize;

    int Length => _series.Length / InputSize;

    /// <inheritdoc/>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var (steps, features, rows) = (WarmUp + Horizon - 1, InputSize, indices.Length);
        batch.Resize(steps, rows, steps, weights: true, feedback: true);
        for (var t = 0; t < steps; t++)
        {
            for (var b = 0; b < rows; b++)
            {
                var at = (t * rows) + b;
                var next = indices[b] + t + 1;
                Step(next - 1).CopyTo(batch.Inputs[(at * features)..]);
                Step(next).CopyTo(batch.Targets[(at * features)..]);
                batch.Feedback[at] = t >= WarmUp ? (byte)1 : (byte)0;
                batch.Weights[at] = t >= WarmUp - 1 && next < Length ? 1f : 0f;
            }
        }
    }

    // Beyond the end the last value stands in; it has no weight.
    ReadOnlySpan<float> Step(int t) => _series.AsSpan(Math.Min(t, Length - 1) * InputSize, InputSize);
}
