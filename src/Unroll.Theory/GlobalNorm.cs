namespace Unroll.Theory;

/// <summary>The length of the whole gradient, all tensors taken as one vector, and clipping by it.</summary>
/// <remarks>Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, algorithm 1.</remarks>
public static class GlobalNorm
{
    /// <summary>Computes the length.</summary>
    /// <remarks><code>‖g‖ = √Σ_groups Σ_tensors Σ_k g_k²</code></remarks>
    public static double Of(params TensorGroup[] gradients)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        return Math.Sqrt(gradients.SelectMany(group => group.Tensors).SelectMany(tensor => tensor.Values).Sum(g => g * g));
    }

    /// <summary>Shortens the gradient if it is longer than allowed; its direction stays.</summary>
    /// <remarks><code>g ← g · min(1, c / ‖g‖)</code></remarks>
    /// <param name="maximum">The greatest length c.</param>
    /// <param name="gradients">All gradients of the model; overwritten.</param>
    /// <returns>‖g‖ before clipping.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximum"/> is not positive.</exception>
    public static double Clip(double maximum, params TensorGroup[] gradients)
    {
        if (!(maximum > 0))
            throw new ArgumentOutOfRangeException(nameof(maximum), maximum, $"maximum: expected a length above 0, got {maximum}.");
        var norm = Of(gradients);
        if (norm <= maximum)
            return norm;
        foreach (var tensor in gradients.SelectMany(group => group.Tensors))
        {
            for (var k = 0; k < tensor.Values.Length; k++)
                tensor.Values[k] *= maximum / norm;
        }

        return norm;
    }
}
