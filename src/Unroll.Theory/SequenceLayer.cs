namespace Unroll.Theory;

/// <summary>A layer from sequence to sequence: [T, B, inputSize] to [T, B, outputSize], with one state per cell at either end.</summary>
/// <remarks>
/// States are <c>states[k][b]</c>: k runs over <see cref="Cells"/>, b over the samples. Without initial states they are zero.
/// </remarks>
public abstract class SequenceLayer
{
    private protected SequenceLayer(IReadOnlyList<Cell> cells, int outputSize)
    {
        Cells = cells;
        InputSize = cells[0].InputSize;
        OutputSize = outputSize;
    }

    /// <summary>The cells, in the order of states and parameter gradients: layer after layer, and in a bidirectional layer forward then backward.</summary>
    public IReadOnlyList<Cell> Cells { get; }

    /// <summary>The number of features of an input step.</summary>
    public int InputSize { get; }

    /// <summary>The number of features of an output step.</summary>
    public int OutputSize { get; }

    /// <summary>Whether every part of the layer reads from the first step to the last, so that a sequence can be read in pieces.</summary>
    internal abstract bool ReadsForward { get; }

    /// <summary>Runs the layer over all valid steps.</summary>
    /// <param name="x">The inputs, [T, B, inputSize]; padded steps are not read.</param>
    /// <param name="initialStates">The states before the first step read, <c>[cell][b]</c>; zeros if null. They are copied.</param>
    /// <param name="lengths">The number of valid steps of each sample, [B], each in 0 … T (see <see cref="Lengths"/>); T for all if null.</param>
    /// <param name="masks">The masks of variational dropout, one pair per cell; no dropout if null. They are kept by reference.</param>
    /// <returns>The outputs, the final states and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">A shape does not fit.</exception>
    public abstract LayerCache Forward(Sequence x, CellState[][]? initialStates = null, int[]? lengths = null, VariationalMasks[]? masks = null);

    /// <summary>Back-propagation through time over all valid steps.</summary>
    /// <param name="cache">What <see cref="Forward"/> returned.</param>
    /// <param name="dY">The gradient on the output of every step, [T, B, outputSize]; at padded steps, where the output is the constant 0, it is not read.</param>
    /// <param name="dFinalStates">The gradient on the final states, <c>[cell][b]</c>; zeros if null. It comes on top of <paramref name="dY"/>.</param>
    /// <returns>The gradients of inputs (0 at padded steps), parameters and initial states.</returns>
    /// <exception cref="ArgumentException">A shape or the cache does not fit.</exception>
    public abstract LayerGradients Backward(LayerCache cache, Sequence dY, CellState[][]? dFinalStates = null);

    /// <summary>Checks the inputs and returns the initial states, copied, or zeros.</summary>
    private protected CellState[][] CheckForward(Sequence x, CellState[][]? initialStates, VariationalMasks[]? masks)
    {
        ArgumentNullException.ThrowIfNull(x);
        Shape.Equal(InputSize, x.F, "features inputSize =", nameof(x));
        if (masks is not null)
            Shape.Equal(Cells.Count, masks.Length, "one pair of masks per cell,", nameof(masks));
        return StatesOrZeros(Cells, x.B, initialStates, nameof(initialStates));
    }

    /// <summary>Checks the gradients and returns those on the final states, copied, or zeros.</summary>
    private protected CellState[][] CheckBackward(LayerCache cache, Sequence dY, CellState[][]? dFinalStates)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(dY);
        if (!ReferenceEquals(cache.Layer, this))
            throw new ArgumentException($"cache: expected the cache of this {GetType().Name}, got that of another {cache.Layer.GetType().Name}.", nameof(cache));
        Shape.Sequence(cache.Y.T, cache.Y.B, cache.Y.F, dY, nameof(dY));
        return StatesOrZeros(Cells, dY.B, dFinalStates, nameof(dFinalStates));
    }

    internal static CellState[][] StatesOrZeros(IReadOnlyList<Cell> cells, int B, CellState[][]? states, string name)
    {
        if (states is null)
            return [.. cells.Select(cell => Enumerable.Range(0, B).Select(_ => cell.ZeroState()).ToArray())];

        Shape.Equal(cells.Count, states.Length, "one array of states per cell,", name);
        for (var k = 0; k < cells.Count; k++)
            Shape.States(cells[k], B, states[k], name);
        return [.. states.Select(batch => batch.Select(state => state.Clone()).ToArray())];
    }
}

/// <summary>What a forward pass returns and keeps.</summary>
public class LayerCache
{
    private protected LayerCache(SequenceLayer layer, Sequence y, CellState[][] finalStates, int[] lengths)
    {
        Layer = layer;
        Y = y;
        FinalStates = finalStates;
        Lengths = lengths;
    }

    /// <summary>The outputs, [T, B, outputSize]; 0 at padded steps.</summary>
    public Sequence Y { get; }

    /// <summary>The states after the last step read of each sample, <c>[cell][b]</c>; the initial state where no step is valid.</summary>
    public CellState[][] FinalStates { get; }

    /// <summary>The number of valid steps of each sample, [B].</summary>
    public int[] Lengths { get; }

    internal SequenceLayer Layer { get; }
}

/// <summary>What a backward pass returns.</summary>
/// <param name="DX">The gradient on the inputs, [T, B, inputSize].</param>
/// <param name="DParameters">The gradients of the parameters, one per cell.</param>
/// <param name="DInitialStates">The gradient on the initial states, <c>[cell][b]</c>.</param>
public sealed record LayerGradients(Sequence DX, CellParameters[] DParameters, CellState[][] DInitialStates);
