using System.Text.RegularExpressions;

namespace Unroll.Tests.Book;

/// <summary>The two languages have the same content, section by section.</summary>
public partial class ParityTests
{
    // The last sections of every chapter, in both languages.
    static readonly Dictionary<string, string[]> s_closing = new()
    {
        ["en"] = ["From equations to code", "Experiment", "Exercises", "Sources"],
        ["ja"] = ["数式からコードへ", "実験", "演習", "出典"],
    };

    [Fact]
    public void Languages_HaveTheSamePages() => Report.Fail(
        from page in BookPage.All
        where Other(page) is null
        select $"docs/book/{OtherLanguage(page)}/{page.Name} is not there; docs/book/{page.Language} has it.");

    [Fact]
    public void Languages_HaveTheSameHeadings() => Report.Fail(
        Compare(page => page.Headings.Select(heading => (heading.Line, $"{new string('#', heading.Level)} {heading.Number}".TrimEnd())), "heading"));

    [Fact]
    public void Languages_HaveTheSameFormulas() => Report.Fail(
        Compare(page => page.Formulas.Select(formula => (formula.Line, Squeezed(formula.Text))), "formula"));

    [Fact]
    public void Languages_HaveTheSameCodeLines() => Report.Fail(
        Compare(page => page.CodeLines.Select(line => (line.Line, page.Lines[line.Line - 1])), "code line"));

    [Fact]
    public void Languages_HaveTheSameBlocks() => Report.Fail(
        Compare(page => page.Fences.Select(fence => (fence.Line, $"```{fence.Language}\n{fence.Code}")), "block"));

    [Fact]
    public void Languages_ShowTheSameImages() => Report.Fail(
        Compare(page => page.Images.Select(image => (image.Line, Regex.Replace(image.File, @"\.(en|ja)\.svg$", ".*.svg"))), "image"));

    [Fact]
    public void Languages_QuoteTheSameNumbers() => Report.Fail(
        from page in BookPage.All
        where page.Language == "en" && Other(page) is not null
        let english = Quoted(page)
        let japanese = Quoted(Other(page)!)
        from mark in english.Keys.Union(japanese.Keys).Order(StringComparer.Ordinal)
        where english.GetValueOrDefault(mark) != japanese.GetValueOrDefault(mark)
        select $"{page.Name}: <!-- {mark} --> stands {english.GetValueOrDefault(mark)} times in en and {japanese.GetValueOrDefault(mark)} times in ja; quote the same numbers.");

    [Fact]
    public void Languages_HaveTheSameExercisesAndAnswers() => Report.Fail(
        Compare(page => Summaries(page).Select(line => (line.Line, "<summary>")), "answer"));

    [Fact]
    public void Chapters_AreNumberedThroughout_AndEndAlike() => Report.Fail(
        from page in BookPage.All
        where page.Chapter is not null
        from problem in ChapterProblems(page)
        select problem);

    [Fact]
    public void Answers_HaveBlankLinesInside_SoThatMarkdownWorks() => Report.Fail(
        from page in BookPage.All
        from line in Enumerable.Range(0, page.Lines.Count)
        where page.Lines[line].Contains("<summary>", StringComparison.Ordinal) && !string.IsNullOrWhiteSpace(page.Lines.ElementAtOrDefault(line + 1))
            || page.Lines[line].Trim() == "</details>" && !string.IsNullOrWhiteSpace(page.Lines.ElementAtOrDefault(line - 1))
        select page.At(line + 1, "put a blank line between the HTML and the Markdown of the answer."));

    [Fact]
    public void Pages_LeaveNothingToDo() => Report.Fail(
        from page in BookPage.All
        from line in Enumerable.Range(0, page.Lines.Count)
        let match = Unfinished().Match(page.Lines[line])
        where match.Success
        select page.At(line + 1, $"\"{match.Value}\": finish it."));

