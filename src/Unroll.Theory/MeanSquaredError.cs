namespace Unroll.Theory;

/// <summary>The squared difference between outputs and targets, averaged over the features and, by their weights, over the steps of all samples.</summary>
/// <remarks>
/// <code>
/// L = 1/(F·W) Σ_t Σ_b w_{t,b} Σ_k (y_{t,b,k} − target_{t,b,k})²,   W = Σ_t Σ_b w_{t,b}
/// </code>
/// Shapes: y and target [T, B, F]; weights w [T, B], none negative, all 1 if there are none. A step of weight 0 is not read.
/// </remarks>
public static class MeanSquaredError
{
    /// <summary>Computes the loss.</summary>
    /// <remarks><code>L = 1/(F·W) Σ w (y − target)²</code></remarks>
    /// <exception cref="ArgumentException">A shape does not fit, a weight is negative, or all weights are 0.</exception>
    public static double Forward(Sequence y, Sequence target, double[,]? weights = null)
    {
        var total = Check(y, target, weights);
        var loss = 0.0;
        for (var t = 0; t < y.T; t++)
        {
            for (var b = 0; b < y.B; b++)
            {
                var w = LossWeights.At(weights, t, b);
                for (var k = 0; w != 0 && k < y.F; k++)
                    loss += w * (y[t, b, k] - target[t, b, k]) * (y[t, b, k] - target[t, b, k]);
            }
        }

        return loss / (y.F * total);
    }

    /// <summary>Computes the gradient of the loss on the outputs, [T, B, F].</summary>
    /// <remarks><code>dY = 2/(F·W) w (y − target)</code></remarks>
    /// <inheritdoc cref="Forward" path="/exception"/>
    public static Sequence Backward(Sequence y, Sequence target, double[,]? weights = null)
    {
        var total = Check(y, target, weights);
        var dY = new Sequence(y.T, y.B, y.F);
        for (var t = 0; t < y.T; t++)
        {
            for (var b = 0; b < y.B; b++)
            {
                var w = LossWeights.At(weights, t, b);
                for (var k = 0; w != 0 && k < y.F; k++)
                    dY[t, b, k] = 2 * w * (y[t, b, k] - target[t, b, k]) / (y.F * total);
            }
        }

        return dY;
    }

    static double Check(Sequence y, Sequence target, double[,]? weights)
    {
        ArgumentNullException.ThrowIfNull(y);
        ArgumentNullException.ThrowIfNull(target);
        Shape.Sequence(y.T, y.B, y.F, target, nameof(target));
        return LossWeights.Total(weights, y.T, y.B);
    }
}
