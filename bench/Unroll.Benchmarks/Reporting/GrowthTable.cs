using Unroll.Benchmarks.Measuring;

namespace Unroll.Benchmarks.Reporting;

/// <summary>Growth curves, one a row.</summary>
static class GrowthTable
{
    public static IReadOnlyList<string> Header { get; } =
        ["cell", "library", "grows", "from", "ms/step", "to", "ms/step", "exponent", "of the last decade"];

    public static IReadOnlyList<IReadOnlyList<string>> Rows(IEnumerable<GrowthCurve> curves) =>
    [
        .. curves.Select(curve => (IReadOnlyList<string>)
        [
            curve.Cell, curve.Name, $"{curve.Axis.Letter}",
            $"{curve.Points[0].Size}", Text.Milliseconds(curve.Points[0].Seconds),
            $"{curve.Points[^1].Size}", Text.Milliseconds(curve.Points[^1].Seconds),
            $"{curve.Exponent:F2}", $"{curve.LastExponent:F2}",
        ]),
    ];

    /// <summary>The sizes that stay while another grows.</summary>
    public static string Legend => string.Join("; ", GrowthAxis.All.Select(axis => $"{axis.Letter} grows at "
        + string.Join(", ", new (char Letter, int Size)[] { ('B', axis.Others.B), ('T', axis.Others.T), ('I', axis.Others.I), ('H', axis.Others.H) }
            .Where(size => size.Letter != axis.Letter).Select(size => $"{size.Letter} = {size.Size}"))));
}
