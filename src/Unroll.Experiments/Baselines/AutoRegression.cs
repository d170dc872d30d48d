namespace Unroll.Experiments.Baselines;

/// <summary>A linear autoregressive model AR(p): x_t = c + Σ a_k·x_{t−k}, fitted by least squares.</summary>
public sealed class AutoRegression
{
    readonly double[] _coefficients;

    AutoRegression(double[] coefficients) => _coefficients = coefficients;

    /// <summary>p, the values looked back on.</summary>
    public int Order => _coefficients.Length - 1;

    /// <summary>Fits the one-step prediction of a series.</summary>
    /// <exception cref="ArgumentException">The series has fewer than 2p + 1 values.</exception>
    public static AutoRegression Fit(ReadOnlySpan<float> series, int order)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(order, 1);
        var rows = series.Length - order;
        if (rows < order + 1)
            throw new ArgumentException($"Expected at least {(2 * order) + 1} values for an AR({order}) model, got {series.Length}.", nameof(series));
        var a = new double[rows, order + 1];
        var b = new double[rows];
        for (var row = 0; row < rows; row++)
        {
            for (var k = 1; k <= order; k++)
                a[row, k - 1] = series[row + order - k];
            a[row, order] = 1;
            b[row] = series[row + order];
        }

        return new AutoRegression(LeastSquares.Solve(a, b));
    }

    /// <summary>Continues <paramref name="history"/> (at least p values) by feeding predictions back.</summary>
    public float[] Forecast(ReadOnlySpan<float> history, int horizon)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(history.Length, Order);
        var values = new double[Order + horizon];
        for (var k = 0; k < Order; k++)
            values[k] = history[history.Length - Order + k];
        for (var t = Order; t < values.Length; t++)
        {
            values[t] = _coefficients[Order];
            for (var k = 1; k <= Order; k++)
                values[t] += _coefficients[k - 1] * values[t - k];
        }

        return [.. values.Skip(Order).Select(value => (float)value)];
    }
}
