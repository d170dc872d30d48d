namespace Unroll.Theory;

/// <summary>An encoder reads a source sequence; a decoder, started from its final state, writes a target sequence token by token.</summary>
/// <remarks>
/// <code>
/// k_0 … k_{S−1} = encoder(x)                       its outputs
/// state_{−1}    = bridge(final states of the encoder)
/// for t = 0 … T−1:
///   token_t  = argmax logits_{t−1} where feedback[t, b], else tokens[t, b]
///   stateˡ_t = cellˡ(hˡ⁻¹_t, stateˡ_{t−1}),        h⁰_t = embedding(token_t)
///   h̃_t      = hᴸ_t                                without attention
///              tanh(W_c (c_t, hᴸ_t) + b_c),        with c_t = Σ_s a_{t,s} k_s,  a_t = softmax_s score(hᴸ_t, k_s)
///   logits_t = W_o h̃_t + b_o
/// </code>
/// Shapes: x [S, B, I] with its lengths [B]; tokens and feedback [T, B]; logits [T, B, V]; h̃ [H] of the decoder's last cell; W_c [H, K + H].
/// Reading given tokens is teacher forcing; the first token is always given. Of equal logits the first is the argmax; it is a constant to the
/// gradient. The attention looks from the state of the same step, and context and state are combined before the readout only: the context is not fed
/// to the next step. A padded source step is not read and not attended to. Padded target steps get no special treatment: no later step counts, so
/// weights of 0 in the loss (see <see cref="SoftmaxCrossEntropy"/>) are enough.
/// Sources: K. Cho et al., EMNLP 2014; I. Sutskever, O. Vinyals, Q. V. Le, "Sequence to Sequence Learning with Neural Networks", NIPS 2014;
/// attention as in Luong, Pham and Manning 2015, equations 5 to 8 (there without b_c and b_o).
/// </remarks>
public sealed class EncoderDecoder
{
    readonly SequenceLayer _encoder;
    readonly Embedding? _embedding;
    readonly Cell[] _decoder;
    readonly Attention? _attention;
    readonly Linear? _combine;
    readonly Linear _readout;

    /// <summary>Makes the model; the bridge and W_c are made with it, zeros until they are set.</summary>
    /// <param name="encoder">The encoder, of any cells and directions.</param>
    /// <param name="embedding">The vectors of the decoder's tokens; null for one-hot inputs, whose vocabulary is the input size of the first cell.</param>
    /// <param name="decoder">The cells of the decoder, bottom layer first.</param>
    /// <param name="readout">The output layer, from the size of the decoder's last cell to the V tokens it can write.</param>
    /// <param name="attention">The attention, from the decoder's last cell to the outputs of the encoder; null for none.</param>
    /// <exception cref="ArgumentException">A size does not fit its neighbour, or V is larger than the vocabulary that the decoder reads.</exception>
    public EncoderDecoder(SequenceLayer encoder, Embedding? embedding, IReadOnlyList<Cell> decoder, Linear readout, Attention? attention = null)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(readout);
        Bridge = new StateBridge(encoder.Cells, decoder);
        for (var l = 1; l < decoder.Count; l++)
            Shape.Equal(decoder[l - 1].HiddenSize, decoder[l].InputSize, $"inputSize of cell {l} = hiddenSize of cell {l - 1} =", nameof(decoder));
        var H = decoder[^1].HiddenSize;
        Shape.Equal(H, readout.InputSize, "inputSize = hiddenSize of the last cell =", nameof(readout));
        if (embedding is not null)
            Shape.Equal(decoder[0].InputSize, embedding.EmbeddingSize, "embeddingSize = inputSize of the first cell =", nameof(embedding));
        VocabularySize = embedding?.VocabularySize ?? decoder[0].InputSize;
        if (readout.OutputSize > VocabularySize)
        {
            throw new ArgumentException(
                $"readout: expected an outputSize of at most {VocabularySize}, the tokens that the decoder can read, got {readout.OutputSize}.", nameof(readout));
        }

        if (attention is not null)
        {
            Shape.Equal(H, attention.QuerySize, "querySize = hiddenSize of the last cell =", nameof(attention));
            Shape.Equal(encoder.OutputSize, attention.KeySize, "keySize = outputSize of the encoder =", nameof(attention));
            _combine = new Linear(attention.KeySize + H, H);
        }

