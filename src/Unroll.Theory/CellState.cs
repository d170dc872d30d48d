namespace Unroll.Theory;

/// <summary>What one sample carries from one step to the next: h, and for an LSTM also c. The gradient of a state is a state too.</summary>
/// <param name="h">The hidden state, [H]; kept, not copied.</param>
/// <param name="c">The cell state, [H] for an LSTM, empty for other cells; kept, not copied.</param>
public sealed class CellState(double[] h, double[] c)
{
    /// <summary>A state without c: that of an RNN or a GRU.</summary>
    /// <param name="h">The hidden state, [H]; kept, not copied.</param>
    public CellState(double[] h)
        : this(h, [])
    {
    }

    /// <summary>The hidden state h, [H].</summary>
    public double[] H { get; } = h;

    /// <summary>The cell state c of an LSTM, [H]; empty for other cells.</summary>
    public double[] C { get; } = c;

    /// <summary>A copy that shares nothing with this state.</summary>
    public CellState Clone() => new([.. H], [.. C]);

    /// <summary>Splits the flat states of a batch into one state per sample.</summary>
    /// <param name="batchSize">The number of samples, B.</param>
    /// <param name="h">h of all samples, [B, H].</param>
    /// <param name="c">c of all samples, [B, H]; empty for an RNN or a GRU.</param>
    /// <returns>The states, [B].</returns>
    /// <exception cref="ArgumentException">A length is not a multiple of B.</exception>
    public static CellState[] Split(int batchSize, ReadOnlySpan<double> h, ReadOnlySpan<double> c = default)
    {
        Shape.Positive(batchSize, nameof(batchSize));
        Shape.Equal(0, h.Length % batchSize, $"length {h.Length} modulo B = {batchSize} to be", nameof(h));
        Shape.Equal(0, c.Length % batchSize, $"length {c.Length} modulo B = {batchSize} to be", nameof(c));
        var hSize = h.Length / batchSize;
        var cSize = c.Length / batchSize;
        var states = new CellState[batchSize];
        for (var b = 0; b < batchSize; b++)
            states[b] = new CellState(h.Slice(b * hSize, hSize).ToArray(), c.Slice(b * cSize, cSize).ToArray());
        return states;
    }

    /// <inheritdoc cref="Split(int, ReadOnlySpan{double}, ReadOnlySpan{double})"/>
    public static CellState[] Split(int batchSize, ReadOnlySpan<float> h, ReadOnlySpan<float> c = default)
    {
        var hWide = new double[h.Length];
        for (var k = 0; k < h.Length; k++)
            hWide[k] = h[k];
        var cWide = new double[c.Length];
        for (var k = 0; k < c.Length; k++)
            cWide[k] = c[k];
        return Split(batchSize, hWide.AsSpan(), cWide.AsSpan());
    }

    /// <summary>The hidden states of a batch as one flat array, [B, H].</summary>
    public static double[] JoinH(IReadOnlyList<CellState> states)
    {
        ArgumentNullException.ThrowIfNull(states);
        return [.. states.SelectMany(state => state.H)];
    }

    /// <summary>The cell states of a batch as one flat array, [B, H]; empty for an RNN or a GRU.</summary>
    public static double[] JoinC(IReadOnlyList<CellState> states)
    {
        ArgumentNullException.ThrowIfNull(states);
        return [.. states.SelectMany(state => state.C)];
    }
}
