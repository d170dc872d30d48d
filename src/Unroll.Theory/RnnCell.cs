namespace Unroll.Theory;

/// <summary>The activation function φ of an <see cref="RnnCell"/>.</summary>
public enum RnnActivation
{
    /// <summary>φ = tanh.</summary>
    Tanh,

    /// <summary>φ = relu.</summary>
    Relu,
}

/// <summary>The simple recurrent cell.</summary>
/// <remarks>
/// <code>
/// a_t = W_ih x_t + b_ih + W_hh h_{t−1} + b_hh
/// h_t = φ(a_t),   φ = tanh or relu
/// </code>
/// Shapes: x [I], h and a [H], W_ih [H, I], W_hh [H, H], biases [H].
/// Source: J. L. Elman, "Finding Structure in Time", Cognitive Science 14 (1990).
/// </remarks>
public sealed class RnnCell : Cell
{
    /// <summary>Makes a cell with all parameters zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public RnnCell(int inputSize, int hiddenSize, RnnActivation activation = RnnActivation.Tanh)
        : base(inputSize, hiddenSize, cellSize: 0)
    {
        Parameters = CreateGradients();
        Activation = activation;
    }

    /// <summary>The activation function φ.</summary>
    public RnnActivation Activation { get; }

    /// <inheritdoc/>
    public override CellParameters Parameters { get; }

    /// <inheritdoc/>
    public override CellParameters CreateGradients() => new(gateCount: 1, InputSize, HiddenSize);

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// hMasked = m ⊙ hPrev
    /// a = W_ih x + b_ih + W_hh hMasked + b_hh
    /// h = φ(a)
    /// </code>
    /// </remarks>
    public override RnnCache Forward(ReadOnlySpan<double> x, CellState previous, double[]? hiddenMask = null)
    {
        CheckForward(x, previous, hiddenMask);
        var H = HiddenSize;
        var hMasked = Masked(previous.H, hiddenMask);

        var a = new double[H];
        Parameters.WeightIh.MultiplyAdd(x, a);
        Add(Parameters.BiasIh, a);
        Parameters.WeightHh.MultiplyAdd(hMasked, a);
        Add(Parameters.BiasHh, a);

        var h = new double[H];
        for (var j = 0; j < H; j++)
            h[j] = Activation == RnnActivation.Tanh ? Activations.Tanh(a[j]) : Activations.Relu(a[j]);

        return new RnnCache(x, previous, new CellState(h), hMasked, hiddenMask) { A = a };
    }

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// dA      = dH ⊙ φ'(a)
    /// dWeightIh += dA xᵀ        dBiasIh += dA        dX    += W_ihᵀ dA
    /// dWeightHh += dA hMaskedᵀ  dBiasHh += dA        dHPrev = m ⊙ W_hhᵀ dA
    /// </code>
    /// </remarks>
    public override CellState Backward(CellCache cache, CellState dState, Span<double> dX, CellParameters dParameters)
    {
        var step = CheckBackward<RnnCache>(cache, dState, dX, dParameters);
        var H = HiddenSize;
        var h = step.State.H;
        var dH = dState.H;

        var dA = new double[H];
        for (var j = 0; j < H; j++)
        {
            dA[j] = dH[j] * (Activation == RnnActivation.Tanh
                ? Activations.TanhDerivative(h[j])
                : Activations.ReluDerivative(h[j]));
        }

        dParameters.WeightIh.OuterProductAdd(dA, step.X);
        Add(dA, dParameters.BiasIh);
        Parameters.WeightIh.TransposeMultiplyAdd(dA, dX);

        dParameters.WeightHh.OuterProductAdd(dA, step.HMasked);
        Add(dA, dParameters.BiasHh);
        var dHMasked = new double[H];
        Parameters.WeightHh.TransposeMultiplyAdd(dA, dHMasked);

        return new CellState(Masked(dHMasked, step.HiddenMask));
    }
}

/// <summary>What a step of an <see cref="RnnCell"/> keeps.</summary>
public sealed class RnnCache : CellCache
{
    internal RnnCache(ReadOnlySpan<double> x, CellState previous, CellState state, double[] hMasked, double[]? hiddenMask)
        : base(x, previous, state, hMasked, hiddenMask)
    {
    }

    /// <summary>The pre-activation a_t, [H].</summary>
    public required double[] A { get; init; }
}
