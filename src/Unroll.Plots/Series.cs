namespace Unroll.Plots;

/// <summary>How a <see cref="Series"/> is drawn.</summary>
public enum SeriesStyle
{
    /// <summary>A solid line through the points, in the order given.</summary>
    Line,

    /// <summary>A dot per point and no line.</summary>
    Points,

    /// <summary>A dashed line through the points.</summary>
    Dashed,
}

/// <summary>One named curve or point cloud of a <see cref="LineChart"/>.</summary>
/// <param name="Name">The text in the legend; an empty name keeps the series out of the legend.</param>
/// <param name="X">Horizontal positions, finite.</param>
/// <param name="Y">Vertical positions, finite, as many as <paramref name="X"/>.</param>
public sealed record Series(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y)
{
    /// <summary>Line, points or dashed line.</summary>
    public SeriesStyle Style { get; init; }

    /// <summary>Index into the palette (taken modulo its length); null takes the position in the chart.</summary>
    public int? Color { get; init; }

    /// <summary>0 (invisible) to 1 (solid).</summary>
    public double Opacity { get; init; } = 1;

    /// <summary>Line width, or for <see cref="SeriesStyle.Points"/> a third of the dot diameter, in units of a chart 800 wide.</summary>
    public double Width { get; init; } = 1.5;

    /// <summary>Lower edge of a shaded band, as long as <see cref="X"/>; needs <see cref="Upper"/>.</summary>
    public IReadOnlyList<double>? Lower { get; init; }

    /// <summary>Upper edge of a shaded band, as long as <see cref="X"/>; needs <see cref="Lower"/>.</summary>
    public IReadOnlyList<double>? Upper { get; init; }
}

/// <summary>A labelled line across a chart, such as "forecast starts" or "noise floor".</summary>
/// <param name="Position">Where it crosses the axis, in data units.</param>
/// <param name="Label">The text beside it; may be empty.</param>
public sealed record Marker(double Position, string Label);
