using System.Text.Json.Serialization;

namespace Unroll.Layers;

/// <summary>The immutable description of one layer; a model file carries it as JSON.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(RnnOptions), "rnn")]
[JsonDerivedType(typeof(LstmOptions), "lstm")]
[JsonDerivedType(typeof(LayerNormLstmOptions), "layerNormLstm")]
[JsonDerivedType(typeof(GruOptions), "gru")]
[JsonDerivedType(typeof(LinearOptions), "linear")]
[JsonDerivedType(typeof(DropoutOptions), "dropout")]
[JsonDerivedType(typeof(LastStepOptions), "lastStep")]
[JsonDerivedType(typeof(PoolingOptions), "pooling")]
[JsonDerivedType(typeof(BidirectionalOptions), "bidirectional")]
[JsonDerivedType(typeof(EmbeddingOptions), "embedding")]
[JsonDerivedType(typeof(OneHotOptions), "oneHot")]
public abstract record LayerOptions
{
    private protected LayerOptions()
    {
    }

    /// <summary>The recurrent layer within, if there is one.</summary>
    internal virtual RecurrentOptions? Recurrence => null;

    /// <summary>Makes the layer for inputs of <paramref name="inputSize"/> features, its parameters registered.</summary>
    internal abstract Layer Build(int inputSize, ParameterBuilder parameters);

    internal static int Positive(int value, string name) => value is >= 1 and <= MaximumSize
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"Expected 1 to {MaximumSize}.");

    private protected static double DropoutRate(double value, string name) => value is >= 0 and < 1
        ? value
        : throw new ArgumentOutOfRangeException(name, value, "Expected a dropout rate of at least 0 and below 1.");

    // 4H·H floats of an LSTM's recurrent matrix must fit one array.
    const int MaximumSize = 16384;
}

/// <summary>A layer with a state h of <see cref="HiddenSize"/> units that is carried from step to step.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(RnnOptions), "rnn")]
[JsonDerivedType(typeof(LstmOptions), "lstm")]
[JsonDerivedType(typeof(LayerNormLstmOptions), "layerNormLstm")]
[JsonDerivedType(typeof(GruOptions), "gru")]
public abstract record RecurrentOptions : LayerOptions
{
    private protected RecurrentOptions(int hiddenSize) => HiddenSize = Positive(hiddenSize, nameof(hiddenSize));

    /// <summary>H, the number of hidden units.</summary>
    public int HiddenSize { get; }

    /// <summary>
    /// The probability with which, while training, a unit of hₜ₋₁ is hidden from W_hh: at least 0, below 1; 0 by default.
    /// </summary>
    /// <remarks>
    /// <code>
    /// W_hh reads m⊙hₜ₋₁,   m = 0 with probability RecurrentDropout, else 1 / (1 − RecurrentDropout)
    /// </code>
    /// Each row has one mask for all its steps and gates; hₜ₋₁ itself is carried on as it is, so the GRU's z⊙hₜ₋₁ does not see
    /// the mask. Gal and Ghahramani, A theoretically grounded application of dropout in recurrent neural networks (NIPS
    /// 2016); its mask of the inputs is a <see cref="DropoutOptions"/> layer with <see cref="DropoutOptions.PerSequence"/>.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The rate is out of range.</exception>
    public double RecurrentDropout { get; init => field = DropoutRate(value, nameof(RecurrentDropout)); }

    internal override RecurrentOptions Recurrence => this;
}

/// <summary>A nonlinearity φ.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Nonlinearity>))]
public enum Nonlinearity
{
    /// <summary>tanh.</summary>
    Tanh,

    /// <summary>max(0, x).</summary>
    Relu,
}

/// <summary>A plain (Elman) recurrent network.</summary>
/// <remarks>
/// <code>
/// hₜ = φ(W_ih·xₜ + b_ih + W_hh·hₜ₋₁ + b_hh)
/// </code>
/// Elman, Finding structure in time, Cognitive Science 14 (1990).
/// </remarks>
public sealed record RnnOptions : RecurrentOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="hiddenSize">H, 1 to 16384.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range.</exception>
    public RnnOptions(int hiddenSize)
        : base(hiddenSize)
    {
    }

    /// <summary>φ, tanh by default.</summary>
    public Nonlinearity Nonlinearity { get; init; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters) =>
        new Recurrent<RnnCell>(this, new RnnCell(Nonlinearity), inputSize, parameters);
}

