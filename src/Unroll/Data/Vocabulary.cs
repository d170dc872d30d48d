using System.Collections.ObjectModel;
using System.Text.Encodings.Web;
using System.Text.Json.Serialization;

namespace Unroll.Data;

/// <summary>Tokens and their numbers: token i of the list has the number i. Immutable.</summary>
/// <remarks>
/// A token is a character or any other text. Four of them may have a part of their own: the padding of short sequences, the
/// stand-in for what is not in the list, the start and the end of a sequence. As JSON a vocabulary is its properties: the
/// list, and which of it are special.
/// </remarks>
public sealed class Vocabulary
{
    const int MaxCharactersInMessage = 30;

    readonly Dictionary<string, int> _indices = new(StringComparer.Ordinal);

    /// <summary>Makes a vocabulary of a list.</summary>
    /// <param name="tokens">Different texts, at least one, none of them empty; copied.</param>
    /// <param name="padding">The token that fills up short sequences, one of the list; null if there is none.</param>
    /// <param name="unknown">The token that stands for all that are not in the list, one of it; null if these are errors.</param>
    /// <param name="start">The token before a sequence, one of the list; null if there is none.</param>
    /// <param name="end">The token after a sequence, one of the list; null if there is none.</param>
    /// <exception cref="ArgumentException">The list is empty, a token is empty or there twice, or a special one is not in the list or has two parts.</exception>
    [JsonConstructor]
    public Vocabulary(IReadOnlyList<string> tokens, string? padding = null, string? unknown = null, string? start = null, string? end = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        if (tokens.Count == 0)
            throw new ArgumentException("Expected at least one token, got none.", nameof(tokens));
        for (var i = 0; i < tokens.Count; i++)
        {
            if (string.IsNullOrEmpty(tokens[i]))
                throw new ArgumentException($"Expected texts of at least one character, but token {i} is empty.", nameof(tokens));
            if (!_indices.TryAdd(tokens[i], i))
                throw new ArgumentException($"Expected different tokens, but {Quoted(tokens[i])} is both token {_indices[tokens[i]]} and token {i}; leave one out.", nameof(tokens));
        }

        Tokens = new ReadOnlyCollection<string>([.. tokens]);
        (Padding, Unknown, Start, End) = (padding, unknown, start, end);
        (PaddingIndex, UnknownIndex) = (Special(padding, nameof(padding)), Special(unknown, nameof(unknown)));
        (StartIndex, EndIndex) = (Special(start, nameof(start)), Special(end, nameof(end)));
        int[] special = [.. new[] { PaddingIndex, UnknownIndex, StartIndex, EndIndex }.OfType<int>()];
        if (special.Distinct().Count() < special.Length)
            throw new ArgumentException("Expected different tokens for padding, unknown, start and end.", nameof(tokens));
    }

    /// <summary>The tokens; their places are their numbers.</summary>
    public IReadOnlyList<string> Tokens { get; }

    /// <summary>The token that fills up short sequences, if there is one.</summary>
    public string? Padding { get; }

    /// <summary>The token that stands for all that are not in the list; null if these are errors.</summary>
    public string? Unknown { get; }

    /// <summary>The token before a sequence, if there is one.</summary>
    public string? Start { get; }

    /// <summary>The token after a sequence, if there is one.</summary>
    public string? End { get; }

    /// <summary>The number of tokens, special ones included.</summary>
    [JsonIgnore]
    public int Count => Tokens.Count;

    /// <summary>The number of <see cref="Padding"/>.</summary>
    [JsonIgnore]
    public int? PaddingIndex { get; }

    /// <summary>The number of <see cref="Unknown"/>.</summary>
    [JsonIgnore]
    public int? UnknownIndex { get; }

    /// <summary>The number of <see cref="Start"/>.</summary>
    [JsonIgnore]
    public int? StartIndex { get; }

    /// <summary>The number of <see cref="End"/>.</summary>
    [JsonIgnore]
    public int? EndIndex { get; }

