namespace Unroll.Theory;

/// <summary>The squared difference between outputs and targets, averaged over all elements.</summary>
/// <remarks>
/// <code>L = 1/N Σ (y − target)²,   N = T·B·F</code>
/// Shapes: y and target [T, B, F].
/// </remarks>
public static class MeanSquaredError
{
    /// <summary>Computes the loss.</summary>
    /// <remarks><code>L = 1/N Σ (y − target)²</code></remarks>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static double Forward(Sequence y, Sequence target)
    {
        Check(y, target);
        var loss = 0.0;
        for (var k = 0; k < y.Values.Length; k++)
            loss += (y.Values[k] - target.Values[k]) * (y.Values[k] - target.Values[k]);
        return loss / y.Values.Length;
    }

    /// <summary>Computes the gradient of the loss on the outputs, [T, B, F].</summary>
    /// <remarks><code>dY = 2/N (y − target)</code></remarks>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Sequence Backward(Sequence y, Sequence target)
    {
        Check(y, target);
        var dY = new Sequence(y.T, y.B, y.F);
        for (var k = 0; k < y.Values.Length; k++)
            dY.Values[k] = 2 * (y.Values[k] - target.Values[k]) / y.Values.Length;
        return dY;
    }

    static void Check(Sequence y, Sequence target)
    {
        ArgumentNullException.ThrowIfNull(y);
        ArgumentNullException.ThrowIfNull(target);
        Shape.Sequence(y.T, y.B, y.F, target, nameof(target));
    }
}
