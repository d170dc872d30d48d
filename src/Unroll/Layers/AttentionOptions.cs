using System.Text.Json.Serialization;

namespace Unroll.Layers;

/// <summary>How a decoder looks at the outputs of an encoder: a weighted mean of them, the weights from how well each fits.</summary>
/// <remarks>
/// <code>
/// e_s = score(q, k_s)                for every step s of the source
/// a   = softmax(e)                   over its valid steps, 0 elsewhere
/// c   = Σ_s a_s·k_s
/// </code>
/// q [Q] is the decoder's state, k [S, K] are the encoder's outputs, a [S] the weights, c [K] the context.
/// </remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(AdditiveAttentionOptions), "additive")]
[JsonDerivedType(typeof(MultiplicativeAttentionOptions), "multiplicative")]
public abstract record AttentionOptions
{
    private protected AttentionOptions()
    {
    }

    /// <summary>Makes the layer from queries [T, B, Q] to (context, query) [T, B, K + Q], its parameters registered.</summary>
    internal abstract Attention Build(int querySize, int keySize, ParameterBuilder parameters);
}

/// <summary>Attention whose score is a small network of query and key: score(q, k) = v·tanh(W_q·q + W_k·k + b).</summary>
/// <remarks>
/// W_q [A, Q], W_k [A, K], b and v [A]. Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align
/// and translate (ICLR 2015), appendix A.1.2, there without b.
/// </remarks>
public sealed record AdditiveAttentionOptions : AttentionOptions
{
    /// <summary>Describes the attention.</summary>
    /// <param name="size">A, the units of the score, 1 to 16384.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range.</exception>
    public AdditiveAttentionOptions(int size) => Size = LayerOptions.Positive(size, nameof(size));

    /// <summary>A, the units of the score.</summary>
    public int Size { get; }

    internal override Attention Build(int querySize, int keySize, ParameterBuilder parameters) => new(this, querySize, keySize, Size, parameters);
}

/// <summary>Attention whose score is a product of query and key with a matrix between them: score(q, k) = qᵀ·W_k·k.</summary>
/// <remarks>
/// W_k [Q, K]. Luong, Pham and Manning, Effective approaches to attention-based neural machine translation (EMNLP 2015),
/// equation 8, "general".
/// </remarks>
public sealed record MultiplicativeAttentionOptions : AttentionOptions
{
    internal override Attention Build(int querySize, int keySize, ParameterBuilder parameters) => new(this, querySize, keySize, querySize, parameters);
}
