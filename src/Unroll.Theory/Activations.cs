namespace Unroll.Theory;

/// <summary>The scalar activation functions; each derivative is written in terms of the function's value, as the backward passes use it.</summary>
public static class Activations
{
    /// <summary>The logistic function.</summary>
    /// <remarks><code>σ(a) = 1 / (1 + e⁻ᵃ)</code></remarks>
    public static double Sigmoid(double a) => 1 / (1 + Math.Exp(-a));

    /// <summary>The derivative of the logistic function where its value is <paramref name="s"/>.</summary>
    /// <remarks><code>σ'(a) = s (1 − s),  s = σ(a)</code> It is 0 for s = 1, so a gate that is the constant 1 receives no gradient.</remarks>
    public static double SigmoidDerivative(double s) => s * (1 - s);

    /// <summary>The hyperbolic tangent.</summary>
    /// <remarks><code>tanh(a) = (eᵃ − e⁻ᵃ) / (eᵃ + e⁻ᵃ)</code></remarks>
    public static double Tanh(double a) => Math.Tanh(a);

    /// <summary>The derivative of the hyperbolic tangent where its value is <paramref name="y"/>.</summary>
    /// <remarks><code>tanh'(a) = 1 − y²,  y = tanh(a)</code></remarks>
    public static double TanhDerivative(double y) => 1 - (y * y);

    /// <summary>The rectifier.</summary>
    /// <remarks><code>relu(a) = max(0, a)</code></remarks>
    public static double Relu(double a) => Math.Max(0, a);

    /// <summary>The derivative of the rectifier where its value is <paramref name="y"/>; at the kink, a = 0, it is taken as 0.</summary>
    /// <remarks><code>relu'(a) = 1 if y > 0, else 0,  y = relu(a)</code></remarks>
    public static double ReluDerivative(double y) => y > 0 ? 1 : 0;
}
