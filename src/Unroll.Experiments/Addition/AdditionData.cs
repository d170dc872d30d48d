using System.Globalization;
using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Experiments.Addition;

/// <summary>A sum to be answered, as the model sees it.</summary>
/// <param name="A">The first number.</param>
/// <param name="B">The second number.</param>
/// <param name="Question">"12+345" and spaces up to 2·D + 1 characters; backwards where the data are reversed.</param>
/// <param name="Answer">"357" and spaces up to D + 1 characters.</param>
/// <param name="Carries">How many columns of the written addition carry a one, 0 to D.</param>
public sealed record AdditionQuestion(int A, int B, string Question, string Answer, int Carries);

/// <summary>The data of experiment 6: additions of two numbers of up to D digits, as characters.</summary>
/// <remarks>
/// A number is drawn as its number of digits, uniform on 1 … D, then each digit, uniform on 0 … 9, the first may be 0 too;
/// so short numbers are more frequent than among all of 0 … 10^D − 1. A pair that has been drawn, or whose mirror b+a has
/// been, is drawn again, until there are N. Where there are no more than N such pairs, all of them are taken, each in one of
/// its two orders at random. The pairs are then shuffled and the first ⌊N/10⌋ are for testing. So no test pair, nor its
/// mirror, is trained on. One generator draws all, in this order.
/// Source: the example "Sequence to sequence learning for performing number addition" of Keras, after W. Zaremba,
/// I. Sutskever, "Learning to Execute", 2014, whence also the reversal of the question.
/// </remarks>
public sealed class AdditionData
{
    /// <summary>All characters, in the order of their numbers.</summary>
    public const string Alphabet = "0123456789+ ";

    /// <summary>N if nothing else is asked for.</summary>
    public const int DefaultCount = 20_000;

    const int MaxDigits = 9; // so that a sum fits into 32 bits
    const int MinCount = 10;
    const int MaxCount = 1_000_000;
    const int TestShare = 10;

    /// <summary>Draws the questions.</summary>
    /// <param name="digits">D, 1 to 9.</param>
    /// <param name="random">Draws everything.</param>
    /// <param name="count">N, 10 to 1,000,000: the pairs, if there are as many.</param>
    /// <param name="reverse">Whether questions are given backwards, spaces first, so that their last digits come last.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public AdditionData(int digits, MersenneTwister random, int count = DefaultCount, bool reverse = false)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (digits is < 1 or > MaxDigits)
            throw new ArgumentOutOfRangeException(nameof(digits), digits, $"Expected 1 to {MaxDigits} digits.");
        if (count is < MinCount or > MaxCount)
            throw new ArgumentOutOfRangeException(nameof(count), count, $"Expected {MinCount} to {MaxCount} pairs.");
        (Digits, Reverse) = (digits, reverse);
        var numbers = 1L;
        for (var i = 0; i < digits; i++)
            numbers *= 10;
        var pairs = numbers * (numbers + 1) / 2 <= count ? All((int)numbers, random) : Drawn(digits, count, random);
        AdditionQuestion[] questions = [.. random.Permutation(pairs.Count).Select(index => Ask(pairs[index].A, pairs[index].B))];
        var tests = questions.Length / TestShare;
        (Test, Training) = (questions[..tests], questions[tests..]);
    }

    /// <summary>D, the most digits of a number.</summary>
    public int Digits { get; }

    /// <summary>Whether questions are given backwards.</summary>
    public bool Reverse { get; }

    /// <summary>The characters of a question, 2·D + 1.</summary>
    public int QuestionLength => (2 * Digits) + 1;

    /// <summary>The characters of an answer, D + 1.</summary>
    public int AnswerLength => Digits + 1;

    /// <summary>The numbers of the characters.</summary>
    public static Vocabulary Characters { get; } = Vocabulary.FromCharacters(Alphabet);

    /// <summary>Nine in ten of the questions.</summary>
    public IReadOnlyList<AdditionQuestion> Training { get; }

    /// <summary>The others, whose pairs are not among the first in either order.</summary>
    public IReadOnlyList<AdditionQuestion> Test { get; }

    /// <summary>A question of these data's form, such as a user's own.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative or has more than D digits.</exception>
    public AdditionQuestion Ask(int a, int b)
    {
        CheckNumber(a, nameof(a));
        CheckNumber(b, nameof(b));
        var question = string.Create(CultureInfo.InvariantCulture, $"{a}+{b}").PadRight(QuestionLength);
        if (Reverse)
            question = new string([.. question.Reverse()]);
        var answer = (a + b).ToString(CultureInfo.InvariantCulture).PadRight(AnswerLength);
        return new AdditionQuestion(a, b, question, answer, Carries(a, b));
    }

    void CheckNumber(int number, string name)
    {
        if (number < 0 || number.ToString(CultureInfo.InvariantCulture).Length > Digits)
            throw new ArgumentOutOfRangeException(name, number, $"Expected a number of at most {Digits} digits.");
    }

    static List<(int A, int B)> Drawn(int digits, int count, MersenneTwister random)
    {
        var pairs = new List<(int A, int B)>(count);
        var seen = new HashSet<(int, int)>(count);
        while (pairs.Count < count)
        {
            var (a, b) = (Number(digits, random), Number(digits, random));
            if (seen.Add((Math.Min(a, b), Math.Max(a, b))))
                pairs.Add((a, b));
        }

        return pairs;
    }

    static int Number(int digits, MersenneTwister random)
    {
        var number = 0;
        for (var left = 1 + random.NextInterval(digits - 1); left > 0; left--)
            number = (10 * number) + random.NextInterval(9);
        return number;
    }

    static List<(int A, int B)> All(int numbers, MersenneTwister random)
    {
        var pairs = new List<(int A, int B)>();
        for (var low = 0; low < numbers; low++)
        {
            for (var high = low; high < numbers; high++)
                pairs.Add(random.NextInterval(1) == 0 ? (low, high) : (high, low));
        }

        return pairs;
    }

    static int Carries(int a, int b)
    {
        var (carry, carries) = (0, 0);
        for (; a > 0 || b > 0; a /= 10, b /= 10)
        {
            carry = (a % 10) + (b % 10) + carry > 9 ? 1 : 0;
            carries += carry;
        }

        return carries;
    }
}
