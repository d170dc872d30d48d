namespace Unroll.Theory;

/// <summary>One step of a recurrent network for one sample: the equations between t − 1 and t, forward and backward.</summary>
/// <remarks>
/// <code>
/// state_t = cell(x_t, state_{t−1}),   state = h for RNN and GRU, (h, c) for LSTM
/// </code>
/// A batch is a loop over samples and a sequence a loop over steps; both loops are in <see cref="Recurrent"/>.
/// </remarks>
public abstract class Cell
{
    private protected Cell(int inputSize, int hiddenSize, int cellSize)
    {
        InputSize = inputSize;
        HiddenSize = hiddenSize;
        CellSize = cellSize;
    }

    /// <summary>The length I of x.</summary>
    public int InputSize { get; }

    /// <summary>The length H of h.</summary>
    public int HiddenSize { get; }

    /// <summary>The length of c: H for an LSTM, 0 for other cells.</summary>
    public int CellSize { get; }

    /// <summary>The parameters; zeros until they are set.</summary>
    public abstract CellParameters Parameters { get; }

    /// <summary>Zeros in the shape of <see cref="Parameters"/>: where gradients are accumulated.</summary>
    public abstract CellParameters CreateGradients();

    /// <summary>The state of zeros.</summary>
    public CellState ZeroState() => new(new double[HiddenSize], new double[CellSize]);

    /// <summary>Computes one step.</summary>
    /// <param name="x">The input x_t, [I]; copied.</param>
    /// <param name="previous">The state at t − 1; kept by reference.</param>
    /// <param name="hiddenMask">m, [H], kept by reference: W_hh reads hMasked = m ⊙ h_{t−1} (see <see cref="VariationalMasks"/>); all ones if null.</param>
    /// <returns>The new state and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">A length does not fit the cell.</exception>
    public abstract CellCache Forward(ReadOnlySpan<double> x, CellState previous, double[]? hiddenMask = null);

    /// <summary>Takes the gradient of the loss one step back in time.</summary>
    /// <param name="cache">What <see cref="Forward"/> returned for this step.</param>
    /// <param name="dState">The gradient on the state at t, from the output at t and from step t + 1 together.</param>
    /// <param name="dX">The gradient on x_t, [I]; accumulated into.</param>
    /// <param name="dParameters">The gradients of the parameters; accumulated into.</param>
    /// <returns>The gradient on the state at t − 1.</returns>
    /// <exception cref="ArgumentException">A length or the cache does not fit the cell.</exception>
    public abstract CellState Backward(CellCache cache, CellState dState, Span<double> dX, CellParameters dParameters);

    private protected void CheckForward(ReadOnlySpan<double> x, CellState previous, double[]? hiddenMask)
    {
        ArgumentNullException.ThrowIfNull(previous);
        Shape.Equal(InputSize, x.Length, "length inputSize =", nameof(x));
        Shape.State(this, previous, nameof(previous));
        if (hiddenMask is not null)
            Shape.Equal(HiddenSize, hiddenMask.Length, "length hiddenSize =", nameof(hiddenMask));
    }

    private protected TCache CheckBackward<TCache>(CellCache cache, CellState dState, Span<double> dX, CellParameters dParameters)
        where TCache : CellCache
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(dState);
        ArgumentNullException.ThrowIfNull(dParameters);
        Shape.Equal(InputSize, dX.Length, "length inputSize =", nameof(dX));
        Shape.State(this, dState, nameof(dState));
        Shape.Equal(Parameters.WeightIh.Rows, dParameters.WeightIh.Rows, "rows of WeightIh", nameof(dParameters));
        Shape.Equal(Parameters.WeightPeephole.Length, dParameters.WeightPeephole.Length, "length of WeightPeephole", nameof(dParameters));
        Shape.Equal(Parameters.GainIh.Length, dParameters.GainIh.Length, "length of GainIh", nameof(dParameters));
        return cache as TCache
            ?? throw new ArgumentException($"cache: expected {typeof(TCache).Name}, got {cache.GetType().Name}.", nameof(cache));
    }

    /// <summary>The vector times the mask; the vector itself where there is no mask.</summary>
    /// <remarks><code>m ⊙ v</code> Forward for v = h_{t−1}, backward for the gradient on the result.</remarks>
    private protected static double[] Masked(double[] v, double[]? mask) =>
        mask is null ? v : [.. v.Zip(mask, (value, m) => m * value)];

    /// <summary>Adds a vector to another.</summary>
    /// <remarks><code>y += x</code></remarks>
    internal static void Add(ReadOnlySpan<double> x, Span<double> y)
    {
        for (var k = 0; k < x.Length; k++)
            y[k] += x[k];
    }
}

/// <summary>What one forward step keeps for its backward step.</summary>
public abstract class CellCache
{
    private protected CellCache(ReadOnlySpan<double> x, CellState previous, CellState state, double[] hMasked, double[]? hiddenMask)
    {
        HMasked = hMasked;
        HiddenMask = hiddenMask;
        X = x.ToArray();
        Previous = previous;
        State = state;
    }

    /// <summary>The input x_t, [I].</summary>
    public double[] X { get; }

    /// <summary>The state at t − 1.</summary>
    public CellState Previous { get; }

    /// <summary>What W_hh multiplied: m ⊙ h_{t−1}, which is h_{t−1} without a mask, [H].</summary>
    public double[] HMasked { get; }

    /// <summary>The mask m of the recurrent product, [H]; null without one.</summary>
    public double[]? HiddenMask { get; }

    /// <summary>The state at t.</summary>
    public CellState State { get; }
}
