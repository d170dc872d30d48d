namespace Unroll.Theory;

/// <summary>The parameters of a <see cref="StateBridge"/>, or their gradients; there are none where states are copied.</summary>
public sealed class StateBridgeParameters : TensorGroup
{
    internal StateBridgeParameters(LinearParameters?[] h, LinearParameters?[] c) => (H, C) = (h, c);

    /// <summary>W_h and b_h of each cell of the decoder; null where the state is copied.</summary>
    public IReadOnlyList<LinearParameters?> H { get; }

    /// <summary>W_c and b_c of each cell of the decoder; null where the state is copied or the cell has no c.</summary>
    public IReadOnlyList<LinearParameters?> C { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors =>
    [
        .. H.SelectMany((map, l) => Prefixed($"h[{l}].", map)),
        .. C.SelectMany((map, l) => Prefixed($"c[{l}].", map)),
    ];
}

/// <summary>How the final states of an encoder become the initial states of a decoder.</summary>
/// <remarks>
/// An encoder has m cells for each cell of the decoder: m = 1 for layers of one direction, m = 2 for bidirectional ones. Cell l of the decoder takes
/// its state from the encoder's cells l·m … l·m + m − 1.
/// <code>
/// h_l = h of the encoder's cell,  c_l = c of the encoder's cell      if m = 1 and both sizes agree
/// h_l = tanh(W_h e_h + b_h),      e_h = their h, one after the other
/// c_l = tanh(W_c e_c + b_c),      e_c = their c, or the h of those that have no c
/// </code>
/// Shapes: h and c [H] of the decoder's cell; e_h and e_c the sums of the encoder's sizes. A c that the decoder's cell has no place for is dropped.
/// Source: Bahdanau, Cho and Bengio 2015, appendix A.2.2: s_0 = tanh(W_s h_1).
/// </remarks>
public sealed class StateBridge
{
    readonly Cell[] _encoder;
    readonly Cell[] _decoder;
    readonly int _m;
    readonly Linear?[] _h;
    readonly Linear?[] _c;

    /// <summary>Makes the bridge with all parameters zero.</summary>
    /// <param name="encoder">The cells of the encoder, in the order of <see cref="SequenceLayer.Cells"/>.</param>
    /// <param name="decoder">The cells of the decoder, bottom layer first.</param>
    /// <exception cref="ArgumentException">The number of cells of the encoder is not a multiple of that of the decoder.</exception>
    public StateBridge(IReadOnlyList<Cell> encoder, IReadOnlyList<Cell> decoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(decoder);
        Shape.Positive(decoder.Count, nameof(decoder));
        if (encoder.Count == 0 || encoder.Count % decoder.Count != 0)
            throw new ArgumentException($"encoder: expected a multiple of {decoder.Count} cells, as the decoder has, got {encoder.Count}.", nameof(encoder));
        _encoder = [.. encoder];
        _decoder = [.. decoder];
        _m = encoder.Count / decoder.Count;
        _h = [.. decoder.Select((cell, l) => IsCopied(l) ? null : new Linear(Sources(l).Sum(k => _encoder[k].HiddenSize), cell.HiddenSize))];
        _c = [.. decoder.Select((cell, l) => IsCopied(l) || cell.CellSize == 0 ? null : new Linear(Sources(l).Sum(LengthOfC), cell.CellSize))];
        Parameters = new StateBridgeParameters([.. _h.Select(map => map?.Parameters)], [.. _c.Select(map => map?.Parameters)]);
    }

    /// <summary>The parameters; zeros until they are set.</summary>
    public StateBridgeParameters Parameters { get; }

    /// <summary>Zeros in the shape of <see cref="Parameters"/>: where gradients are accumulated.</summary>
    public StateBridgeParameters CreateGradients() => new([.. _h.Select(map => map?.CreateGradients())], [.. _c.Select(map => map?.CreateGradients())]);

    /// <summary>Makes the initial state of the decoder for one sample.</summary>
    /// <remarks><code>h_l = tanh(W_h e_h + b_h),   c_l = tanh(W_c e_c + b_c),   or copies</code></remarks>
    /// <param name="encoderStates">The final state of each cell of the encoder, <c>[cell]</c>.</param>
    /// <returns>The initial state of each cell of the decoder, <c>[cell]</c>; nothing is shared with the encoder's.</returns>
    /// <exception cref="ArgumentException">A state does not fit its cell.</exception>
    public CellState[] Forward(CellState[] encoderStates)
    {
        CheckStates(_encoder, encoderStates, nameof(encoderStates));
        var states = new CellState[_decoder.Length];
        for (var l = 0; l < states.Length; l++)
        {
            states[l] = IsCopied(l)
                ? encoderStates[l].Clone()
                : new CellState(Map(_h[l], JoinedH(l, encoderStates)), Map(_c[l], JoinedC(l, encoderStates)));
        }

        return states;
    }