        _encoder = encoder;
        _embedding = embedding;
        _decoder = [.. decoder];
        _readout = readout;
        _attention = attention;
        Parameters = Collect(
            [.. encoder.Cells.Select(cell => cell.Parameters)],
            Bridge.Parameters,
            embedding?.Parameters,
            [.. decoder.Select(cell => cell.Parameters)],
            attention?.Parameters,
            _combine?.Parameters,
            readout.Parameters);
    }

    /// <summary>The cells of the encoder, in the order of <see cref="SequenceLayer.Cells"/>.</summary>
    public IReadOnlyList<Cell> EncoderCells => _encoder.Cells;

    /// <summary>The cells of the decoder, bottom layer first.</summary>
    public IReadOnlyList<Cell> DecoderCells => _decoder;

    /// <summary>How the final states of the encoder become the initial states of the decoder.</summary>
    public StateBridge Bridge { get; }

    /// <summary>The number of tokens the decoder can read, at least the V it can write.</summary>
    public int VocabularySize { get; }

    /// <summary>All parameters: those of the parts the model was made of, of the bridge and of W_c.</summary>
    public EncoderDecoderParameters Parameters { get; }

    /// <summary>Runs encoder and decoder.</summary>
    /// <param name="x">The source, [S, B, I]; padded steps are not read.</param>
    /// <param name="tokens">The decoder's inputs, [T, B], each in 0 … vocabularySize − 1; not read where fed back.</param>
    /// <param name="feedback">True where the input is the argmax of the previous logits, [T, B]; nowhere, which is teacher forcing, if null.</param>
    /// <param name="lengths">The number of valid steps of each source, [B]; S for all if null.</param>
    /// <param name="initialStates">The states of the encoder before its first step, <c>[cell][b]</c>; zeros if null.</param>
    /// <returns>The logits and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">A shape does not fit, a token is not in the vocabulary, or the mask asks for feedback at step 0.</exception>
    public EncoderDecoderCache Forward(
        Sequence x, int[,] tokens, bool[,]? feedback = null, int[]? lengths = null, CellState[][]? initialStates = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(tokens);
        var (T, B, L) = (tokens.GetLength(0), x.B, _decoder.Length);
        Shape.Table(T, B, tokens, nameof(tokens));
        Shape.Feedback(T, B, feedback, nameof(feedback));

        var encoded = _encoder.Forward(x, initialStates, lengths);
        var logits = new Sequence(T, B, _readout.OutputSize);
        var steps = new DecoderStep[T, B];
        var initial = new CellState[B][];
        for (var b = 0; b < B; b++)
        {
            initial[b] = Bridge.Forward(FinalStates(encoded, b));
            CellState[] state = [.. initial[b]];
            var keys = Keys(encoded.Y, b);
            bool[] valid = [.. Enumerable.Range(0, x.T).Select(s => s < encoded.Lengths[b])];
            for (var t = 0; t < T; t++)
            {
                var token = feedback?[t, b] == true ? Softmax.ArgMax(logits[t - 1, b]) : tokens[t, b];
                var input = Embed(token);
                var cells = new CellCache[L];
                for (var l = 0; l < L; l++)
                {
                    cells[l] = _decoder[l].Forward(input, state[l]);
                    state[l] = cells[l].State;
                    input = state[l].H;
                }

                steps[t, b] = Read(token, cells, keys, valid);
                _readout.Forward(steps[t, b].HTilde, logits[t, b]);
            }
        }

        return new EncoderDecoderCache(this, encoded, initial, steps, logits);
    }

    /// <summary>Back-propagation through the decoder's steps, the attention, the bridge and the encoder.</summary>
    /// <remarks>
    /// <code>
    /// dH̃_t      = W_oᵀ dLogits_t
    /// dHᴸ_t    += dH̃_t                                                     without attention
    /// (dC_t, dHᴸ_t +=) W_cᵀ (dH̃_t ⊙ tanh'(h̃_t)),   dHᴸ_t, dK += attentionBackward(dC_t)      with attention
    /// dStateˡ_{t−1}, dHˡ⁻¹_t = cellBackwardˡ(dStateˡ_t),   dEmbedding += dH⁰_t
    /// d(final states of the encoder) = bridgeBackward(dState_{−1})
    /// dX = encoderBackward(dK, d(final states))
    /// </code>
    /// </remarks>
    /// <param name="cache">What <see cref="Forward"/> returned.</param>
    /// <param name="dLogits">The gradient on the logits, [T, B, V].</param>
    /// <returns>The gradients of the source, the parameters and the encoder's initial states.</returns>
    /// <exception cref="ArgumentException">A shape or the cache does not fit.</exception>
    public EncoderDecoderGradients Backward(EncoderDecoderCache cache, Sequence dLogits)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(dLogits);
        if (!ReferenceEquals(cache.Model, this))
            throw new ArgumentException("cache: expected the cache of this EncoderDecoder, got that of another.", nameof(cache));
        var (T, B, L) = (cache.Logits.T, cache.Logits.B, _decoder.Length);
        Shape.Sequence(T, B, cache.Logits.F, dLogits, nameof(dLogits));

        var dBridge = Bridge.CreateGradients();
        var dEmbedding = _embedding?.CreateGradients();
        CellParameters[] dDecoder = [.. _decoder.Select(cell => cell.CreateGradients())];
        var dAttention = _attention?.CreateGradients();
        var dCombine = _combine?.CreateGradients();
        var dReadout = _readout.CreateGradients();
        var dEncoded = new Sequence(cache.Encoded.Y.T, B, cache.Encoded.Y.F);
        var dFinal = _encoder.Cells.Select(_ => new CellState[B]).ToArray();
        for (var b = 0; b < B; b++)
        {
            var dKeys = new Matrix(dEncoded.T, dEncoded.F);
            CellState[] dState = [.. _decoder.Select(cell => cell.ZeroState())];
            for (var t = T - 1; t >= 0; t--)
            {
                var step = cache.Steps[t, b];
                var dHTilde = new double[_readout.InputSize];
                _readout.Backward(step.HTilde, dLogits[t, b], dHTilde, dReadout);
                ReadBackward(step, dHTilde, dState[L - 1].H, dKeys, dAttention, dCombine);
                for (var l = L - 1; l > 0; l--)
                    dState[l] = _decoder[l].Backward(step.Cells[l], dState[l], dState[l - 1].H, dDecoder[l]);

                var dInput = new double[_decoder[0].InputSize];
                dState[0] = _decoder[0].Backward(step.Cells[0], dState[0], dInput, dDecoder[0]);
                _embedding?.Backward(step.Token, dInput, dEmbedding!);
            }

            var dFinalOfSample = Bridge.Backward(FinalStates(cache.Encoded, b), cache.InitialStates[b], dState, dBridge);
            for (var k = 0; k < dFinal.Length; k++)
                dFinal[k][b] = dFinalOfSample[k];
            for (var s = 0; s < dEncoded.T; s++)
                dKeys.Row(s).CopyTo(dEncoded[s, b]);
        }

        var encoder = _encoder.Backward(cache.Encoded, dEncoded, dFinal);
        var dParameters = Collect(encoder.DParameters, dBridge, dEmbedding, dDecoder, dAttention, dCombine, dReadout);
        return new EncoderDecoderGradients(encoder.DX, dParameters, encoder.DInitialStates);
    }

    /// <summary>What the readout of one step sees.</summary>
    /// <remarks><code>h̃ = tanh(W_c (c, h) + b_c),   c = attention(h, keys);   h̃ = h without attention</code></remarks>
    DecoderStep Read(int token, CellCache[] cells, Matrix keys, bool[] valid)
    {
        var h = cells[^1].State.H;
        if (_attention is null || _combine is null)
            return new DecoderStep(token, cells, null, [], h);

        var attended = _attention.Forward(h, keys, valid);
        double[] joined = [.. attended.Context, .. h];
        var hTilde = new double[h.Length];
        _combine.Forward(joined, hTilde);
        for (var j = 0; j < hTilde.Length; j++)
            hTilde[j] = Activations.Tanh(hTilde[j]);
        return new DecoderStep(token, cells, attended, joined, hTilde);
    }

    /// <summary>Takes the gradient on h̃ back; <paramref name="dH"/>, <paramref name="dKeys"/> and the gradients of parameters are accumulated into.</summary>
    /// <remarks>
    /// <code>
    /// dA        = dH̃ ⊙ tanh'(h̃)
    /// (dC, dH') = W_cᵀ dA
    /// dH       += dH',   then dH, dKeys += attentionBackward(dC);   dH += dH̃ without attention
    /// </code>
    /// </remarks>
    void ReadBackward(DecoderStep step, double[] dHTilde, double[] dH, Matrix dKeys, AttentionParameters? dAttention, LinearParameters? dCombine)
    {
        if (_attention is null || _combine is null)
        {
            AddTo(dH, dHTilde);
            return;
        }

        double[] dA = [.. dHTilde.Zip(step.HTilde, (d, value) => d * Activations.TanhDerivative(value))];
        var dJoined = new double[step.Joined.Length];
        _combine.Backward(step.Joined, dA, dJoined, dCombine!);
        AddTo(dH, dJoined.AsSpan(_attention.KeySize));
        _attention.Backward(step.Attended!, dJoined.AsSpan(0, _attention.KeySize), dH, dKeys, dAttention!);
    }

    /// <summary>The input of the first cell, [inputSize]: the token's vector.</summary>
    double[] Embed(int token)
    {
        var input = new double[_decoder[0].InputSize];
        if (_embedding is null)
            OneHot.Forward(token, input);
        else
            _embedding.Forward(token, input);
        return input;
    }

    /// <summary>The outputs of the encoder for one sample, [S, K].</summary>
    static Matrix Keys(Sequence y, int b)
    {
        var keys = new Matrix(y.T, y.F);
        for (var s = 0; s < y.T; s++)
            y[s, b].CopyTo(keys.Row(s));
        return keys;
    }

    static CellState[] FinalStates(LayerCache encoded, int b) => [.. encoded.FinalStates.Select(batch => batch[b])];

    static void AddTo(double[] sum, ReadOnlySpan<double> values)
    {
        for (var k = 0; k < values.Length; k++)
            sum[k] += values[k];
    }

    static EncoderDecoderParameters Collect(
        CellParameters[] encoder,
        StateBridgeParameters bridge,
        EmbeddingParameters? embedding,
        CellParameters[] decoder,
        AttentionParameters? attention,
        LinearParameters? combine,
        LinearParameters readout) => new()
        {
            Encoder = encoder,
            Bridge = bridge,
            Embedding = embedding,
            Decoder = decoder,
            Attention = attention,
            Combine = combine,
            Readout = readout,
        };
}

