namespace Unroll.Plots;

/// <summary>The description of a chart; <see cref="ChartRenderer"/> draws it.</summary>
public abstract record Chart
{
    /// <summary>The heading of the chart; may be empty.</summary>
    public required string Title { get; init; }

    /// <summary>The label of the horizontal axis.</summary>
    public string XLabel { get; init; } = "";

    /// <summary>The label of the vertical axis.</summary>
    public string YLabel { get; init; } = "";
}

/// <summary>Curves, point clouds and bands over a common pair of axes.</summary>
public sealed record LineChart : Chart
{
    /// <summary>The series, drawn in this order; at least one.</summary>
    public required IReadOnlyList<Series> Series { get; init; }

    /// <summary>True for a logarithmic vertical axis; all values must then be positive.</summary>
    public bool LogY { get; init; }

    /// <summary>Horizontal limits; null fits the data.</summary>
    public (double Min, double Max)? XRange { get; init; }

    /// <summary>Vertical limits; null fits the data within <see cref="XRange"/>.</summary>
    public (double Min, double Max)? YRange { get; init; }

    /// <summary>Vertical lines at positions of the horizontal axis.</summary>
    public IReadOnlyList<Marker> VerticalMarkers { get; init; } = [];

    /// <summary>Horizontal lines at positions of the vertical axis.</summary>
    public IReadOnlyList<Marker> HorizontalMarkers { get; init; } = [];
}

/// <summary>One bar per label, from zero, with its value written beside its end.</summary>
public sealed record BarChart : Chart
{
    /// <summary>The name under each bar.</summary>
    public required IReadOnlyList<string> Labels { get; init; }

    /// <summary>The height of each bar, finite, as many as <see cref="Labels"/>.</summary>
    public required IReadOnlyList<double> Values { get; init; }
}

/// <summary>
/// A matrix as coloured cells, row 0 on top. Values of one sign run from white to blue;
/// values of both signs run from blue over white at zero to vermillion.
/// </summary>
public sealed record HeatMap : Chart
{
    /// <summary>The matrix [rows, columns], finite, not empty.</summary>
    public required double[,] Values { get; init; }

    /// <summary>A name per row, or empty for row numbers.</summary>
    public IReadOnlyList<string> RowLabels { get; init; } = [];

    /// <summary>A name per column, or empty for column numbers.</summary>
    public IReadOnlyList<string> ColumnLabels { get; init; } = [];

    /// <summary>True to write each value into its cell.</summary>
    public bool ShowValues { get; init; }

    /// <summary>True to leave cells whose value is 0 without text, so that the others stand out.</summary>
    public bool HideZeros { get; init; }
}

/// <summary>Small grey pictures of one size, side by side in rows, each with a line of text under it. It has no axes.</summary>
public sealed record ImageGrid : Chart
{
    /// <summary>The pictures, row by row; at least one.</summary>
    public required IReadOnlyList<GridImage> Images { get; init; }

    /// <summary>Pictures in a row, at least 1.</summary>
    public int Columns { get; init; } = 5;
}

/// <summary>One picture of an <see cref="ImageGrid"/>.</summary>
/// <param name="Ink">[rows, columns], row 0 on top: 0 for paper to 1 for full ink.</param>
/// <param name="Caption">The line under it; may be empty.</param>
public sealed record GridImage(double[,] Ink, string Caption);
