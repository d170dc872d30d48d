using System.Text.RegularExpressions;
using Unroll.Book;

namespace Unroll.Tests.Book;

/// <summary>What every page must keep to so that GitHub, the site and the other tests read it alike.</summary>
public partial class FormTests
{
    [Fact]
    public void Pages_AreWellFormed() => Report.Fail(BookPage.All.SelectMany(page => page.Problems));

    [Fact]
    public void Formulas_HaveBalancedBraces_AndCommandsThatEveryRendererKnows() => Report.Fail(
        from page in BookPage.All
        from formula in page.Formulas.Select(f => (f.Line, f.Text)).Concat(page.Prose.SelectMany(line =>
            InlineFormulas(line.Original).Select(text => (line.Line, text))))
        from problem in FormulaProblems(formula.Item2)
        select page.At(formula.Line, problem));

    [Fact]
    public void Tags_AreNumberedInOrder_OnePerFormula() => Report.Fail(BookPage.All.SelectMany(page =>
    {
        var problems = page.Formulas.Where(formula => formula.Tags.Count > 1).Select(formula => page.At(formula.Line, "two tags in one formula; give each its own $$ block.")).ToList();
        var next = 1;
        foreach (var formula in page.Formulas.Where(formula => formula.Tags.Count == 1))
        {
            var expected = $"{page.Chapter}.{next++}";
            if (formula.Tags[0] != expected)
                problems.Add(page.At(formula.Line, $"\\tag{{{formula.Tags[0]}}} stands where the numbering expects {expected}; number the equations of a chapter from 1 without gaps."));
        }

        return problems;
    }));

    [Fact]
    public void Prose_HasNoBareDollar_AndNoFormulaThatATableWouldCut() => Report.Fail(
        from page in BookPage.All
        from line in page.Prose
        from problem in DollarProblems(line)
        select page.At(line.Line, problem));

    [Fact]
    public void Images_Exist_InTheLanguageOfThePage() => Report.Fail(
        from page in BookPage.All
        from image in page.Images
        from problem in ImageProblems(page, image)
        select page.At(image.Line, problem));

