namespace Unroll.Theory;

/// <summary>Long short-term memory whose pre-activations and cell output are layer-normalised (see <see cref="LayerNorm"/>).</summary>
/// <remarks>
/// <code>
/// (i, f, g, o)_t = LN(W_ih x_t; α_ih, b_ih) + LN(W_hh h_{t−1}; α_hh, b_hh)
/// c_t = σ(f_t) ⊙ c_{t−1} + σ(i_t) ⊙ tanh(g_t)
/// h_t = σ(o_t) ⊙ tanh(LN(c_t; α_c, b_c))
/// </code>
/// The product with x and the product with h are normalised apart, each over the stacked vector of all 4H pre-activations, not gate by gate.
/// The state c itself is carried on as it is; only what the output reads is normalised.
/// Shapes: x [I]; h, c and each gate [H]; W_ih [4H, I], W_hh [4H, H], gains α_ih, α_hh and biases b_ih, b_hh [4H], stacked i f g o; α_c, b_c [H].
/// Source: Ba, Kiros and Hinton 2016, equations 20 to 22 of the supplement. There β₁ (here b_hh), β₂ (here b_ih) and a further bias b are added
/// to the same pre-activation; their sum alone matters, so b is left out.
/// </remarks>
public sealed class LayerNormLstmCell : Cell
{
    /// <summary>Makes a cell with all parameters zero; gains are usually set to 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public LayerNormLstmCell(int inputSize, int hiddenSize)
        : base(inputSize, hiddenSize, cellSize: hiddenSize) => Parameters = CreateGradients();

    /// <inheritdoc/>
    public override CellParameters Parameters { get; }

