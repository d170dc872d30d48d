using System.Globalization;

namespace Unroll.Experiments.Addition;

/// <summary>A sum to be answered, as the model sees it.</summary>
/// <param name="A">The first number.</param>
/// <param name="B">The second number.</param>
/// <param name="Question">"12+345" and spaces up to 2·D + 1 characters; backwards where the form is reversed.</param>
/// <param name="Answer">"357" and spaces up to D + 1 characters.</param>
/// <param name="Carries">How many columns of the written addition carry a one, 0 to D.</param>
public sealed record AdditionQuestion(int A, int B, string Question, string Answer, int Carries);

/// <summary>How sums are written: the same number of characters for each.</summary>
public sealed record AdditionForm
{
    /// <summary>The most that <see cref="Digits"/> can be, so that a sum fits into 32 bits.</summary>
    public const int MaxDigits = 9;

    /// <summary>Describes the form.</summary>
    /// <param name="digits">D, 1 to 9.</param>
    /// <param name="reverse">Whether questions are given backwards, spaces first, so that their first digits come last.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of digits is out of range.</exception>
    public AdditionForm(int digits, bool reverse = false)
    {
        if (digits is < 1 or > MaxDigits)
            throw new ArgumentOutOfRangeException(nameof(digits), digits, $"Expected 1 to {MaxDigits} digits.");
        (Digits, Reverse) = (digits, reverse);
    }

    /// <summary>D, the most digits of a number.</summary>
    public int Digits { get; }

    /// <summary>Whether questions are given backwards.</summary>
    public bool Reverse { get; }

    /// <summary>The characters of a question, 2·D + 1.</summary>
    public int QuestionLength => (2 * Digits) + 1;

    /// <summary>The characters of an answer, D + 1.</summary>
    public int AnswerLength => Digits + 1;

    /// <summary>A question of this form.</summary>
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

    /// <summary>The same question with its numbers swapped; its answer is the same.</summary>
    public AdditionQuestion Swapped(AdditionQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        return Ask(question.B, question.A);
    }

    /// <summary>Whether both numbers have all D digits.</summary>
    internal bool IsFull(AdditionQuestion question) =>
        new[] { question.A, question.B }.All(number => number.ToString(CultureInfo.InvariantCulture).Length == Digits);

    void CheckNumber(int number, string name)
    {
        if (number < 0 || number.ToString(CultureInfo.InvariantCulture).Length > Digits)
            throw new ArgumentOutOfRangeException(name, number, $"Expected a number of at most {Digits} digits.");
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
