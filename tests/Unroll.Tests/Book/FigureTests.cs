using System.Xml.Linq;
using Unroll.Book;
using Unroll.Plots;
using Unroll.Tests.Plots;

namespace Unroll.Tests.Book;

public class FigureTests
{
    static readonly string s_folder = Path.Combine(BookPage.Root, "figures");

    public static TheoryData<string> Names => [.. BookFigures.All.Select(figure => figure.Name)];

    public static TheoryData<string> CheapNames => [.. BookFigures.All.Where(figure => figure.IsCheap).Select(figure => figure.Name)];

    [Theory]
    [MemberData(nameof(CheapNames))]
    public void CheapFigures_MeasuredAgain_GiveTheSameBytes(string name) =>
        Assert.Equal(File.ReadAllText(BookFigures.DataPath(s_folder, name)), Named(name).Measure().ToJson());

    [Theory]
    [MemberData(nameof(Names))]
    public void Drawings_AreThoseOfTheData(string name)
    {
        var data = BookFigures.Load(s_folder, name);
        foreach (var language in BookLanguages.All)
        {
            var path = BookFigures.DrawingPath(s_folder, name, language);
            Assert.True(
                Texts(File.ReadAllText(path)).SequenceEqual(Texts(BookFigures.Svg(Named(name), data, language))),
                $"{Path.GetFileName(path)} shows other text than its data and code; draw it again: dotnet run -c Release docs/book/figures.cs {name} --draw");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Drawings_UseCharactersOfTheChartFontOnly(string name)
    {
        foreach (var language in BookLanguages.All)
        {
            var missing = ChartRenderer.MissingCharacters(string.Concat(Texts(File.ReadAllText(BookFigures.DrawingPath(s_folder, name, language)))));
            Assert.True(missing.Length == 0, $"{name}.{language.Code()}.svg: the chart font lacks {missing}; say it otherwise, or add them in src/Unroll.Plots/Fonts/make-fonts.py.");
        }
    }

    [Fact]
    public void Data_AreRoundedTo5Digits_AndReadAsWritten()
    {
        var data = new FigureData { Values = { ["b.1"] = 0.123456789, ["a"] = -0.0, ["large"] = 123456.7, ["small"] = -1.5e-7 }, Series = { ["x"] = [1, 2.00001, 1e10], ["none"] = [] } };
        var json = data.ToJson();
        Assert.Equal(
            """
            {
              "values": {
                "b.1": 0.12346,
                "a": 0,
                "large": 123460,
                "small": -1.5E-07
              },
              "series": {
                "x": [1, 2, 10000000000],
                "none": []
              }
            }

            """.ReplaceLineEndings("\n"), json);
        var read = FigureData.FromJson(json, "test");
        Assert.Equal(json, read.ToJson());
        Assert.Empty(data.Differences(read));
        Assert.Equal("{\n  \"values\": {},\n  \"series\": {}\n}\n", new FigureData().ToJson());
    }

    [Fact]
    public void Data_TellWhatDiffers()
    {
        var before = new FigureData { Values = { ["a"] = 1, ["gone"] = 2 }, Series = { ["x"] = [1, 2, 3] } };
        var now = new FigureData { Values = { ["a"] = 1.5, ["new"] = 2 }, Series = { ["x"] = [1, 2, 4] } };
        Assert.Equal(
            ["values.new is new", "values.gone is no longer measured", "values.a: 1 before, 1.5 now", "series.x: [2] 3 before, 4 now"],
            now.Differences(before));
        var turned = new FigureData { Values = { ["b"] = 1, ["a"] = 1 } };
        Assert.Equal(["the keys stand in another order"], turned.Differences(new FigureData { Values = { ["a"] = 1, ["b"] = 1 } }));
    }

    [Theory]
    [InlineData("two words", 1)]
    [InlineData("a", double.NaN)]
    public void Data_RefuseWhatTheTextCouldNotQuote(string key, double value) =>
        Assert.Contains($"\"{key}\"", Assert.Throws<InvalidOperationException>(() => new FigureData { Values = { [key] = value } }.ToJson()).Message, StringComparison.Ordinal);

    [Fact]
    public void Data_SayWhatIsWrongWithAFile() =>
        Assert.StartsWith("f.json: expected the objects", Assert.Throws<FormatException>(() => FigureData.FromJson("{}", "f.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void Command_MakesChecksAndDraws()
    {
        using var folder = new TemporaryFolder();
        var figure = new Line { Value = 1 };

        // Nothing is there yet.
        var (code, _, error) = Run(folder, figure, "--check");
        Assert.Equal(1, code);
        Assert.Contains("found no such file", error, StringComparison.Ordinal);

        Assert.Equal(0, Run(folder, figure).Code);
        Assert.Equal(["line.en.svg", "line.ja.svg", "line.json"], Directory.EnumerateFiles(folder.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        Assert.Contains("直線", File.ReadAllText(folder.File("line.ja.svg")), StringComparison.Ordinal);
        Assert.Equal(0, Run(folder, figure, "line", "--check").Code);

        // Another value is told, and the file is left alone.
        figure.Value = 2;
        (code, _, error) = Run(folder, figure, "--check");
        Assert.Equal(1, code);
        Assert.Contains("values.y: 1 before, 2 now", error, StringComparison.Ordinal);
        Assert.Contains("\"y\": 1", File.ReadAllText(folder.File("line.json")), StringComparison.Ordinal);

        // Drawing measures nothing.
        var before = File.ReadAllText(folder.File("line.en.svg"));
        File.Delete(folder.File("line.en.svg"));
        Assert.Equal(1, Run(folder, new Line { Value = 1 }, "--check").Code);
        Assert.Equal(0, Run(folder, figure, "--draw").Code);
        Assert.Equal(before, File.ReadAllText(folder.File("line.en.svg")));
    }

    [Theory]
    [InlineData("there is no figure \"lime\"; the figures are line.", "lime")]
    [InlineData("expected --check or --draw, got both", "--check", "--draw")]
    [InlineData("there is no figure \"--chek\"; the figures are line.", "--chek")]
    public void Command_EndsWith2_WhenTheCommandLineIsWrong(string message, params string[] args)
    {
        using var folder = new TemporaryFolder();
        var (code, output, error) = Run(folder, new Line(), args);
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(folder.Path));
    }

    static (int Code, string Output, string Error) Run(TemporaryFolder folder, Figure figure, params string[] args)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = new FigureCommand(folder.Path, [figure], output, error).Run(args);
        return (code, output.ToString(), error.ToString());
    }

    static Figure Named(string name) => BookFigures.All.Single(figure => figure.Name == name);

    static IEnumerable<string> Texts(string svg) => XElement.Parse(svg).Descendants().Where(element => element.Name.LocalName == "text").Select(text => text.Value);

    sealed class Line : Figure
    {
        public double Value { get; set; }

        public override string Name => "line";

        public override FigureData Measure() => new() { Values = { ["y"] = Value } };

        public override Chart Draw(FigureData data, BookLanguage language) => new LineChart
        {
            Title = language == BookLanguage.Japanese ? "直線" : "Line",
            Series = [new Series("", [0, 1], [data.Values["y"], data.Values["y"]])],
        };
    }
}
