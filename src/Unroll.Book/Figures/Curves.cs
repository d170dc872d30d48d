using Unroll.Experiments.Hosting;

namespace Unroll.Book.Figures;

/// <summary>Curves of the same length, one of each seed, summed up place by place.</summary>
static class Curves
{
    /// <summary>A summary of what the curves have in each place.</summary>
    public static double[] Each(IReadOnlyList<IReadOnlyList<double>> curves, Func<double[], double> summary) =>
        [.. Enumerable.Range(0, curves[0].Count).Select(k => summary([.. curves.Select(curve => curve[k])]))];

    /// <summary>The median in each place.</summary>
    public static double[] Median(IReadOnlyList<IReadOnlyList<double>> curves) => Each(curves, values => Statistics.Median(values));

    /// <summary>Adds the series <c>KEY</c>, the median, and their range, <c>KEY.min</c> and <c>KEY.max</c>.</summary>
    public static void Add(FigureData data, string key, IReadOnlyList<IReadOnlyList<double>> curves)
    {
        data.Series[key] = Median(curves);
        data.Series[$"{key}.min"] = Each(curves, values => values.Min());
        data.Series[$"{key}.max"] = Each(curves, values => values.Max());
    }
}