    static IEnumerable<string> ChapterProblems(BookPage page)
    {
        var sections = page.Headings.Where(heading => heading.Level == 2).ToList();
        if (page.Headings is not [{ Level: 1 } title, ..] || title.Number != page.Chapter)
            yield return page.At(1, $"expected the first heading to be # {page.Chapter}. with the title of the chapter.");
        for (var k = 0; k < sections.Count; k++)
        {
            if (sections[k].Number != $"{page.Chapter}.{k + 1}")
                yield return page.At(sections[k].Line, $"expected section {page.Chapter}.{k + 1}, got \"{sections[k].Number}\".");
        }

        var closing = s_closing[page.Language];
        var last = sections.TakeLast(closing.Length).ToList();
        for (var k = 0; k < closing.Length; k++)
        {
            if (last.ElementAtOrDefault(k)?.Text != closing[k])
                yield return page.At(last.ElementAtOrDefault(k)?.Line ?? page.Lines.Count, $"expected the last sections to be {string.Join(", ", closing)}; got \"{last.ElementAtOrDefault(k)?.Text}\" for \"{closing[k]}\".");
        }

        var exercises = sections.Count >= closing.Length ? last[2].Line : int.MaxValue;
        var answers = Summaries(page).Count(line => line.Line > exercises);
        if (answers is < 4 or > 6)
            yield return page.At(Math.Min(exercises, page.Lines.Count), $"expected 4 to 6 exercises, each with its answer in <details>; got {answers}.");
        foreach (var line in Summaries(page).Where(line => line.Text != (page.Language == "ja" ? "解答" : "Answer")))
            yield return page.At(line.Line, $"expected <summary>{(page.Language == "ja" ? "解答" : "Answer")}</summary>, got \"{line.Text}\".");
    }

    /// <summary>What the first page has of a kind, in order, against what the other has.</summary>
    static IEnumerable<string> Compare(Func<BookPage, IEnumerable<(int Line, string Text)>> items, string what)
    {
        foreach (var page in BookPage.All.Where(page => page.Language == "en"))
        {
            if (Other(page) is not { } other)
                continue;
            var (english, japanese) = (items(page).ToList(), items(other).ToList());
            var k = 0;
            while (k < english.Count && k < japanese.Count && english[k].Text == japanese[k].Text)
                k++;
            if (k < english.Count || k < japanese.Count)
                yield return $"{what} {k + 1} of {page.Name} differs:\n    {Told(page, english, k)}\n    {Told(other, japanese, k)}";
        }
    }

    static string Told(BookPage page, List<(int Line, string Text)> items, int k) =>
        k < items.Count ? page.At(items[k].Line, items[k].Text.ReplaceLineEndings("\n        ")) : $"docs/book/{page.Language}/{page.Name} has only {items.Count}";

    static Dictionary<string, int> Quoted(BookPage page) =>
        page.Prose.SelectMany(line => FigureMark().Matches(line.Original)).Select(match => match.Groups[1].Value).GroupBy(mark => mark).ToDictionary(group => group.Key, group => group.Count());

    static IEnumerable<(int Line, string Text)> Summaries(BookPage page) =>
        page.Prose.SelectMany(line => Summary().Matches(line.Original).Select(match => (line.Line, match.Groups[1].Value.Trim())));

    /// <summary>A formula without what only the sentence around it decides: blanks and the mark at its end.</summary>
    static string Squeezed(string formula) => Whitespace().Replace(ClosingMark().Replace(formula, ""), " ").Trim();

    static BookPage? Other(BookPage page) => BookPage.All.FirstOrDefault(other => other.Name == page.Name && other.Language != page.Language);

    static string OtherLanguage(BookPage page) => page.Language == "en" ? "ja" : "en";

    [GeneratedRegex(@"<!--\s*([a-z0-9-]+:[A-Za-z0-9._-]+)(?:\s*%)?\s*-->")]
    private static partial Regex FigureMark();

    [GeneratedRegex("<summary>(.*?)</summary>")]
    private static partial Regex Summary();

    [GeneratedRegex(@"[,.;]\s*(?=\\tag\b|\\end\{aligned\}\s*(?:\\tag\{[^}]*\})?\s*$|$)")]
    private static partial Regex ClosingMark();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();

    [GeneratedRegex(@"\b(?:TODO|TBD|FIXME|XXX|WIP)\b|\bTo do\b|(?:^|[(\[:])\s*to do\b|coming soon|lorem ipsum|未定|執筆中|準備中|後で書く|\bOUT\d")]
    private static partial Regex Unfinished();
}
