using ScottPlot;
using ScottPlot.Plottables;

namespace Unroll.Plots;

/// <summary>Turns a chart description into a ScottPlot figure.</summary>
static class PlotBuilder
{
    const float TitleSize = 16;
    const float LabelSize = 13;
    const float TickSize = 12;

    // Average advance of a Latin letter of the embedded font in units of its size, for layout that happens before drawing.
    const double CharacterWidth = 0.58;

    public static Plot Build(Chart chart, double width, double height, bool svg)
    {
        ChartFont.EnsureRegistered();
        var plot = new Plot();
        switch (chart)
        {
            case LineChart line: AddLines(plot, line, width, height, svg); break;
            case BarChart bar: AddBars(plot, bar, width); break;
            case HeatMap map: AddHeatMap(plot, map, width, height); break;
            case ImageGrid grid: AddImages(plot, grid, width, height); break;
        }
        Style(plot, chart);
        return plot;
    }

    static void Style(Plot plot, Chart chart)
    {
        plot.FigureBackground.Color = Colors.White;
        plot.DataBackground.Color = Colors.White;
        plot.Axes.Title.Label.Text = chart.Title ?? "";
        plot.Axes.Bottom.Label.Text = chart.XLabel ?? "";
        plot.Axes.Left.Label.Text = chart.YLabel ?? "";
        plot.Axes.Title.IsVisible = !string.IsNullOrEmpty(chart.Title);
        plot.Font.Set(ChartFont.Family);
        Style(plot.Axes.Title.Label, TitleSize, Palette.Ink);
        foreach (var axis in plot.Axes.GetAxes())
            Style(axis);
        plot.Axes.Right.FrameLineStyle.Width = 0;
        plot.Axes.Top.FrameLineStyle.Width = 0;
        if (plot.Axes.Top is ScottPlot.AxisPanels.AxisBase top)
            top.SizeWhenNoData = 10;
        if (chart is HeatMap)
        {
            plot.Axes.Left.FrameLineStyle.Width = 0;
            plot.Axes.Bottom.FrameLineStyle.Width = 0;
        }
    }

    static void Style(IAxis axis)
    {
        Style(axis.Label, LabelSize, Palette.Ink);
        Style(axis.TickLabelStyle, TickSize, Palette.Ink);
        axis.FrameLineStyle.Color = Palette.Axis;
        axis.FrameLineStyle.Width = 0.8f;
        axis.MajorTickStyle.Color = Palette.Axis;
        axis.MajorTickStyle.Width = 0.8f;
        axis.MinorTickStyle.Color = Palette.Axis;
        axis.MinorTickStyle.Width = 0.6f;
    }

    static void Style(LabelStyle style, float size, Color color)
    {
        style.FontName = ChartFont.Family;
        style.FontSize = size;
        style.ForeColor = color;
        style.Bold = false;
    }

    static void AddLines(Plot plot, LineChart chart, double width, double height, bool svg)
    {
        var limits = Limits(chart);
        plot.Axes.SetLimits(limits.Left, limits.Right, limits.Bottom, limits.Top);
        plot.Axes.Bottom.TickGenerator = AxisTicks.Linear(minimumSpacing: 36);
        plot.Axes.Left.TickGenerator = chart.LogY ? AxisTicks.Log(limits.Bottom, limits.Top) : AxisTicks.Linear(minimumSpacing: 28);
        plot.Grid.MajorLineColor = Palette.Grid;
        plot.Grid.MajorLineWidth = 0.8f;

        // Bands lie under all curves.
        for (var i = 0; i < chart.Series.Count; i++)
            AddBand(plot, chart.Series[i], ColorOf(chart.Series[i], i), chart.LogY);
        foreach (var marker in chart.HorizontalMarkers)
            AddHorizontal(plot, marker, chart.LogY, limits, svg);
        for (var i = 0; i < chart.Series.Count; i++)
            AddSeries(plot, chart.Series[i], ColorOf(chart.Series[i], i), chart.LogY, svg);
        AddVerticals(plot, chart.VerticalMarkers, limits, width, height, svg);
        AddLegend(plot, chart, width, svg);
    }

    static Color ColorOf(Series series, int position) => Palette.Of(series.Color ?? position);

