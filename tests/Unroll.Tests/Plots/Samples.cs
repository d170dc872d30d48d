using SkiaSharp;
using Unroll.Plots;

namespace Unroll.Tests.Plots;

/// <summary>Charts and pixel counts shared by the tests of this folder.</summary>
static class Samples
{
    public static readonly double[] X = [.. Enumerable.Range(0, 50).Select(i => 0.1 * i)];

    public static LineChart Sine { get; } = new()
    {
        Title = "Sine",
        XLabel = "time",
        YLabel = "value σ² ≤ √2 × 1",
        Series =
        [
            new("data", X, [.. X.Select(x => Math.Sin(x) + 0.1)]) { Style = SeriesStyle.Points },
            new("curve", X, [.. X.Select(Math.Sin)]) { Lower = [.. X.Select(x => Math.Sin(x) - 0.2)], Upper = [.. X.Select(x => Math.Sin(x) + 0.2)] },
        ],
        VerticalMarkers = [new(2.5, "forecast starts")],
        HorizontalMarkers = [new(0.5, "threshold")],
    };

    public static LineChart Loss { get; } = new()
    {
        Title = "Loss",
        XLabel = "epoch",
        YLabel = "loss",
        LogY = true,
        Series = [new("GRU", X, [.. X.Select(x => Math.Exp(-2 * x))]) { Style = SeriesStyle.Dashed }],
    };

    public static BarChart Bars { get; } = new() { Title = "Bars", Labels = ["RNN", "LSTM", "below zero"], Values = [0.3, 0.1, -0.2] };

    public static HeatMap Map { get; } = new()
    {
        Title = "Map",
        Values = new double[,] { { 1, 2, 3 }, { 4, 5, 60 } },
        RowLabels = ["upper", "lower"],
        ColumnLabels = ["a", "b", "c"],
        ShowValues = true,
    };

    // A ramp of grey, a single pixel of full ink in the upper left corner, and nothing.
    public static ImageGrid Grid { get; } = new()
    {
        Title = "Grid",
        Columns = 2,
        Images = [new(Pixels((row, column) => (row + (4 * column)) / 35.0), "ramp"), new(Pixels((row, column) => row + column == 0 ? 1 : 0), "dot: 99.9 %"), new(Pixels((_, _) => 0), "")],
    };

    static double[,] Pixels(Func<int, int, double> ink)
    {
        var pixels = new double[8, 8];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i / 8, i % 8] = ink(i / 8, i % 8);
        return pixels;
    }

    public static LineChart OneSeries(Series series, bool logY = false) => new() { Title = "One", Series = [series], LogY = logY };

    public static SKBitmap Draw(Chart chart, int width = 1600, int height = 900)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("chart.png");
        ChartRenderer.SavePng(chart, path, width, height);
        return SKBitmap.Decode(path);
    }

    /// <summary>The number of pixels in the rectangle that fulfil the condition.</summary>
    public static int Count(SKBitmap bitmap, SKRectI area, Func<SKColor, bool> condition)
    {
        var count = 0;
        for (var y = area.Top; y < area.Bottom; y++)
        {
            for (var x = area.Left; x < area.Right; x++)
            {
                if (condition(bitmap.GetPixel(x, y)))
                    count++;
            }
        }
        return count;
    }
}

/// <summary>A new folder that is deleted with everything in it.</summary>
sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("unroll-plots-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
