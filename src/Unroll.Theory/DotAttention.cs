namespace Unroll.Theory;

/// <summary>Attention whose score is the scalar product of query and key; it has no parameters.</summary>
/// <remarks>
/// <code>score(q, k) = scale · qᵀ k</code>
/// Shapes: q and k [K].
/// Sources: Luong, Pham and Manning 2015, equation 8, "dot" (scale 1); A. Vaswani et al., "Attention Is All You Need", NIPS 2017, equation 1 (scale 1/√K).
/// </remarks>
public sealed class DotAttention : Attention
{
    /// <summary>Makes an attention.</summary>
    /// <param name="size">The length K of query and key.</param>
    /// <param name="scale">What the scalar product is multiplied by; 1/√K keeps its variance that of one element.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is less than 1.</exception>
    public DotAttention(int size, double scale = 1)
        : base(size, size) => Scale = scale;

    /// <summary>What the scalar product is multiplied by.</summary>
    public double Scale { get; }

    /// <inheritdoc/>
    public override AttentionParameters Parameters { get; } = new();

    /// <inheritdoc/>
    public override AttentionParameters CreateGradients() => new();

    /// <summary>The score.</summary>
    /// <remarks><code>e = scale · q · k</code></remarks>
    private protected override double Score(ReadOnlySpan<double> query, ReadOnlySpan<double> key)
    {
        var e = 0.0;
        for (var k = 0; k < KeySize; k++)
            e += Scale * query[k] * key[k];
        return e;
    }

    /// <summary>Takes the gradient on the score back.</summary>
    /// <remarks>
    /// <code>
    /// dQ += dE scale k
    /// dK += dE scale q
    /// </code>
    /// </remarks>
    private protected override void ScoreBackward(
        ReadOnlySpan<double> query, ReadOnlySpan<double> key, double dScore, Span<double> dQuery, Span<double> dKey, AttentionParameters dParameters)
    {
        for (var k = 0; k < KeySize; k++)
        {
            dQuery[k] += dScore * Scale * key[k];
            dKey[k] += dScore * Scale * query[k];
        }
    }
}
