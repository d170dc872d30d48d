namespace Unroll.Theory;

/// <summary>Two recurrent layers over the same inputs, one in each direction of time, their outputs merged step by step.</summary>
/// <remarks>
/// <code>
/// h→_t = cell→(x_t, h→_{t−1}),   t = 0 … n−1
/// h←_t = cell←(x_t, h←_{t+1}),   t = n−1 … 0
/// y_t  = (h→_t, h←_t)            Concat
///        h→_t + h←_t             Sum
///        (h→_t + h←_t) / 2       Average
///        h→_t ⊙ h←_t             Product
/// </code>
/// n is the length of the sample, T without lengths: the backward direction starts at each sample's own end.
/// Shapes: x [T, B, I], y [T, B, H→ + H←] for Concat, else [T, B, H] with H = H→ = H←. Each direction has its own parameters.
/// States: <c>[0][b]</c> forward, <c>[1][b]</c> backward; the final state of the backward direction is that of t = 0.
/// Source: M. Schuster, K. K. Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing 45 (1997).
/// </remarks>
public sealed class Bidirectional : SequenceLayer
{
    readonly Recurrent _forward;
    readonly Recurrent _backward;

    /// <summary>Makes the layer from the cells of its two directions.</summary>
    /// <param name="forward">The cell that reads from the first step to the last.</param>
    /// <param name="backward">The cell that reads from the last step to the first.</param>
    /// <param name="merge">How their outputs become one.</param>
    /// <exception cref="ArgumentException">The cells differ in input size, or in hidden size where the outputs are not concatenated.</exception>
    public Bidirectional(Cell forward, Cell backward, BidirectionalMerge merge = BidirectionalMerge.Concat)
        : base(
            [forward ?? throw new ArgumentNullException(nameof(forward)), backward ?? throw new ArgumentNullException(nameof(backward))],
            merge == BidirectionalMerge.Concat ? forward.HiddenSize + backward.HiddenSize : forward.HiddenSize)
    {
        Shape.Equal(forward.InputSize, backward.InputSize, "inputSize", nameof(backward));
        if (merge != BidirectionalMerge.Concat)
            Shape.Equal(forward.HiddenSize, backward.HiddenSize, $"hiddenSize (for {merge})", nameof(backward));
        Merge = merge;
        _forward = new Recurrent(forward);
        _backward = new Recurrent(backward, reverse: true);
    }

    /// <summary>How the outputs of the two directions become one.</summary>
    public BidirectionalMerge Merge { get; }

    internal override bool ReadsForward => false;

