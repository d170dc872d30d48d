namespace Unroll.Theory;

/// <summary>Pooling over time: all valid steps of a sample become one vector.</summary>
/// <remarks>
/// <code>
/// y_k = x_{n−1,k}                          Last
///       1/n Σ_{t&lt;n} x_{t,k}               Mean
///       max_{t&lt;n} x_{t,k}                 Max
///       0                                  if n = 0
/// </code>
/// n is the length of the sample, T without lengths. Shapes: x [T, B, F]; y [1, B, F].
/// </remarks>
/// <param name="kind">How the steps become one vector.</param>
public sealed class Pooling(PoolingKind kind)
{
    /// <summary>How the steps become one vector.</summary>
    public PoolingKind Kind { get; } = kind;

    /// <summary>Pools every sample.</summary>
    /// <remarks><code>y = x_{n−1},   1/n Σ x_t   or   max x_t</code></remarks>
    /// <param name="x">The steps, [T, B, F]; padded steps are not read.</param>
    /// <param name="lengths">The number of valid steps of each sample, [B]; T for all if null.</param>
    /// <returns>One vector per sample, [1, B, F].</returns>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public Sequence Forward(Sequence x, int[]? lengths = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        var valid = Lengths.OrFull(x.T, x.B, lengths);
        var y = new Sequence(1, x.B, x.F);
        for (var b = 0; b < x.B; b++)
        {
            var n = valid[b];
            for (var k = 0; n > 0 && k < x.F; k++)
            {
                y[0, b, k] = Kind switch
                {
                    PoolingKind.Last => x[n - 1, b, k],
                    PoolingKind.Mean => Enumerable.Range(0, n).Sum(t => x[t, b, k]) / n,
                    _ => x[ArgMax(x, b, k, n), b, k],
                };
            }
        }

        return y;
    }

    /// <summary>Takes the gradient on the pooled vectors back to the steps.</summary>
    /// <remarks>
    /// The gradient of a maximum goes to the step that has it, to the first of them where several are equal.
    /// <code>
    /// dX_{n−1,k} = dY_k                        Last
    /// dX_{t,k}   = dY_k / n,  t &lt; n           Mean
    /// dX_{m,k}   = dY_k,  m = argmax x_{t,k}   Max
    /// </code>
    /// All other elements of dX are 0.
    /// </remarks>
    /// <param name="x">The steps, [T, B, F].</param>
    /// <param name="dY">The gradient on the pooled vectors, [1, B, F].</param>
    /// <param name="lengths">The lengths given to <see cref="Forward"/>.</param>
    /// <returns>The gradient on the steps, [T, B, F].</returns>
    /// <exception cref="ArgumentException">A shape or the lengths do not fit.</exception>
    public Sequence Backward(Sequence x, Sequence dY, int[]? lengths = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(dY);
        Shape.Sequence(1, x.B, x.F, dY, nameof(dY));
        var valid = Lengths.OrFull(x.T, x.B, lengths);
        var dX = new Sequence(x.T, x.B, x.F);
        for (var b = 0; b < x.B; b++)
        {
            var n = valid[b];
            for (var k = 0; n > 0 && k < x.F; k++)
            {
                switch (Kind)
                {
                    case PoolingKind.Last:
                        dX[n - 1, b, k] = dY[0, b, k];
                        break;
                    case PoolingKind.Mean:
                        for (var t = 0; t < n; t++)
                            dX[t, b, k] = dY[0, b, k] / n;
                        break;
                    default:
                        dX[ArgMax(x, b, k, n), b, k] = dY[0, b, k];
                        break;
                }
            }
        }

        return dX;
    }

    /// <summary>The step of the largest value of feature k among the first n, the first of equal ones.</summary>
    static int ArgMax(Sequence x, int b, int k, int n)
    {
        var best = 0;
        for (var t = 1; t < n; t++)
        {
            if (x[t, b, k] > x[best, b, k])
                best = t;
        }

        return best;
    }
}
