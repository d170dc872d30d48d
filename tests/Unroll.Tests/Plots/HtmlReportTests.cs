using System.Text.RegularExpressions;
using System.Xml.Linq;
using Unroll.Plots;

namespace Unroll.Tests.Plots;

public class HtmlReportTests
{
    static HtmlReport Full() => new HtmlReport("A <script>title</script>", "With **subtitle**")
        .Section("First & foremost")
        .Paragraph("One **bold** word, `code **kept**`.\n\nSecond <script>alert(1)</script> paragraph.")
        .Note("Mind the *gap*")
        .Section("Second")
        .Settings([("hidden size", "16"), ("rate", "\"1e-3\"")])
        .Table(["model", "RMSE", "remark"], [["RNN", "0.0231 ± 0.002", "x < y"], ["GRU", "1.5e-3", "best"]], highlightedRow: 1)
        .Chart(Samples.Sine, "Caption `one`")
        .Chart(Samples.Map, "Caption two")
        .Details("More", "Folded text")
        .Code("dotnet run <file> -- **x**");

    [Fact]
    public void Html_ContainsEveryPart()
    {
        var html = Full().ToHtml();
        foreach (var part in new[]
        {
            "First &amp; foremost</h2>", "Second</h2>", "<strong>subtitle</strong>", "<strong>bold</strong>", "<code>code **kept**</code>",
            "Mind the *gap*", "<dt>hidden size</dt><dd>16</dd>", "<td class=\"number\">0.0231 ± 0.002</td>", "<td>x &lt; y</td>", "<tr class=\"highlighted\"><td>GRU</td>",
            "<b>Figure 1.</b> Caption <code>one</code>", "<b>Figure 2.</b> Caption two", "<summary>More</summary>", "Folded text", "dotnet run &lt;file&gt; -- **x**",
        })
            Assert.Contains(part, html, StringComparison.Ordinal);
    }

    [Fact]
    public void Html_EscapesScripts()
    {
        var html = Full().ToHtml();
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Html_LoadsNothingFromElsewhere()
    {
        var html = Full().ToHtml();
        foreach (Match reference in Regex.Matches(html, """(?:src|href)\s*=\s*["']?(?<to>[^"'\s>]+)|url\(\s*["']?(?<to>[^"')]+)"""))
            Assert.Matches("^(#|data:)", reference.Groups["to"].Value);
        Assert.DoesNotContain("<link", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("@import", html, StringComparison.OrdinalIgnoreCase);
        // What remains of "http" are the names of the SVG name spaces.
        var addresses = Regex.Matches(html, "https?:[^\"]+").Select(m => m.Value).Distinct().Order();
        Assert.All(addresses, address => Assert.StartsWith("http://www.w3.org/", address));
    }

    [Fact]
    public void Html_HasUniqueIds_AndEveryReferenceResolves()
    {
        var html = Full().Chart(Samples.Sine, "Again").ToHtml();
        var ids = Regex.Matches(html, " id=\"([^\"]+)\"").Select(m => m.Groups[1].Value).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        foreach (Match reference in Regex.Matches(html, "url\\(#([^)]+)\\)"))
            Assert.Contains(reference.Groups[1].Value, ids);
    }

    [Fact]
    public void Html_BodyIsWellFormed()
    {
        var html = Full().ToHtml();
        var from = html.IndexOf("<body>", StringComparison.Ordinal);
        var to = html.IndexOf("</body>", StringComparison.Ordinal) + "</body>".Length;
        var body = XElement.Parse(html[from..to]);
        Assert.Equal(2, body.Descendants("figure").Count());
        Assert.Equal(2, body.Descendants("h2").Count());
    }

    [Theory]
    [InlineData("0.5", true)]
    [InlineData("−1.2e-3", true)]
    [InlineData("12,500", true)]
    [InlineData("98 %", true)]
    [InlineData("3.1 ms", true)]
    [InlineData("**0.91** ", true)]
    [InlineData("0.91 ± 0.02", true)]
    [InlineData("–", true)]
    [InlineData("GRU", false)]
    [InlineData("2 layers of 16", false)]
    public void Table_SetsColumnFlushRight_WhenAllCellsAreNumbers(string cell, bool flushRight)
    {
        var html = new HtmlReport("t").Table(["c"], [["1"], [cell]]).ToHtml();
        Assert.Equal(flushRight, html.Contains("<th scope=\"col\" class=\"number\">c</th>", StringComparison.Ordinal));
    }

    [Fact]
    public void Table_SaysWhichRow_WhenCellsAreMissing()
    {
        var error = Assert.Throws<ArgumentException>(() => new HtmlReport("t").Table(["a", "b"], [["1", "2"], ["3"]]));
        Assert.Contains("Row 1 of the table has 1 cells but the header has 2", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new HtmlReport("t").Table(["a"], [["1"]], highlightedRow: 1));
    }

    [Fact]
    public void Chart_LeavesReportUnchanged_WhenChartIsBad()
    {
        var report = Full();
        var before = report.ToHtml();
        Assert.Throws<ArgumentException>(() => report.Chart(Samples.OneSeries(new Series("s", [], [])), "bad"));
        Assert.Equal(before, report.ToHtml());
    }

    [Fact]
    public void Save_WritesThePage_AndSaysPathAndRemedyWhenUnwritable()
    {
        using var folder = new TemporaryFolder();
        var report = Full();
        var path = folder.File(Path.Combine("out", "report.html"));
        report.Save(path);
        Assert.Equal(report.ToHtml(), File.ReadAllText(path));

        var below = Path.Combine(path, "report.html");
        var error = Assert.Throws<IOException>(() => report.Save(below));
        Assert.Contains(below, error.Message, StringComparison.Ordinal);
        Assert.Contains("choose another path", error.Message, StringComparison.Ordinal);
    }
}
