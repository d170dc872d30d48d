using System.Globalization;
using ScottPlot;

namespace Unroll.Plots;

/// <summary>Draws a <see cref="Chart"/> as a PNG file or as SVG text.</summary>
public static class ChartRenderer
{
    // All sizes in the builder are for a chart of 800 x 450; larger pictures scale everything.
    const double BaseWidth = 800;
    const double BaseHeight = 450;

    // ScottPlot keeps its fonts in static tables that are not safe for several threads.
    static readonly Lock s_lock = new();

    /// <summary>
    /// Writes the chart as a PNG file, creating its folder. The file appears whole or not at all.
    /// </summary>
    /// <param name="chart">What to draw.</param>
    /// <param name="path">The file to write; an existing file is replaced.</param>
    /// <param name="width">Width in pixels, at least 200.</param>
    /// <param name="height">Height in pixels, at least 150.</param>
    /// <exception cref="ArgumentException">The chart cannot be drawn; the message says which value is at fault.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void SavePng(Chart chart, string path, int width = 1600, int height = 900)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        Check(chart, width, height);
        byte[] bytes;
        lock (s_lock)
        {
            var scale = Math.Min(width / BaseWidth, height / BaseHeight);
            using var plot = PlotBuilder.Build(chart, width / scale, height / scale, svg: false);
            plot.ScaleFactor = scale;
            bytes = plot.GetImageBytes(width, height, ImageFormat.Png);
        }
        AtomicFile.Write(path, bytes);
    }

    /// <summary>
    /// The chart as one <c>svg</c> element that scales by its <c>viewBox</c>. Its text is text, set in the
    /// font family "Unroll Sans", or the reader's sans-serif where that is not present.
    /// </summary>
    /// <param name="chart">What to draw.</param>
    /// <param name="width">Width of the drawing, at least 200.</param>
    /// <param name="height">Height of the drawing, at least 150.</param>
    /// <exception cref="ArgumentException">The chart cannot be drawn; the message says which value is at fault.</exception>
    public static string ToSvg(Chart chart, int width = 800, int height = 450)
    {
        Check(chart, width, height);
        lock (s_lock)
        {
            using var plot = PlotBuilder.Build(chart, width, height, svg: true);
            return SvgText.Tidy(plot.GetSvgXml(width, height), chart.Title, width, height);
        }
    }

    /// <summary>The characters of a text that a chart cannot show, each once; empty if it can show all.</summary>
    /// <param name="text">A title, a label, or the text of a whole drawing.</param>
    public static string MissingCharacters(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ChartFont.Missing(text);
    }

    static void Check(Chart chart, int width, int height)
    {
        ChartChecks.Check(chart);
        if (width < 200 || height < 150)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"Chart \"{chart.Title}\": {width} x {height} is too small to be read; use at least 200 x 150."));
    }
}
