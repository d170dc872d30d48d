namespace Unroll.Theory;

/// <summary>Where a <see cref="GruCell"/> applies the reset gate.</summary>
public enum GruResetGate
{
    /// <summary>
    /// r ⊙ (W_hn h_{t−1} + b_hn): on the product. The form of cuDNN and PyTorch, and of the first preprint, arXiv:1406.1078v1.
    /// </summary>
    AfterProduct,

    /// <summary>
    /// W_hn (r ⊙ h_{t−1}) + b_hn: on the state. The form of the published paper, Cho et al. 2014 (EMNLP, arXiv:1406.1078v3).
    /// </summary>
    BeforeProduct,
}

/// <summary>The gated recurrent unit, with the reset gate after or before the product (see <see cref="GruResetGate"/>).</summary>
/// <remarks>
/// <code>
/// r_t = σ(W_ir x_t + b_ir + W_hr h_{t−1} + b_hr)
/// z_t = σ(W_iz x_t + b_iz + W_hz h_{t−1} + b_hz)
/// n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t−1} + b_hn))     AfterProduct
/// n_t = tanh(W_in x_t + b_in + W_hn (r_t ⊙ h_{t−1}) + b_hn)     BeforeProduct
/// h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1}
/// </code>
/// Shapes: x [I]; h, r, z, n [H]; W_ih [3·H, I], W_hh [3·H, H], biases [3·H], stacked r z n.
/// Source: K. Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation", EMNLP 2014.
/// </remarks>
public sealed class GruCell : Cell
{
    /// <summary>Makes a cell with all parameters zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public GruCell(int inputSize, int hiddenSize, GruResetGate resetGate = GruResetGate.AfterProduct)
        : base(inputSize, hiddenSize, cellSize: 0)
    {
        Parameters = CreateGradients();
        ResetGate = resetGate;
    }

    /// <summary>Where the reset gate is applied.</summary>
    public GruResetGate ResetGate { get; }

    /// <inheritdoc/>
    public override CellParameters Parameters { get; }

