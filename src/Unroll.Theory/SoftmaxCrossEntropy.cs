namespace Unroll.Theory;

/// <summary>The cross-entropy between class indices and the softmax of logits, averaged over all steps of all samples.</summary>
/// <remarks>
/// <code>L = −1/(T·B) Σ_t Σ_b log p_{t,b,k(t,b)},   p = softmax(logits)</code>
/// Shapes: logits [T, B, K]; targets k [T, B], each in 0 … K − 1. The unit is the nat.
/// </remarks>
public static class SoftmaxCrossEntropy
{
    /// <summary>Computes the loss, without forming a probability that could round to 0.</summary>
    /// <remarks><code>−log p_k = log Σ_l e^(a_l − m) − (a_k − m),   m = max_l a_l</code></remarks>
    /// <exception cref="ArgumentException">The shape of the targets is not [T, B], or a target is not in 0 … K − 1.</exception>
    public static double Forward(Sequence logits, int[,] targets)
    {
        Check(logits, targets);
        var loss = 0.0;
        for (var t = 0; t < logits.T; t++)
        {
            for (var b = 0; b < logits.B; b++)
            {
                var a = logits[t, b];
                var max = Softmax.Max(a);
                var sum = 0.0;
                foreach (var logit in a)
                    sum += Math.Exp(logit - max);
                loss += Math.Log(sum) - (a[targets[t, b]] - max);
            }
        }

        return loss / (logits.T * logits.B);
    }

    /// <summary>Computes the gradient of the loss on the logits, [T, B, K].</summary>
    /// <remarks><code>dLogits_l = (p_l − [l = k]) / (T·B)</code></remarks>
    /// <inheritdoc cref="Forward" path="/exception"/>
    public static Sequence Backward(Sequence logits, int[,] targets)
    {
        Check(logits, targets);
        var dLogits = new Sequence(logits.T, logits.B, logits.F);
        for (var t = 0; t < logits.T; t++)
        {
            for (var b = 0; b < logits.B; b++)
            {
                Softmax.Forward(logits[t, b], dLogits[t, b]);
                dLogits[t, b, targets[t, b]] -= 1;
            }
        }

        for (var k = 0; k < dLogits.Values.Length; k++)
            dLogits.Values[k] /= logits.T * logits.B;
        return dLogits;
    }

    static void Check(Sequence logits, int[,] targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        if (targets.GetLength(0) != logits.T || targets.GetLength(1) != logits.B)
        {
            throw new ArgumentException(
                $"targets: expected shape [{logits.T}, {logits.B}], got [{targets.GetLength(0)}, {targets.GetLength(1)}].", nameof(targets));
        }

        foreach (var target in targets)
        {
            if (target < 0 || target >= logits.F)
                throw new ArgumentException($"targets: expected class indices from 0 to {logits.F - 1}, got {target}.", nameof(targets));
        }
    }
}
