namespace Unroll.Numerics;

/// <summary>What a softmax divides by.</summary>
static class SoftmaxSum
{
    /// <summary>m = max y and Σ exp(y − m), summed in double in rising order; a NaN makes both NaN.</summary>
    public static (float Maximum, double Sum) Of(ReadOnlySpan<float> logits)
    {
        var maximum = float.NegativeInfinity;
        foreach (var logit in logits)
            maximum = logit > maximum || float.IsNaN(logit) ? logit : maximum;
        var sum = 0.0;
        foreach (var logit in logits)
            sum += Activations.Exp<SimdScalar, float>(logit - maximum);
        return (maximum, sum);
    }
}