    static void AddBand(Plot plot, Series series, Color color, bool log)
    {
        if (series.Lower is null || series.Upper is null)
            return;
        var band = plot.Add.FillY(Copy(series.X), Scaled(series.Lower, log), Scaled(series.Upper, log));
        band.FillColor = color.WithOpacity(0.16);
        band.LineWidth = 0;
        band.MarkerSize = 0;
    }

    static void AddSeries(Plot plot, Series series, Color color, bool log, bool svg)
    {
        var scatter = plot.Add.Scatter(Copy(series.X), Scaled(series.Y, log));
        scatter.Color = color.WithOpacity(series.Opacity);
        // A line of one point would be invisible.
        if (series.Style == SeriesStyle.Points || series.X.Count == 1)
        {
            scatter.LineWidth = 0;
            scatter.MarkerShape = MarkerShape.FilledCircle;
            scatter.MarkerSize = (float)(3 * series.Width);
        }
        else
        {
            scatter.MarkerSize = 0;
            (scatter.LinePattern, scatter.LineWidth) = series.Style == SeriesStyle.Dashed
                ? Dash.Dashes.For(series.Width, svg)
                : (LinePattern.Solid, (float)series.Width);
        }
    }

    static void AddHorizontal(Plot plot, Marker marker, bool log, CoordinateRect limits, bool svg)
    {
        var y = log ? Math.Log10(marker.Position) : marker.Position;
        var line = plot.Add.HorizontalLine(y);
        line.Color = Palette.Marker;
        (line.LinePattern, line.LineWidth) = Dash.Dots.For(1, svg);
        if (y >= limits.Bottom && y <= limits.Top)
            AddNote(plot, marker.Label, limits.Right, y, Alignment.LowerRight, -4, -2);
    }

    static void AddVerticals(Plot plot, IReadOnlyList<Marker> markers, CoordinateRect limits, double width, double height, bool svg)
    {
        // Labels hang from the top of their lines; one that would run into an earlier one moves a line down.
        var perUnit = Math.Max(1, width - 90) / limits.Width;
        var rowEnds = new List<double>();
        foreach (var marker in markers)
        {
            var line = plot.Add.VerticalLine(marker.Position);
            line.Color = Palette.Marker;
            (line.LinePattern, line.LineWidth) = Dash.Dots.For(1, svg);
        }
        foreach (var marker in markers.OrderBy(m => m.Position))
        {
            if (string.IsNullOrEmpty(marker.Label) || marker.Position < limits.Left || marker.Position > limits.Right)
                continue;

            var start = (marker.Position - limits.Left) * perUnit;
            var length = Ems(marker.Label) * TickSize + 12;
            var flipped = start + length > width - 90;
            var from = flipped ? start - length : start;
            var row = rowEnds.FindIndex(end => end <= from);
            if (row < 0)
            {
                row = rowEnds.Count;
                rowEnds.Add(0);
            }
            rowEnds[row] = from + length;
            if (3 + row * 17 < height / 2)
                AddNote(plot, marker.Label, marker.Position, limits.Top, flipped ? Alignment.UpperRight : Alignment.UpperLeft, flipped ? -5 : 5, 3 + row * 17);
        }
    }

    static void AddNote(Plot plot, string text, double x, double y, Alignment alignment, float offsetX, float offsetY)
    {
        if (string.IsNullOrEmpty(text))
            return;
        var note = plot.Add.Text(text, x, y);
        Style(note.LabelStyle, TickSize, Palette.Marker);
        note.LabelStyle.BackgroundColor = Colors.White.WithOpacity(0.85);
        note.LabelStyle.Padding = 1;
        note.Alignment = alignment;
        note.OffsetX = offsetX;
        note.OffsetY = offsetY;
    }

