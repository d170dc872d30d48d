using System.Text.RegularExpressions;
using Unroll.Book;
using Unroll.Tests.Documentation;

namespace Unroll.Tests.Book;

/// <summary>A heading: its line, its depth, its section number ("3.2", "3" or empty) and what follows that.</summary>
sealed record Heading(int Line, int Level, string Number, string Text);

/// <summary>A fenced block: the line of its fence, its language and its lines.</summary>
sealed record Fence(int Line, string Language, string Code, bool FollowsDirectly);

/// <summary>What stands between two lines <c>$$</c>.</summary>
sealed record DisplayFormula(int Line, int EndLine, string Text, IReadOnlyList<string> Tags);

/// <summary>A line <c>> (3.4) (3.5) → [`RnnCell.Backward`](path)</c>.</summary>
sealed record CodeLine(int Line, IReadOnlyList<string> Tags, IReadOnlyList<(string Member, string Path)> Members);

/// <summary>An image: the path as written and the file it names, relative to docs/book.</summary>
sealed record BookImage(int Line, string Target, string File);

/// <summary>A line of prose in which formulas are <see cref="BookPage.InFormula"/> and code, tags and link targets are blank; columns are kept.</summary>
sealed record ProseLine(int Line, string Text, string Original);

/// <summary>A page of the book, taken apart.</summary>
sealed partial class BookPage
{
    /// <summary>What a character of an inline formula is replaced by in <see cref="Prose"/>.</summary>
    public const char InFormula = '\u0001';

    static readonly Lazy<IReadOnlyList<BookPage>> s_all = new(() =>
    [
        .. BookLanguages.All.Select(language => language.Code()).SelectMany(language =>
            Directory.Exists(Folder(language))
                ? Directory.EnumerateFiles(Folder(language), "*.md").Order(StringComparer.Ordinal).Select(path => new BookPage(language, Path.GetFileName(path), File.ReadAllText(path)))
                : []),
    ]);

    readonly string[] _lines;
    readonly List<string> _problems = [];
    readonly List<ProseLine> _prose = [];
    readonly List<Heading> _headings = [];
    readonly List<Fence> _fences = [];
    readonly List<DisplayFormula> _formulas = [];
    readonly List<CodeLine> _codeLines = [];

    public BookPage(string language, string name, string text)
    {
        (Language, Name) = (language, name);
        _lines = text.ReplaceLineEndings("\n").Split('\n');
        Read();
    }

    /// <summary>The pages that are there.</summary>
    public static IReadOnlyList<BookPage> All => s_all.Value;

    public static string Root { get; } = Path.Combine(Repository.Root, "docs", "book");

    public string Language { get; }

    /// <summary>The file's name, such as 03-bptt.md.</summary>
    public string Name { get; }

    /// <summary>The chapter's number as text, "3", or null for other pages.</summary>
    public string? Chapter => ChapterName().Match(Name) is { Success: true } match ? match.Groups[1].Value : null;

    public IReadOnlyList<string> Lines => _lines;

    /// <summary>What is wrong with the page's form: fences and formulas that do not end, and the like.</summary>
    public IReadOnlyList<string> Problems => _problems;

    public IReadOnlyList<Heading> Headings => _headings;

    public IReadOnlyList<Fence> Fences => _fences;

    public IReadOnlyList<DisplayFormula> Formulas => _formulas;

    public IReadOnlyList<CodeLine> CodeLines => _codeLines;

    public IReadOnlyList<ProseLine> Prose => _prose;

    public IEnumerable<BookImage> Images =>
        from line in _prose
        from Match match in ImageTarget().Matches(line.Original)
        let target = match.Groups[1].Value + match.Groups[2].Value
        where !target.Contains("://", StringComparison.Ordinal)
        select new BookImage(line.Line, target, Path.GetRelativePath(Root, Path.Combine(Folder(Language), target)).Replace('\\', '/'));

    /// <summary>A message about a line.</summary>
    public string At(int line, string message) => $"docs/book/{Language}/{Name}:{line}: {message}";

    public static string Folder(string language) => Path.Combine(Root, language);

