using System.Globalization;
using System.Xml.Linq;
using SkiaSharp;
using Unroll.Plots;

namespace Unroll.Tests.Plots;

public class ChartRendererTests
{
    static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    public static TheoryData<string> Names => ["sine", "loss", "bars", "map", "grid"];

    static Chart ByName(string name) => name switch
    {
        "sine" => Samples.Sine,
        "loss" => Samples.Loss,
        "bars" => Samples.Bars,
        "grid" => Samples.Grid,
        _ => Samples.Map,
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void Png_HasAskedSizeAndManyColours(string name)
    {
        using var bitmap = Samples.Draw(ByName(name), 1000, 700);
        Assert.Equal((1000, 700), (bitmap.Width, bitmap.Height));
        var colours = new HashSet<SKColor>(bitmap.Pixels);
        Assert.True(colours.Count > 20, $"only {colours.Count} colours");
    }

    [Fact]
    public void Png_ShowsSeriesInPaletteColour()
    {
        var flat = new Series("flat", [0, 1], [1, 1]) { Color = 1, Width = 6 };
        using var bitmap = Samples.Draw(Samples.OneSeries(flat));
        var vermillion = Samples.Count(bitmap, new SKRectI(200, 200, 1500, 800), c => c is { Red: 0xd5, Green: 0x5e, Blue: 0 });
        // 6 units at scale 2 are 12 rows, across nearly the whole area.
        Assert.InRange(vermillion, 9 * 1200, 13 * 1300);
    }

    [Fact]
    public void Png_DrawsLabels_InTheLabelArea()
    {
        var bare = Samples.OneSeries(new Series("", Samples.X, Samples.X));
        using var without = Samples.Draw(bare with { Title = " ", XLabel = " " });
        using var with = Samples.Draw(bare with { Title = "Heading", XLabel = "time" });
        foreach (var area in new[] { new SKRectI(400, 10, 1300, 75), new SKRectI(400, 850, 1300, 900) })
        {
            Assert.Equal(0, Samples.Count(without, area, c => c.Red < 128));
            Assert.True(Samples.Count(with, area, c => c.Red < 128) > 200, "the label area is empty");
        }
    }

    [Theory]
    [InlineData("×σ²–≤√αΔ∞±→‖⊙∇")]
    [InlineData("時刻に忘却ゲートで勾配。「」（％")]
    public void Png_DrawsDifferentGlyphs_ForSignsAndJapanese(string signs)
    {
        // A font without these signs would draw the same box, or nothing, for each.
        var title = new SKRectI(100, 5, 300, 40);
        var pictures = signs.Select(sign =>
        {
            using var bitmap = Samples.Draw(Samples.OneSeries(new Series("", [0, 1], [0, 1])) with { Title = new string(sign, 5) }, 400, 300);
            Assert.True(Samples.Count(bitmap, title, colour => colour.Red < 200) > 5, $"{sign} has no ink");
            return Convert.ToHexString(bitmap.Bytes);
        });
        Assert.Equal(signs.Length, pictures.Distinct().Count());
    }

    [Fact]
    public void MissingCharacters_AreThoseThatTheFontLacks()
    {
        Assert.Equal("", ChartRenderer.MissingCharacters("‖∂L/∂h‖ の比、1×10⁻⁵ 覗き穴結合（LSTM）\n"));
        Assert.Equal("한글", ChartRenderer.MissingCharacters("A한글B한"));
    }

    [Fact]
    public void Legend_StandsBesideTheAxes_WhenJapaneseNamesDoNotFitAbove()
    {
        // Five names of 12 letters fit in a row of 800; of 12 kanji, twice as wide, they do not.
        Assert.Equal(1, Rows('n'));
        Assert.Equal(5, Rows('忘'));

        static int Rows(char letter)
        {
            var chart = new LineChart { Title = "t", Series = [.. Enumerable.Range(0, 5).Select(k => new Series(new string(letter, 12), [0, 1], [k, 1]))] };
            return XElement.Parse(ChartRenderer.ToSvg(chart)).Descendants(s_svg + "text")
                .Where(text => text.Value.Contains(letter, StringComparison.Ordinal)).Select(text => text.Attribute("transform")!.Value.Split(' ')[1]).Distinct().Count();
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Svg_IsWellFormed_AndNamesOnlyTheShippedFont(string name)
    {
        var root = XElement.Parse(ChartRenderer.ToSvg(ByName(name), 640, 360));
        Assert.Equal(s_svg + "svg", root.Name);
        Assert.Equal("0 0 640 360", root.Attribute("viewBox")?.Value);
        var texts = root.Descendants(s_svg + "text").ToList();
        Assert.Contains(texts, text => text.Value == ByName(name).Title);
        Assert.All(texts, text => Assert.StartsWith("'Unroll Sans'", text.Attribute("font-family")?.Value));
    }

    [Fact]
    public void Svg_HoldsEveryLabel()
    {
        var texts = Texts(Samples.Sine);
        foreach (var label in new[] { "Sine", "time", "value σ² ≤ √2 × 1", "data", "curve", "forecast starts", "threshold" })
            Assert.Contains(label, texts);
    }

    [Fact]
    public void Svg_HasDecadeLabels_WhenLogarithmic()
    {
        var texts = Texts(Samples.Loss);
        Assert.Contains("1e-3", texts);
        Assert.Contains("1e0", texts);
        var shallow = Texts(Samples.OneSeries(new Series("", [0, 1], [0.002, 0.9]), logY: true));
        Assert.Contains("0.01", shallow);
        Assert.Contains("0.1", shallow);
    }

    [Theory]
    [InlineData(1e-30, 1e20)]
    [InlineData(3, 3)]
    [InlineData(1, 1.01)]
    [InlineData(0.0004, 0.0006)]
    public void Svg_HasAFewLabels_WhateverTheLogarithmicRange(double low, double high)
    {
        var numbers = Texts(Samples.OneSeries(new Series("", [0, 1], [low, high]), logY: true) with { XRange = (100, 101) });
        // Ticks of the horizontal axis lie between 100 and 101; what remains belongs to the logarithmic one.
        var labels = numbers.Where(t => double.TryParse(t, NumberStyles.Float, CultureInfo.InvariantCulture, out var v) && v is < 100 or > 101).ToList();
        Assert.InRange(labels.Count, 2, 14);
        Assert.Equal(labels.Count, labels.Distinct().Count());
    }

    [Fact]
    public void HeatMap_LeavesZerosOut_WhenAsked()
    {
        var map = Samples.Map with { Values = new double[,] { { 0, 17 }, { 23, 0 } }, RowLabels = ["upper", "lower"], ColumnLabels = ["a", "b"] };
        Assert.Equal(2, Texts(map).Count(text => text == "0") - Texts(map with { HideZeros = true }).Count(text => text == "0"));
        Assert.Contains("17", Texts(map with { HideZeros = true }));
    }

    [Fact]
    public void Grid_ShowsPixelsAsSquares_TheFirstRowOnTop()
    {
        // Alone in the grid, a picture of 8×8 with one pixel of ink in its upper left corner.
        using var bitmap = Samples.Draw(new ImageGrid { Title = " ", Columns = 1, Images = [Samples.Grid.Images[1] with { Caption = "" }] }, 1000, 600);
        var dark = Places(bitmap, colour => colour.Red < 100);
        var paper = Places(bitmap, colour => colour is { Red: 0xee, Green: 0xf0, Blue: 0xf3 });
        var side = dark.Right - dark.Left;
        Assert.InRange(side, 40, 75); // of 8 in at most 600
        Assert.InRange(dark.Bottom - dark.Top, side - 2, side + 2);
        Assert.InRange(paper.Right - paper.Left, (8 * side) - 16, (8 * side) + 16);
        Assert.InRange(paper.Bottom - paper.Top, (8 * side) - 16, (8 * side) + 16);
        Assert.InRange(dark.Left, paper.Left - 2, paper.Left + 2);
        Assert.InRange(dark.Top, paper.Top - 2, paper.Top + 2);
    }

    [Fact]
    public void Grid_WritesEveryCaption_AndKeepsPixelsSharp()
    {
        foreach (var text in new[] { "Grid", "ramp", "dot: 99.9 %" })
            Assert.Contains(text, Texts(Samples.Grid));
        var images = XElement.Parse(ChartRenderer.ToSvg(Samples.Grid)).Descendants(s_svg + "image").ToList();
        Assert.NotEmpty(images);
        Assert.All(images, image => Assert.Equal("image-rendering:pixelated", image.Attribute("style")?.Value));
    }

    /// <summary>The smallest rectangle around the pixels that fulfil the condition.</summary>
    static SKRectI Places(SKBitmap bitmap, Func<SKColor, bool> condition)
    {
        var (left, top, right, bottom) = (int.MaxValue, int.MaxValue, 0, 0);
        for (var y = 0; y < bitmap.Height; y++)
        {
            for (var x = 0; x < bitmap.Width; x++)
            {
                if (condition(bitmap.GetPixel(x, y)))
                    (left, top, right, bottom) = (Math.Min(left, x), Math.Min(top, y), Math.Max(right, x + 1), Math.Max(bottom, y + 1));
            }
        }

        return new SKRectI(left, top, right, bottom);
    }

    [Fact]
    public void Svg_IsTheSame_InACultureWithDecimalComma()
    {
        var expected = ChartRenderer.ToSvg(Samples.Sine);
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = new NumberFormatInfo { NumberDecimalSeparator = ",", NegativeSign = "~" } };
            Assert.Equal(expected, ChartRenderer.ToSvg(Samples.Sine));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Render_IsSafe_FromSeveralThreads()
    {
        var pictures = new string[8];
        Parallel.For(0, pictures.Length, i => pictures[i] = ChartRenderer.ToSvg(Samples.Sine));
        Assert.Single(pictures.Distinct());
    }

    public static TheoryData<string, Chart> BadCharts => new()
    {
        { "has no series", new LineChart { Title = "t", Series = [] } },
        { "series \"s\" is empty", Samples.OneSeries(new Series("s", [], [])) },
        { "2 X values but 1 Y values", Samples.OneSeries(new Series("s", [1, 2], [1])) },
        { "Y[1] is NaN", Samples.OneSeries(new Series("s", [1, 2], [1, double.NaN])) },
        { "X[0] is Infinity", Samples.OneSeries(new Series("s", [double.PositiveInfinity, 2], [1, 1])) },
        { "only one edge of a band", Samples.OneSeries(new Series("s", [1], [1]) { Lower = [0] }) },
        { "1 X values but 2 Upper values", Samples.OneSeries(new Series("s", [1], [1]) { Lower = [0], Upper = [1, 2] }) },
        { "Y[1] is 0; a logarithmic axis needs values above 0", Samples.OneSeries(new Series("s", [1, 2], [1, 0]), logY: true) },
        { "Lower[0] is -1; a logarithmic axis", Samples.OneSeries(new Series("s", [1], [1]) { Lower = [-1], Upper = [2] }, logY: true) },
        { "Opacity 2", Samples.OneSeries(new Series("s", [1], [1]) { Opacity = 2 }) },
        { "Min must be below Max", Samples.OneSeries(new Series("s", [1], [1])) with { XRange = (2, 1) } },
        { "vertical marker \"m\": position is NaN", Samples.OneSeries(new Series("s", [1], [1])) with { VerticalMarkers = [new(double.NaN, "m")] } },
        { "1 labels but 2 values", new BarChart { Title = "t", Labels = ["a"], Values = [1, 2] } },
        { "Values[1] is NaN", new BarChart { Title = "t", Labels = ["a", "b"], Values = [1, double.NaN] } },
        { "empty matrix", new HeatMap { Title = "t", Values = new double[0, 3] } },
        { "Values[0, 1] is NaN", new HeatMap { Title = "t", Values = new[,] { { 1, double.NaN } } } },
        { "2 column labels but 1 columns", new HeatMap { Title = "t", Values = new[,] { { 1.0 } }, ColumnLabels = ["a", "b"] } },
        { "has no images", new ImageGrid { Title = "t", Images = [] } },
        { "has 0 columns", new ImageGrid { Title = "t", Images = [new(new double[1, 1], "")], Columns = 0 } },
        { "an empty image 1", new ImageGrid { Title = "t", Images = [new(new double[1, 1], ""), new(new double[0, 3], "")] } },
        { "2 x 1 pixels in image 1 but 1 x 1 in image 0", new ImageGrid { Title = "t", Images = [new(new double[1, 1], ""), new(new double[2, 1], "")] } },
        { "image 0: a pixel is 1.5", new ImageGrid { Title = "t", Images = [new(new[,] { { 1.5 } }, "")] } },
        { "image 0: a pixel is NaN", new ImageGrid { Title = "t", Images = [new(new[,] { { double.NaN } }, "")] } },
    };

    [Theory]
    [MemberData(nameof(BadCharts), DisableDiscoveryEnumeration = true)]
    public void Render_NamesChartAndFault_WhenInputIsBad(string fault, Chart chart)
    {
        var error = Assert.Throws<ArgumentException>(() => ChartRenderer.ToSvg(chart));
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
        Assert.Contains($"Chart \"{chart.Title}\"", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ChartRenderer.SavePng(chart, "never-written.png"));
        Assert.False(File.Exists("never-written.png"));
    }

    [Fact]
    public void SavePng_CreatesFoldersReplacesFileAndLeavesNoTemporary()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File(Path.Combine("a", "b", "chart.png"));
        ChartRenderer.SavePng(Samples.Bars, path, 400, 300);
        ChartRenderer.SavePng(Samples.Bars, path, 500, 300);
        using var bitmap = SKBitmap.Decode(path);
        Assert.Equal(500, bitmap.Width);
        Assert.Equal([path], Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void SavePng_SaysPathAndRemedy_WhenUnwritable()
    {
        using var folder = new TemporaryFolder();
        var blocker = folder.File("file");
        File.WriteAllText(blocker, "");
        var path = Path.Combine(blocker, "chart.png");
        var error = Assert.Throws<IOException>(() => ChartRenderer.SavePng(Samples.Bars, path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("choose another path", error.Message, StringComparison.Ordinal);
    }

    static List<string> Texts(Chart chart) =>
        [.. XElement.Parse(ChartRenderer.ToSvg(chart)).Descendants(s_svg + "text").Select(text => text.Value)];
}