    /// <inheritdoc/>
    public override CellParameters CreateGradients() => new(gateCount: 4, InputSize, HiddenSize, layerNorm: true);

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// hMasked = m ⊙ hPrev
    /// gates = LN(W_ih x; α_ih, b_ih) + LN(W_hh hMasked; α_hh, b_hh)
    /// i = σ(gates_i),  f = σ(gates_f),  g = tanh(gates_g),  o = σ(gates_o)
    /// c = f ⊙ cPrev + i ⊙ g
    /// h = o ⊙ tanh(LN(c; α_c, b_c))
    /// </code>
    /// </remarks>
    public override LayerNormLstmCache Forward(ReadOnlySpan<double> x, CellState previous, double[]? hiddenMask = null)
    {
        CheckForward(x, previous, hiddenMask);
        var H = HiddenSize;
        var (hMasked, cPrev) = (Masked(previous.H, hiddenMask), previous.C);

        var productX = new double[4 * H];
        Parameters.WeightIh.MultiplyAdd(x, productX);
        var normX = LayerNorm.Forward(productX, Parameters.GainIh, Parameters.BiasIh);

        var productH = new double[4 * H];
        Parameters.WeightHh.MultiplyAdd(hMasked, productH);
        var normH = LayerNorm.Forward(productH, Parameters.GainHh, Parameters.BiasHh);

        double[] gates = [.. normX.Y];
        Add(normH.Y, gates);

        var (i, f, g, o, c) = (new double[H], new double[H], new double[H], new double[H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            i[j] = Activations.Sigmoid(gates[j]);
            f[j] = Activations.Sigmoid(gates[H + j]);
            g[j] = Activations.Tanh(gates[(2 * H) + j]);
            o[j] = Activations.Sigmoid(gates[(3 * H) + j]);
            c[j] = (f[j] * cPrev[j]) + (i[j] * g[j]);
        }

        var normC = LayerNorm.Forward(c, Parameters.GainCell, Parameters.BiasCell);
        var (tanhC, h) = (new double[H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            tanhC[j] = Activations.Tanh(normC.Y[j]);
            h[j] = o[j] * tanhC[j];
        }

        return new LayerNormLstmCache(x, previous, new CellState(h, c), hMasked, hiddenMask)
        {
            I = i,
            F = f,
            G = g,
            O = o,
            TanhC = tanhC,
            NormX = normX,
            NormH = normH,
            NormC = normC,
        };
    }

    /// <inheritdoc/>
    /// <remarks>
    /// dGates_k is the gradient on the pre-activation of gate k; LN' takes a gradient back through a normalisation (see <see cref="LayerNorm.Backward"/>).
    /// <code>
    /// dGates_o = dH ⊙ tanhC ⊙ σ'(o)
    /// dC      += LN'_c(dH ⊙ o ⊙ tanh'(tanhC))
    /// dGates_i = dC ⊙ g ⊙ σ'(i)
    /// dGates_f = dC ⊙ cPrev ⊙ σ'(f)
    /// dGates_g = dC ⊙ i ⊙ tanh'(g)
    /// dCPrev   = dC ⊙ f
    ///
    /// dProductX = LN'_ih(dGates)    dWeightIh += dProductX xᵀ          dX    += W_ihᵀ dProductX
    /// dProductH = LN'_hh(dGates)    dWeightHh += dProductH hMaskedᵀ    dHPrev = m ⊙ W_hhᵀ dProductH
    /// </code>
    /// </remarks>
    public override CellState Backward(CellCache cache, CellState dState, Span<double> dX, CellParameters dParameters)
    {
        var step = CheckBackward<LayerNormLstmCache>(cache, dState, dX, dParameters);
        var H = HiddenSize;
        var (i, f, g, o, tanhC) = (step.I, step.F, step.G, step.O, step.TanhC);
        var cPrev = step.Previous.C;
        var dH = dState.H;

        var (dGatesI, dGatesF, dGatesG, dGatesO) = (new double[H], new double[H], new double[H], new double[H]);
        var dNormC = new double[H];
        for (var j = 0; j < H; j++)
        {
            dGatesO[j] = dH[j] * tanhC[j] * Activations.SigmoidDerivative(o[j]);
            dNormC[j] = dH[j] * o[j] * Activations.TanhDerivative(tanhC[j]);
        }

        var dC = LayerNorm.Backward(step.NormC, Parameters.GainCell, dNormC, dParameters.GainCell, dParameters.BiasCell);
        Add(dState.C, dC);
        var dCPrev = new double[H];
        for (var j = 0; j < H; j++)
        {
            dGatesI[j] = dC[j] * g[j] * Activations.SigmoidDerivative(i[j]);
            dGatesF[j] = dC[j] * cPrev[j] * Activations.SigmoidDerivative(f[j]);
            dGatesG[j] = dC[j] * i[j] * Activations.TanhDerivative(g[j]);
            dCPrev[j] = dC[j] * f[j];
        }

        double[] dGates = [.. dGatesI, .. dGatesF, .. dGatesG, .. dGatesO];

        var dProductX = LayerNorm.Backward(step.NormX, Parameters.GainIh, dGates, dParameters.GainIh, dParameters.BiasIh);
        dParameters.WeightIh.OuterProductAdd(dProductX, step.X);
        Parameters.WeightIh.TransposeMultiplyAdd(dProductX, dX);

        var dProductH = LayerNorm.Backward(step.NormH, Parameters.GainHh, dGates, dParameters.GainHh, dParameters.BiasHh);
        dParameters.WeightHh.OuterProductAdd(dProductH, step.HMasked);
        var dHMasked = new double[H];
        Parameters.WeightHh.TransposeMultiplyAdd(dProductH, dHMasked);

        return new CellState(Masked(dHMasked, step.HiddenMask), dCPrev);
    }
}

/// <summary>What a step of a <see cref="LayerNormLstmCell"/> keeps.</summary>
public sealed class LayerNormLstmCache : CellCache
{
    internal LayerNormLstmCache(ReadOnlySpan<double> x, CellState previous, CellState state, double[] hMasked, double[]? hiddenMask)
        : base(x, previous, state, hMasked, hiddenMask)
    {
    }

    /// <summary>The input gate i_t, [H].</summary>
    public required double[] I { get; init; }

    /// <summary>The forget gate f_t, [H].</summary>
    public required double[] F { get; init; }

    /// <summary>The candidate g_t, [H].</summary>
    public required double[] G { get; init; }

    /// <summary>The output gate o_t, [H].</summary>
    public required double[] O { get; init; }

    /// <summary>tanh(LN(c_t)), [H].</summary>
    public required double[] TanhC { get; init; }

    /// <summary>The normalisation of W_ih x_t, [4H].</summary>
    public required LayerNormCache NormX { get; init; }

    /// <summary>The normalisation of W_hh h_{t−1}, [4H].</summary>
    public required LayerNormCache NormH { get; init; }

    /// <summary>The normalisation of c_t, [H].</summary>
    public required LayerNormCache NormC { get; init; }
}