    /// <inheritdoc/>
    /// <remarks><code>y_t = merge(h→_t, h←_t)</code></remarks>
    public override BidirectionalCache Forward(Sequence x, CellState[][]? initialStates = null, int[]? lengths = null, VariationalMasks[]? masks = null)
    {
        var states = CheckForward(x, initialStates, masks);
        var forward = _forward.Forward(x, [states[0]], lengths, masks?[..1]);
        var backward = _backward.Forward(x, [states[1]], lengths, masks?[1..]);

        var y = new Sequence(x.T, x.B, OutputSize);
        for (var t = 0; t < x.T; t++)
        {
            for (var b = 0; b < x.B; b++)
                MergeForward(forward.Y[t, b], backward.Y[t, b], y[t, b]);
        }

        return new BidirectionalCache(this, y, [forward.FinalStates[0], backward.FinalStates[0]], forward, backward);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// dH→_t, dH←_t = mergeBackward(dY_t)
    /// dX_t = dX→_t + dX←_t
    /// </code>
    /// </remarks>
    public override LayerGradients Backward(LayerCache cache, Sequence dY, CellState[][]? dFinalStates = null)
    {
        var dStates = CheckBackward(cache, dY, dFinalStates);
        var kept = (BidirectionalCache)cache;

        var dForwardY = new Sequence(dY.T, dY.B, _forward.OutputSize);
        var dBackwardY = new Sequence(dY.T, dY.B, _backward.OutputSize);
        for (var t = 0; t < dY.T; t++)
        {
            for (var b = 0; b < dY.B; b++)
                MergeBackward(kept.Forward.Y[t, b], kept.Backward.Y[t, b], dY[t, b], dForwardY[t, b], dBackwardY[t, b]);
        }

        var forward = _forward.Backward(kept.Forward, dForwardY, [dStates[0]]);
        var backward = _backward.Backward(kept.Backward, dBackwardY, [dStates[1]]);

        var dX = new Sequence(dY.T, dY.B, InputSize);
        for (var k = 0; k < dX.Values.Length; k++)
            dX.Values[k] = forward.DX.Values[k] + backward.DX.Values[k];

        return new LayerGradients(
            dX,
            [forward.DParameters[0], backward.DParameters[0]],
            [forward.DInitialStates[0], backward.DInitialStates[0]]);
    }

    /// <summary>Merges the outputs of one step.</summary>
    /// <remarks>
    /// <code>
    /// Concat   y = (h→, h←)
    /// Sum      y = h→ + h←
    /// Average  y = (h→ + h←) / 2
    /// Product  y = h→ ⊙ h←
    /// </code>
    /// </remarks>
    void MergeForward(ReadOnlySpan<double> hForward, ReadOnlySpan<double> hBackward, Span<double> y)
    {
        if (Merge == BidirectionalMerge.Concat)
        {
            hForward.CopyTo(y);
            hBackward.CopyTo(y[hForward.Length..]);
            return;
        }

        for (var j = 0; j < y.Length; j++)
        {
            y[j] = Merge switch
            {
                BidirectionalMerge.Sum => hForward[j] + hBackward[j],
                BidirectionalMerge.Average => (hForward[j] + hBackward[j]) / 2,
                _ => hForward[j] * hBackward[j],
            };
        }
    }

    /// <summary>Takes the gradient on the merged output of one step to both directions; both destinations are overwritten.</summary>
    /// <remarks>
    /// <code>
    /// Concat   (dH→, dH←) = dY
    /// Sum      dH→ = dY          dH← = dY
    /// Average  dH→ = dY / 2      dH← = dY / 2
    /// Product  dH→ = dY ⊙ h←     dH← = dY ⊙ h→
    /// </code>
    /// </remarks>
    void MergeBackward(
        ReadOnlySpan<double> hForward, ReadOnlySpan<double> hBackward, ReadOnlySpan<double> dY, Span<double> dHForward, Span<double> dHBackward)
    {
        if (Merge == BidirectionalMerge.Concat)
        {
            dY[..dHForward.Length].CopyTo(dHForward);
            dY[dHForward.Length..].CopyTo(dHBackward);
            return;
        }

        for (var j = 0; j < dY.Length; j++)
        {
            (dHForward[j], dHBackward[j]) = Merge switch
            {
                BidirectionalMerge.Sum => (dY[j], dY[j]),
                BidirectionalMerge.Average => (dY[j] / 2, dY[j] / 2),
                _ => (dY[j] * hBackward[j], dY[j] * hForward[j]),
            };
        }
    }
}

/// <summary>What a forward pass of <see cref="Bidirectional"/> keeps: the cache, and so the outputs, of each direction.</summary>
public sealed class BidirectionalCache : LayerCache
{
    internal BidirectionalCache(Bidirectional layer, Sequence y, CellState[][] finalStates, RecurrentCache forward, RecurrentCache backward)
        : base(layer, y, finalStates, forward.Lengths) => (Forward, Backward) = (forward, backward);

    /// <summary>The cache of the direction t = 0 … n − 1; its <c>Y</c> are the outputs h→ of this direction alone.</summary>
    public RecurrentCache Forward { get; }

    /// <summary>The cache of the direction t = n − 1 … 0; its <c>Y</c> are the outputs h← of this direction alone.</summary>
    public RecurrentCache Backward { get; }
}
