namespace Unroll.Theory;

/// <summary>Layer normalisation: a vector brought to mean 0 and variance 1 over its own elements, then scaled and shifted element by element.</summary>
/// <remarks>
/// <code>
/// μ = 1/N Σ a_k,   σ² = 1/N Σ (a_k − μ)²
/// n = (a − μ) / √(σ² + ε),   ε = 10⁻⁵
/// y = gain ⊙ n + bias
/// </code>
/// Shapes: a, n, y, gain and bias [N]. Each vector is normalised by itself, so batch and time play no part. A vector of equal elements has n = 0,
/// and its gradient is 1/√ε = 316 times that on n.
/// Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450 (2016), equations 15 to 19 of the supplement
/// (there α = gain, β = bias); ε is that of the authors' code.
/// </remarks>
public static class LayerNorm
{
    /// <summary>What is added to the variance, so that a vector of equal elements can be normalised.</summary>
    public const double Epsilon = 1e-5;

    /// <summary>Normalises one vector.</summary>
    /// <remarks><code>y = gain ⊙ (a − μ) / √(σ² + ε) + bias</code></remarks>
    /// <param name="a">The vector, [N].</param>
    /// <param name="gain">The gain, [N].</param>
    /// <param name="bias">The bias, [N].</param>
    /// <returns>y and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">The lengths differ, or there is no element.</exception>
    public static LayerNormCache Forward(ReadOnlySpan<double> a, ReadOnlySpan<double> gain, ReadOnlySpan<double> bias)
    {
        var N = a.Length;
        Shape.Positive(N, nameof(a));
        Shape.Equal(N, gain.Length, "length", nameof(gain));
        Shape.Equal(N, bias.Length, "length", nameof(bias));

        var mean = 0.0;
        foreach (var value in a)
            mean += value / N;
        var variance = 0.0;
        foreach (var value in a)
            variance += (value - mean) * (value - mean) / N;
        var deviation = Math.Sqrt(variance + Epsilon);

        var (n, y) = (new double[N], new double[N]);
        for (var k = 0; k < N; k++)
        {
            n[k] = (a[k] - mean) / deviation;
            y[k] = (gain[k] * n[k]) + bias[k];
        }

        return new LayerNormCache(y, n, deviation);
    }

    /// <summary>Takes the gradient on y back.</summary>
    /// <remarks>
    /// μ and σ depend on every element: what would change them alone is taken out of the gradient.
    /// <code>
    /// dN    = gain ⊙ dY
    /// dA    = (dN − mean(dN) − n · mean(dN ⊙ n)) / √(σ² + ε)
    /// dGain += dY ⊙ n
    /// dBias += dY
    /// </code>
    /// </remarks>
    /// <param name="cache">What <see cref="Forward"/> returned.</param>
    /// <param name="gain">The gain given to it, [N].</param>
    /// <param name="dY">The gradient on y, [N].</param>
    /// <param name="dGain">The gradient of the gain, [N]; accumulated into.</param>
    /// <param name="dBias">The gradient of the bias, [N]; accumulated into.</param>
    /// <returns>dA, the gradient on a, [N].</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double[] Backward(LayerNormCache cache, ReadOnlySpan<double> gain, ReadOnlySpan<double> dY, Span<double> dGain, Span<double> dBias)
    {
        ArgumentNullException.ThrowIfNull(cache);
        var n = cache.Normalised;
        var N = n.Length;
        Shape.Equal(N, gain.Length, "length", nameof(gain));
        Shape.Equal(N, dY.Length, "length", nameof(dY));
        Shape.Equal(N, dGain.Length, "length", nameof(dGain));
        Shape.Equal(N, dBias.Length, "length", nameof(dBias));

        var (mean, along) = (0.0, 0.0);
        for (var k = 0; k < N; k++)
        {
            var dN = gain[k] * dY[k];
            mean += dN / N;
            along += dN * n[k] / N;
        }

        var dA = new double[N];
        for (var k = 0; k < N; k++)
        {
            var dN = gain[k] * dY[k];
            dA[k] = (dN - mean - (n[k] * along)) / cache.Deviation;
            dGain[k] += dY[k] * n[k];
            dBias[k] += dY[k];
        }

        return dA;
    }
}

/// <summary>What a forward pass of <see cref="LayerNorm"/> returns and keeps.</summary>
/// <param name="Y">The result y, [N].</param>
/// <param name="Normalised">n, [N]: the vector before gain and bias.</param>
/// <param name="Deviation">√(σ² + ε).</param>
public sealed record LayerNormCache(double[] Y, double[] Normalised, double Deviation);
