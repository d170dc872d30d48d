namespace Unroll.Layers;

/// <summary>A learned vector for each token of a vocabulary: y = E_token, the token's row of E [V, size].</summary>
/// <remarks>
/// The input is one feature per step: the token's number, a whole number from 0 to V − 1 as a float. A step that holds
/// anything else is an <see cref="ArgumentException"/> of the pass.
/// Bengio, Ducharme, Vincent and Jauvin, A neural probabilistic language model, JMLR 3 (2003), section 2.
/// </remarks>
public sealed record EmbeddingOptions : LayerOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="vocabularySize">V, the number of tokens, 1 to 16,777,216.</param>
    /// <param name="size">The length of a token's vector, 1 to 16384.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is out of range.</exception>
    public EmbeddingOptions(int vocabularySize, int size)
    {
        VocabularySize = Tokens.CheckVocabulary(vocabularySize, nameof(vocabularySize));
        Size = Positive(size, nameof(size));
    }

    /// <summary>V, the number of tokens.</summary>
    public int VocabularySize { get; }

    /// <summary>The length of a token's vector.</summary>
    public int Size { get; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters)
    {
        Tokens.CheckFeatures(inputSize);
        return new Embedding(this, parameters);
    }
}

/// <summary>Tokens as vectors with a single 1, [V]: the input that needs no parameters.</summary>
/// <remarks>
/// The input is one feature per step: the token's number, a whole number from 0 to V − 1 as a float. A step that holds
/// anything else is an <see cref="ArgumentException"/> of the pass. Tokens have no gradient, so another layer must follow.
/// </remarks>
public sealed record OneHotOptions : LayerOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="vocabularySize">V, the number of tokens, 1 to 16384.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is out of range.</exception>
    public OneHotOptions(int vocabularySize) => VocabularySize = Positive(vocabularySize, nameof(vocabularySize));

    /// <summary>V, the number of tokens.</summary>
    public int VocabularySize { get; }

    internal override Layer Build(int inputSize, ParameterBuilder parameters)
    {
        Tokens.CheckFeatures(inputSize);
        return new OneHot(this);
    }
}