    /// <summary>The vocabulary of the tokens of a sequence: first the special ones, padding, unknown, start, end, then the others as they first occur.</summary>
    /// <param name="tokens">A sequence, in which tokens may repeat.</param>
    /// <param name="padding">As for the constructor; it need not occur in the sequence, as the three that follow.</param>
    /// <param name="unknown">As for the constructor.</param>
    /// <param name="start">As for the constructor.</param>
    /// <param name="end">As for the constructor.</param>
    /// <exception cref="ArgumentException">There is no token, one is empty, or a special one has two parts.</exception>
    public static Vocabulary FromTokens(
        IEnumerable<string> tokens, string? padding = null, string? unknown = null, string? start = null, string? end = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var all = new[] { padding, unknown, start, end }.OfType<string>().Concat(tokens).Distinct(StringComparer.Ordinal);
        return new Vocabulary([.. all], padding, unknown, start, end);
    }

    /// <summary>The vocabulary of the characters of a text, as <see cref="FromTokens"/> makes it.</summary>
    /// <param name="text">A text; a character is a Unicode scalar value, half a surrogate pair counts as U+FFFD.</param>
    /// <param name="padding">As for the constructor; it need not occur in the text, as the three that follow.</param>
    /// <param name="unknown">As for the constructor.</param>
    /// <param name="start">As for the constructor.</param>
    /// <param name="end">As for the constructor.</param>
    /// <exception cref="ArgumentException">There is no token, one is empty, or a special one has two parts.</exception>
    public static Vocabulary FromCharacters(
        string text, string? padding = null, string? unknown = null, string? start = null, string? end = null) =>
        FromTokens(Characters(text), padding, unknown, start, end);

    /// <summary>Whether the list has a token.</summary>
    public bool Contains(string token) => _indices.ContainsKey(token);

    /// <summary>The numbers of tokens.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <returns>As many numbers.</returns>
    /// <exception cref="ArgumentException">A token is not in the list and there is none for unknown ones; the message names it and its place.</exception>
    public int[] Encode(IEnumerable<string> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        return [.. tokens.Select(IndexOf)];
    }

    /// <summary>The numbers of the characters of a text.</summary>
    /// <param name="text">The text.</param>
    /// <returns>A number for each character.</returns>
    /// <exception cref="ArgumentException">A character is not in the list and there is none for unknown ones; the message names it and its place.</exception>
    public int[] EncodeText(string text) => Encode(Characters(text));

    /// <summary>The tokens of numbers, special ones included.</summary>
    /// <param name="indices">Numbers of tokens.</param>
    /// <returns>As many tokens.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no token of such a number.</exception>
    public string[] Decode(ReadOnlySpan<int> indices)
    {
        var tokens = new string[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            if ((uint)indices[i] >= (uint)Count)
                throw new ArgumentOutOfRangeException(nameof(indices), indices[i], $"Expected numbers of 0 to {Count - 1}, got {indices[i]} at place {i}.");
            tokens[i] = Tokens[indices[i]];
        }

        return tokens;
    }

    /// <summary>The text that numbers stand for: tokens joined up to the first <see cref="End"/>, without <see cref="Padding"/> and <see cref="Start"/>.</summary>
    /// <param name="indices">Numbers of tokens.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no token of such a number.</exception>
    public string DecodeText(ReadOnlySpan<int> indices) =>
        string.Concat(Decode(indices).TakeWhile(token => token != End).Where(token => token != Padding && token != Start));

    static IEnumerable<string> Characters(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.EnumerateRunes().Select(rune => rune.ToString());
    }

    int IndexOf(string token, int place)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (_indices.TryGetValue(token, out var index))
            return index;
        return UnknownIndex ?? throw new ArgumentException(
            $"Expected tokens of the vocabulary of {Count}, got {Quoted(token)} at place {place}; add it, or a token for unknown ones.", nameof(token));
    }

    int? Special(string? token, string part)
    {
        if (token is null)
            return null;
        return _indices.TryGetValue(token, out var index)
            ? index
            : throw new ArgumentException($"Expected the token for {part}, {Quoted(token)}, among the tokens of the list.", part);
    }

    /// <summary>A token on one line, whatever it is: in quotes, control characters as JSON escapes them, cut to 30 characters.</summary>
    static string Quoted(string token)
    {
        var runes = token.EnumerateRunes().ToArray();
        var shown = string.Concat(runes.Take(MaxCharactersInMessage));
        return $"'{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(shown)}{(runes.Length > MaxCharactersInMessage ? "…" : "")}'";
    }
}
