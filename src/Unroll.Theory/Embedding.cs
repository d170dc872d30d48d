namespace Unroll.Theory;

/// <summary>The parameters of an <see cref="Embedding"/>, or their gradients.</summary>
public sealed class EmbeddingParameters : TensorGroup
{
    internal EmbeddingParameters(int vocabularySize, int embeddingSize) => Weight = new Matrix(vocabularySize, embeddingSize);

    /// <summary>The weight E, [V, E]: one row per token.</summary>
    public Matrix Weight { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors => [new(nameof(Weight), Weight.Values)];
}

/// <summary>A learned vector for each token of a vocabulary.</summary>
/// <remarks>
/// <code>y = E_token   (the row of the token, = Eᵀ onehot(token))</code>
/// Shapes: tokens [T, B], each in 0 … V − 1; y [T, B, embeddingSize]; E [V, embeddingSize].
/// Source: Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, "A Neural Probabilistic Language Model", JMLR 3 (2003), section 2.
/// </remarks>
public sealed class Embedding
{
    /// <summary>Makes an embedding with all parameters zero.</summary>
    /// <param name="vocabularySize">The number of tokens V.</param>
    /// <param name="embeddingSize">The length of a token's vector.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public Embedding(int vocabularySize, int embeddingSize)
    {
        Shape.Positive(vocabularySize, nameof(vocabularySize));
        Shape.Positive(embeddingSize, nameof(embeddingSize));
        VocabularySize = vocabularySize;
        EmbeddingSize = embeddingSize;
        Parameters = CreateGradients();
    }

    /// <summary>The number of tokens V.</summary>
    public int VocabularySize { get; }

    /// <summary>The length of a token's vector.</summary>
    public int EmbeddingSize { get; }

    /// <summary>The parameters; zeros until they are set.</summary>
    public EmbeddingParameters Parameters { get; }

    /// <summary>Zeros in the shape of <see cref="Parameters"/>: where gradients are accumulated.</summary>
    public EmbeddingParameters CreateGradients() => new(VocabularySize, EmbeddingSize);

    /// <summary>Looks one token up.</summary>
    /// <remarks><code>y = E_token</code> y is [embeddingSize] and is overwritten.</remarks>
    /// <exception cref="ArgumentException">The token is not in 0 … V − 1, or the length does not fit.</exception>
    public void Forward(int token, Span<double> y)
    {
        Shape.Token(VocabularySize, token, nameof(token));
        Shape.Equal(EmbeddingSize, y.Length, "length embeddingSize =", nameof(y));
        Parameters.Weight.Row(token).CopyTo(y);
    }

    /// <summary>Takes the gradient on one token's vector to its row.</summary>
    /// <remarks><code>dE_token += dY</code> dY is [embeddingSize]; <paramref name="dParameters"/> is accumulated into.</remarks>
    /// <exception cref="ArgumentException">The token is not in 0 … V − 1, or the length does not fit.</exception>
    public void Backward(int token, ReadOnlySpan<double> dY, EmbeddingParameters dParameters)
    {
        ArgumentNullException.ThrowIfNull(dParameters);
        Shape.Token(VocabularySize, token, nameof(token));
        Shape.Equal(EmbeddingSize, dY.Length, "length embeddingSize =", nameof(dY));
        var row = dParameters.Weight.Row(token);
        for (var k = 0; k < EmbeddingSize; k++)
            row[k] += dY[k];
    }

    /// <summary>Looks up the token of every valid step.</summary>
    /// <param name="tokens">The tokens, [T, B]; padded ones are not read.</param>
    /// <param name="lengths">The number of valid steps of each sample, [B]; T for all if null.</param>
    /// <returns>Their vectors, [T, B, embeddingSize]; 0 at padded steps.</returns>
    /// <exception cref="ArgumentException">A token is not in 0 … V − 1, or the lengths do not fit.</exception>
    public Sequence Forward(int[,] tokens, int[]? lengths = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var (T, B) = (tokens.GetLength(0), tokens.GetLength(1));
        var valid = Lengths.OrFull(T, B, lengths);
        var y = new Sequence(T, B, EmbeddingSize);
        for (var b = 0; b < B; b++)
        {
            for (var t = 0; t < valid[b]; t++)
                Forward(tokens[t, b], y[t, b]);
        }

        return y;
    }

    /// <summary>Takes the gradient on all vectors to the rows of the weight. A token that does not occur has gradient 0.</summary>
    /// <param name="tokens">The tokens given to <see cref="Forward(int[,], int[])"/>, [T, B].</param>
    /// <param name="dY">The gradient on their vectors, [T, B, embeddingSize]; not read at padded steps.</param>
    /// <param name="lengths">The lengths given to <see cref="Forward(int[,], int[])"/>.</param>
    /// <returns>The gradients of the parameters.</returns>
    /// <exception cref="ArgumentException">A token is not in 0 … V − 1, or a shape or the lengths do not fit.</exception>
    public EmbeddingParameters Backward(int[,] tokens, Sequence dY, int[]? lengths = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(dY);
        var (T, B) = (tokens.GetLength(0), tokens.GetLength(1));
        Shape.Sequence(T, B, EmbeddingSize, dY, nameof(dY));
        var valid = Lengths.OrFull(T, B, lengths);
        var dParameters = CreateGradients();
        for (var b = 0; b < B; b++)
        {
            for (var t = 0; t < valid[b]; t++)
                Backward(tokens[t, b], dY[t, b], dParameters);
        }

        return dParameters;
    }
}
