namespace Unroll.Theory;

/// <summary>The affine map that brings one feature to mean 0 and variance 1, and its inverse for what a model says.</summary>
/// <remarks>
/// <code>
/// x̃ = (x − μ) / s,   μ = 1/N Σ x,   s = √(1/N Σ (x − μ)²)
/// x = μ + s x̃
/// </code>
/// μ and s are those of the training data alone: of later data a forecast knows nothing yet.
/// </remarks>
/// <param name="Mean">μ.</param>
/// <param name="Deviation">s, positive.</param>
public sealed record Scaling(double Mean, double Deviation)
{
    /// <summary>Takes μ and s from training data, [N].</summary>
    /// <exception cref="ArgumentException">There is no value, or all are equal.</exception>
    public static Scaling Of(ReadOnlySpan<double> x)
    {
        Shape.Positive(x.Length, nameof(x));
        var (mean, variance) = (0.0, 0.0);
        foreach (var value in x)
            mean += value / x.Length;
        foreach (var value in x)
            variance += (value - mean) * (value - mean) / x.Length;
        return variance > 0
            ? new Scaling(mean, Math.Sqrt(variance))
            : throw new ArgumentException($"x: expected values that differ, got {x.Length} times {x[0]}; leave such a feature out.", nameof(x));
    }

    /// <summary>Brings a value to the scale of the model.</summary>
    /// <remarks><code>x̃ = (x − μ) / s</code></remarks>
    public double Apply(double x) => (x - Mean) / Deviation;

    /// <summary>Brings a value of the model back to that of the data.</summary>
    /// <remarks><code>x = μ + s x̃</code></remarks>
    public double Invert(double scaled) => Mean + (Deviation * scaled);
}
