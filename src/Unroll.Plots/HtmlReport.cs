using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Unroll.Plots;

/// <summary>
/// A report as one HTML file that loads nothing from elsewhere: style, charts and chart font are inside.
/// It follows the reader's light or dark setting, fits a phone and prints well. In texts
/// <c>**bold**</c> and <c>`code`</c> are understood; everything else appears as written.
/// </summary>
public sealed partial class HtmlReport
{
    readonly string _title;
    readonly string? _subtitle;
    readonly StringBuilder _body = new();
    int _sectionCount;
    int _figureCount;

    /// <summary>An empty report.</summary>
    /// <param name="title">The heading of the page.</param>
    /// <param name="subtitle">A sentence under the heading, or null.</param>
    public HtmlReport(string title, string? subtitle = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(title);
        _title = title;
        _subtitle = subtitle;
    }

    /// <summary>Starts a section.</summary>
    /// <param name="heading">Its heading.</param>
    public HtmlReport Section(string heading)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(heading);
        _sectionCount++;
        return Add($"<h2 id=\"section-{_sectionCount}\">{Inline(heading)}</h2>");
    }

    /// <summary>Adds running text; a blank line starts a new paragraph.</summary>
    /// <param name="text">The text.</param>
    public HtmlReport Paragraph(string text) => Add(Paragraphs(text));

    /// <summary>Adds text set apart from the rest: a caveat, or how to read what follows.</summary>
    /// <param name="text">The text; a blank line starts a new paragraph.</param>
    public HtmlReport Note(string text) => Add($"<aside class=\"note\">{Paragraphs(text)}</aside>");

    /// <summary>Adds a list of names and values, such as the options of a run.</summary>
    /// <param name="settings">Names and values in the order to show.</param>
    public HtmlReport Settings(IEnumerable<(string Name, string Value)> settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var html = new StringBuilder("<dl class=\"settings\">\n");
        foreach (var (name, value) in settings)
            html.Append(CultureInfo.InvariantCulture, $"<div><dt>{Inline(name)}</dt><dd>{Inline(value)}</dd></div>\n");
        return Add(html.Append("</dl>").ToString());
    }

    /// <summary>Adds a table; columns that hold only numbers are set flush right.</summary>
    /// <param name="header">The column names.</param>
    /// <param name="rows">The cells, each row as long as <paramref name="header"/>.</param>
    /// <param name="highlightedRow">Index of the row to stress, or null.</param>
    /// <exception cref="ArgumentException">A row is longer or shorter than the header.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no row <paramref name="highlightedRow"/>.</exception>
    public HtmlReport Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows, int? highlightedRow = null)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(rows);
        var all = rows.ToList();
        for (var r = 0; r < all.Count; r++)
        {
            if (all[r].Count != header.Count)
                throw new ArgumentException($"Row {r} of the table has {all[r].Count} cells but the header has {header.Count}; the two must be equal.", nameof(rows));
        }
        if (highlightedRow is { } row && (row < 0 || row >= all.Count))
            throw new ArgumentOutOfRangeException(nameof(highlightedRow), row, $"The table has {all.Count} rows; the highlighted row must be one of them, counted from 0.");

        var classes = Enumerable.Range(0, header.Count)
            .Select(c => all.Count > 0 && all.All(cells => Numeric().IsMatch(cells[c])) ? " class=\"number\"" : "")
            .ToArray();
        var html = new StringBuilder("<div class=\"table\" tabindex=\"0\"><table>\n<thead><tr>");
        for (var c = 0; c < header.Count; c++)
            html.Append(CultureInfo.InvariantCulture, $"<th scope=\"col\"{classes[c]}>{Inline(header[c])}</th>");
        html.Append("</tr></thead>\n<tbody>\n");
        for (var r = 0; r < all.Count; r++)
        {
            html.Append(r == highlightedRow ? "<tr class=\"highlighted\">" : "<tr>");
            for (var c = 0; c < header.Count; c++)
                html.Append(CultureInfo.InvariantCulture, $"<td{classes[c]}>{Inline(all[r][c])}</td>");
            html.Append("</tr>\n");
        }
        return Add(html.Append("</tbody>\n</table></div>").ToString());
    }

    /// <summary>Adds a chart with a numbered caption under it.</summary>
    /// <param name="chart">The chart.</param>
    /// <param name="caption">What it shows and what to see in it.</param>
    /// <exception cref="ArgumentException">The chart cannot be drawn.</exception>
    public HtmlReport Chart(Chart chart, string caption)
    {
        ArgumentNullException.ThrowIfNull(caption);
        var svg = SvgText.WithIdPrefix(ChartRenderer.ToSvg(chart), $"figure-{_figureCount + 1}-");
        _figureCount++;
        return Add($"<figure><div class=\"card\">{svg}</div>\n<figcaption><b>Figure {_figureCount}.</b> {Inline(caption)}</figcaption></figure>");
    }

    /// <summary>Adds a list of links.</summary>
    /// <param name="links">What to click and where it leads: an address, or a path relative to the page.</param>
    public HtmlReport Links(IEnumerable<(string Text, string Target)> links)
    {
        ArgumentNullException.ThrowIfNull(links);
        return Add($"<ul>{string.Concat(links.Select(link => $"\n<li><a href=\"{Escape(link.Target)}\">{Inline(link.Text)}</a></li>"))}\n</ul>");
    }

    /// <summary>Adds text that is folded away under a line the reader can open.</summary>
    /// <param name="summary">The line.</param>
    /// <param name="text">The text under it; a blank line starts a new paragraph.</param>
    public HtmlReport Details(string summary, string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(summary);
        return Add($"<details><summary>{Inline(summary)}</summary>{Paragraphs(text)}</details>");
    }

    /// <summary>Adds text in a fixed-width font, line breaks and spaces kept: a command or an output.</summary>
    /// <param name="text">The text; no markup is read in it.</param>
    public HtmlReport Code(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Add($"<pre tabindex=\"0\"><code>{Escape(text)}</code></pre>");
    }

    /// <summary>Writes the report, creating its folder. The file appears whole or not at all.</summary>
    /// <param name="path">The file to write; an existing file is replaced.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.Write(path, Encoding.UTF8.GetBytes(ToHtml()));

    /// <summary>The whole page.</summary>
    public string ToHtml()
    {
        // The charts carry positions measured with their font; without it the browser would set them unevenly.
        var font = _figureCount == 0
            ? ""
            : $"@font-face{{font-family:'{ChartFont.Family}';src:url(data:font/ttf;base64,{Convert.ToBase64String(ChartFont.LatinBytes)}) format('truetype')}}\n";
        var subtitle = string.IsNullOrWhiteSpace(_subtitle) ? "" : $"\n<p class=\"subtitle\">{Inline(_subtitle)}</p>";
        return $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>{Escape(_title)}</title>
            <style>
            {font}{Css}
            </style>
            </head>
            <body>
            <main>
            <header>
            <h1>{Inline(_title)}</h1>{subtitle}
            </header>
            {_body}</main>
            </body>
            </html>

            """;
    }

    HtmlReport Add(string html)
    {
        _body.Append(html).Append('\n');
        return this;
    }

    static string Paragraphs(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = BlankLine().Split(text.Trim()).Select(part => $"<p>{Inline(part)}</p>");
        return string.Join('\n', parts);
    }

    /// <summary>Escapes the text, then turns `code` and **bold** into elements; stars inside code stay stars.</summary>
    static string Inline(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Bold(Escape(text));

        static string Bold(string escaped) => Markup().Replace(escaped, match =>
            match.Groups["code"].Success
                ? $"<code>{match.Groups["code"].Value}</code>"
                : $"<strong>{Bold(match.Groups["bold"].Value)}</strong>");
    }

    static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal);

    [GeneratedRegex(@"`(?<code>[^`]+)`|\*\*(?<bold>(?:`[^`]+`|[^`])+?)\*\*")]
    private static partial Regex Markup();

    [GeneratedRegex(@"\n[ \t\r]*\n")]
    private static partial Regex BlankLine();

    // A number with sign, thousands, exponent, spread and a short unit: "1.2e-3", "0.91 ± 0.02", "12,500", "3.1 s", "98 %", "–".
    [GeneratedRegex(@"^\s*(?:\*\*)?(?:[<>≤≥≈~]?\s*[-+−]?\d[\d.,]*(?:e[-+]?\d+)?(?:\s*[±–×/]\s*\d[\d.,]*(?:e[-+]?\d+)?)*\s*(?:%|×|[a-zA-Zµ]{1,3}(?:/[a-z]{1,3})?)?|[-–—]|)(?:\*\*)?\s*$")]
    private static partial Regex Numeric();
}
