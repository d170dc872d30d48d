namespace Unroll.Theory;

/// <summary>Two recurrent layers over the same inputs, one in each direction of time, their outputs side by side.</summary>
/// <remarks>
/// <code>
/// h→_t = cell→(x_t, h→_{t−1}),   t = 0 … n−1
/// h←_t = cell←(x_t, h←_{t+1}),   t = n−1 … 0
/// y_t  = (h→_t, h←_t)
/// </code>
/// n is the length of the sample, T without lengths: the backward direction starts at each sample's own end.
/// Shapes: x [T, B, I], y [T, B, H→ + H←]. Each direction has its own parameters. States: <c>[0][b]</c> forward, <c>[1][b]</c> backward;
/// the final state of the backward direction is that of t = 0.
/// Source: M. Schuster, K. K. Paliwal, "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing 45 (1997).
/// </remarks>
public sealed class Bidirectional : SequenceLayer
{
    readonly Recurrent _forward;
    readonly Recurrent _backward;

    /// <summary>Makes the layer from the cells of its two directions.</summary>
    /// <exception cref="ArgumentException">The cells differ in input size.</exception>
    public Bidirectional(Cell forward, Cell backward)
        : base(
            [forward ?? throw new ArgumentNullException(nameof(forward)), backward ?? throw new ArgumentNullException(nameof(backward))],
            forward.HiddenSize + backward.HiddenSize)
    {
        Shape.Equal(forward.InputSize, backward.InputSize, "inputSize", nameof(backward));
        _forward = new Recurrent(forward);
        _backward = new Recurrent(backward, reverse: true);
    }

    /// <inheritdoc/>
    /// <remarks><code>y_t = (h→_t, h←_t)</code></remarks>
    public override BidirectionalCache Forward(Sequence x, CellState[][]? initialStates = null, int[]? lengths = null)
    {
        var states = CheckForward(x, initialStates);
        var forward = _forward.Forward(x, [states[0]], lengths);
        var backward = _backward.Forward(x, [states[1]], lengths);

        var y = new Sequence(x.T, x.B, OutputSize);
        for (var t = 0; t < x.T; t++)
        {
            for (var b = 0; b < x.B; b++)
            {
                forward.Y[t, b].CopyTo(y[t, b]);
                backward.Y[t, b].CopyTo(y[t, b][_forward.OutputSize..]);
            }
        }

        return new BidirectionalCache(this, y, [forward.FinalStates[0], backward.FinalStates[0]], forward, backward);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// (dH→_t, dH←_t) = dY_t
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
            {
                dY[t, b][.._forward.OutputSize].CopyTo(dForwardY[t, b]);
                dY[t, b][_forward.OutputSize..].CopyTo(dBackwardY[t, b]);
            }
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
}

/// <summary>What a forward pass of <see cref="Bidirectional"/> keeps: the cache of each direction.</summary>
public sealed class BidirectionalCache : LayerCache
{
    internal BidirectionalCache(Bidirectional layer, Sequence y, CellState[][] finalStates, RecurrentCache forward, RecurrentCache backward)
        : base(layer, y, finalStates, forward.Lengths) => (Forward, Backward) = (forward, backward);

    /// <summary>The cache of the direction t = 0 … n − 1; its <c>Y</c> are the outputs h→ of this direction alone.</summary>
    public RecurrentCache Forward { get; }

    /// <summary>The cache of the direction t = n − 1 … 0; its <c>Y</c> are the outputs h← of this direction alone.</summary>
    public RecurrentCache Backward { get; }
}
