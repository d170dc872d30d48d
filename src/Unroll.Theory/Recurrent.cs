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

    internal override bool ReadsForward => !Reverse;

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// state_t = cell(m_x ⊙ x_t, state_{t−1}; m_h)      m_x, m_h: the masks, if there are any
    /// y_t = h_t
    /// </code>
    /// </remarks>
    public override RecurrentCache Forward(Sequence x, CellState[][]? initialStates = null, int[]? lengths = null, VariationalMasks[]? masks = null)
    {
        var state = CheckForward(x, initialStates, masks)[0];
        var (T, B) = (x.T, x.B);
        var valid = Lengths.OrFull(T, B, lengths);
        var (inputMask, hiddenMask) = (masks?[0].Input, masks?[0].Hidden);
        CheckMask(inputMask, B, InputSize);
        CheckMask(hiddenMask, B, OutputSize);

        var y = new Sequence(T, B, OutputSize);
        var steps = new CellCache?[T, B];
        for (var b = 0; b < B; b++)
        {
            var hiddenMaskOfSample = hiddenMask?.Row(b).ToArray();
            foreach (var t in TimeOrder(valid[b]))
            {
                var xMasked = x[t, b].ToArray();
                Mask(inputMask, b, xMasked);
                var step = _cell.Forward(xMasked, state[b], hiddenMaskOfSample);
                steps[t, b] = step;
                state[b] = step.State;
                state[b].H.CopyTo(y[t, b]);
            }
        }

        return new RecurrentCache(this, y, [state], valid, steps, inputMask);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The steps are visited in the opposite order. The gradient on h_t is the sum of what its output receives and of what the next step sends back.
    /// <code>
    /// dState_t.h += dY_t
    /// dState_{t−1}, dX̃_t, dParameters += cellBackward(dState_t)
    /// dX_t = m_x ⊙ dX̃_t
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
                Mask(kept.InputMask, b, dX[t, b]);
            }
        }

        return new LayerGradients(dX, [dParameters], [dState]);
    }

    /// <summary>Multiplies by the sample's row of the mask: x_t forward, its gradient backward.</summary>
    /// <remarks><code>v ← m ⊙ v</code></remarks>
    static void Mask(Matrix? mask, int b, Span<double> v)
    {
        if (mask is null)
            return;
        for (var k = 0; k < v.Length; k++)
            v[k] *= mask[b, k];
    }

    static void CheckMask(Matrix? mask, int B, int size)
    {
        if (mask is not null && (mask.Rows != B || mask.Cols != size))
            throw new ArgumentException($"masks: expected shape [{B}, {size}], got [{mask.Rows}, {mask.Cols}].", nameof(mask));
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
    internal RecurrentCache(Recurrent layer, Sequence y, CellState[][] finalStates, int[] lengths, CellCache?[,] steps, Matrix? inputMask)
        : base(layer, y, finalStates, lengths) => (Steps, InputMask) = (steps, inputMask);

    /// <summary>The cache of step t of sample b, [T, B]; null at padded steps.</summary>
    public CellCache?[,] Steps { get; }

    /// <summary>The mask m_x of the inputs, [B, I]; null without one.</summary>
    public Matrix? InputMask { get; }
}
