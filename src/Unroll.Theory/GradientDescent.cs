namespace Unroll.Theory;

/// <summary>The plain update rule: every parameter goes a small way against its gradient.</summary>
/// <remarks>
/// <code>θ ← θ − η ∂L/∂θ</code>
/// Source: A.-L. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes rendus 25 (1847).
/// </remarks>
public static class GradientDescent
{
    /// <summary>Updates every element of every tensor of a group.</summary>
    /// <remarks><code>θ ← θ − η dθ</code> <see cref="UpdateRules.Sgd"/> without momentum.</remarks>
    /// <param name="parameters">The parameters θ, which are overwritten.</param>
    /// <param name="gradients">Their gradients dθ, in the same shape.</param>
    /// <param name="learningRate">The learning rate η.</param>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static void Step(TensorGroup parameters, TensorGroup gradients, double learningRate)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(gradients);
        var (tensors, slopes) = (parameters.Tensors, gradients.Tensors);
        Shape.Equal(tensors.Count, slopes.Count, "number of tensors", nameof(gradients));
        for (var n = 0; n < tensors.Count; n++)
        {
            var (theta, dTheta) = (tensors[n].Values, slopes[n].Values);
            Shape.Equal(theta.Length, dTheta.Length, $"length of {tensors[n].Name}", nameof(gradients));
            UpdateRules.Sgd(theta, dTheta, velocity: new double[theta.Length], learningRate);
        }
    }
}