    void Read()
    {
        for (var at = 0; at < _lines.Length; at++)
        {
            var line = _lines[at];
            var number = at + 1;
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal))
                at = ReadFence(at);
            else if (line.Trim() == "$$")
                at = ReadFormula(at);
            else if (line.Contains("$$", StringComparison.Ordinal))
                _problems.Add(At(number, "$$ stands beside other text; put it alone on its line, with a blank line before and after the formula."));
            else if (HeadingLine().Match(line) is { Success: true } heading)
                _headings.Add(new(number, heading.Groups[1].Length, heading.Groups[2].Value, heading.Groups[3].Value.Trim()));
            else if (line.StartsWith("> (", StringComparison.Ordinal) && line.Contains('→', StringComparison.Ordinal))
                ReadCodeLine(number, line);
            else
                _prose.Add(new(number, Blanked(line), line));
        }
    }

    int ReadFence(int start)
    {
        if (!_lines[start].StartsWith("```", StringComparison.Ordinal))
            _problems.Add(At(start + 1, "a fence is indented; begin it in the first column, so that every reader and the tests see the block."));
        var end = start + 1;
        while (end < _lines.Length && _lines[end].Trim() != "```")
            end++;
        if (end == _lines.Length)
            _problems.Add(At(start + 1, "the block does not end; close it with ```."));
        var previous = _fences.LastOrDefault();
        var before = start - 1;
        while (before >= 0 && string.IsNullOrWhiteSpace(_lines[before]))
            before--;
        var follows = previous is not null && before >= 0 && before == previous.Line + previous.Code.Split('\n').Length;
        _fences.Add(new(start + 1, _lines[start].Trim('`', ' '), string.Join('\n', _lines[(start + 1)..Math.Min(end, _lines.Length)]), follows));
        return end;
    }

    int ReadFormula(int start)
    {
        var end = start + 1;
        while (end < _lines.Length && _lines[end].Trim() != "$$" && !HeadingLine().IsMatch(_lines[end]) && !_lines[end].StartsWith("```", StringComparison.Ordinal))
            end++;
        if (end == _lines.Length || _lines[end].Trim() != "$$")
        {
            _problems.Add(At(start + 1, "the formula does not end; close it with a line $$."));
            return end - 1;
        }

        if (start > 0 && !string.IsNullOrWhiteSpace(_lines[start - 1]))
            _problems.Add(At(start + 1, "put a blank line before the formula."));
        if (end + 1 < _lines.Length && !string.IsNullOrWhiteSpace(_lines[end + 1]))
            _problems.Add(At(end + 1, "put a blank line after the formula."));
        var text = string.Join('\n', _lines[(start + 1)..end]);
        _formulas.Add(new(start + 1, end + 1, text, [.. Tag().Matches(text).Select(match => match.Groups[1].Value)]));
        return end;
    }

    void ReadCodeLine(int number, string line)
    {
        var parts = line.Split('→', 2);
        List<string> tags = [.. EquationNumber().Matches(parts[0]).Select(match => match.Groups[1].Value)];
        List<(string, string)> members = [.. MemberLink().Matches(parts[1]).Select(match => (match.Groups[1].Value, match.Groups[2].Value))];
        if (tags.Count == 0 || members.Count == 0)
            _problems.Add(At(number, "expected a line such as > (3.4) → [`RnnCell.Backward`](../../../src/Unroll.Theory/RnnCell.cs)."));
        _codeLines.Add(new(number, tags, members));
    }

    static string Blanked(string line)
    {
        var text = Replace(line, InlineCodeFormula(), InFormula);
        text = Replace(text, InlineCode(), ' ');
        text = Replace(text, InlineFormula(), InFormula);
        text = Replace(text, LinkTarget(), ' ');
        return Replace(text, HtmlTag(), ' ');
    }

    static string Replace(string line, Regex what, char by) => what.Replace(line, match => new string(by, match.Length));

    [GeneratedRegex(@"^0?(\d+)-[a-z-]+\.md$")]
    private static partial Regex ChapterName();

    [GeneratedRegex(@"^(#{1,6}) +((?:\d+(?:\.\d+)*)?)\.? *(.*)$")]
    private static partial Regex HeadingLine();

    [GeneratedRegex(@"\\tag\{([^}]*)\}")]
    private static partial Regex Tag();

    [GeneratedRegex(@"\((\d+\.\d+)\)")]
    private static partial Regex EquationNumber();

    [GeneratedRegex(@"\[`([^`]+)`\]\(([^)\s]+)\)")]
    private static partial Regex MemberLink();

    [GeneratedRegex(@"!\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]*?(?:src|srcset)=""([^""]+)""")]
    private static partial Regex ImageTarget();

    [GeneratedRegex(@"\$`[^`]+`\$")]
    public static partial Regex InlineCodeFormula();

    [GeneratedRegex(@"(`+)(?!`).*?(?<!`)\1(?!`)")]
    private static partial Regex InlineCode();

    [GeneratedRegex(@"(?<![\\$])\$(?![\s$`])[^$]*?(?<![\s\\])\$(?!\d)")]
    public static partial Regex InlineFormula();

    [GeneratedRegex(@"(?<=\])\([^)\s]+(?:\s+""[^""]*"")?\)|<https?://[^>]+>|https?://[^\s)>]+")]
    private static partial Regex LinkTarget();

    [GeneratedRegex(@"</?[A-Za-z][^>]*>")]
    private static partial Regex HtmlTag();
}
