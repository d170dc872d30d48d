namespace Unroll.Experiments.Hosting;

/// <summary>What is said of several runs.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="Median">The median.</param>
/// <param name="Min">The smallest.</param>
/// <param name="Max">The largest.</param>
public sealed record Summary(double Mean, double Median, double Min, double Max)
{
    /// <summary>Summarises at least one value.</summary>
    public static Summary Of(IReadOnlyCollection<double> values) =>
        new(values.Average(), Statistics.Median(values), values.Min(), values.Max());
}

/// <summary>Small statistics.</summary>
public static class Statistics
{
    /// <summary>The middle value, or the mean of the two middle ones.</summary>
    /// <exception cref="ArgumentException">There is no value.</exception>
    public static double Median(IReadOnlyCollection<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count == 0)
            throw new ArgumentException("Expected at least one value, got none.", nameof(values));
        var sorted = values.Order().ToArray();
        var middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>√(mean of (x − y)²).</summary>
    public static double RootMeanSquareError(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        if (x.Length != y.Length || x.IsEmpty)
            throw new ArgumentException($"Expected two series of the same length, got {x.Length} and {y.Length} values.", nameof(y));
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        return Math.Sqrt(sum / x.Length);
    }
}
