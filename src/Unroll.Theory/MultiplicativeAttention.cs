namespace Unroll.Theory;

/// <summary>Attention whose score is a product of query and key with a learned matrix between them.</summary>
/// <remarks>
/// <code>score(q, k) = qᵀ W_k k</code>
/// Shapes: q [Q], k [K]; W_k [Q, K].
/// Source: Luong, Pham and Manning 2015, equation 8, "general".
/// </remarks>
public sealed class MultiplicativeAttention : Attention
{
    /// <summary>Makes an attention with all parameters zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public MultiplicativeAttention(int querySize, int keySize)
        : base(querySize, keySize) => Parameters = CreateGradients();

    /// <inheritdoc/>
    public override AttentionParameters Parameters { get; }

    /// <inheritdoc/>
    public override AttentionParameters CreateGradients() => new(weightKey: new Matrix(QuerySize, KeySize));

    /// <summary>The score.</summary>
    /// <remarks><code>e = q · (W_k k)</code></remarks>
    private protected override double Score(ReadOnlySpan<double> query, ReadOnlySpan<double> key)
    {
        var projected = new double[QuerySize];
        Parameters.WeightKey.MultiplyAdd(key, projected);
        var e = 0.0;
        for (var j = 0; j < QuerySize; j++)
            e += query[j] * projected[j];
        return e;
    }

    /// <summary>Takes the gradient on the score back.</summary>
    /// <remarks>
    /// <code>
    /// dQ   += dE W_k k
    /// dK   += dE W_kᵀ q
    /// dW_k += dE q kᵀ
    /// </code>
    /// </remarks>
    private protected override void ScoreBackward(
        ReadOnlySpan<double> query, ReadOnlySpan<double> key, double dScore, Span<double> dQuery, Span<double> dKey, AttentionParameters dParameters)
    {
        var dEQuery = new double[QuerySize];
        for (var j = 0; j < QuerySize; j++)
            dEQuery[j] = dScore * query[j];
        var dEKey = new double[KeySize];
        for (var k = 0; k < KeySize; k++)
            dEKey[k] = dScore * key[k];

        Parameters.WeightKey.MultiplyAdd(dEKey, dQuery);
        Parameters.WeightKey.TransposeMultiplyAdd(dEQuery, dKey);
        dParameters.WeightKey.OuterProductAdd(dEQuery, key);
    }
}
