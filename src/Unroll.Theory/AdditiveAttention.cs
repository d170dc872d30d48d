namespace Unroll.Theory;

/// <summary>Attention whose score is a small network of query and key.</summary>
/// <remarks>
/// <code>score(q, k) = v · tanh(W_q q + W_k k + b)</code>
/// Shapes: q [Q], k [K]; W_q [A, Q], W_k [A, K], b and v [A]. A is the attention size.
/// Source: Bahdanau, Cho and Bengio 2015, appendix A.1.2 (there without b).
/// </remarks>
public sealed class AdditiveAttention : Attention
{
    /// <summary>Makes an attention with all parameters zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public AdditiveAttention(int querySize, int keySize, int attentionSize)
        : base(querySize, keySize)
    {
        Shape.Positive(attentionSize, nameof(attentionSize));
        AttentionSize = attentionSize;
        Parameters = CreateGradients();
    }

    /// <summary>The number A of hidden units of the score.</summary>
    public int AttentionSize { get; }

    /// <inheritdoc/>
    public override AttentionParameters Parameters { get; }

    /// <inheritdoc/>
    public override AttentionParameters CreateGradients() => new(
        new Matrix(AttentionSize, QuerySize), new Matrix(AttentionSize, KeySize), new double[AttentionSize], new double[AttentionSize]);

    /// <summary>The score.</summary>
    /// <remarks><code>e = v · tanh(W_q q + W_k k + b)</code></remarks>
    private protected override double Score(ReadOnlySpan<double> query, ReadOnlySpan<double> key)
    {
        var u = Units(query, key);
        var e = 0.0;
        for (var j = 0; j < AttentionSize; j++)
            e += Parameters.WeightScore[j] * u[j];
        return e;
    }

    /// <summary>Takes the gradient on the score back.</summary>
    /// <remarks>
    /// <code>
    /// dV      += dE u,   u = tanh(W_q q + W_k k + b)
    /// dU       = dE v ⊙ tanh'(u)                        on the pre-activation
    /// dW_q    += dU qᵀ      dW_k += dU kᵀ      dB += dU
    /// dQ      += W_qᵀ dU    dK   += W_kᵀ dU
    /// </code>
    /// </remarks>
    private protected override void ScoreBackward(
        ReadOnlySpan<double> query, ReadOnlySpan<double> key, double dScore, Span<double> dQuery, Span<double> dKey, AttentionParameters dParameters)
    {
        var u = Units(query, key);
        var dU = new double[AttentionSize];
        for (var j = 0; j < AttentionSize; j++)
        {
            dParameters.WeightScore[j] += dScore * u[j];
            dU[j] = dScore * Parameters.WeightScore[j] * Activations.TanhDerivative(u[j]);
            dParameters.Bias[j] += dU[j];
        }

        dParameters.WeightQuery.OuterProductAdd(dU, query);
        dParameters.WeightKey.OuterProductAdd(dU, key);
        Parameters.WeightQuery.TransposeMultiplyAdd(dU, dQuery);
        Parameters.WeightKey.TransposeMultiplyAdd(dU, dKey);
    }

    /// <summary>The hidden units of the score, [A].</summary>
    /// <remarks><code>u = tanh(W_q q + W_k k + b)</code></remarks>
    double[] Units(ReadOnlySpan<double> query, ReadOnlySpan<double> key)
    {
        double[] u = [.. Parameters.Bias];
        Parameters.WeightQuery.MultiplyAdd(query, u);
        Parameters.WeightKey.MultiplyAdd(key, u);
        for (var j = 0; j < AttentionSize; j++)
            u[j] = Activations.Tanh(u[j]);
        return u;
    }
}
