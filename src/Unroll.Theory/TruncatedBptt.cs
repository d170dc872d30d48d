namespace Unroll.Theory;

/// <summary>Back-propagation through time that goes back a fixed number of steps only, over a sequence that comes in pieces.</summary>
/// <remarks>
/// <code>
/// every k1 steps, at the end e of a piece:
///   dY_t counts for the steps of the piece,  t = e − k1 … e − 1
///   the gradient goes back through           t = e − 1 … max(0, e − k2)
/// </code>
/// The state is carried from piece to piece; its gradient is not carried further back than k2 steps. Every output counts once, in the piece it belongs
/// to, and is followed back for at least k2 − k1 + 1 steps. With k2 ≥ T the sum over all pieces is the full gradient; with k1 = k2 full
/// pieces are separate sequences that share nothing but the state. A shorter last piece goes back k2 steps like the others, into the piece before.
/// If parameters are updated between pieces, the steps before the piece still have the activations of the parameters that they were computed with.
/// Shapes: a piece x [n, B, I] with n = k1, or less at the end of the sequence; y [n, B, O].
/// Sources: R. J. Williams, J. Peng, "An Efficient Gradient-Based Algorithm for On-Line Training of Recurrent Network Trajectories", Neural Computation 2
/// (1990), BPTT(h; h') with h = k2 and h' = k1; the letters are those of I. Sutskever's thesis (Toronto, 2013), section 2.8.6.
/// </remarks>
public sealed class TruncatedBptt
{
    readonly SequenceLayer _layer;
    readonly List<LayerCache> _steps = [];
    CellState[][]? _state;
    int _stepsOfPiece;
    int _end;

    /// <summary>Begins a sequence.</summary>
    /// <param name="layer">The layer, all of whose directions read forward in time.</param>
    /// <param name="k1">The number of steps of a piece.</param>
    /// <param name="k2">The number of steps that the gradient goes back, at least k1.</param>
    /// <param name="initialStates">The states before the first step, <c>[cell][b]</c>; zeros if null. They are not changed.</param>
    /// <exception cref="ArgumentException">A part of the layer reads in reverse, k1 is less than 1, or k2 less than k1.</exception>
    public TruncatedBptt(SequenceLayer layer, int k1, int k2, CellState[][]? initialStates = null)
    {
        ArgumentNullException.ThrowIfNull(layer);
        Shape.Positive(k1, nameof(k1));
        if (k2 < k1)
            throw new ArgumentException($"k2: expected at least k1 = {k1}, got {k2}; with less, the first outputs of a piece would not count.", nameof(k2));
        if (!layer.ReadsForward)
            throw new ArgumentException($"layer: expected one that reads forward in time, got a {layer.GetType().Name} that also reads in reverse.", nameof(layer));
        _layer = layer;
        K1 = k1;
        K2 = k2;
        _state = initialStates;
    }

    /// <summary>The number of steps of a piece.</summary>
    public int K1 { get; }

    /// <summary>The number of steps that the gradient goes back.</summary>
    public int K2 { get; }

    /// <summary>Runs the layer over the next piece, from the state that the last one ended in.</summary>
    /// <remarks>
    /// <code>
    /// y_t, state_t = layer(x_t, state_{t−1})
    /// </code>
    /// </remarks>
    /// <param name="x">The inputs of the piece, [n, B, I], 1 ≤ n ≤ k1.</param>
    /// <returns>The outputs, [n, B, O].</returns>
    /// <exception cref="ArgumentException">There are more than k1 steps, or a shape does not fit.</exception>
    public Sequence Forward(Sequence x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.T > K1)
            throw new ArgumentException($"x: expected at most k1 = {K1} steps, got {x.T}.", nameof(x));
        var y = new Sequence(x.T, x.B, _layer.OutputSize);
        for (var t = 0; t < x.T; t++)
        {
            var step = _layer.Forward(Step(x, t), _state);
            _state = step.FinalStates;
            _steps.Add(step);
            for (var b = 0; b < x.B; b++)
                step.Y[0, b].CopyTo(y[t, b]);
        }

        _stepsOfPiece = x.T;
        _end += x.T;
        _steps.RemoveRange(0, Math.Max(0, _steps.Count - K2));
        return y;
    }

    /// <summary>Goes back k2 steps from the end of the piece, or to the first step of the sequence.</summary>
    /// <remarks>
    /// <code>
    /// dState_{t−1}, dX_t, dParameters += layerBackward(dY_t, dState_t),   t = e − 1 … max(0, e − k2)
    /// dY_t = 0 before the piece
    /// </code>
    /// </remarks>
    /// <param name="dY">The gradient on the outputs of the piece, [n, B, O].</param>
    /// <returns>The gradients; those of a whole sequence are the sum over its pieces.</returns>
    /// <exception cref="InvalidOperationException">There is no piece yet.</exception>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public TruncatedGradients Backward(Sequence dY)
    {
        ArgumentNullException.ThrowIfNull(dY);
        if (_steps.Count == 0)
            throw new InvalidOperationException("Expected a forward pass of a piece before the backward pass, got none.");
        var (count, B) = (_steps.Count, _steps[0].Y.B);
        Shape.Sequence(_stepsOfPiece, B, _layer.OutputSize, dY, nameof(dY));

        var dX = new Sequence(count, B, _layer.InputSize);
        CellParameters[] dParameters = [.. _layer.Cells.Select(cell => cell.CreateGradients())];
        CellState[][]? dState = null;
        for (var n = count - 1; n >= 0; n--)
        {
            var t = n - (count - _stepsOfPiece);
            var step = _layer.Backward(_steps[n], t >= 0 ? Step(dY, t) : new Sequence(1, B, _layer.OutputSize), dState);
            dState = step.DInitialStates;
            step.DX.Values.CopyTo(dX.Values, n * B * _layer.InputSize);
            for (var k = 0; k < dParameters.Length; k++)
                dParameters[k].Add(step.DParameters[k]);
        }

        return new TruncatedGradients(_end - count, dX, dParameters, dState!);
    }

    static Sequence Step(Sequence x, int t) => new(1, x.B, x.F, x.Values.AsSpan(t * x.B * x.F, x.B * x.F));
}

/// <summary>What a backward pass of <see cref="TruncatedBptt"/> returns.</summary>
/// <param name="FirstStep">The step of the sequence where the gradient stopped.</param>
/// <param name="DX">The gradient on the inputs from that step to the end of the piece, [e − FirstStep, B, I].</param>
/// <param name="DParameters">The gradients of the parameters, one per cell.</param>
/// <param name="DFirstStates">
/// The gradient on the states before the first step, <c>[cell][b]</c>: on the initial states if that is step 0, else what truncation leaves out.
/// </param>
public sealed record TruncatedGradients(int FirstStep, Sequence DX, CellParameters[] DParameters, CellState[][] DFirstStates);
