namespace Unroll.Theory;

/// <summary>Compares gradients derived by hand with two-sided finite differences of the loss.</summary>
/// <remarks>
/// The stencil has five points and an error of order s⁴:
/// <code>
/// dL/dθ ≈ (8 (L(θ + s) − L(θ − s)) − (L(θ + 2s) − L(θ − 2s))) / 12s,   s = Step · max(1, |θ|)
/// </code>
/// The error of a tensor is relative to its largest element:
/// <code>
/// error = ‖analytic − numeric‖∞ / max(‖analytic‖∞, ‖numeric‖∞),   0 if both are zero
/// </code>
/// </remarks>
public static class GradientCheck
{
    /// <summary>The relative step s for |θ| ≤ 1.</summary>
    /// <remarks>
    /// The truncation error grows as s⁴/30 · L⁽⁵⁾, the rounding error falls as about 2⁻⁵² · L / s. Worst relative error over all tensors of
    /// all options in the tests: 5·10⁻⁷ at s = 10⁻³ (an LSTM without gates, whose loss bends most; 16 times less at half the step, so
    /// truncation), 9·10⁻⁹ at 3·10⁻⁴, 3·10⁻⁸ at 10⁻⁴ (rounding).
    /// </remarks>
    public const double Step = 3e-4;

    /// <summary>Computes the gradient of a loss by finite differences.</summary>
    /// <param name="loss">Computes the loss from the current values of all parameters.</param>
    /// <param name="values">The elements of the tensor, [N]; each is moved and put back.</param>
    /// <returns>The gradient, [N].</returns>
    public static double[] Numeric(Func<double> loss, double[] values)
    {
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(values);
        var gradient = new double[values.Length];
        for (var k = 0; k < values.Length; k++)
        {
            var theta = values[k];
            var s = Step * Math.Max(1, Math.Abs(theta));

            double LossAt(double value)
            {
                values[k] = value;
                return loss();
            }

            var near = LossAt(theta + s) - LossAt(theta - s);
            var far = LossAt(theta + (2 * s)) - LossAt(theta - (2 * s));
            values[k] = theta;
            gradient[k] = ((8 * near) - far) / (12 * s);
        }

        return gradient;
    }

    /// <summary>Computes the relative error of a gradient.</summary>
    /// <remarks><code>‖analytic − numeric‖∞ / max(‖analytic‖∞, ‖numeric‖∞)</code> It is 0 if both are zero and NaN if an element is NaN.</remarks>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static double RelativeError(ReadOnlySpan<double> analytic, ReadOnlySpan<double> numeric)
    {
        Shape.Equal(analytic.Length, numeric.Length, "length", nameof(numeric));
        var difference = 0.0;
        var largest = 0.0;
        for (var k = 0; k < analytic.Length; k++)
        {
            difference = Math.Max(difference, Math.Abs(analytic[k] - numeric[k]));
            largest = Math.Max(largest, Math.Max(Math.Abs(analytic[k]), Math.Abs(numeric[k])));
        }

        return largest == 0 ? 0 : difference / largest;
    }

    /// <summary>Checks the gradient of each tensor.</summary>
    /// <param name="loss">Computes the loss from the current values of all tensors.</param>
    /// <param name="tensors">The tensors and their gradients as derived by hand.</param>
    /// <returns>The relative error of each tensor, in the same order.</returns>
    /// <exception cref="ArgumentException">A gradient has another length than its tensor.</exception>
    public static IReadOnlyList<GradientError> Run(Func<double> loss, IEnumerable<CheckedTensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var errors = new List<GradientError>();
        foreach (var tensor in tensors)
        {
            Shape.Equal(tensor.Values.Length, tensor.Gradient.Length, $"length of the gradient of {tensor.Name}", nameof(tensors));
            var numeric = Numeric(loss, tensor.Values);
            errors.Add(new GradientError(tensor.Name, RelativeError(tensor.Gradient, numeric), tensor.Gradient.Max(Math.Abs)));
        }

        return errors;
    }
}

/// <summary>A tensor to check.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Values">Its elements, which the loss reads, [N].</param>
/// <param name="Gradient">The gradient of the loss as derived by hand, [N].</param>
public sealed record CheckedTensor(string Name, double[] Values, double[] Gradient);

/// <summary>The outcome for one tensor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="RelativeError">‖analytic − numeric‖∞ / max(‖analytic‖∞, ‖numeric‖∞).</param>
/// <param name="LargestGradient">‖analytic‖∞: shows that the check was not one of zeros.</param>
public sealed record GradientError(string Name, double RelativeError, double LargestGradient);
