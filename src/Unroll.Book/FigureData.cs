using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Unroll.Book;

/// <summary>The numbers of a <see cref="Figure"/>: those that the text quotes, and the curves.</summary>
/// <remarks>
/// Keys are made of letters, digits and <c>. - _</c> and stand in the file in the order in which they were added. The text
/// quotes a value as <c>0.0123&lt;!-- gradient-norm:rnn.100 --&gt;</c>.
/// </remarks>
public sealed partial class FigureData
{
    /// <summary>Single numbers, which the text may quote.</summary>
    public OrderedDictionary<string, double> Values { get; } = [];

    /// <summary>Rows of numbers: the points of a curve, a row of a heat map.</summary>
    public OrderedDictionary<string, double[]> Series { get; } = [];

    /// <summary>The numbers as JSON: 5 significant digits, one key a line, LF, the same bytes for the same numbers.</summary>
    /// <exception cref="InvalidOperationException">A key is not well-formed, or a number is not finite.</exception>
    public string ToJson()
    {
        var json = new StringBuilder("{\n");
        AppendGroup(json, "values", Values, Number);
        json.Append(",\n");
        AppendGroup(json, "series", Series, (key, row) => $"[{string.Join(", ", row.Select(value => Number(key, value)))}]");
        return json.Append("\n}\n").ToString();
    }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">What the text is called in a message, such as its file.</param>
    /// <exception cref="FormatException">The text is not of that form.</exception>
    public static FigureData FromJson(string json, string source)
    {
        ArgumentNullException.ThrowIfNull(json);
        try
        {
            using var document = JsonDocument.Parse(json);
            var data = new FigureData();
            foreach (var value in document.RootElement.GetProperty("values").EnumerateObject())
                data.Values.Add(value.Name, value.Value.GetDouble());
            foreach (var row in document.RootElement.GetProperty("series").EnumerateObject())
                data.Series.Add(row.Name, [.. row.Value.EnumerateArray().Select(value => value.GetDouble())]);
            return data;
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new FormatException($"{source}: expected the objects \"values\" and \"series\" of a figure, got {exception.Message.TrimEnd('.')}. Make it again with docs/book/figures.cs.", exception);
        }
    }

    /// <summary>Tells the keys whose numbers are not the same as in other data, after rounding.</summary>
    /// <param name="other">The other data, such as those of a file.</param>
    /// <returns>One line per key; empty if all is the same, its order included.</returns>
    public IReadOnlyList<string> Differences(FigureData other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var (here, there) = (Lines(), other.Lines());
        List<string> differences =
        [
            .. here.Where(line => !there.ContainsKey(line.Key)).Select(line => $"{line.Key} is new"),
            .. there.Where(line => !here.ContainsKey(line.Key)).Select(line => $"{line.Key} is no longer measured"),
            .. here.Where(line => there.TryGetValue(line.Key, out var old) && old != line.Value).Select(line => $"{line.Key}: {Change(there[line.Key], line.Value)}"),
        ];
        if (differences.Count == 0 && !here.Keys.SequenceEqual(there.Keys))
            differences.Add("the keys stand in another order");
        return differences;
    }

    OrderedDictionary<string, string> Lines() => new(
    [
        .. Values.Select(value => KeyValuePair.Create($"values.{value.Key}", Number(value.Key, value.Value))),
        .. Series.Select(row => KeyValuePair.Create($"series.{row.Key}", string.Join(' ', row.Value.Select(value => Number(row.Key, value))))),
    ]);

    /// <summary>The first number that changed, of a value or of a row.</summary>
    static string Change(string before, string now)
    {
        var (old, renewed) = (before.Split(' '), now.Split(' '));
        if (old.Length != renewed.Length)
            return $"{old.Length} numbers before, {renewed.Length} now";
        var k = Enumerable.Range(0, old.Length).First(k => old[k] != renewed[k]);
        return old.Length == 1 ? $"{before} before, {now} now" : $"[{k}] {old[k]} before, {renewed[k]} now";
    }

    static void AppendGroup<TItem>(StringBuilder json, string name, OrderedDictionary<string, TItem> items, Func<string, TItem, string> text)
    {
        json.Append(CultureInfo.InvariantCulture, $"  \"{name}\": {{");
        json.AppendJoin(',', items.Select(item => $"\n    \"{Key(item.Key)}\": {text(item.Key, item.Value)}"));
        json.Append(items.Count > 0 ? "\n  }" : "}");
    }

    static string Key(string key) => WellFormedKey().IsMatch(key)
        ? key
        : throw new InvalidOperationException($"The key \"{key}\": expected letters, digits and . - _ only, so that the text can quote it.");

    static string Number(string key, double value)
    {
        if (!double.IsFinite(value))
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"The number of \"{key}\" is {value}; expected a finite one. Leave it out or limit it where it is measured."));

        // Once to round, once for the shortest text; + 0 makes 0 of −0.
        var rounded = double.Parse(value.ToString("G5", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) + 0;
        return rounded.ToString("R", CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^[A-Za-z0-9._-]+$")]
    private static partial Regex WellFormedKey();
}
