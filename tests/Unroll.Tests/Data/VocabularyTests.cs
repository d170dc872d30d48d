using System.Text.Json;
using CsCheck;
using Unroll.Data;

namespace Unroll.Tests.Data;

public class VocabularyTests
{
    [Fact]
    public void FromCharacters_KeepsTheOrder_InWhichTheyFirstOccur()
    {
        var digits = Vocabulary.FromCharacters("0123456789+ ");
        Assert.Equal(12, digits.Count);
        Assert.Equal([1, 2, 10, 9, 11, 11], digits.EncodeText("12+9  "));
        Assert.Equal("12+9  ", digits.DecodeText([1, 2, 10, 9, 11, 11]));
        Assert.Equal(["b", "a", "n"], Vocabulary.FromCharacters("banana").Tokens);
        Assert.True(digits.Contains("+"));
        Assert.False(digits.Contains("-"));
        Assert.Null(digits.PaddingIndex);
        Assert.Null(digits.UnknownIndex);
    }

    [Fact]
    public void FromCharacters_TakesScalarValues_NotHalves()
    {
        var vocabulary = Vocabulary.FromCharacters("𠮷野家é\n");
        Assert.Equal(["𠮷", "野", "家", "é", "\n"], vocabulary.Tokens);
        Assert.Equal([2, 0, 4], vocabulary.EncodeText("家𠮷\n"));
    }

    [Fact]
    public void FromTokens_PutsTheSpecialOnesFirst()
    {
        var vocabulary = Vocabulary.FromTokens(["the", "cat", "the", "<e>", "hat"], padding: "<p>", unknown: "<u>", start: "<s>", end: "<e>");
        Assert.Equal(["<p>", "<u>", "<s>", "<e>", "the", "cat", "hat"], vocabulary.Tokens);
        Assert.Equal((0, 1, 2, 3), (vocabulary.PaddingIndex, vocabulary.UnknownIndex, vocabulary.StartIndex, vocabulary.EndIndex));
        Assert.Equal([4, 1, 6, 1], vocabulary.Encode(["the", "dog", "hat", "The"]));
        Assert.Equal(["the", "<u>", "hat", "<p>"], vocabulary.Decode([4, 1, 6, 0]));
    }

    [Fact]
    public void DecodeText_EndsAtTheEnd_AndLeavesOutStartAndPadding()
    {
        var vocabulary = Vocabulary.FromCharacters("abc", padding: "_", start: "^", end: "$");
        var (a, b, pad, start, end) = (3, 4, 0, 1, 2);
        Assert.Equal("ab", vocabulary.DecodeText([start, a, b, end, a, pad]));
        Assert.Equal("ab", vocabulary.DecodeText([pad, a, pad, b]));
        Assert.Equal("", vocabulary.DecodeText([]));
        Assert.Equal(["^", "a", "$", "_"], vocabulary.Decode([start, a, end, pad]));
        Assert.Equal("^a$_", Vocabulary.FromCharacters("^a$_").DecodeText([0, 1, 2, 3])); // nothing special here
    }

    [Fact]
    public void UnknownTokens_AreNamedWithTheirPlace()
    {
        var vocabulary = Vocabulary.FromCharacters("0123456789+ ");
        AssertFails("got 'x' at place 3; add it, or a token for unknown ones", () => vocabulary.EncodeText("12+x"));
        AssertFails("the vocabulary of 12, got '\\n' at place 0", () => vocabulary.EncodeText("\n1"));
        AssertFails("got '\\u2028", () => vocabulary.Encode(["\u2028" + new string('x', 500)]));
        AssertFails("xxx…' at place 0", () => vocabulary.Encode([new string('x', 500)]));
        AssertFails("got '足' at place 1", () => vocabulary.EncodeText("1足す"));
        AssertFails("got '' at place 0", () => vocabulary.Encode([""]));
        Assert.Throws<ArgumentNullException>(() => vocabulary.Encode([null!]));
    }

    [Fact]
    public void Decode_NamesTheNumberThatHasNoToken()
    {
        var vocabulary = Vocabulary.FromCharacters("ab");
        AssertFails("Expected numbers of 0 to 1, got 2 at place 1", () => vocabulary.Decode([0, 2]));
        AssertFails("got -1 at place 0", () => vocabulary.DecodeText([-1]));
    }

    [Fact]
    public void Constructor_RefusesAListThatIsNone()
    {
        AssertFails("Expected at least one token", () => new Vocabulary([]));
        AssertFails("Expected at least one token", () => Vocabulary.FromCharacters(""));
        AssertFails("'b' is both token 1 and token 3", () => new Vocabulary(["a", "b", "c", "b"]));
        AssertFails("token 1 is empty", () => new Vocabulary(["a", ""]));
        AssertFails("token 0 is empty", () => new Vocabulary([null!]));
        AssertFails("the token for padding, '_', among the tokens", () => new Vocabulary(["a"], padding: "_"));
        AssertFails("the token for end, '\\r\\n', among the tokens", () => new Vocabulary(["a"], end: "\r\n"));
        AssertFails("different tokens for padding, unknown, start and end", () => new Vocabulary(["a", "b"], start: "a", end: "a"));
    }

    [Fact]
    public void Tokens_AreACopy()
    {
        string[] list = ["a", "b"];
        var vocabulary = new Vocabulary(list);
        list[0] = "z";
        Assert.Equal(["a", "b"], vocabulary.Tokens);
        Assert.Throws<NotSupportedException>(() => ((IList<string>)vocabulary.Tokens)[0] = "z");
    }

    [Fact]
    public void Json_IsTheListAndTheSpecialOnes_AndComesBack()
    {
        var vocabulary = Vocabulary.FromCharacters("ab\n", padding: "<p>", end: "<e>");
        var json = JsonSerializer.Serialize(vocabulary);
        Assert.Equal(["End", "Padding", "Start", "Tokens", "Unknown"], JsonDocument.Parse(json).RootElement.EnumerateObject().Select(p => p.Name).Order());
        var back = JsonSerializer.Deserialize<Vocabulary>(json)!;
        Assert.Equal(vocabulary.Tokens, back.Tokens);
        Assert.Equal((0, null, null, 1), (back.PaddingIndex, back.UnknownIndex, back.StartIndex, back.EndIndex));
        Assert.Equal([2, 4], back.EncodeText("a\n"));
        Assert.ThrowsAny<ArgumentException>(() => JsonSerializer.Deserialize<Vocabulary>("""{"Tokens":["a","a"]}"""));
        Assert.ThrowsAny<ArgumentException>(() => JsonSerializer.Deserialize<Vocabulary>("{}"));
    }

    [Fact]
    public void Text_ComesBack_FromItsNumbers() =>
        Gen.String[Gen.Char["abcdefgh \n\t日本語ÄÖÜ"], 1, 40].Sample(
            text =>
            {
                var vocabulary = Vocabulary.FromCharacters(text);
                var numbers = vocabulary.EncodeText(text);
                Assert.Equal(text.Distinct().Count(), vocabulary.Count);
                Assert.Equal(text, vocabulary.DecodeText(numbers));
                Assert.Equal(numbers, vocabulary.Encode(vocabulary.Decode(numbers)));
            },
            iter: 500, seed: "0000Kx9eUnR0", threads: 1);

    static void AssertFails(string message, Func<object> act)
    {
        var problem = Assert.ThrowsAny<ArgumentException>(act).Message;
        Assert.Contains(message, problem, StringComparison.Ordinal);
        Assert.InRange(problem.Length, 20, 250);
        Assert.DoesNotContain(problem.Split(" (Parameter")[0], char.IsControl);
    }
}
