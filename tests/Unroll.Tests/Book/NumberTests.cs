using System.Globalization;
using System.Text.RegularExpressions;
using Unroll.Book;

namespace Unroll.Tests.Book;

/// <summary>Every measured number in the text is the one that its figure's data hold.</summary>
public partial class NumberTests
{
    const string Help = "write <!-- figure:key --> behind it if it was measured, <!-- given --> if it is a setting or cited";

    [Fact]
    public void EveryDecimalNumber_IsAFigures_OrGiven() => Report.Fail(
        from page in BookPage.All
        from line in page.Prose
        from problem in Problems(line)
        select page.At(line.Line, problem));

    [Theory]
    [InlineData("loses 0.26028 of it", 1)]
    [InlineData("is 1.2×10⁻⁵ and 4.5e-6 and 87 %", 3)]
    [InlineData("約12.5倍、87％", 2)]
    [InlineData("by (3.4), (3.4)–(3.6) and（3.5）, in §3.2, §§3.1–3.3, Section 3.4, 3.1 節, [3.1 Title](x), in 1997 of 12,345 in arXiv:1406.1078", 0)]
    [InlineData("a rate of 0.01<!-- given --> and of **0.5**<!-- given -->, 1.5 s<!-- given -->, $x = 0.5$, `0.5`", 0)]
    [InlineData("doi:10.1162/neco.1997.9.8.1735 and 1.2.3", 0)]
    [InlineData("0.5<!-- givn -->", 1)]
    [InlineData("words <!-- given -->", 1)]
    [InlineData("0.1<!-- no-such-figure:key -->", 1)]
    [InlineData("0.1<!-- gradient-norm:no.such.key -->", 1)]
    public void Numbers_AreFound_AndOthersAreNot(string text, int problems) =>
        Assert.Equal(problems, Problems(new BookPage("en", "01-test.md", text).Prose[0]).Count());

    [Theory]
    [InlineData("0.0123", 0.012345, false, true)]
    [InlineData("0.0124", 0.012345, false, false)]
    [InlineData("−0.5", -0.5, false, true)]
    [InlineData("0.5", -0.5, false, false)]
    [InlineData("12,345", 12345.3, false, true)]
    [InlineData("12,346", 12345.3, false, false)]
    [InlineData("1.3e-7", 1.26e-7, false, true)]
    [InlineData("1.3×10⁻⁷", 1.26e-7, false, true)]
    [InlineData("1.2×10⁻⁷", 1.26e-7, false, false)]
    [InlineData("1.3\\times 10^{-7}", 1.26e-7, false, true)]
    [InlineData("87 %", 0.8731, true, true)]
    [InlineData("87.3％", 0.8731, true, true)]
    [InlineData("88 %", 0.8731, true, false)]
    [InlineData("37", 37.4, false, true)]
    public void Value_IsCompared_AtThePrintedPrecision(string printed, double value, bool percent, bool agrees) =>
        Assert.Equal(agrees, Agrees(Number().Match(printed), value, percent));

    static IEnumerable<string> Problems(ProseLine line)
    {
        var comments = Comment().Matches(line.Text);
        var numbers = Number().Matches(line.Text).Where(number => !comments.Any(comment => number.Index >= comment.Index && number.Index < comment.Index + comment.Length)).ToList();
        var marked = new HashSet<Match>();
        foreach (Match comment in comments)
        {
            var body = comment.Groups[1].Value;
            var number = numbers.LastOrDefault(number => number.Index + number.Length <= comment.Index && Between().IsMatch(line.Text[(number.Index + number.Length)..comment.Index]));
            if (number is not null)
                marked.Add(number);
            else if (comment.Index > 0 && line.Text[comment.Index - 1] == BookPage.InFormula)
                number = Number().Matches(line.Original[..comment.Index].TrimEnd('$', '`')).LastOrDefault();
            if (number is null)
                yield return $"{comment.Value} follows no number.";
            else if (Mark().Match(body) is { Success: true } mark)
            {
                if (Disagreement(number, mark.Groups[1].Value, mark.Groups[2].Value, mark.Groups[3].Success) is { } problem)
                    yield return problem;
            }
            else if (body != "given")
                yield return $"{comment.Value}: expected <!-- given -->, <!-- figure:key --> or <!-- figure:key % -->.";
        }

        foreach (var number in numbers.Where(number => IsDecimal(number) && !marked.Contains(number) && !IsReference(line.Text, number)))
        {
            // Of a range whose end is given, the beginning is too.
            var end = numbers.FirstOrDefault(other => other.Index > number.Index && marked.Contains(other) && Range().IsMatch(line.Text[(number.Index + number.Length)..other.Index]));
            if (end is null)
                yield return $"{number.Value.Trim()}: {Help}.";
        }
    }

