using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Experiments.Addition;

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

    const int MinCount = 10;
    const int MaxCount = 1_000_000;
    const int TestShare = 10;

    /// <summary>Draws the questions.</summary>
    /// <param name="form">How they are written.</param>
    /// <param name="random">Draws everything.</param>
    /// <param name="count">N, 10 to 1,000,000: the pairs, if there are as many.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    public AdditionData(AdditionForm form, MersenneTwister random, int count = DefaultCount)
    {
        ArgumentNullException.ThrowIfNull(form);
        ArgumentNullException.ThrowIfNull(random);
        if (count is < MinCount or > MaxCount)
            throw new ArgumentOutOfRangeException(nameof(count), count, $"Expected {MinCount} to {MaxCount} pairs.");
        Form = form;
        var numbers = 1L;
        for (var i = 0; i < form.Digits; i++)
            numbers *= 10;
        var pairs = numbers * (numbers + 1) / 2 <= count ? All((int)numbers, random) : Drawn(form.Digits, count, random);
        AdditionQuestion[] questions = [.. random.Permutation(pairs.Count).Select(index => form.Ask(pairs[index].A, pairs[index].B))];
        var tests = questions.Length / TestShare;
        (Test, Training) = (questions[..tests], questions[tests..]);
    }

    /// <summary>How the questions are written.</summary>
    public AdditionForm Form { get; }

    /// <summary>The numbers of the characters.</summary>
    public static Vocabulary Characters { get; } = Vocabulary.FromCharacters(Alphabet);

    /// <summary>Nine in ten of the questions.</summary>
    public IReadOnlyList<AdditionQuestion> Training { get; }

    /// <summary>The others, whose pairs are not among the first in either order.</summary>
    public IReadOnlyList<AdditionQuestion> Test { get; }

    /// <summary>Divides the training questions once more, to choose settings by: the last tenth of them is held out.</summary>
    public (IReadOnlyList<AdditionQuestion> Training, IReadOnlyList<AdditionQuestion> Validation) CutValidation()
    {
        var kept = Training.Count - (Training.Count / TestShare);
        return ([.. Training.Take(kept)], [.. Training.Skip(kept)]);
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
}
