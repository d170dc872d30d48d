namespace Unroll.Theory;

/// <summary>The cross-entropy between class indices and the softmax of logits, averaged over the steps of all samples by their weights.</summary>
/// <remarks>
/// <code>
/// L = −1/W Σ_t Σ_b w_{t,b} log p_{t,b,k(t,b)},   p = softmax(logits),   W = Σ_t Σ_b w_{t,b}
/// </code>
/// Shapes: logits [T, B, K]; targets k [T, B], each in 0 … K − 1; weights w [T, B], none negative, all 1 if there are none.
/// A step of weight 0 is not read, so a padded target may have any value. The unit is the nat.
/// </remarks>
public static class SoftmaxCrossEntropy
{
    /// <summary>Computes the loss, without forming a probability that could round to 0.</summary>
    /// <remarks><code>L = −1/W Σ_t Σ_b w_{t,b} log p_{t,b,k(t,b)}</code></remarks>
    /// <exception cref="ArgumentException">A shape does not fit, a target is not in 0 … K − 1, a weight is negative, or all weights are 0.</exception>
    public static double Forward(Sequence logits, int[,] targets, double[,]? weights = null)
    {
        var total = Check(logits, targets, weights);
        var loss = 0.0;
        for (var t = 0; t < logits.T; t++)
        {
            for (var b = 0; b < logits.B; b++)
            {
                var w = LossWeights.At(weights, t, b);
                if (w != 0)
                    loss -= w * Softmax.LogProbability(logits[t, b], targets[t, b]);
            }
        }

        return loss / total;
    }

    /// <summary>Computes the gradient of the loss on the logits, [T, B, K].</summary>
    /// <remarks><code>dLogits_l = w (p_l − [l = k]) / W</code></remarks>
    /// <inheritdoc cref="Forward" path="/exception"/>
    public static Sequence Backward(Sequence logits, int[,] targets, double[,]? weights = null)
    {
        var total = Check(logits, targets, weights);
        var dLogits = new Sequence(logits.T, logits.B, logits.F);
        for (var t = 0; t < logits.T; t++)
        {
            for (var b = 0; b < logits.B; b++)
            {
                var w = LossWeights.At(weights, t, b);
                if (w == 0)
                    continue;
                Softmax.Forward(logits[t, b], dLogits[t, b]);
                dLogits[t, b, targets[t, b]] -= 1;
                foreach (ref var d in dLogits[t, b])
                    d = w * d / total;
            }
        }

        return dLogits;
    }

    static double Check(Sequence logits, int[,] targets, double[,]? weights)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        Shape.Table(logits.T, logits.B, targets, nameof(targets));
        var total = LossWeights.Total(weights, logits.T, logits.B);
        for (var t = 0; t < logits.T; t++)
        {
            for (var b = 0; b < logits.B; b++)
            {
                var target = targets[t, b];
                if (LossWeights.At(weights, t, b) != 0 && (target < 0 || target >= logits.F))
                    throw new ArgumentException($"targets: expected class indices from 0 to {logits.F - 1}, got {target}.", nameof(targets));
            }
        }

        return total;
    }
}