/// <summary>What one step of the decoder of one sample keeps.</summary>
/// <param name="Token">The token it read.</param>
/// <param name="Cells">The cache of each cell, bottom layer first.</param>
/// <param name="Attended">The attention, with its weights; null without one.</param>
/// <param name="Joined">(c, h), [K + H]; empty without attention.</param>
/// <param name="HTilde">h̃, [H]: what the readout saw.</param>
public sealed record DecoderStep(int Token, CellCache[] Cells, AttentionCache? Attended, double[] Joined, double[] HTilde);

/// <summary>What a forward pass of <see cref="EncoderDecoder"/> returns and keeps.</summary>
public sealed class EncoderDecoderCache
{
    internal EncoderDecoderCache(EncoderDecoder model, LayerCache encoded, CellState[][] initialStates, DecoderStep[,] steps, Sequence logits)
    {
        Model = model;
        Encoded = encoded;
        InitialStates = initialStates;
        Steps = steps;
        Logits = logits;
    }

    /// <summary>The encoder's outputs and final states.</summary>
    public LayerCache Encoded { get; }

    /// <summary>The states that the decoder started from, <c>[b][cell]</c>.</summary>
    public CellState[][] InitialStates { get; }

    /// <summary>Step t of the decoder of sample b, [T, B].</summary>
    public DecoderStep[,] Steps { get; }

    /// <summary>The logits, [T, B, V].</summary>
    public Sequence Logits { get; }

    internal EncoderDecoder Model { get; }
}

/// <summary>What a backward pass of <see cref="EncoderDecoder"/> returns.</summary>
/// <param name="DX">The gradient on the source, [S, B, I]; 0 at padded steps.</param>
/// <param name="DParameters">The gradients of all parameters.</param>
/// <param name="DInitialStates">The gradient on the encoder's initial states, <c>[cell][b]</c>.</param>
public sealed record EncoderDecoderGradients(Sequence DX, EncoderDecoderParameters DParameters, CellState[][] DInitialStates);
