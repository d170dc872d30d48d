namespace Unroll.Theory;

/// <summary>The weight of each step of each sample in a loss, [T, B]; 1 where none are given. A loss is divided by their sum.</summary>
static class LossWeights
{
    /// <summary>The weight w[t, b].</summary>
    public static double At(double[,]? weights, int t, int b) => weights?[t, b] ?? 1;

    /// <summary>Checks the weights and sums them.</summary>
    /// <remarks><code>W = Σ_t Σ_b w[t, b]</code></remarks>
    /// <exception cref="ArgumentException">The shape is not [T, B], a weight is negative, or all are 0.</exception>
    public static double Total(double[,]? weights, int T, int B)
    {
        if (weights is null)
            return T * B;
        Shape.Table(T, B, weights, nameof(weights));
        var total = 0.0;
        foreach (var weight in weights)
        {
            if (!(weight >= 0))
                throw new ArgumentException($"weights: expected none below 0, got {weight}.", nameof(weights));
            total += weight;
        }

        return total > 0 ? total : throw new ArgumentException("weights: expected a sum above 0, got 0; weight at least one step.", nameof(weights));
    }
}