    static void AddLegend(Plot plot, LineChart chart, double width, bool svg)
    {
        var items = chart.Series
            .Select((series, i) => (Series: series, Color: ColorOf(series, i)))
            .Where(item => !string.IsNullOrEmpty(item.Series.Name))
            .Select(item => LegendItem(item.Series, item.Color, svg))
            .ToArray();
        if (items.Length == 0)
        {
            plot.HideLegend();
            return;
        }

        // Outside the axes a legend never covers data: in a row above them if it fits, else in a column beside them.
        var row = items.Sum(item => Ems(item.LabelText) * TickSize + 45);
        var fits = row < width - 70;
        plot.Legend.ManualItems.AddRange(items);
        plot.Legend.DisplayPlottableLegendItems = false;
        plot.Legend.FontName = ChartFont.Family;
        plot.Legend.FontSize = TickSize;
        plot.Legend.FontColor = Palette.Ink;
        plot.Legend.OutlineWidth = 0;
        plot.Legend.ShadowColor = Colors.Transparent;
        plot.Legend.BackgroundColor = Colors.Transparent;
        plot.Legend.SymbolWidth = 26;
        plot.Legend.TightHorizontalWrapping = true;
        plot.Legend.Margin = new PixelPadding(0);
        plot.Legend.Padding = new PixelPadding(0, 0, 4, 4);
        plot.Legend.Orientation = fits ? Orientation.Horizontal : Orientation.Vertical;
        var panel = plot.ShowLegend(fits ? Edge.Top : Edge.Right);
        panel.Alignment = fits ? Alignment.MiddleLeft : Alignment.UpperLeft;
        panel.Padding = fits ? new PixelPadding(0) : new PixelPadding(10, 0, 0, 0);
    }

    static LegendItem LegendItem(Series series, Color color, bool svg)
    {
        var item = new LegendItem { LabelText = series.Name };
        Style(item.LabelStyle, TickSize, Palette.Ink);
        // A faint point cloud keeps a legible key.
        var shown = color.WithOpacity(Math.Max(0.5, series.Opacity));
        if (series.Style == SeriesStyle.Points || series.X.Count == 1)
        {
            item.MarkerShape = MarkerShape.FilledCircle;
            item.MarkerSize = 6;
            item.MarkerColor = shown;
            item.LineWidth = 0;
        }
        else
        {
            item.LineColor = shown;
            (item.LinePattern, item.LineWidth) = series.Style == SeriesStyle.Dashed
                ? Dash.Dashes.For(2, svg)
                : (LinePattern.Solid, 2);
            item.MarkerSize = 0;
        }
        return item;
    }

    /// <summary>The axis limits in axis coordinates, which are log10 of the data on a logarithmic axis.</summary>
    static CoordinateRect Limits(LineChart chart)
    {
        var (left, right) = chart.XRange ?? Padded(
            chart.Series.SelectMany(s => s.X).Concat(chart.VerticalMarkers.Select(m => m.Position)), 0.02);
        if (chart.YRange is { } y)
            return chart.LogY ? new(left, right, Math.Log10(y.Min), Math.Log10(y.Max)) : new(left, right, y.Min, y.Max);

        var values = chart.Series.SelectMany(s => Visible(s, left, right)).ToList();
        if (values.Count == 0)
            values.AddRange(chart.Series.SelectMany(s => s.Y));
        values.AddRange(chart.HorizontalMarkers.Select(m => m.Position));
        var (bottom, top) = Padded(chart.LogY ? values.Select(Math.Log10) : values, 0.05);
        // Room for the labels of vertical markers above the data.
        if (chart.VerticalMarkers.Any(m => !string.IsNullOrEmpty(m.Label)))
            top += 0.08 * (top - bottom);
        return new(left, right, bottom, top);
    }

    static IEnumerable<double> Visible(Series series, double left, double right)
    {
        for (var i = 0; i < series.X.Count; i++)
        {
            if (series.X[i] < left || series.X[i] > right)
                continue;
            yield return series.Y[i];
            if (series.Lower is not null && series.Upper is not null)
            {
                yield return series.Lower[i];
                yield return series.Upper[i];
            }
        }
    }

    static (double Min, double Max) Padded(IEnumerable<double> values, double share)
    {
        var (min, max) = (double.PositiveInfinity, double.NegativeInfinity);
        foreach (var value in values)
        {
            min = Math.Min(min, value);
            max = Math.Max(max, value);
        }
        // A constant gets an axis of its own magnitude around it.
        var margin = max - min > 1e-12 * Math.Max(1, Math.Abs(max)) ? share * (max - min) : Math.Max(0.5, 0.1 * Math.Abs(max));
        return (min - margin, max + margin);
    }

    static double[] Copy(IReadOnlyList<double> values) => [.. values];

    static double[] Scaled(IReadOnlyList<double> values, bool log) =>
        log ? [.. values.Select(Math.Log10)] : [.. values];

