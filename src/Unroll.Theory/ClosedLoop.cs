namespace Unroll.Theory;

/// <summary>Recurrent layers and a linear output whose outputs are fed back as inputs: how a trained model continues a sequence on its own.</summary>
/// <remarks>
/// <code>
/// x̃_t = y_{t−1} where feedback[t, b], else x_t
/// h⁰_t = x̃_t,   stateˡ_t = cellˡ(hˡ⁻¹_t, stateˡ_{t−1})
/// y_t = W hᴸ_t + b
/// </code>
/// Shapes: x and y [T, B, F] (the output size is the input size F), feedback [T, B]. There is no output before t = 0, so feedback[0, b] is false.
/// A value of x at a fed-back step is not read and its gradient is 0.
/// </remarks>
public sealed class ClosedLoop
{
    readonly Cell[] _cells;
    readonly Linear _linear;

    /// <summary>Makes the model from its cells, bottom layer first, and its output layer.</summary>
    /// <exception cref="ArgumentException">There is no cell, or an input size is not the output size of the layer below, or the output size is not the input size.</exception>
    public ClosedLoop(IReadOnlyList<Cell> cells, Linear linear)
    {
        ArgumentNullException.ThrowIfNull(cells);
        ArgumentNullException.ThrowIfNull(linear);
        if (cells.Count == 0)
            throw new ArgumentException("cells: expected at least 1 cell, got 0.", nameof(cells));
        for (var l = 1; l < cells.Count; l++)
            Shape.Equal(cells[l - 1].HiddenSize, cells[l].InputSize, $"inputSize of cell {l} = hiddenSize of cell {l - 1} =", nameof(cells));
        Shape.Equal(cells[^1].HiddenSize, linear.InputSize, "inputSize = hiddenSize of the last cell =", nameof(linear));
        Shape.Equal(cells[0].InputSize, linear.OutputSize, "outputSize = inputSize of the first cell =", nameof(linear));
        _cells = [.. cells];
        _linear = linear;
    }

    /// <summary>The cells, bottom layer first.</summary>
    public IReadOnlyList<Cell> Cells => _cells;

    /// <summary>The output layer.</summary>
    public Linear Linear => _linear;

    /// <summary>The mask of a model that reads <paramref name="warmUp"/> steps and then goes on by itself.</summary>
    /// <remarks><code>feedback[t, b] = t ≥ warmUp</code></remarks>
    /// <returns>The mask, [T, B].</returns>
    /// <exception cref="ArgumentOutOfRangeException">A size or <paramref name="warmUp"/> is less than 1.</exception>
    public static bool[,] FeedbackAfter(int warmUp, int T, int B)
    {
        Shape.Positive(warmUp, nameof(warmUp));
        Shape.Positive(T, nameof(T));
        Shape.Positive(B, nameof(B));
        var feedback = new bool[T, B];
        for (var t = warmUp; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                feedback[t, b] = true;
        }

        return feedback;
    }

    /// <summary>Runs the model, with its own output as input from step <paramref name="warmUp"/> on.</summary>
    /// <inheritdoc cref="Forward(Sequence, bool[,], CellState[][])"/>
    public ClosedLoopCache Forward(Sequence x, int warmUp, CellState[][]? initialStates = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Forward(x, FeedbackAfter(warmUp, x.T, x.B), initialStates);
    }

