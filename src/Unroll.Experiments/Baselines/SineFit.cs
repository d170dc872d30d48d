namespace Unroll.Experiments.Baselines;

/// <summary>x_t ≈ a·sin(ωt) + b·cos(ωt) + c, all four by least squares: what a series says of a sine that is known to be one.</summary>
/// <param name="AngularFrequency">ω, radians a step.</param>
/// <param name="Sine">a.</param>
/// <param name="Cosine">b.</param>
/// <param name="Offset">c.</param>
public sealed record SineFit(double AngularFrequency, double Sine, double Cosine, double Offset)
{
    /// <summary>√(a² + b²).</summary>
    public double Amplitude => Math.Sqrt((Sine * Sine) + (Cosine * Cosine));

    /// <summary>The angle by which the wave leads sin(ωt) at t = 0, in (−π, π].</summary>
    public double Phase => Math.Atan2(Cosine, Sine);

    /// <summary>2π/ω, in steps.</summary>
    public double Period => 2 * Math.PI / AngularFrequency;

    /// <summary>Fits a sine whose period lies between 4 steps and the length of the series.</summary>
    /// <param name="series">x_t for t = start, start + 1, …; at least 8 values.</param>
    /// <param name="start">t of the first value.</param>
    /// <exception cref="ArgumentException">The series is shorter.</exception>
    public static SineFit Of(ReadOnlySpan<float> series, int start = 0)
    {
        if (series.Length < 8)
            throw new ArgumentException($"Expected at least 8 values, got {series.Length}.", nameof(series));
        var values = series.ToArray();

        // The squared error has local minima in ω: a grid finer than the frequency resolution 2π/n, then a golden section.
        double low = 2 * Math.PI / values.Length, high = Math.PI / 2;
        var step = low / 8;
        double best = low, bestError = double.PositiveInfinity;
        for (var omega = low; omega <= high; omega += step)
        {
            var error = Solve(values, start, omega).Error;
            if (error < bestError)
                (best, bestError) = (omega, error);
        }

        var frequency = Minimise(omega => Solve(values, start, omega).Error, Math.Max(best - step, low / 2), best + step);
        return Solve(values, start, frequency).Fit;
    }

    /// <summary>The wave for t = start … start + length − 1.</summary>
    public float[] Evaluate(int length, int start = 0) =>
    [
        .. Enumerable.Range(start, length).Select(t =>
            (float)((Sine * Math.Sin(AngularFrequency * t)) + (Cosine * Math.Cos(AngularFrequency * t)) + Offset)),
    ];

    static (SineFit Fit, double Error) Solve(float[] series, int start, double omega)
    {
        var a = new double[series.Length, 3];
        var b = new double[series.Length];
        for (var i = 0; i < series.Length; i++)
        {
            (a[i, 0], a[i, 1], a[i, 2], b[i]) = (Math.Sin(omega * (start + i)), Math.Cos(omega * (start + i)), 1, series[i]);
        }

        var x = LeastSquares.Solve(a, b);
        var error = 0.0;
        for (var i = 0; i < series.Length; i++)
        {
            var residual = (a[i, 0] * x[0]) + (a[i, 1] * x[1]) + x[2] - b[i];
            error += residual * residual;
        }

        return (new SineFit(omega, x[0], x[1], x[2]), error);
    }

    /// <summary>Golden-section search of a function with one minimum in [low, high].</summary>
    static double Minimise(Func<double, double> function, double low, double high)
    {
        var ratio = (Math.Sqrt(5) - 1) / 2;
        double x1 = high - (ratio * (high - low)), x2 = low + (ratio * (high - low));
        double f1 = function(x1), f2 = function(x2);
        while (high - low > 1e-12)
        {
            if (f1 < f2)
            {
                (high, x2, f2) = (x2, x1, f1);
                x1 = high - (ratio * (high - low));
                f1 = function(x1);
            }
            else
            {
                (low, x1, f1) = (x1, x2, f2);
                x2 = low + (ratio * (high - low));
                f2 = function(x2);
            }
        }

        return (low + high) / 2;
    }
}
