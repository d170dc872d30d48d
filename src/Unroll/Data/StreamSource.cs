namespace Unroll.Data;

/// <summary>
/// A series [N, F] for truncated back-propagation through time: cut into parallel streams, each read window by window with
/// the state carried on, and after every step the next value is predicted.
/// </summary>
/// <remarks>
/// <code>
/// stream s is x[s·L … s·L + L],   L = k1·W,   W = ⌊(N − 1) / (streams·k1)⌋ windows
/// window w predicts the steps w·k1 + 1 … (w + 1)·k1
/// and its gradient goes back through the steps (w + 1)·k1 − 1 … max(0, (w + 1)·k1 − k2)
/// </code>
/// With k1 = k2 windows share nothing but the state. With k2 &gt; k1 a window also reads the k2 − k1 steps before it, whose
/// predictions have weight 0, so that every prediction is followed back for at least k2 − k1 + 1 steps. Those steps are
/// computed anew, with the parameters of the present, from the state that the window before was in there. With
/// k2 ≥ L the gradients of all windows add up to that of the whole stream. What is left behind the last whole window is
/// not used. Williams and Peng, Neural Computation 2 (1990), BPTT(k2; k1); the letters are those of Sutskever's thesis
/// (Toronto, 2013), section 2.8.6.
/// </remarks>
public sealed class StreamSource : ISequenceSource
{
    readonly float[] _series;
    readonly int _windows;

    /// <summary>Cuts a series into streams.</summary>
    /// <param name="series">[N, F], row-major.</param>
    /// <param name="streams">The streams, at least 1: the rows of every batch.</param>
    /// <param name="k1">The steps predicted per update, at least 1.</param>
    /// <param name="k2">The steps that the gradient goes back, at least k1; k1 if null.</param>
    /// <param name="features">F.</param>
    /// <exception cref="ArgumentException">A value is not finite, or the series is too short for one window of every stream.</exception>
    public StreamSource(ReadOnlySpan<float> series, int streams, int k1, int? k2 = null, int features = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(streams, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(k1, 1);
        if (k2 < k1)
            throw new ArgumentOutOfRangeException(nameof(k2), k2, $"Expected at least k1 = {k1}; with less, the first predictions of a window would teach nothing.");
        _series = SeriesValues.Check(series, features);
        (Streams, K1, K2, InputSize) = (streams, k1, k2 ?? k1, features);
        var steps = _series.Length / features;
        _windows = (int)((steps - 1L) / ((long)streams * k1));
        if (_windows < 1)
        {
            throw new ArgumentException(
                $"Expected at least {((long)streams * k1) + 1} steps for {streams} streams of one window of k1 = {k1} and the value after it, got {steps}; use a longer series, fewer streams or shorter windows.", nameof(series));
        }
    }

    /// <inheritdoc/>
    public int Streams { get; }

    /// <summary>k1, the steps predicted per update.</summary>
    public int K1 { get; }

    /// <summary>k2, the steps that the gradient goes back.</summary>
    public int K2 { get; }

    /// <summary>The windows of all streams: example i is window ⌊i / streams⌋ of stream i mod streams.</summary>
    public int Count => Streams * _windows;

    /// <inheritdoc/>
    public int MaxSteps => Math.Min(K2, StreamLength);

    /// <inheritdoc/>
    public int InputSize { get; }

    /// <inheritdoc/>
    public int TargetSize => InputSize;

    int StreamLength => _windows * K1;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The examples are of different windows.</exception>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var window = indices[0] / Streams;
        var (start, end, rows) = (Start(window), (window + 1) * K1, indices.Length);
        var steps = end - start;
        batch.Resize(steps, rows, steps, weights: steps > K1);
        batch.CarriedSteps = Start(window + 1) - start;
        for (var b = 0; b < rows; b++)
        {
            if (indices[b] / Streams != window)
                throw new ArgumentException($"Expected examples of one window, got {indices[0]} of window {window} and {indices[b]} of window {indices[b] / Streams}.", nameof(indices));
            var origin = (indices[b] % Streams * StreamLength) + start;
            for (var t = 0; t < steps; t++)
            {
                var at = (t * rows) + b;
                Step(origin + t).CopyTo(batch.Inputs[(at * InputSize)..]);
                Step(origin + t + 1).CopyTo(batch.Targets[(at * InputSize)..]);
                if (steps > K1)
                    batch.Weights[at] = t >= steps - K1 ? 1f : 0f;
            }
        }
    }

    /// <summary>The first step that a window reads.</summary>
    int Start(int window) => (int)Math.Max(0, ((window + 1L) * K1) - K2);

    ReadOnlySpan<float> Step(int t) => _series.AsSpan(t * InputSize, InputSize);
}