    static string? Disagreement(Match number, string figure, string key, bool percent)
    {
        if (BookFigures.All.All(f => f.Name != figure))
            return $"<!-- {figure}:{key} -->: there is no figure {figure}.";
        var data = BookFigures.Load(Path.Combine(BookPage.Root, "figures"), figure);
        if (!data.Values.TryGetValue(key, out var value))
            return $"<!-- {figure}:{key} -->: {figure}.json has no value {key}; it has {string.Join(", ", data.Values.Keys.Take(8))}{(data.Values.Count > 8 ? ", …" : "")}.";
        if (percent != number.Groups["percent"].Success)
            return percent ? $"{number.Value} <!-- {figure}:{key} % -->: the comment says % and the number does not." : $"{number.Value}: the comment of a percentage of a fraction is <!-- {figure}:{key} % -->.";
        return Agrees(number, value, percent)
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"{number.Value.Trim()} is not what {figure}.json has for {key}: {(percent ? 100 * value : value)}{(percent ? " %" : "")}.");
    }

    static bool Agrees(Match number, double value, bool percent)
    {
        var mantissa = number.Groups["mantissa"].Value.Replace(",", "", StringComparison.Ordinal);
        var decimals = mantissa.Contains('.', StringComparison.Ordinal) ? mantissa.Length - mantissa.IndexOf('.', StringComparison.Ordinal) - 1 : 0;
        var exponent = Exponent(number) - (percent ? 2 : 0);
        var printed = double.Parse(mantissa, CultureInfo.InvariantCulture) * Math.Pow(10, exponent) * (number.Groups["sign"].Success ? -1 : 1);
        return Math.Abs(printed - value) <= (0.5 * Math.Pow(10, exponent - decimals)) + (1e-9 * Math.Abs(value));
    }

    static int Exponent(Match number)
    {
        var text = number.Groups["exponent"] is { Success: true } plain ? plain.Value
            : number.Groups["power"] is { Success: true } tex ? tex.Value
            : number.Groups["raised"] is { Success: true } raised ? string.Concat(raised.Value.Select(c => c == '⁻' ? '-' : (char)('0' + "⁰¹²³⁴⁵⁶⁷⁸⁹".IndexOf(c, StringComparison.Ordinal))))
            : "0";
        return int.Parse(text.Replace('−', '-'), CultureInfo.InvariantCulture);
    }

    static bool IsDecimal(Match number) => number.Groups["mantissa"].Value.Contains('.', StringComparison.Ordinal)
        || number.Groups["exponent"].Success || number.Groups["raised"].Success || number.Groups["percent"].Success;

    /// <summary>True for the number of an equation or a section, and of an article.</summary>
    static bool IsReference(string line, Match number)
    {
        if (!SectionNumber().IsMatch(number.Value))
            return ArticleBefore().IsMatch(line[..number.Index]);
        var (before, after) = (line[..number.Index], line[(number.Index + number.Length)..]);
        var (open, close) = (before.LastIndexOfAny(['(', '（']), after.IndexOfAny([')', '）']));
        if (open >= 0 && close >= 0 && OnlyNumbers().IsMatch(line[(open + 1)..(number.Index + number.Length + close)]))
            return true;
        return ReferenceBefore().IsMatch(before) || ReferenceAfter().IsMatch(after) || ArticleBefore().IsMatch(before);
    }

    [GeneratedRegex(@"(?<![A-Za-z0-9_.,])(?<sign>(?<![\w\)\]%])[-−])?(?<mantissa>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d]|\.\d|,\d{3})(?:e(?<exponent>[-+−]?\d+)|\s?×\s?10(?<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)|\s?\\times\s?10\^\{?(?<power>-?\d+)\}?)?(?<percent>\s?\\?[%％])?")]
    private static partial Regex Number();

    [GeneratedRegex(@"<!--\s*(.*?)\s*-->")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^([a-z0-9-]+):([A-Za-z0-9._-]+)(\s*%)?$")]
    private static partial Regex Mark();

    /// <summary>What may stand between a number and its comment: emphasis and a unit.</summary>
    [GeneratedRegex(@"^[*_]{0,3}(?:\s?[^\d\s<>|,.、。]{1,12})?[*_]{0,3}\s?$")]
    private static partial Regex Between();

    [GeneratedRegex(@"^\s?(?:–|〜|～|to|から|and|と|or|,|、)\s?$")]
    private static partial Regex Range();

    [GeneratedRegex(@"^\d{1,2}\.\d{1,2}$")]
    private static partial Regex SectionNumber();

    [GeneratedRegex(@"^[\s\d.,、–〜and]+$")]
    private static partial Regex OnlyNumbers();

    [GeneratedRegex(@"(?:§+\s?|\b[Ss]ections?\s|\b[Cc]hapters?\s|\b[Ee]xercises?\s|\b[Ee]quations?\s|\b[Ee]qs?\.\s?|第\s?|演習\s?|式\s?|\[)(?:\d+(?:\.\d+)*\s?(?:–|〜|～|,|、|and|と|から|to)\s?)*$")]
    private static partial Regex ReferenceBefore();

    [GeneratedRegex(@"^\s?[節章]")]
    private static partial Regex ReferenceAfter();

    [GeneratedRegex(@"(?:arXiv[:\s]\s?|doi[:\s]\s?\S*|10\.\d{4}/\S*)$")]
    private static partial Regex ArticleBefore();
}
