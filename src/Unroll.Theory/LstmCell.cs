namespace Unroll.Theory;

/// <summary>Long short-term memory, with optional gates and peepholes (see <see cref="LstmOptions"/>).</summary>
/// <remarks>
/// <code>
/// i_t = σ(W_ii x_t + b_ii + W_hi h_{t−1} + b_hi + p_i ⊙ c_{t−1})
/// f_t = σ(W_if x_t + b_if + W_hf h_{t−1} + b_hf + p_f ⊙ c_{t−1})
/// g_t = tanh(W_ig x_t + b_ig + W_hg h_{t−1} + b_hg)
/// c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t
/// o_t = σ(W_io x_t + b_io + W_ho h_{t−1} + b_ho + p_o ⊙ c_t)
/// h_t = o_t ⊙ tanh(c_t)
/// </code>
/// The forget and input gates look at c_{t−1}, the output gate at c_t.
/// Shapes: x [I]; h, c and each gate [H]; W_ih [G·H, I], W_hh [G·H, H], biases [G·H], stacked i f g o; p [P·H], stacked i f o.
/// The block of an absent gate is omitted and the gate is the constant 1; g is always present.
/// Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000; Gers, Schraudolph and Schmidhuber 2002.
/// </remarks>
public sealed class LstmCell : Cell
{
    const int Absent = -1;

    // Where each block stands in the stacked gates [G·H] and in the stacked peepholes [P·H].
    readonly int _iBlock = Absent, _fBlock = Absent, _gBlock, _oBlock = Absent;
    readonly int _iPeephole = Absent, _fPeephole = Absent, _oPeephole = Absent;

    /// <summary>Makes a cell with all parameters zero.</summary>
    /// <param name="inputSize">The length I of x.</param>
    /// <param name="hiddenSize">The length H of h and of c.</param>
    /// <param name="options">Which gates it has and whether they see c; <see cref="LstmOptions.Vanilla"/> if null.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public LstmCell(int inputSize, int hiddenSize, LstmOptions? options = null)
        : base(inputSize, hiddenSize, cellSize: hiddenSize)
    {
        Options = options ?? LstmOptions.Vanilla;
        Parameters = CreateGradients();

        var block = 0;
        if (Options.InputGate)
            _iBlock = block++;
        if (Options.ForgetGate)
            _fBlock = block++;
        _gBlock = block++;
        if (Options.OutputGate)
            _oBlock = block;

        if (Options.Peepholes)
        {
            var peephole = 0;
            if (Options.InputGate)
                _iPeephole = peephole++;
            if (Options.ForgetGate)
                _fPeephole = peephole++;
            if (Options.OutputGate)
                _oPeephole = peephole;
        }
    }

    /// <summary>Which parts the cell has.</summary>
    public LstmOptions Options { get; }

    /// <inheritdoc/>
    public override CellParameters Parameters { get; }

    /// <inheritdoc/>
    public override CellParameters CreateGradients() => new(Options.GateCount, InputSize, HiddenSize, Options.PeepholeCount);