    /// <summary>Runs the model, with its own output as input where the mask says so.</summary>
    /// <remarks>
    /// <code>
    /// x̃_t = y_{t−1} where feedback[t, b], else x_t
    /// stateˡ_t = cellˡ(hˡ⁻¹_t, stateˡ_{t−1}),   h⁰_t = x̃_t
    /// y_t = W hᴸ_t + b
    /// </code>
    /// </remarks>
    /// <param name="x">The inputs, [T, B, F].</param>
    /// <param name="feedback">True where the input is the model's own previous output, [T, B].</param>
    /// <param name="initialStates">The states before step 0, <c>[cell][b]</c>; zeros if null. They are copied.</param>
    /// <returns>The outputs, the final states and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">A shape does not fit, or the mask asks for feedback at step 0.</exception>
    public ClosedLoopCache Forward(Sequence x, bool[,] feedback, CellState[][]? initialStates = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        Check(x, feedback);
        var state = SequenceLayer.StatesOrZeros(_cells, x.B, initialStates, nameof(initialStates));
        var (T, B, F, L) = (x.T, x.B, x.F, _cells.Length);

        var y = new Sequence(T, B, F);
        var steps = new CellCache[T, B, L];
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                var input = feedback[t, b] ? y[t - 1, b] : x[t, b];
                for (var l = 0; l < L; l++)
                {
                    steps[t, b, l] = _cells[l].Forward(input, state[l][b]);
                    state[l][b] = steps[t, b, l].State;
                    input = state[l][b].H;
                }

                _linear.Forward(input, y[t, b]);
            }
        }

        return new ClosedLoopCache(this, y, state, steps, (bool[,])feedback.Clone());
    }

    /// <summary>Back-propagation through time, layers and the feedback.</summary>
    /// <remarks>
    /// An output that was fed back receives a gradient twice: from the loss, and from the step that read it.
    /// <code>
    /// dY_t     += dX̃_{t+1} where feedback[t + 1, b]
    /// dHᴸ_t    += Wᵀ dY_t
    /// dStateˡ_{t−1}, dHˡ⁻¹_t = cellBackwardˡ(dStateˡ_t),   dH⁰_t = dX̃_t
    /// dX_t      = 0 where feedback[t, b], else dX̃_t
    /// </code>
    /// </remarks>
    /// <param name="cache">What <see cref="Forward(Sequence, bool[,], CellState[][])"/> returned.</param>
    /// <param name="dY">The gradient of the loss on the outputs, [T, B, F], without the feedback.</param>
    /// <param name="dFinalStates">The gradient on the final states, <c>[cell][b]</c>; zeros if null.</param>
    /// <returns>The gradients of inputs, parameters and initial states.</returns>
    /// <exception cref="ArgumentException">A shape or the cache does not fit.</exception>
    public ClosedLoopGradients Backward(ClosedLoopCache cache, Sequence dY, CellState[][]? dFinalStates = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(dY);
        if (!ReferenceEquals(cache.Model, this))
            throw new ArgumentException("cache: expected the cache of this ClosedLoop, got that of another.", nameof(cache));
        var (T, B, F, L) = (cache.Y.T, cache.Y.B, cache.Y.F, _cells.Length);
        Shape.Sequence(T, B, F, dY, nameof(dY));
        var dState = SequenceLayer.StatesOrZeros(_cells, B, dFinalStates, nameof(dFinalStates));

        var dX = new Sequence(T, B, F);
        var dParameters = _cells.Select(cell => cell.CreateGradients()).ToArray();
        var dLinear = _linear.CreateGradients();
        var dYTotal = new Sequence(T, B, F, dY.Values);
        for (var t = T - 1; t >= 0; t--)
        {
            for (var b = 0; b < B; b++)
            {
                // dState[l][b].H holds what step t + 1 sent back; the layer above at step t adds its part before the cell goes back.
                var hTop = cache.Steps[t, b, L - 1].State.H;
                _linear.Backward(hTop, dYTotal[t, b], dState[L - 1][b].H, dLinear);
                for (var l = L - 1; l > 0; l--)
                    dState[l][b] = _cells[l].Backward(cache.Steps[t, b, l], dState[l][b], dState[l - 1][b].H, dParameters[l]);

                var dInput = cache.Feedback[t, b] ? dYTotal[t - 1, b] : dX[t, b];
                dState[0][b] = _cells[0].Backward(cache.Steps[t, b, 0], dState[0][b], dInput, dParameters[0]);
            }
        }

        return new ClosedLoopGradients(dX, dParameters, dLinear, dState);
    }

    void Check(Sequence x, bool[,] feedback)
    {
        ArgumentNullException.ThrowIfNull(feedback);
        Shape.Equal(_cells[0].InputSize, x.F, "features inputSize =", nameof(x));
        Shape.Feedback(x.T, x.B, feedback, nameof(feedback));
    }
}

/// <summary>What a forward pass of <see cref="ClosedLoop"/> returns and keeps.</summary>
public sealed class ClosedLoopCache
{
    internal ClosedLoopCache(ClosedLoop model, Sequence y, CellState[][] finalStates, CellCache[,,] steps, bool[,] feedback)
    {
        Model = model;
        Y = y;
        FinalStates = finalStates;
        Steps = steps;
        Feedback = feedback;
    }

    /// <summary>The outputs, [T, B, F].</summary>
    public Sequence Y { get; }

    /// <summary>The states after the last step, <c>[cell][b]</c>.</summary>
    public CellState[][] FinalStates { get; }

    /// <summary>The cache of step t of sample b of cell l, [T, B, L].</summary>
    public CellCache[,,] Steps { get; }

    /// <summary>True where the input was the previous output, [T, B].</summary>
    public bool[,] Feedback { get; }

    internal ClosedLoop Model { get; }
}

/// <summary>What a backward pass of <see cref="ClosedLoop"/> returns.</summary>
/// <param name="DX">The gradient on the inputs, [T, B, F]; 0 where the input was the previous output.</param>
/// <param name="DParameters">The gradients of the cells' parameters, one per cell.</param>
/// <param name="DLinear">The gradients of the output layer's parameters.</param>
/// <param name="DInitialStates">The gradient on the initial states, <c>[cell][b]</c>.</param>
public sealed record ClosedLoopGradients(Sequence DX, CellParameters[] DParameters, LinearParameters DLinear, CellState[][] DInitialStates);