    /// <summary>Takes the gradient on the decoder's initial state of one sample back to the encoder's final state.</summary>
    /// <remarks>
    /// For h; c alike.
    /// <code>
    /// dA   = dH_l ⊙ tanh'(h_l)
    /// dW_h += dA e_hᵀ      dB_h += dA      dE_h = W_hᵀ dA
    /// </code>
    /// </remarks>
    /// <param name="encoderStates">The states given to <see cref="Forward"/>, <c>[cell]</c>.</param>
    /// <param name="states">What it returned, <c>[cell]</c>.</param>
    /// <param name="dStates">The gradient on that, <c>[cell]</c>.</param>
    /// <param name="dParameters">The gradients of the parameters; accumulated into.</param>
    /// <returns>The gradient on the final state of each cell of the encoder, <c>[cell]</c>.</returns>
    /// <exception cref="ArgumentException">A state does not fit its cell.</exception>
    public CellState[] Backward(CellState[] encoderStates, CellState[] states, CellState[] dStates, StateBridgeParameters dParameters)
    {
        CheckStates(_encoder, encoderStates, nameof(encoderStates));
        CheckStates(_decoder, states, nameof(states));
        CheckStates(_decoder, dStates, nameof(dStates));
        ArgumentNullException.ThrowIfNull(dParameters);
        CellState[] dEncoder = [.. _encoder.Select(cell => cell.ZeroState())];
        for (var l = 0; l < _decoder.Length; l++)
        {
            if (IsCopied(l))
            {
                dEncoder[l] = dStates[l].Clone();
                continue;
            }

            var dJoinedH = MapBackward(_h[l], JoinedH(l, encoderStates), states[l].H, dStates[l].H, dParameters.H[l]);
            var dJoinedC = MapBackward(_c[l], JoinedC(l, encoderStates), states[l].C, dStates[l].C, dParameters.C[l]);
            var (hStart, cStart) = (0, 0);
            foreach (var k in Sources(l))
            {
                var dC = _encoder[k].CellSize > 0 ? dEncoder[k].C : dEncoder[k].H;
                hStart = AddPart(dJoinedH, hStart, dEncoder[k].H);
                cStart = AddPart(dJoinedC, cStart, dC);
            }
        }

        return dEncoder;
    }

    bool IsCopied(int l) => _m == 1 && _encoder[l].HiddenSize == _decoder[l].HiddenSize && _encoder[l].CellSize == _decoder[l].CellSize;

    /// <summary>The encoder's cells that cell l of the decoder takes its state from.</summary>
    IEnumerable<int> Sources(int l) => Enumerable.Range(l * _m, _m);

    int LengthOfC(int k) => _encoder[k].CellSize > 0 ? _encoder[k].CellSize : _encoder[k].HiddenSize;

    /// <summary>e_h of cell l.</summary>
    double[] JoinedH(int l, CellState[] states) => [.. Sources(l).SelectMany(k => states[k].H)];

    /// <summary>e_c of cell l.</summary>
    double[] JoinedC(int l, CellState[] states) => [.. Sources(l).SelectMany(k => _encoder[k].CellSize > 0 ? states[k].C : states[k].H)];

    /// <summary>tanh(W e + b); empty without a map.</summary>
    static double[] Map(Linear? map, double[] joined)
    {
        if (map is null)
            return [];
        var y = new double[map.OutputSize];
        map.Forward(joined, y);
        return [.. y.Select(Activations.Tanh)];
    }

    /// <summary>The gradient on e; zeros without a map.</summary>
    static double[] MapBackward(Linear? map, double[] joined, double[] y, double[] dY, LinearParameters? dParameters)
    {
        var dJoined = new double[joined.Length];
        double[] dA = [.. dY.Zip(y, (d, value) => d * Activations.TanhDerivative(value))];
        map?.Backward(joined, dA, dJoined, dParameters!);
        return dJoined;
    }

    /// <summary>Adds the part that begins at <paramref name="start"/> to its destination; returns where the next part begins.</summary>
    static int AddPart(double[] joined, int start, double[] destination)
    {
        for (var j = 0; j < destination.Length; j++)
            destination[j] += joined[start + j];
        return start + destination.Length;
    }

    static void CheckStates(Cell[] cells, CellState[] states, string name)
    {
        ArgumentNullException.ThrowIfNull(states, name);
        Shape.Equal(cells.Length, states.Length, "one state per cell,", name);
        for (var k = 0; k < cells.Length; k++)
            Shape.State(cells[k], states[k], name);
    }
}
