namespace Unroll.Theory;

/// <summary>Turns logits into probabilities.</summary>
/// <remarks>
/// <code>p_k = e^(a_k − m) / Σ_l e^(a_l − m),   m = max_l a_l</code>
/// Subtracting the maximum changes nothing in exact arithmetic and keeps every exponent at or below 0.
/// Shapes: logits a and probabilities p [K].
/// </remarks>
public static class Softmax
{
    /// <summary>Computes the probabilities.</summary>
    /// <remarks><code>p_k = e^(a_k − m) / Σ_l e^(a_l − m),   m = max_l a_l</code> Both are [K]; <paramref name="probabilities"/> is overwritten.</remarks>
    /// <exception cref="ArgumentException">The lengths differ, or there is no logit.</exception>
    public static void Forward(ReadOnlySpan<double> logits, Span<double> probabilities)
    {
        Shape.Positive(logits.Length, nameof(logits));
        Shape.Equal(logits.Length, probabilities.Length, "length", nameof(probabilities));
        var max = Max(logits);
        var sum = 0.0;
        for (var k = 0; k < logits.Length; k++)
        {
            probabilities[k] = Math.Exp(logits[k] - max);
            sum += probabilities[k];
        }

        for (var k = 0; k < logits.Length; k++)
            probabilities[k] /= sum;
    }

    /// <summary>The logarithm of one probability, without forming a probability that could round to 0.</summary>
    /// <remarks><code>log p_k = (a_k − m) − log Σ_l e^(a_l − m),   m = max_l a_l</code></remarks>
    /// <exception cref="ArgumentException">There is no logit <paramref name="k"/>.</exception>
    public static double LogProbability(ReadOnlySpan<double> logits, int k)
    {
        Shape.Positive(logits.Length, nameof(logits));
        Shape.Token(logits.Length, k, nameof(k));
        var max = Max(logits);
        var sum = 0.0;
        foreach (var logit in logits)
            sum += Math.Exp(logit - max);
        return logits[k] - max - Math.Log(sum);
    }

    /// <summary>Takes the gradient on the probabilities back to the logits.</summary>
    /// <remarks><code>dA_k = p_k (dP_k − Σ_l p_l dP_l)</code> All are [K]; <paramref name="dLogits"/> is overwritten.</remarks>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Backward(ReadOnlySpan<double> probabilities, ReadOnlySpan<double> dProbabilities, Span<double> dLogits)
    {
        Shape.Equal(probabilities.Length, dProbabilities.Length, "length", nameof(dProbabilities));
        Shape.Equal(probabilities.Length, dLogits.Length, "length", nameof(dLogits));
        var mean = 0.0;
        for (var k = 0; k < probabilities.Length; k++)
            mean += probabilities[k] * dProbabilities[k];
        for (var k = 0; k < probabilities.Length; k++)
            dLogits[k] = probabilities[k] * (dProbabilities[k] - mean);
    }

    /// <summary>The class of the largest logit or probability, the first of equal ones.</summary>
    /// <remarks><code>argmax_k a_k</code></remarks>
    /// <exception cref="ArgumentException">There is no logit.</exception>
    public static int ArgMax(ReadOnlySpan<double> logits)
    {
        Shape.Positive(logits.Length, nameof(logits));
        var best = 0;
        for (var k = 1; k < logits.Length; k++)
        {
            if (logits[k] > logits[best])
                best = k;
        }

        return best;
    }

    static double Max(ReadOnlySpan<double> values)
    {
        var max = values[0];
        foreach (var value in values)
            max = Math.Max(max, value);
        return max;
    }
}