/// <summary>Long short-term memory, with the gates and peepholes of each of its historical forms.</summary>
/// <remarks>
/// <code>
/// iₜ = σ(W_ii·xₜ + b_ii + W_hi·hₜ₋₁ + b_hi + p_i⊙cₜ₋₁)
/// fₜ = σ(W_if·xₜ + b_if + W_hf·hₜ₋₁ + b_hf + p_f⊙cₜ₋₁)
/// gₜ = tanh(W_ig·xₜ + b_ig + W_hg·hₜ₋₁ + b_hg)
/// cₜ = fₜ⊙cₜ₋₁ + iₜ⊙gₜ
/// oₜ = σ(W_io·xₜ + b_io + W_ho·hₜ₋₁ + b_ho + p_o⊙cₜ)
/// hₜ = oₜ⊙tanh(cₜ)
/// </code>
/// A gate that is switched off is the constant 1 and has no parameters; the others keep the order i f g o. Without the
/// forget gate this is the LSTM of Hochreiter and Schmidhuber (Neural Computation 9, 1997); the forget gate is due to
/// Gers, Schmidhuber and Cummins (Neural Computation 12, 2000), the peepholes p to Gers, Schraudolph and Schmidhuber
/// (JMLR 3, 2002). With no gate at all the bare constant error carousel is left.
/// </remarks>
public sealed record LstmOptions : RecurrentOptions
{
    /// <inheritdoc cref="RnnOptions(int)"/>
    public LstmOptions(int hiddenSize)
        : base(hiddenSize)
    {
    }

    /// <summary>Whether the input gate i exists.</summary>
    public bool InputGate { get; init; } = true;

    /// <summary>Whether the forget gate f exists.</summary>
    public bool ForgetGate { get; init; } = true;

    /// <summary>Whether the output gate o exists.</summary>
    public bool OutputGate { get; init; } = true;

    /// <summary>Whether the gates see the cell through the weights p.</summary>
    public bool Peepholes { get; init; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters) =>
        new Recurrent<LstmCell>(this, new LstmCell(this), inputSize, parameters);
}

/// <summary>Where the reset gate of a GRU applies.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ResetGate>))]
public enum ResetGate
{
    /// <summary>To the product: n = tanh(W_in·x + b_in + r⊙(W_hn·h + b_hn)), as in cuDNN and PyTorch.</summary>
    AfterProduct,

    /// <summary>To the state: n = tanh(W_in·x + b_in + W_hn·(r⊙h) + b_hn), as in Cho et al. (2014).</summary>
    BeforeProduct,
}

/// <summary>A gated recurrent unit.</summary>
/// <remarks>
/// <code>
/// rₜ = σ(W_ir·xₜ + b_ir + W_hr·hₜ₋₁ + b_hr)
/// zₜ = σ(W_iz·xₜ + b_iz + W_hz·hₜ₋₁ + b_hz)
/// nₜ = tanh(W_in·xₜ + b_in + rₜ⊙(W_hn·hₜ₋₁ + b_hn))
/// hₜ = (1 − zₜ)⊙nₜ + zₜ⊙hₜ₋₁
/// </code>
/// Cho et al., Learning phrase representations using RNN encoder–decoder (EMNLP 2014); see <see cref="Layers.ResetGate"/>
/// for its two forms.
/// </remarks>
public sealed record GruOptions : RecurrentOptions
{
    /// <inheritdoc cref="RnnOptions(int)"/>
    public GruOptions(int hiddenSize)
        : base(hiddenSize)
    {
    }

    /// <summary>Where the reset gate applies; after the product by default.</summary>
    public ResetGate ResetGate { get; init; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters) =>
        new Recurrent<GruCell>(this, new GruCell(ResetGate), inputSize, parameters);
}

/// <summary>An affine map of the features of every step: y = W·x + b, or y = φ(W·x + b).</summary>
public sealed record LinearOptions : LayerOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="outputSize">O, 1 to 16384.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range.</exception>
    public LinearOptions(int outputSize) => OutputSize = Positive(outputSize, nameof(outputSize));

    /// <summary>O, the number of outputs.</summary>
    public int OutputSize { get; }

    /// <summary>φ; none by default.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Nonlinearity? Activation { get; init; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters) => new Linear(this, inputSize, parameters);
}

/// <summary>
/// Dropout: while training, each value is zeroed with probability <see cref="Rate"/> and the rest divided by 1 − Rate;
/// otherwise nothing happens.
/// </summary>
/// <remarks>
/// <code>
/// y = m⊙x,   m = 0 with probability Rate, else 1 / (1 − Rate)
/// </code>
/// Srivastava et al., JMLR 15 (2014); between recurrent layers: Zaremba et al., arXiv:1409.2329; one mask per sequence:
/// Gal and Ghahramani, NIPS 2016.
/// </remarks>
public sealed record DropoutOptions : LayerOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="rate">The probability of a zero, at least 0 and below 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rate is out of range.</exception>
    public DropoutOptions(double rate) => Rate = DropoutRate(rate, nameof(rate));

    /// <summary>The probability of a zero.</summary>
    public double Rate { get; }

    /// <summary>Whether a sequence has one mask for all its steps (variational dropout), instead of one for each.</summary>
    public bool PerSequence { get; init; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters) => new Dropout(this, inputSize);
}

/// <summary>Keeps the last valid step of each row only: [T, B, F] becomes [1, B, F]. A row of length 0 gives 0.</summary>
public sealed record LastStepOptions : LayerOptions
{
    internal override Layer Build(int inputSize, ParameterBuilder parameters) => new LastStep(this, inputSize);
}