    static void AddBars(Plot plot, BarChart chart, double width)
    {
        var count = chart.Values.Count;
        var slot = (width - 90) / count;
        var bars = chart.Values.Select((value, i) => new Bar
        {
            Position = i,
            Value = value,
            Size = 0.66,
            FillColor = Palette.Of(0),
            LineWidth = 0,
            Label = slot > 34 ? AxisTicks.Value(value) : "",
            LabelOffset = 4,
        }).ToArray();
        var plottable = plot.Add.Bars(bars);
        Style(plottable.ValueLabelStyle, TickSize, Palette.Ink);

        var min = Math.Min(0, chart.Values.Min());
        var max = Math.Max(0, chart.Values.Max());
        var span = max > min ? max - min : 1;
        plot.Axes.SetLimits(-0.6, count - 0.4, min < 0 ? min - 0.1 * span : 0, max > 0 || min == 0 ? max + 0.1 * span : 0);
        if (min < 0)
        {
            var zero = plot.Add.HorizontalLine(0);
            zero.Color = Palette.Axis;
            zero.LineWidth = 0.8f;
        }
        plot.Axes.Left.TickGenerator = AxisTicks.Linear(minimumSpacing: 20);
        NameBottom(plot, chart, chart.Labels, count, slot, width);
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.Grid.MajorLineColor = Palette.Grid;
        plot.Grid.MajorLineWidth = 0.8f;
        plot.HideLegend();
    }

    /// <summary>Names along the bottom axis: upright where they fit side by side, else slanted, thinned out when there are very many.</summary>
    static void NameBottom(Plot plot, Chart chart, IReadOnlyList<string> labels, int count, double slot, double width)
    {
        var longest = labels.Count == 0 ? Ems($"{count - 1}") : labels.Max(Ems);
        var length = longest * TickSize;
        var bottom = plot.Axes.Bottom;
        if (labels.Count == 0)
        {
            bottom.TickGenerator = AxisTicks.Named(labels, count, Math.Max(1, (int)(count * slot / (length + 8))), downwards: false);
        }
        else if (length + 8 > slot)
        {
            bottom.TickLabelStyle.Rotation = -35;
            bottom.TickLabelStyle.Alignment = Alignment.MiddleRight;
            bottom.TickLabelStyle.OffsetY = 4;
            // A label rises by sin 35° of its length and reaches cos 35° of it to the left of its bar.
            bottom.MinimumSize = (float)Math.Min(width / 4, (string.IsNullOrEmpty(chart.XLabel) ? 16 : 36) + length * 0.5);
            var first = Ems(labels[0]) * TickSize * 0.82 - slot / 2;
            plot.Axes.Left.MinimumSize = (float)Math.Clamp(first, 0, width / 4);
            bottom.TickGenerator = AxisTicks.Named(labels, count, Math.Max(1, (int)(count * slot / 16)), downwards: false);
        }
        else
        {
            bottom.TickGenerator = AxisTicks.Named(labels, count, count, downwards: false);
        }
        bottom.MajorTickStyle.Length = 0;
    }

    static void AddHeatMap(Plot plot, HeatMap chart, double width, double height)
    {
        var (rows, columns) = (chart.Values.GetLength(0), chart.Values.GetLength(1));
        var (min, max) = (double.PositiveInfinity, double.NegativeInfinity);
        foreach (var value in chart.Values)
        {
            min = Math.Min(min, value);
            max = Math.Max(max, value);
        }
        var bothSigns = min < 0 && max > 0;
        if (bothSigns)
        {
            var reach = Math.Max(-min, max);
            (min, max) = (-reach, reach);
        }
        else if (min == max)
        {
            (min, max) = (min - 0.5, max + 0.5);
        }

        var map = plot.Add.Heatmap(chart.Values);
        map.Colormap = bothSigns ? Palette.Diverging : Palette.Sequential;
        map.ManualRange = new ScottPlot.Range(min, max);
        // Rectangles stay sharp at every size; a bitmap keeps large maps small.
        if (chart.Values.Length <= 4096)
            map.RenderStrategy = new Heatmap.RenderStrategies.Rectangles();

        plot.Axes.SetLimits(-0.5, columns - 0.5, -0.5, rows - 0.5);
        plot.HideGrid();
        var (cellWidth, cellHeight) = ((width - 170) / columns, (height - 110) / rows);
        plot.Axes.Left.TickGenerator = AxisTicks.Named(chart.RowLabels, rows, Math.Max(1, (int)(rows * cellHeight / 15)), downwards: true);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        NameBottom(plot, chart, chart.ColumnLabels, columns, cellWidth, width);

        var bar = plot.Add.ColorBar(map);
        bar.Width = 16;
        Style(bar.Axis);
        bar.Axis.TickGenerator = AxisTicks.Linear(minimumSpacing: 20);
        bar.Axis.FrameLineStyle.Width = 0;
        if (chart.ShowValues)
            AddCellValues(plot, chart, map, cellWidth, cellHeight, min, max);
        plot.HideLegend();
    }

