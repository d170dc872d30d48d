using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks.Measuring;

/// <summary>How the time of a training step grows with one size while the others stay.</summary>
/// <param name="Name">The library and its version.</param>
/// <param name="Cell">The cell.</param>
/// <param name="Axis">The size that grows.</param>
/// <param name="Points">Size and seconds per step, rising.</param>
sealed record GrowthCurve(string Name, string Cell, GrowthAxis Axis, IReadOnlyList<(int Size, double Seconds)> Points)
{
    /// <summary>The exponent p of seconds ∝ sizeᵖ, fitted over all points.</summary>
    public double Exponent => Slope(Points);

    /// <summary>The same over the last decade, where fixed costs have faded.</summary>
    public double LastExponent => Slope([.. Points.Where(point => 10 * point.Size >= Points[^1].Size)]);

    /// <summary>The least-squares slope of ln seconds over ln size.</summary>
    static double Slope(IReadOnlyCollection<(int Size, double Seconds)> points)
    {
        double x = points.Average(point => Math.Log(point.Size)), y = points.Average(point => Math.Log(point.Seconds));
        return points.Sum(point => (Math.Log(point.Size) - x) * (Math.Log(point.Seconds) - y))
            / points.Sum(point => (Math.Log(point.Size) - x) * (Math.Log(point.Size) - x));
    }
}

/// <summary>A size that doubles seven times, over two decades.</summary>
/// <param name="Letter">H, T or B.</param>
/// <param name="Smallest">Its smallest value.</param>
/// <param name="Others">The sizes that stay.</param>
sealed record GrowthAxis(char Letter, int Smallest, Shape Others)
{
    const int Doublings = 7;

    public static IReadOnlyList<GrowthAxis> All { get; } =
    [
        new('H', 8, new Shape(32, 20, 16, 0)),
        new('T', 4, new Shape(32, 0, 16, 64)),
        new('B', 2, new Shape(0, 32, 16, 64)),
    ];

    /// <summary>The values it takes.</summary>
    public IReadOnlyList<int> Sizes { get; } = [.. Enumerable.Range(0, Doublings + 1).Select(power => Smallest << power)];

    /// <summary>The whole shape at one of them.</summary>
    public Shape At(int size) => Letter switch
    {
        'H' => Others with { H = size },
        'T' => Others with { T = size },
        _ => Others with { B = size },
    };

    /// <summary>Trains on one core at every size, all sizes of all libraries in turn.</summary>
    public IReadOnlyList<GrowthCurve> Measure(string cell, IReadOnlyList<(Library Library, string Variant)> contenders, Effort effort)
    {
        var entries = from contender in contenders
                      from size in Sizes
                      select new Entry(contender.Library, new Configuration("train", cell, At(size), 1, contender.Variant));
        var outcomes = Comparison.Run([.. entries], effort);
        return
        [
            .. outcomes.Chunk(Sizes.Count).Select(chunk =>
                new GrowthCurve(chunk[0].Name, cell, this, [.. Sizes.Zip(chunk, (size, outcome) => (size, outcome.Seconds))])),
        ];
    }
}
