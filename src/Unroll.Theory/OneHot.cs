namespace Unroll.Theory;

/// <summary>Tokens as vectors with a single 1: the input that needs no parameters.</summary>
/// <remarks>
/// <code>y_k = 1 if k = token, else 0</code>
/// A weight times a one-hot vector is the weight's column of that token. Shapes: tokens [T, B], each in 0 … V − 1; y [T, B, V].
/// There is no backward pass: tokens have no gradient.
/// </remarks>
public static class OneHot
{
    /// <summary>Encodes one token.</summary>
    /// <remarks><code>y_k = [k = token]</code> y is [V] and is overwritten.</remarks>
    /// <exception cref="ArgumentException">The token is not in 0 … V − 1.</exception>
    public static void Forward(int token, Span<double> y)
    {
        Shape.Token(y.Length, token, nameof(token));
        y.Clear();
        y[token] = 1;
    }

    /// <summary>Encodes the token of every valid step.</summary>
    /// <param name="vocabularySize">The number of tokens V.</param>
    /// <param name="tokens">The tokens, [T, B]; padded ones are not read.</param>
    /// <param name="lengths">The number of valid steps of each sample, [B]; T for all if null.</param>
    /// <returns>The vectors, [T, B, V]; 0 at padded steps.</returns>
    /// <exception cref="ArgumentException">A token is not in 0 … V − 1, or the lengths do not fit.</exception>
    public static Sequence Forward(int vocabularySize, int[,] tokens, int[]? lengths = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var (T, B) = (tokens.GetLength(0), tokens.GetLength(1));
        var valid = Lengths.OrFull(T, B, lengths);
        var y = new Sequence(T, B, vocabularySize);
        for (var b = 0; b < B; b++)
        {
            for (var t = 0; t < valid[b]; t++)
                Forward(tokens[t, b], y[t, b]);
        }

        return y;
    }
}
