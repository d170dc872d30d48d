using Unroll.Layers;

namespace Unroll.Training;

/// <summary>The length of the whole gradient, and clipping by it.</summary>
public static class GradientNorm
{
    /// <summary>‖d‖₂ = √Σ d² over every parameter, summed in double in one fixed order.</summary>
    public static double Of(ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ReadOnlySpan<float> gradients = parameters.Gradients;

        // Four chains hide the latency of the additions; their order never depends on kernel or threads.
        double a = 0, b = 0, c = 0, d = 0;
        var i = 0;
        for (; i + 4 <= gradients.Length; i += 4)
        {
            a += (double)gradients[i] * gradients[i];
            b += (double)gradients[i + 1] * gradients[i + 1];
            c += (double)gradients[i + 2] * gradients[i + 2];
            d += (double)gradients[i + 3] * gradients[i + 3];
        }

        for (; i < gradients.Length; i++)
            a += (double)gradients[i] * gradients[i];
        return Math.Sqrt(a + b + (c + d));
    }

    /// <summary>
    /// Scales the gradient to length <paramref name="maximum"/> if it is longer: d ← d·maximum/(‖d‖ + 1e-6). Pascanu,
    /// Mikolov and Bengio (ICML 2013), algorithm 1.
    /// </summary>
    /// <returns>‖d‖ before clipping.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximum"/> is not positive.</exception>
    public static double Clip(ParameterSet parameters, double maximum)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maximum);
        var norm = Of(parameters);
        if (norm > maximum)
        {
            var factor = (float)(maximum / (norm + 1e-6));
            foreach (ref var gradient in parameters.Gradients)
                gradient *= factor;
        }

        return norm;
    }
}
