namespace Unroll.Theory;

/// <summary>The time loop: one cell unrolled over the steps of a sequence, the same parameters at every step.</summary>
/// <remarks>
/// <code>
/// state_t = cell(x_t, state_{t−1}),   y_t = h_t,   t = 0 … n−1         forward in time
/// state_t = cell(x_t, state_{t+1}),   y_t = h_t,   t = n−1 … 0         reverse
/// y_t = 0,   t = n … T−1
/// </code>
/// n is the length of the sample, T without lengths; so the reverse direction starts at each sample's own end.
/// Shapes: x [T, B, I], y [T, B, H]; one state per sample at either end.
/// </remarks>
public sealed class Recurrent : SequenceLayer
{
    readonly Cell _cell;

    /// <summary>Makes the loop over a cell.</summary>
    /// <param name="cell">The cell; its parameters are those of the layer.</param>
    /// <param name="reverse">Whether to read the steps from the last to the first.</param>
    public Recurrent(Cell cell, bool reverse = false)
        : base([cell ?? throw new ArgumentNullException(nameof(cell))], cell.HiddenSize)
    {
        _cell = cell;
        Reverse = reverse;
    }

    /// <summary>Whether the steps are read from the last to the first.</summary>
    public bool Reverse { get; }

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// state_t = cell(x_t, state_{t−1})
    /// y_t = h_t
    /// </code>
    /// </remarks>
    public override RecurrentCache Forward(Sequence x, CellState[][]? initialStates = null, int[]? lengths = null)
    {
        var state = CheckForward(x, initialStates)[0];
        var (T, B) = (x.T, x.B);
        var valid = Lengths.OrFull(T, B, lengths);

        var y = new Sequence(T, B, OutputSize);
        var steps = new CellCache?[T, B];
        for (var b = 0; b < B; b++)
        {
            foreach (var t in TimeOrder(valid[b]))
            {
                var step = _cell.Forward(x[t, b], state[b]);
                steps[t, b] = step;
                state[b] = step.State;
                state[b].H.CopyTo(y[t, b]);
            }
        }

        return new RecurrentCache(this, y, [state], valid, steps);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The steps are visited in the opposite order. The gradient on h_t is the sum of what its output receives and of what the next step sends back.
    /// <code>
    /// dState_t.h += dY_t
    /// dState_{t−1}, dX_t, dParameters += cellBackward(dState_t)
    /// </code>
    /// </remarks>
    public override LayerGradients Backward(LayerCache cache, Sequence dY, CellState[][]? dFinalStates = null)
    {
        var dState = CheckBackward(cache, dY, dFinalStates)[0];
        var kept = (RecurrentCache)cache;
        var (T, B, H) = (dY.T, dY.B, dY.F);

        var dX = new Sequence(T, B, InputSize);
        var dParameters = _cell.CreateGradients();
        for (var b = 0; b < B; b++)
        {
            foreach (var t in TimeOrder(kept.Lengths[b]).Reverse())
            {
                for (var j = 0; j < H; j++)
                    dState[b].H[j] += dY[t, b, j];
                dState[b] = _cell.Backward(kept.Steps[t, b]!, dState[b], dX[t, b], dParameters);
            }
        }

        return new LayerGradients(dX, [dParameters], [dState]);
    }

    /// <summary>The valid steps of one sample, in the order they are read.</summary>
    IEnumerable<int> TimeOrder(int length)
    {
        var order = Enumerable.Range(0, length);
        return Reverse ? order.Reverse() : order;
    }
}

/// <summary>What a forward pass of <see cref="Recurrent"/> keeps: the cache of every step.</summary>
public sealed class RecurrentCache : LayerCache
{
    internal RecurrentCache(Recurrent layer, Sequence y, CellState[][] finalStates, int[] lengths, CellCache?[,] steps)
        : base(layer, y, finalStates, lengths) => Steps = steps;

    /// <summary>The cache of step t of sample b, [T, B]; null at padded steps.</summary>
    public CellCache?[,] Steps { get; }
}