    [Fact]
    public void Figures_HaveData_AndDrawingsInEveryLanguage_AndCodeThatMakesThem()
    {
        var folder = Path.Combine(BookPage.Root, "figures");
        var files = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).ToHashSet(StringComparer.Ordinal);
        HashSet<string> expected = [.. BookFigures.All.SelectMany(figure => new[] { $"{figure.Name}.json", $"{figure.Name}.en.svg", $"{figure.Name}.ja.svg" })];
        Report.Fail(
        [
            .. expected.Except(files).Order(StringComparer.Ordinal).Select(name => $"docs/book/figures/{name} is not there; make it: dotnet run -c Release docs/book/figures.cs {name.Split('.')[0]}"),
            .. files.Except(expected).Order(StringComparer.Ordinal).Select(name => $"docs/book/figures/{name}: no figure of src/Unroll.Book makes it; delete it."),
        ]);
    }

    [Fact]
    public void Diagrams_AreSvg_ThatFollowsTheReadersColours()
    {
        var folder = Path.Combine(BookPage.Root, "diagrams");
        if (!Directory.Exists(folder))
            return;
        Report.Fail(
            from path in Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)
            let name = $"docs/book/diagrams/{Path.GetFileName(path)}"
            let text = File.ReadAllText(path)
            from problem in DiagramProblems(path, text)
            select $"{name}: {problem}");
    }

    static IEnumerable<string> DiagramProblems(string path, string text)
    {
        if (Path.GetExtension(path) != ".svg")
        {
            yield return "expected an .svg file.";
            yield break;
        }

        var root = System.Xml.Linq.XDocument.Parse(text).Root!;
        if (root.Attribute("viewBox") is null)
            yield return "the svg element has no viewBox.";
        if (string.IsNullOrWhiteSpace((string?)root.Attribute("aria-label")))
            yield return "the svg element has no aria-label for readers who do not see it.";
        if (!text.Contains("prefers-color-scheme: dark", StringComparison.Ordinal) && !text.Contains("prefers-color-scheme:dark", StringComparison.Ordinal))
            yield return "no colours for dark pages: expected a @media (prefers-color-scheme: dark) rule.";
    }

    static IEnumerable<string> InlineFormulas(string line) => BookPage.InlineCodeFormula().Matches(line).Select(match => match.Value[2..^2])
        .Concat(BookPage.InlineFormula().Matches(BookPage.InlineCodeFormula().Replace(line, "")).Select(match => match.Value[1..^1]));

    static IEnumerable<string> FormulaProblems(string formula)
    {
        var depth = 0;
        for (var k = 0; k < formula.Length && depth >= 0; k++)
        {
            var escaped = k > 0 && formula[k - 1] == '\\' && !(k > 1 && formula[k - 2] == '\\');
            depth += (formula[k], escaped) switch { ('{', false) => 1, ('}', false) => -1, _ => 0 };
        }

        if (depth != 0)
            yield return $"the braces of {Short(formula)} do not match.";
        if (!Environments("begin").SequenceEqual(Environments("end")))
            yield return $"\\begin and \\end of {Short(formula)} do not match.";
        if (Left().Count(formula) != Right().Count(formula))
            yield return $"\\left and \\right of {Short(formula)} do not match.";
        if (Forbidden().Match(formula) is { Success: true } command)
            yield return $"{command.Value} in {Short(formula)}: not known to both MathJax and KaTeX; write it otherwise.";
        if (Japanese().IsMatch(formula))
            yield return $"Japanese in the formula {Short(formula)}; put it beside.";

        IEnumerable<string> Environments(string what) => Regex.Matches(formula, $@"\\{what}\{{(\w+\*?)\}}").Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal);
    }

    static string Short(string formula) => formula.ReplaceLineEndings(" ") is { Length: > 50 } text ? $"\"{text[..47]}…\"" : $"\"{formula.ReplaceLineEndings(" ")}\"";

    static IEnumerable<string> DollarProblems(ProseLine line)
    {
        if (line.Text.Replace("\\$", "", StringComparison.Ordinal).Contains('$', StringComparison.Ordinal))
            yield return "a dollar that opens or closes nothing: formulas are $…$ without a space inside next to a dollar; a dollar sign is \\$.";
        if (line.Original.StartsWith('|') && InlineFormulas(line.Original).Any(formula => formula.Replace("\\|", "", StringComparison.Ordinal).Contains('|', StringComparison.Ordinal)))
            yield return "| inside a formula ends the cell of a table; write \\lvert, \\mid or \\Vert.";
    }

    static IEnumerable<string> ImageProblems(BookPage page, BookImage image)
    {
        if (!File.Exists(Path.Combine(BookPage.Root, image.File)))
        {
            yield return $"{image.Target} does not exist; {(image.File.StartsWith("figures/", StringComparison.Ordinal) ? "make it with docs/book/figures.cs" : "draw it, or correct the path")}.";
            yield break;
        }

        if (LanguageOfImage().Match(image.File) is { Success: true } language && language.Groups[1].Value != page.Language)
            yield return $"{image.Target} is in the other language; show the .{page.Language}.svg.";
    }

    [GeneratedRegex(@"\\left(?![a-z])")]
    private static partial Regex Left();

    [GeneratedRegex(@"\\right(?![a-z])")]
    private static partial Regex Right();

    [GeneratedRegex(@"\\(?:label|eqref|ref|require|newcommand|def|DeclareMathOperator|boldsymbol|bm|mbox|hfill|href|begin\{(?:align\*?|equation\*?|eqnarray\*?|gather\*?)\})(?![a-z])")]
    private static partial Regex Forbidden();

    [GeneratedRegex(@"[\u3000-\u9fff\uff01-\uff60]")]
    private static partial Regex Japanese();

    [GeneratedRegex(@"\.(en|ja)\.svg$")]
    private static partial Regex LanguageOfImage();
}