    static void AddCellValues(Plot plot, HeatMap chart, Heatmap map, double cellWidth, double cellHeight, double min, double max)
    {
        var (rows, columns) = (chart.Values.GetLength(0), chart.Values.GetLength(1));
        var longest = chart.Values.Cast<double>().Max(value => Ems(AxisTicks.Value(value)));
        var size = (float)Math.Min(13, Math.Min(cellHeight * 0.6, cellWidth * 0.85 / longest));
        // Smaller text could not be read; the colours and the bar still tell the values.
        if (size < 5)
            return;
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                var value = chart.Values[r, c];
                if (value == 0 && chart.HideZeros)
                    continue;
                var text = plot.Add.Text(AxisTicks.Value(value), c, rows - 1 - r);
                var cell = map.Colormap.GetColor((value - min) / (max - min));
                Style(text.LabelStyle, size, Brightness(cell) < 0.55 ? Colors.White : Palette.Ink);
                text.Alignment = Alignment.MiddleCenter;
            }
        }
    }

    static void AddImages(Plot plot, ImageGrid chart, double width, double height)
    {
        const double Gap = 12;
        const double CaptionHeight = TickSize + 10;
        var (rows, columns) = (chart.Images[0].Ink.GetLength(0), chart.Images[0].Ink.GetLength(1));
        var across = chart.Columns;
        var down = (chart.Images.Count + across - 1) / across;

        // One unit of the axes is one pixel of a picture, which is scale units of the drawing wide and high.
        var (areaWidth, areaHeight) = (width - 20, height - 60);
        var scale = Math.Max(0.1, Math.Min(((areaWidth / across) - Gap) / columns, ((areaHeight / down) - CaptionHeight) / rows));
        var (slotWidth, slotHeight) = (areaWidth / across / scale, rows + (CaptionHeight / scale));
        var longest = Math.Max(CharacterWidth, chart.Images.Max(image => Ems(image.Caption)));
        var size = (float)Math.Clamp(((areaWidth / across) - 4) / longest, 6, TickSize);
        for (var i = 0; i < chart.Images.Count; i++)
        {
            var (x, y) = (((i % across) + 0.5) * slotWidth, -(i / across) * slotHeight);
            var map = plot.Add.Heatmap(chart.Images[i].Ink);
            map.Colormap = Palette.Grey;
            map.ManualRange = new ScottPlot.Range(0, 1);
            map.Rectangle = new CoordinateRect(x - (columns / 2.0), x + (columns / 2.0), y - rows, y);
            if (string.IsNullOrEmpty(chart.Images[i].Caption))
                continue;
            var caption = plot.Add.Text(chart.Images[i].Caption, x, y - rows);
            Style(caption.LabelStyle, size, Palette.Ink);
            caption.Alignment = Alignment.UpperCenter;
            caption.OffsetY = 2;
        }

        plot.Axes.SetLimits(0, across * slotWidth, -down * slotHeight, 0);
        plot.Axes.SquareUnits();
        plot.HideAxesAndGrid();
        plot.HideLegend();
    }

    /// <summary>About how wide a text is, in units of its size: kana and kanji fill an em.</summary>
    static double Ems(string text) => text.Sum(character => character >= '\u2E80' ? 1 : CharacterWidth);

    // Perceived brightness by ITU-R BT.601.
    static double Brightness(Color color) => (0.299 * color.R + 0.587 * color.G + 0.114 * color.B) / 255;
}
