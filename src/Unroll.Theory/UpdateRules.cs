namespace Unroll.Theory;

/// <summary>How parameters move along their gradients, in place and element by element.</summary>
/// <remarks>
/// Legend: θ parameters, d their gradient, η learning rate, k the update from 1; all spans have one length [N].
/// Velocities and moments start at 0 and belong to one tensor each.
/// </remarks>
public static class UpdateRules
{
    /// <summary>Stochastic gradient descent with momentum.</summary>
    /// <remarks>
    /// <code>
    /// v ← μ v + d
    /// θ ← θ − η v
    /// </code>
    /// Sources: B. T. Polyak, USSR Computational Mathematics and Mathematical Physics 4 (1964); I. Sutskever, J. Martens, G. Dahl, G. Hinton,
    /// "On the importance of initialization and momentum in deep learning", ICML 2013.
    /// </remarks>
    /// <param name="theta">θ, updated.</param>
    /// <param name="gradient">d.</param>
    /// <param name="velocity">v, updated.</param>
    /// <param name="rate">η.</param>
    /// <param name="momentum">μ, at least 0 and below 1; 0 is plain gradient descent.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Sgd(Span<double> theta, ReadOnlySpan<double> gradient, Span<double> velocity, double rate, double momentum = 0)
    {
        Shape.Equal(theta.Length, gradient.Length, "length", nameof(gradient));
        Shape.Equal(theta.Length, velocity.Length, "length", nameof(velocity));
        for (var n = 0; n < theta.Length; n++)
        {
            velocity[n] = (momentum * velocity[n]) + gradient[n];
            theta[n] -= rate * velocity[n];
        }
    }

    /// <summary>Adam: the mean gradient over the root of the mean squared gradient, both corrected for their start at 0.</summary>
    /// <remarks>
    /// <code>
    /// m ← β₁ m + (1 − β₁) d
    /// v ← β₂ v + (1 − β₂) d²
    /// θ ← θ − η · m̂ / (√v̂ + ε),   m̂ = m / (1 − β₁ᵏ),   v̂ = v / (1 − β₂ᵏ)
    /// </code>
    /// Source: D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    /// </remarks>
    /// <param name="theta">θ, updated.</param>
    /// <param name="gradient">d.</param>
    /// <param name="first">m, updated.</param>
    /// <param name="second">v, updated.</param>
    /// <param name="update">k, 1 for the first update.</param>
    /// <param name="rate">η.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    /// <param name="epsilon">ε.</param>
    /// <exception cref="ArgumentException">The lengths differ, or k is below 1.</exception>
    public static void Adam(
        Span<double> theta, ReadOnlySpan<double> gradient, Span<double> first, Span<double> second, int update,
        double rate, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8)
    {
        Shape.Positive(update, nameof(update));
        Shape.Equal(theta.Length, gradient.Length, "length", nameof(gradient));
        Shape.Equal(theta.Length, first.Length, "length", nameof(first));
        Shape.Equal(theta.Length, second.Length, "length", nameof(second));
        for (var n = 0; n < theta.Length; n++)
        {
            first[n] = (beta1 * first[n]) + ((1 - beta1) * gradient[n]);
            second[n] = (beta2 * second[n]) + ((1 - beta2) * gradient[n] * gradient[n]);
            var mean = first[n] / (1 - Math.Pow(beta1, update));
            var square = second[n] / (1 - Math.Pow(beta2, update));
            theta[n] -= rate * mean / (Math.Sqrt(square) + epsilon);
        }
    }

    /// <summary>Adam with decoupled weight decay: the parameters shrink by themselves, not through the gradient.</summary>
    /// <remarks>
    /// <code>
    /// θ ← (1 − η λ) θ,   then Adam
    /// </code>
    /// Source: I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2 (in the form with λ times the rate).
    /// </remarks>
    /// <param name="theta">θ, updated.</param>
    /// <param name="gradient">d, without the decay.</param>
    /// <param name="first">m, updated.</param>
    /// <param name="second">v, updated.</param>
    /// <param name="update">k, 1 for the first update.</param>
    /// <param name="rate">η.</param>
    /// <param name="weightDecay">λ.</param>
    /// <param name="beta1">β₁.</param>
    /// <param name="beta2">β₂.</param>
    /// <param name="epsilon">ε.</param>
    /// <exception cref="ArgumentException">The lengths differ, or k is below 1.</exception>
    public static void AdamW(
        Span<double> theta, ReadOnlySpan<double> gradient, Span<double> first, Span<double> second, int update,
        double rate, double weightDecay = 0.01, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8)
    {
        foreach (ref var value in theta)
            value *= 1 - (rate * weightDecay);
        Adam(theta, gradient, first, second, update, rate, beta1, beta2, epsilon);
    }

    /// <summary>Shortens the whole gradient to a largest length and keeps its direction.</summary>
    /// <remarks>
    /// <code>
    /// ‖d‖ = √(Σ d²) over all tensors
    /// d ← d · maximum / (‖d‖ + 10⁻⁶) if ‖d‖ > maximum
    /// </code>
    /// Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1;
    /// 10⁻⁶ is PyTorch's.
    /// </remarks>
    /// <param name="gradients">The gradients of all tensors, scaled in place.</param>
    /// <param name="maximum">The largest length, positive.</param>
    /// <returns>‖d‖ before.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The maximum is not positive.</exception>
    public static double ClipByGlobalNorm(IReadOnlyList<double[]> gradients, double maximum)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maximum);
        var norm = Math.Sqrt(gradients.Sum(tensor => tensor.Sum(d => d * d)));
        if (norm <= maximum)
            return norm;
        foreach (var tensor in gradients)
        {
            for (var n = 0; n < tensor.Length; n++)
                tensor[n] *= maximum / (norm + 1e-6);
        }

        return norm;
    }
}
