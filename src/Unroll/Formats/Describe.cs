using System.Globalization;
using System.Text;

namespace Unroll.Formats;

/// <summary>Puts what a file contains into a message of one line, however long or odd it is.</summary>
static class Describe
{
    const int MaxCharacters = 60;
    const int MaxMessageCharacters = 400;
    const int MaxDimensions = 8;
    const int MaxItems = 5;

    /// <summary>A message of the runtime's on one line, whatever it quotes from the file.</summary>
    internal static string Message(Exception exception) => Text(exception.Message.ReplaceLineEndings(" "), MaxMessageCharacters);

    /// <summary>The text without control characters and cut to 60 characters.</summary>
    internal static string Text(string text, int maxCharacters = MaxCharacters)
    {
        var line = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (line.Length >= maxCharacters)
            {
                line.Append('…');
                break;
            }

            var category = Rune.GetUnicodeCategory(rune);
            if (category is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                line.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            else
                line.Append(rune);
        }

        return line.ToString();
    }

    /// <summary>[2,3], cut to 8 dimensions.</summary>
    internal static string Shape(ReadOnlySpan<int> shape)
    {
        var line = new StringBuilder("[");
        for (var i = 0; i < shape.Length && i <= MaxDimensions; i++)
        {
            if (i > 0)
                line.Append(',');
            if (i == MaxDimensions)
                line.Append('…');
            else
                line.Append(shape[i].ToString(CultureInfo.InvariantCulture));
        }

        return line.Append(']').ToString();
    }

    /// <summary>'a', 'b' and 3 more.</summary>
    internal static string Names(IReadOnlyList<string> names)
    {
        var shown = string.Join(", ", names.Take(MaxItems).Select(name => $"'{Text(name)}'"));
        return names.Count > MaxItems ? $"{shown} and {names.Count - MaxItems} more" : shown;
    }
}
