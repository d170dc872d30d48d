using Unroll.Experiments.Addition;
using Unroll.Numerics;

namespace Unroll.Tests.Experiments;

public class AdditionDataTests
{
    static AdditionData Data(int digits, uint seed = 1, int count = AdditionData.DefaultCount, bool reverse = false) =>
        new(new AdditionForm(digits, reverse), new MersenneTwister(seed), count);

    static List<AdditionQuestion> All(AdditionData data) => [.. data.Training, .. data.Test];

    [Theory]
    [InlineData(1, 20_000, 55)]
    [InlineData(2, 20_000, 5_050)]
    [InlineData(2, 1_000, 1_000)]
    [InlineData(3, 20_000, 20_000)]
    [InlineData(9, 500, 500)]
    public void Questions_AreSumsInTheirForm_NinePartsToTrainOn(int digits, int count, int expected)
    {
        var data = Data(digits, count: count);
        Assert.Equal((expected / 10, expected - (expected / 10)), (data.Test.Count, data.Training.Count));
        Assert.Equal((digits, (2 * digits) + 1, digits + 1), (data.Form.Digits, data.Form.QuestionLength, data.Form.AnswerLength));
        foreach (var question in All(data))
        {
            Assert.InRange(Math.Max(question.A, question.B), 0, (int)Math.Pow(10, digits) - 1);
            Assert.Equal(data.Form.QuestionLength, question.Question.Length);
            Assert.Equal(data.Form.AnswerLength, question.Answer.Length);
            var parts = question.Question.TrimEnd(' ').Split('+');
            Assert.Equal([question.A, question.B], parts.Select(int.Parse));
            Assert.Equal(question.A + question.B, int.Parse(question.Answer.TrimEnd(' ')));
            Assert.Equal(question.Question, AdditionData.Characters.DecodeText(AdditionData.Characters.EncodeText(question.Question)));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void NoPair_NorItsMirror_IsThereTwice_OrInBothParts(int digits)
    {
        var data = Data(digits);
        var trained = data.Training.Select(Unordered).ToHashSet();
        Assert.Equal(data.Training.Count, trained.Count);
        Assert.Equal(data.Test.Count, data.Test.Select(Unordered).Distinct().Count());
        Assert.DoesNotContain(data.Test, question => trained.Contains(Unordered(question)));
    }

    [Fact]
    public void AllPairs_AreTaken_InEitherOrder_WhereThereAreNoMore()
    {
        var pairs = All(Data(2)).Select(Unordered).ToHashSet();
        for (var a = 0; a < 100; a++)
        {
            for (var b = a; b < 100; b++)
                Assert.Contains((a, b), pairs);
        }

        var rising = All(Data(2)).Count(question => question.A < question.B);
        Assert.Equal(4950 / 2, rising, 4 * Math.Sqrt(4950) / 2); // each order with probability 1/2
    }

    [Fact]
    public void Padding_IsOnTheRight_AndReversalPutsItInFront()
    {
        var (plain, reversed) = (Data(3), Data(3, reverse: true));
        Assert.Equal(("12+345 ", "357 "), (plain.Form.Ask(12, 345).Question, plain.Form.Ask(12, 345).Answer));
        Assert.Equal(("0+0    ", "0   "), (plain.Form.Ask(0, 0).Question, plain.Form.Ask(0, 0).Answer));
        Assert.Equal(("999+999", "1998"), (plain.Form.Ask(999, 999).Question, plain.Form.Ask(999, 999).Answer));
        Assert.Equal((" 543+21", "357 "), (reversed.Form.Ask(12, 345).Question, reversed.Form.Ask(12, 345).Answer));
        Assert.True(reversed.Form.Reverse);

        // The same pairs in the same order.
        Assert.Equal(All(plain).Select(question => (question.A, question.B)), All(reversed).Select(question => (question.A, question.B)));
        Assert.Equal(All(plain).Select(question => string.Concat(question.Question.Reverse())), All(reversed).Select(question => question.Question));
    }

    [Fact]
    public void Carries_AreThoseOfTheDigitSums()
    {
        // S(a) + S(b) − S(a + b) = 9 · carries, where S is the sum of the digits.
        static int S(int number) => number.ToString().Sum(digit => digit - '0');
        foreach (var question in All(Data(3)))
            Assert.Equal((S(question.A) + S(question.B) - S(question.A + question.B)) / 9.0, question.Carries);
        var data = Data(3);
        Assert.Equal((0, 1, 3, 3), (data.Form.Ask(123, 456).Carries, data.Form.Ask(5, 5).Carries, data.Form.Ask(999, 1).Carries, data.Form.Ask(999, 999).Carries));
    }

    [Fact]
    public void Numbers_AreDrawnByTheirLengthFirst()
    {
        // Of 200 pairs with D = 9 hardly one comes twice. A number is below 10 with probability Σ 10^(1−k) / 9, k = 1 … 9.
        int[] numbers = [.. Enumerable.Range(1, 50).SelectMany(seed => All(Data(9, (uint)seed, count: 200))).SelectMany(question => new[] { question.A, question.B })];
        for (var length = 1; length <= 9; length++)
        {
            var limit = (int)Math.Pow(10, length);
            var share = Enumerable.Range(1, 9).Sum(k => Math.Min(1, Math.Pow(10, length - k))) / 9;
            var deviation = Math.Sqrt(share * (1 - share) / numbers.Length);
            Assert.Equal(share, numbers.Count(number => number < limit) / (double)numbers.Length, Math.Max(4 * deviation, 1e-9));
        }
    }

    [Fact]
    public void TestPart_IsAFairSample()
    {
        // Short pairs run out while drawing; without the shuffle the last tenth would have hardly any.
        var data = Data(3);
        static double Short(IReadOnlyList<AdditionQuestion> questions) => questions.Count(q => q.A < 100 && q.B < 100) / (double)questions.Count;
        Assert.Equal(Short(data.Training), Short(data.Test), 4 * Math.Sqrt(0.25 / data.Test.Count));
    }

    [Theory]
    [InlineData(1, 45, 5)]
    [InlineData(3, 16_200, 1_800)]
    public void Validation_IsTheLastTenthOfTheTrainingQuestions(int digits, int kept, int held)
    {
        var data = Data(digits);
        var (training, validation) = data.CutValidation();
        Assert.Equal((kept, held), (training.Count, validation.Count));
        Assert.Equal(data.Training, [.. training, .. validation]);
    }

    [Fact]
    public void OneSeed_GivesOneSetOfQuestions()
    {
        Assert.Equal(All(Data(3, 7)), All(Data(3, 7)));
        Assert.NotEqual(All(Data(3, 7)), All(Data(3, 8)));
        Assert.NotEqual(All(Data(1, 7)), All(Data(1, 8)));
    }

    [Fact]
    public void Alphabet_IsInItsOrder()
    {
        Assert.Equal("0123456789+ ", string.Concat(AdditionData.Characters.Tokens));
        Assert.Equal([1, 2, 10, 3, 11, 11, 11], AdditionData.Characters.EncodeText(Data(3).Form.Ask(12, 3).Question));
    }

    [Fact]
    public void BadArguments_AreRejected()
    {
        foreach (var digits in new[] { 0, -1, 10 })
            Assert.Contains("1 to 9 digits", Assert.Throws<ArgumentOutOfRangeException>(() => Data(digits)).Message, StringComparison.Ordinal);
        foreach (var count in new[] { 9, 0, -1, 1_000_001 })
            Assert.Contains("10 to 1000000 pairs", Assert.Throws<ArgumentOutOfRangeException>(() => Data(3, count: count)).Message, StringComparison.Ordinal);
        var data = Data(2);
        Assert.Equal(data.Form.Ask(5, 67), data.Form.Swapped(data.Form.Ask(67, 5)));
        foreach (var (a, b) in new[] { (100, 1), (1, 100), (-1, 1), (1, int.MinValue) })
            Assert.Contains("at most 2 digits", Assert.Throws<ArgumentOutOfRangeException>(() => data.Form.Ask(a, b)).Message, StringComparison.Ordinal);
    }

    static (int, int) Unordered(AdditionQuestion question) => (Math.Min(question.A, question.B), Math.Max(question.A, question.B));
}