    /// <inheritdoc/>
    public override CellParameters CreateGradients() => new(gateCount: 3, InputSize, HiddenSize);

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// gatesX = W_ih x + b_ih
    /// hMasked = m ⊙ hPrev
    /// gatesH = W_hh hMasked + b_hh
    /// r = σ(gatesX_r + gatesH_r)
    /// z = σ(gatesX_z + gatesH_z)
    /// n = tanh(gatesX_n + r ⊙ gatesH_n)                      AfterProduct
    /// n = tanh(gatesX_n + (W_hh (r ⊙ hMasked) + b_hh)_n)     BeforeProduct
    /// h = (1 − z) ⊙ n + z ⊙ hPrev
    /// </code>
    /// </remarks>
    public override GruCache Forward(ReadOnlySpan<double> x, CellState previous, double[]? hiddenMask = null)
    {
        CheckForward(x, previous, hiddenMask);
        var H = HiddenSize;
        var (hPrev, hMasked) = (previous.H, Masked(previous.H, hiddenMask));

        var gatesX = new double[3 * H];
        Parameters.WeightIh.MultiplyAdd(x, gatesX);
        Add(Parameters.BiasIh, gatesX);

        var gatesH = new double[3 * H];
        Parameters.WeightHh.MultiplyAdd(hMasked, gatesH);
        Add(Parameters.BiasHh, gatesH);

        var (r, z) = (new double[H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            r[j] = Activations.Sigmoid(gatesX[j] + gatesH[j]);
            z[j] = Activations.Sigmoid(gatesX[H + j] + gatesH[H + j]);
        }

        var resetH = new double[H];
        for (var j = 0; j < H; j++)
            resetH[j] = r[j] * hMasked[j];

        // The rows of W_hn are the last H rows of W_hh: of this product only they are read.
        var gatesResetH = new double[3 * H];
        Parameters.WeightHh.MultiplyAdd(resetH, gatesResetH);
        Add(Parameters.BiasHh, gatesResetH);

        var (productN, n, h) = (new double[H], new double[H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            productN[j] = gatesH[(2 * H) + j];
            n[j] = ResetGate == GruResetGate.AfterProduct
                ? Activations.Tanh(gatesX[(2 * H) + j] + (r[j] * productN[j]))
                : Activations.Tanh(gatesX[(2 * H) + j] + gatesResetH[(2 * H) + j]);
            h[j] = ((1 - z[j]) * n[j]) + (z[j] * hPrev[j]);
        }

        return new GruCache(x, previous, new CellState(h), hMasked, hiddenMask) { R = r, Z = z, N = n, ProductN = productN, ResetH = resetH };
    }

    /// <inheritdoc/>
    /// <remarks>
    /// dGates_k is the gradient on the pre-activation of gate k.
    /// <code>
    /// dGates_n = dH ⊙ (1 − z) ⊙ tanh'(n)
    /// dGates_z = dH ⊙ (hPrev − n) ⊙ σ'(z)
    ///
    /// AfterProduct:
    ///   dGates_r  = dGates_n ⊙ (W_hn hPrev + b_hn) ⊙ σ'(r)
    ///   dGatesH   = (dGates_r, dGates_z, r ⊙ dGates_n)
    ///   dWeightHh += dGatesH hMaskedᵀ      dBiasHh += dGatesH
    ///   dHMasked  = W_hhᵀ dGatesH
    /// BeforeProduct:
    ///   dResetH   = W_hhᵀ (0, 0, dGates_n)
    ///   dGates_r  = dResetH ⊙ hMasked ⊙ σ'(r)
    ///   dWeightHh += (dGates_r, dGates_z, 0) hMaskedᵀ + (0, 0, dGates_n) (r ⊙ hMasked)ᵀ
    ///   dBiasHh   += (dGates_r, dGates_z, dGates_n)
    ///   dHMasked  = r ⊙ dResetH + W_hhᵀ (dGates_r, dGates_z, 0)
    /// both:
    ///   dHPrev    = dH ⊙ z + m ⊙ dHMasked
    ///   dGatesX   = (dGates_r, dGates_z, dGates_n)
    ///   dWeightIh += dGatesX xᵀ            dBiasIh += dGatesX        dX += W_ihᵀ dGatesX
    /// </code>
    /// </remarks>
    public override CellState Backward(CellCache cache, CellState dState, Span<double> dX, CellParameters dParameters)
    {
        var step = CheckBackward<GruCache>(cache, dState, dX, dParameters);
        var H = HiddenSize;
        var (r, z, n) = (step.R, step.Z, step.N);
        var (hPrev, hMasked) = (step.Previous.H, step.HMasked);
        var dH = dState.H;

        var (dGatesR, dGatesZ, dGatesN) = (new double[H], new double[H], new double[H]);
        var (dHPrev, dHMasked) = (new double[H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            dGatesN[j] = dH[j] * (1 - z[j]) * Activations.TanhDerivative(n[j]);
            dGatesZ[j] = dH[j] * (hPrev[j] - n[j]) * Activations.SigmoidDerivative(z[j]);
            dHPrev[j] = dH[j] * z[j];
        }

        var zero = new double[H];
        if (ResetGate == GruResetGate.AfterProduct)
        {
            var dProductN = new double[H];
            for (var j = 0; j < H; j++)
            {
                dGatesR[j] = dGatesN[j] * step.ProductN[j] * Activations.SigmoidDerivative(r[j]);
                dProductN[j] = r[j] * dGatesN[j];
            }

            double[] dGatesH = [.. dGatesR, .. dGatesZ, .. dProductN];
            dParameters.WeightHh.OuterProductAdd(dGatesH, hMasked);
            Add(dGatesH, dParameters.BiasHh);
            Parameters.WeightHh.TransposeMultiplyAdd(dGatesH, dHMasked);
        }
        else
        {
            double[] onlyN = [.. zero, .. zero, .. dGatesN];
            var dResetH = new double[H];
            Parameters.WeightHh.TransposeMultiplyAdd(onlyN, dResetH);
            for (var j = 0; j < H; j++)
            {
                dGatesR[j] = dResetH[j] * hMasked[j] * Activations.SigmoidDerivative(r[j]);
                dHMasked[j] += r[j] * dResetH[j];
            }

            double[] onlyRz = [.. dGatesR, .. dGatesZ, .. zero];
            dParameters.WeightHh.OuterProductAdd(onlyRz, hMasked);
            dParameters.WeightHh.OuterProductAdd(onlyN, step.ResetH);
            Add(onlyRz, dParameters.BiasHh);
            Add(onlyN, dParameters.BiasHh);
            Parameters.WeightHh.TransposeMultiplyAdd(onlyRz, dHMasked);
        }

        Add(Masked(dHMasked, step.HiddenMask), dHPrev);

        double[] dGatesX = [.. dGatesR, .. dGatesZ, .. dGatesN];
        dParameters.WeightIh.OuterProductAdd(dGatesX, step.X);
        Add(dGatesX, dParameters.BiasIh);
        Parameters.WeightIh.TransposeMultiplyAdd(dGatesX, dX);

        return new CellState(dHPrev);
    }
}

/// <summary>What a step of a <see cref="GruCell"/> keeps.</summary>
public sealed class GruCache : CellCache
{
    internal GruCache(ReadOnlySpan<double> x, CellState previous, CellState state, double[] hMasked, double[]? hiddenMask)
        : base(x, previous, state, hMasked, hiddenMask)
    {
    }

    /// <summary>The reset gate r_t, [H].</summary>
    public required double[] R { get; init; }

    /// <summary>The update gate z_t, [H].</summary>
    public required double[] Z { get; init; }

    /// <summary>The candidate n_t, [H].</summary>
    public required double[] N { get; init; }

    /// <summary>W_hn hMasked + b_hn, [H]; what r scales in <see cref="GruResetGate.AfterProduct"/>.</summary>
    public required double[] ProductN { get; init; }

    /// <summary>r_t ⊙ hMasked, [H]; what W_hn multiplies in <see cref="GruResetGate.BeforeProduct"/>.</summary>
    public required double[] ResetH { get; init; }
}
