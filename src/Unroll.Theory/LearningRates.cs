namespace Unroll.Theory;

/// <summary>Learning rates that change with the update.</summary>
public static class LearningRates
{
    /// <summary>Half a cosine from the first rate to the last.</summary>
    /// <remarks>
    /// <code>η(k) = η₁ + (η₀ − η₁) · (1 + cos(π · min(k, n) / n)) / 2</code>
    /// Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5.
    /// </remarks>
    /// <param name="update">k, from 0.</param>
    /// <param name="first">η₀.</param>
    /// <param name="length">n, at least 1.</param>
    /// <param name="last">η₁.</param>
    public static double Cosine(int update, double first, int length, double last = 0)
    {
        Shape.Positive(length, nameof(length));
        return last + ((first - last) * (1 + Math.Cos(Math.PI * Math.Min(update, length) / length)) / 2);
    }

    /// <summary>A warm-up from a 25th of the peak, then a fall to 0, both half a cosine.</summary>
    /// <remarks>
    /// <code>
    /// η(k) = η₁ · (1/25 + 24/25 · (1 − cos(π k / (w n))) / 2)       k &lt; w n
    /// η(k) = η₁ · (1 + cos(π (k − w n) / (n − w n))) / 2            w n ≤ k ≤ n
    /// </code>
    /// Source: L. N. Smith, N. Topin, "Super-Convergence", arXiv:1708.07120; the 25th and the cosines are PyTorch's.
    /// </remarks>
    /// <param name="update">k, from 0.</param>
    /// <param name="peak">η₁.</param>
    /// <param name="length">n, at least 1.</param>
    /// <param name="warmUp">w, the share of the rise, above 0 and below 1.</param>
    public static double OneCycle(int update, double peak, int length, double warmUp = 0.3)
    {
        Shape.Positive(length, nameof(length));
        var top = warmUp * length;
        return update < top
            ? peak * ((1.0 / 25) + (24.0 / 25 * (1 - Math.Cos(Math.PI * update / top)) / 2))
            : peak * (1 + Math.Cos(Math.PI * (Math.Min(update, length) - top) / (length - top))) / 2;
    }
}
