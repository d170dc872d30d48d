namespace Unroll.Theory;

/// <summary>The time loop: one cell unrolled over the steps of a sequence, the same parameters at every step.</summary>
/// <remarks>
/// <code>
/// state_t = cell(x_t, state_{t−1}),   y_t = h_t,   t = 0 … T−1         forward in time
/// state_t = cell(x_t, state_{t+1}),   y_t = h_t,   t = T−1 … 0         reverse
/// </code>
/// Shapes: x [T, B, I], y [T, B, H]; one state per sample at either end.
/// </remarks>
public sealed class Recurrent : SequenceLayer
{
    readonly Cell _cell;

    /// <summary>Makes the loop over a cell.</summary>
    /// <param name="cell">The cell; its parameters are those of the layer.</param>
    /// <param name="reverse">Whether to read the steps from T − 1 to 0.</param>
    public Recurrent(Cell cell, bool reverse = false)
        : base([cell ?? throw new ArgumentNullException(nameof(cell))], cell.HiddenSize)
    {
        _cell = cell;
        Reverse = reverse;
    }

    /// <summary>Whether the steps are read from T − 1 to 0.</summary>
    public bool Reverse { get; }

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// state_t = cell(x_t, state_{t−1})
    /// y_t = h_t
    /// </code>
    /// </remarks>
    public override RecurrentCache Forward(Sequence x, CellState[][]? initialStates = null)
    {
        var state = CheckForward(x, initialStates)[0];
        var (T, B) = (x.T, x.B);

        var y = new Sequence(T, B, OutputSize);
        var steps = new CellCache[T, B];
        foreach (var t in TimeOrder(T))
        {
            for (var b = 0; b < B; b++)
            {
                steps[t, b] = _cell.Forward(x[t, b], state[b]);
                state[b] = steps[t, b].State;
                state[b].H.CopyTo(y[t, b]);
            }
        }

        return new RecurrentCache(this, y, [state], steps);
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
        var steps = ((RecurrentCache)cache).Steps;
        var (T, B, H) = (dY.T, dY.B, dY.F);

        var dX = new Sequence(T, B, InputSize);
        var dParameters = _cell.CreateGradients();
        foreach (var t in TimeOrder(T).Reverse())
        {
            for (var b = 0; b < B; b++)
            {
                for (var j = 0; j < H; j++)
                    dState[b].H[j] += dY[t, b, j];
                dState[b] = _cell.Backward(steps[t, b], dState[b], dX[t, b], dParameters);
            }
        }

        return new LayerGradients(dX, [dParameters], [dState]);
    }

    IEnumerable<int> TimeOrder(int T)
    {
        var order = Enumerable.Range(0, T);
        return Reverse ? order.Reverse() : order;
    }
}

/// <summary>What a forward pass of <see cref="Recurrent"/> keeps: the cache of every step.</summary>
public sealed class RecurrentCache : LayerCache
{
    internal RecurrentCache(Recurrent layer, Sequence y, CellState[][] finalStates, CellCache[,] steps)
        : base(layer, y, finalStates) => Steps = steps;

    /// <summary>The cache of step t of sample b, [T, B].</summary>
    public CellCache[,] Steps { get; }
}