    /// <inheritdoc/>
    /// <remarks>
    /// <code>
    /// hMasked = m ⊙ hPrev
    /// gates = W_ih x + b_ih + W_hh hMasked + b_hh
    /// i = σ(gates_i + p_i ⊙ cPrev)      or 1 if absent
    /// f = σ(gates_f + p_f ⊙ cPrev)      or 1 if absent
    /// g = tanh(gates_g)
    /// c = f ⊙ cPrev + i ⊙ g
    /// o = σ(gates_o + p_o ⊙ c)          or 1 if absent
    /// h = o ⊙ tanh(c)
    /// </code>
    /// </remarks>
    public override LstmCache Forward(ReadOnlySpan<double> x, CellState previous, double[]? hiddenMask = null)
    {
        CheckForward(x, previous, hiddenMask);
        var H = HiddenSize;
        var (hMasked, cPrev) = (Masked(previous.H, hiddenMask), previous.C);

        var gates = new double[Options.GateCount * H];
        Parameters.WeightIh.MultiplyAdd(x, gates);
        Add(Parameters.BiasIh, gates);
        Parameters.WeightHh.MultiplyAdd(hMasked, gates);
        Add(Parameters.BiasHh, gates);

        var (gatesI, gatesF) = (Block(gates, _iBlock), Block(gates, _fBlock));
        var (gatesG, gatesO) = (Block(gates, _gBlock), Block(gates, _oBlock));
        var (pI, pF, pO) = Peepholes();

        var (i, f, g, o) = (new double[H], new double[H], new double[H], new double[H]);
        var (c, tanhC, h) = (new double[H], new double[H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            i[j] = Options.InputGate ? Activations.Sigmoid(gatesI[j] + (pI[j] * cPrev[j])) : 1;
            f[j] = Options.ForgetGate ? Activations.Sigmoid(gatesF[j] + (pF[j] * cPrev[j])) : 1;
            g[j] = Activations.Tanh(gatesG[j]);
            c[j] = (f[j] * cPrev[j]) + (i[j] * g[j]);
            o[j] = Options.OutputGate ? Activations.Sigmoid(gatesO[j] + (pO[j] * c[j])) : 1;
            tanhC[j] = Activations.Tanh(c[j]);
            h[j] = o[j] * tanhC[j];
        }

        return new LstmCache(x, previous, new CellState(h, c), hMasked, hiddenMask) { I = i, F = f, G = g, O = o, TanhC = tanhC };
    }

    /// <inheritdoc/>
    /// <remarks>
    /// dGates_k is the gradient on the pre-activation of gate k. The line of dC adds what comes from h_t and, through the peephole, from o_t
    /// to what came from c_{t+1}. For an absent gate σ' is 0, since the gate is 1.
    /// <code>
    /// dGates_o = dH ⊙ tanh(c) ⊙ σ'(o)
    /// dC      += dH ⊙ o ⊙ tanh'(c) + p_o ⊙ dGates_o
    /// dGates_i = dC ⊙ g ⊙ σ'(i)
    /// dGates_f = dC ⊙ cPrev ⊙ σ'(f)
    /// dGates_g = dC ⊙ i ⊙ tanh'(g)
    /// dCPrev   = dC ⊙ f + p_i ⊙ dGates_i + p_f ⊙ dGates_f
    ///
    /// dP_i += dGates_i ⊙ cPrev    dP_f += dGates_f ⊙ cPrev    dP_o += dGates_o ⊙ c
    /// dWeightIh += dGates xᵀ          dBiasIh += dGates        dX    += W_ihᵀ dGates
    /// dWeightHh += dGates hMaskedᵀ    dBiasHh += dGates        dHPrev = m ⊙ W_hhᵀ dGates
    /// </code>
    /// </remarks>
    public override CellState Backward(CellCache cache, CellState dState, Span<double> dX, CellParameters dParameters)
    {
        var step = CheckBackward<LstmCache>(cache, dState, dX, dParameters);
        var H = HiddenSize;
        var (i, f, g, o) = (step.I, step.F, step.G, step.O);
        var (c, tanhC) = (step.State.C, step.TanhC);
        var cPrev = step.Previous.C;
        var (pI, pF, pO) = Peepholes();
        var dH = dState.H;

        var (dGatesI, dGatesF, dGatesG, dGatesO) = (new double[H], new double[H], new double[H], new double[H]);
        var (dPI, dPF, dPO) = (new double[H], new double[H], new double[H]);
        var dCPrev = new double[H];
        for (var j = 0; j < H; j++)
        {
            dGatesO[j] = dH[j] * tanhC[j] * Activations.SigmoidDerivative(o[j]);
            var dC = dState.C[j] + (dH[j] * o[j] * Activations.TanhDerivative(tanhC[j])) + (pO[j] * dGatesO[j]);
            dGatesI[j] = dC * g[j] * Activations.SigmoidDerivative(i[j]);
            dGatesF[j] = dC * cPrev[j] * Activations.SigmoidDerivative(f[j]);
            dGatesG[j] = dC * i[j] * Activations.TanhDerivative(g[j]);
            dCPrev[j] = (dC * f[j]) + (pI[j] * dGatesI[j]) + (pF[j] * dGatesF[j]);

            dPI[j] = dGatesI[j] * cPrev[j];
            dPF[j] = dGatesF[j] * cPrev[j];
            dPO[j] = dGatesO[j] * c[j];
        }

        AddBlock(dPI, dParameters.WeightPeephole, _iPeephole);
        AddBlock(dPF, dParameters.WeightPeephole, _fPeephole);
        AddBlock(dPO, dParameters.WeightPeephole, _oPeephole);

        var dGates = new double[Options.GateCount * H];
        AddBlock(dGatesI, dGates, _iBlock);
        AddBlock(dGatesF, dGates, _fBlock);
        AddBlock(dGatesG, dGates, _gBlock);
        AddBlock(dGatesO, dGates, _oBlock);

        dParameters.WeightIh.OuterProductAdd(dGates, step.X);
        Add(dGates, dParameters.BiasIh);
        Parameters.WeightIh.TransposeMultiplyAdd(dGates, dX);

        dParameters.WeightHh.OuterProductAdd(dGates, step.HMasked);
        Add(dGates, dParameters.BiasHh);
        var dHMasked = new double[H];
        Parameters.WeightHh.TransposeMultiplyAdd(dGates, dHMasked);

        return new CellState(Masked(dHMasked, step.HiddenMask), dCPrev);
    }

    /// <summary>The peephole weights per gate, [H] each; zeros where there is none.</summary>
    (double[] PI, double[] PF, double[] PO) Peepholes() =>
        (Block(Parameters.WeightPeephole, _iPeephole), Block(Parameters.WeightPeephole, _fPeephole), Block(Parameters.WeightPeephole, _oPeephole));

    /// <summary>A copy of the H elements of one block of a stacked vector; zeros for an absent block.</summary>
    double[] Block(double[] stacked, int block) =>
        block == Absent ? new double[HiddenSize] : stacked.AsSpan(block * HiddenSize, HiddenSize).ToArray();

    /// <summary>Adds a vector of H elements to one block of a stacked vector; does nothing for an absent block.</summary>
    void AddBlock(double[] values, double[] stacked, int block)
    {
        if (block != Absent)
            Add(values, stacked.AsSpan(block * HiddenSize, HiddenSize));
    }
}

/// <summary>What a step of an <see cref="LstmCell"/> keeps.</summary>
public sealed class LstmCache : CellCache
{
    internal LstmCache(ReadOnlySpan<double> x, CellState previous, CellState state, double[] hMasked, double[]? hiddenMask)
        : base(x, previous, state, hMasked, hiddenMask)
    {
    }

    /// <summary>The input gate i_t, [H]; ones if absent.</summary>
    public required double[] I { get; init; }

    /// <summary>The forget gate f_t, [H]; ones if absent.</summary>
    public required double[] F { get; init; }

    /// <summary>The candidate g_t, [H].</summary>
    public required double[] G { get; init; }

    /// <summary>The output gate o_t, [H]; ones if absent.</summary>
    public required double[] O { get; init; }

    /// <summary>tanh(c_t), [H].</summary>
    public required double[] TanhC { get; init; }
}
