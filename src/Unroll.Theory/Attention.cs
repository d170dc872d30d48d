namespace Unroll.Theory;

/// <summary>Attention: a weighted mean of vectors, the keys, whose weights depend on how well each fits a query.</summary>
/// <remarks>
/// <code>
/// e_s = score(q, k_s)                for every valid s
/// a   = softmax(e)                   over the valid s, 0 elsewhere
/// c   = Σ_s a_s k_s
/// </code>
/// Shapes, for one sample: query q [Q] (the state of a decoder), keys k [S, K] (the outputs of an encoder), weights a [S], context c [K].
/// A key that is not valid, a padded step of the source, is not read. Without any valid key a and c are 0.
/// Sources: D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015, equations 5 and 6;
/// M.-T. Luong, H. Pham, C. D. Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015, equations 7 and 8.
/// </remarks>
public abstract class Attention
{
    private protected Attention(int querySize, int keySize)
    {
        Shape.Positive(querySize, nameof(querySize));
        Shape.Positive(keySize, nameof(keySize));
        QuerySize = querySize;
        KeySize = keySize;
    }

    /// <summary>The length Q of a query.</summary>
    public int QuerySize { get; }

    /// <summary>The length K of a key and of the context.</summary>
    public int KeySize { get; }

    /// <summary>The parameters; zeros until they are set.</summary>
    public abstract AttentionParameters Parameters { get; }

    /// <summary>Zeros in the shape of <see cref="Parameters"/>: where gradients are accumulated.</summary>
    public abstract AttentionParameters CreateGradients();

    /// <summary>Attends to the keys of one sample.</summary>
    /// <remarks><code>a = softmax(score(q, k_s)),   c = Σ_s a_s k_s</code></remarks>
    /// <param name="query">q, [Q]; copied.</param>
    /// <param name="keys">k, [S, K]; kept by reference.</param>
    /// <param name="valid">Which keys may be attended to, [S]; all if null.</param>
    /// <returns>The weights, the context and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">A shape does not fit.</exception>
    public AttentionCache Forward(ReadOnlySpan<double> query, Matrix keys, bool[]? valid = null)
    {
        ArgumentNullException.ThrowIfNull(keys);
        Shape.Equal(QuerySize, query.Length, "length querySize =", nameof(query));
        Shape.Equal(KeySize, keys.Cols, "columns keySize =", nameof(keys));
        var S = keys.Rows;
        if (valid is not null)
            Shape.Equal(S, valid.Length, "one value per key, S =", nameof(valid));
        int[] attended = [.. Enumerable.Range(0, S).Where(s => valid?[s] ?? true)];

        var (weights, context) = (new double[S], new double[KeySize]);
        if (attended.Length > 0)
        {
            var (scores, a) = (new double[attended.Length], new double[attended.Length]);
            for (var n = 0; n < attended.Length; n++)
                scores[n] = Score(query, keys.Row(attended[n]));
            Softmax.Forward(scores, a);
            for (var n = 0; n < attended.Length; n++)
            {
                var key = keys.Row(attended[n]);
                weights[attended[n]] = a[n];
                for (var k = 0; k < KeySize; k++)
                    context[k] += a[n] * key[k];
            }
        }

        return new AttentionCache(query.ToArray(), keys, attended, weights, context);
    }

    /// <summary>Takes the gradient on the context back.</summary>
    /// <remarks>
    /// <code>
    /// dA_s  = k_s · dC
    /// dE_s  = a_s (dA_s − Σ_r a_r dA_r)
    /// dK_s += a_s dC
    /// dQ, dK_s, dParameters += scoreBackward(dE_s)
    /// </code>
    /// </remarks>
    /// <param name="cache">What <see cref="Forward"/> returned.</param>
    /// <param name="dContext">The gradient on c, [K].</param>
    /// <param name="dQuery">The gradient on q, [Q]; accumulated into.</param>
    /// <param name="dKeys">The gradient on the keys, [S, K]; accumulated into.</param>
    /// <param name="dParameters">The gradients of the parameters; accumulated into.</param>
    /// <exception cref="ArgumentException">A shape does not fit.</exception>
    public void Backward(AttentionCache cache, ReadOnlySpan<double> dContext, Span<double> dQuery, Matrix dKeys, AttentionParameters dParameters)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(dKeys);
        ArgumentNullException.ThrowIfNull(dParameters);
        Shape.Equal(KeySize, dContext.Length, "length keySize =", nameof(dContext));
        Shape.Equal(QuerySize, dQuery.Length, "length querySize =", nameof(dQuery));
        Shape.Equal(cache.Keys.Rows, dKeys.Rows, "one row per key, S =", nameof(dKeys));
        Shape.Equal(KeySize, dKeys.Cols, "columns keySize =", nameof(dKeys));

        var dA = new double[cache.Weights.Length];
        foreach (var s in cache.Attended)
        {
            for (var k = 0; k < KeySize; k++)
                dA[s] += cache.Keys[s, k] * dContext[k];
        }

        // A key that is not attended to has weight 0, and so its dE is 0.
        var dE = new double[dA.Length];
        Softmax.Backward(cache.Weights, dA, dE);
        foreach (var s in cache.Attended)
        {
            for (var k = 0; k < KeySize; k++)
                dKeys[s, k] += cache.Weights[s] * dContext[k];
            ScoreBackward(cache.Query, cache.Keys.Row(s), dE[s], dQuery, dKeys.Row(s), dParameters);
        }
    }

    /// <summary>How well a key fits the query.</summary>
    private protected abstract double Score(ReadOnlySpan<double> query, ReadOnlySpan<double> key);

    /// <summary>Takes the gradient on a score back; all destinations are accumulated into.</summary>
    private protected abstract void ScoreBackward(
        ReadOnlySpan<double> query, ReadOnlySpan<double> key, double dScore, Span<double> dQuery, Span<double> dKey, AttentionParameters dParameters);
}

/// <summary>What <see cref="Attention.Forward"/> returns and keeps.</summary>
public sealed class AttentionCache
{
    internal AttentionCache(double[] query, Matrix keys, int[] attended, double[] weights, double[] context) =>
        (Query, Keys, Attended, Weights, Context) = (query, keys, attended, weights, context);

    /// <summary>The query q, [Q].</summary>
    public double[] Query { get; }

    /// <summary>The keys k, [S, K].</summary>
    public Matrix Keys { get; }

    /// <summary>The weights a, [S]: none negative, their sum 1; 0 where a key is not valid.</summary>
    public double[] Weights { get; }

    /// <summary>The context c, [K].</summary>
    public double[] Context { get; }

    /// <summary>The valid keys, in rising order.</summary>
    internal int[] Attended { get; }
}
