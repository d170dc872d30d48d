namespace Unroll.Plots;

/// <summary>Rejects charts that cannot be drawn, with the chart, the series and the offending value in the message.</summary>
static class ChartChecks
{
    public static void Check(Chart chart)
    {
        ArgumentNullException.ThrowIfNull(chart);
        switch (chart)
        {
            case LineChart line: Check(line); break;
            case BarChart bar: Check(bar); break;
            case HeatMap map: Check(map); break;
            case ImageGrid grid: Check(grid); break;
            default: throw new ArgumentException($"{chart.GetType().Name} is not a chart that can be drawn; use LineChart, BarChart, HeatMap or ImageGrid.", nameof(chart));
        }
    }

    static void Check(LineChart chart)
    {
        if (chart.Series is null || chart.Series.Count == 0)
            throw Bad(chart, "has no series; give it at least one.");
        foreach (var series in chart.Series)
            Check(chart, series);
        Check(chart, "XRange", chart.XRange, positive: false);
        Check(chart, "YRange", chart.YRange, positive: chart.LogY);
        foreach (var marker in chart.VerticalMarkers)
            Check(chart, $"vertical marker \"{marker.Label}\"", "position", marker.Position, positive: false);
        foreach (var marker in chart.HorizontalMarkers)
            Check(chart, $"horizontal marker \"{marker.Label}\"", "position", marker.Position, positive: chart.LogY);
    }

    static void Check(LineChart chart, Series series)
    {
        if (series is null)
            throw Bad(chart, "contains a series that is null.");
        var name = $"series \"{series.Name}\"";
        if (series.X is null || series.Y is null || series.X.Count == 0 || series.Y.Count == 0)
            throw Bad(chart, $"{name} is empty; X and Y need at least one value.");
        if (series.X.Count != series.Y.Count)
            throw Bad(chart, $"{name} has {series.X.Count} X values but {series.Y.Count} Y values; the two must be equal in length.");
        if (series.Lower is null != series.Upper is null)
            throw Bad(chart, $"{name} has only one edge of a band; set both Lower and Upper, or neither.");
        if (!double.IsFinite(series.Opacity) || series.Opacity is < 0 or > 1)
            throw Bad(chart, $"{name} has Opacity {Text(series.Opacity)}; it must lie between 0 and 1.");
        if (!double.IsFinite(series.Width) || series.Width <= 0)
            throw Bad(chart, $"{name} has Width {Text(series.Width)}; it must be positive.");
        if (series.Color < 0)
            throw Bad(chart, $"{name} has Color {series.Color}; a palette index is 0 or more.");
        Check(chart, name, "X", series.X, positive: false);
        Check(chart, name, "Y", series.Y, chart.LogY);
        Check(chart, name, "Lower", series.Lower, series.X.Count, chart.LogY);
        Check(chart, name, "Upper", series.Upper, series.X.Count, chart.LogY);
    }

    static void Check(BarChart chart)
    {
        if (chart.Labels is null || chart.Values is null || chart.Values.Count == 0)
            throw Bad(chart, "has no bars; give it at least one label and value.");
        if (chart.Labels.Count != chart.Values.Count)
            throw Bad(chart, $"has {chart.Labels.Count} labels but {chart.Values.Count} values; the two must be equal in length.");
        Check(chart, "bars", "Values", chart.Values, positive: false);
    }

    static void Check(HeatMap chart)
    {
        if (chart.Values is null || chart.Values.Length == 0)
            throw Bad(chart, "has an empty matrix; give it at least one row and one column.");
        var (rows, columns) = (chart.Values.GetLength(0), chart.Values.GetLength(1));
        if (chart.RowLabels.Count != 0 && chart.RowLabels.Count != rows)
            throw Bad(chart, $"has {chart.RowLabels.Count} row labels but {rows} rows; give one per row or none.");
        if (chart.ColumnLabels.Count != 0 && chart.ColumnLabels.Count != columns)
            throw Bad(chart, $"has {chart.ColumnLabels.Count} column labels but {columns} columns; give one per column or none.");
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                if (!double.IsFinite(chart.Values[r, c]))
                    throw Bad(chart, $"Values[{r}, {c}] is {Text(chart.Values[r, c])}; every value must be finite.");
            }
        }
    }

    static void Check(ImageGrid chart)
    {
        if (chart.Images is null || chart.Images.Count == 0)
            throw Bad(chart, "has no images; give it at least one.");
        if (chart.Columns < 1)
            throw Bad(chart, $"has {chart.Columns} columns; it must be 1 or more.");
        for (var i = 0; i < chart.Images.Count; i++)
        {
            if (chart.Images[i]?.Ink is not { Length: > 0 } ink)
                throw Bad(chart, $"has an empty image {i}; give it at least one row and one column.");
            var first = chart.Images[0].Ink;
            if ((ink.GetLength(0), ink.GetLength(1)) != (first.GetLength(0), first.GetLength(1)))
                throw Bad(chart, $"has {ink.GetLength(0)} x {ink.GetLength(1)} pixels in image {i} but {first.GetLength(0)} x {first.GetLength(1)} in image 0; all must be of one size.");
            foreach (var pixel in ink)
            {
                if (!(pixel is >= 0 and <= 1))
                    throw Bad(chart, $"image {i}: a pixel is {Text(pixel)}; every pixel must lie between 0 and 1.");
            }
        }
    }

    static void Check(Chart chart, string name, string what, IReadOnlyList<double>? values, int count, bool positive)
    {
        if (values is null)
            return;
        if (values.Count != count)
            throw Bad(chart, $"{name} has {count} X values but {values.Count} {what} values; the two must be equal in length.");
        Check(chart, name, what, values, positive);
    }

    static void Check(Chart chart, string name, string what, IReadOnlyList<double> values, bool positive)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (!double.IsFinite(values[i]) || (positive && values[i] <= 0))
                Check(chart, name, $"{what}[{i}]", values[i], positive);
        }
    }

    static void Check(Chart chart, string name, string what, double value, bool positive)
    {
        if (!double.IsFinite(value))
            throw Bad(chart, $"{name}: {what} is {Text(value)}; every value must be finite.");
        if (positive && value <= 0)
            throw Bad(chart, $"{name}: {what} is {Text(value)}; a logarithmic axis needs values above 0. Clip the values or set LogY = false.");
    }

    static void Check(Chart chart, string name, (double Min, double Max)? range, bool positive)
    {
        if (range is not { } r)
            return;
        Check(chart, name, "Min", r.Min, positive);
        Check(chart, name, "Max", r.Max, positive);
        if (r.Min >= r.Max)
            throw Bad(chart, $"{name} runs from {Text(r.Min)} to {Text(r.Max)}; Min must be below Max.");
    }

    static ArgumentException Bad(Chart chart, string message)
    {
        var separator = message.StartsWith("has ", StringComparison.Ordinal) || message.StartsWith("contains ", StringComparison.Ordinal) ? " " : ": ";
        return new ArgumentException($"Chart \"{chart.Title}\"{separator}{message}");
    }

    static string Text(double value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
