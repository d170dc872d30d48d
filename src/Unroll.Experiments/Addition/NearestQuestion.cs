namespace Unroll.Experiments.Addition;

/// <summary>What remembering without adding reaches: to give the answer of the training question whose numbers are nearest.</summary>
/// <remarks>
/// The distance of two questions is |a − a'| + |b − b'|, or that to the mirror b'+a' if it is smaller. Of training questions
/// equally near the first counts.
/// </remarks>
public static class NearestQuestion
{
    /// <summary>The share of questions that are answered rightly.</summary>
    /// <param name="training">The questions whose answers are known, at least one.</param>
    /// <param name="test">The questions to answer, at least one.</param>
    /// <exception cref="InvalidOperationException">A list is empty.</exception>
    public static double ExactMatch(IReadOnlyList<AdditionQuestion> training, IReadOnlyList<AdditionQuestion> test)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(test);
        return test.Average(question => Nearest(training, question).Answer == question.Answer ? 1.0 : 0);
    }

    static AdditionQuestion Nearest(IReadOnlyList<AdditionQuestion> training, AdditionQuestion question) =>
        training.MinBy(other => Math.Min(Distance(question, other.A, other.B), Distance(question, other.B, other.A)))!;

    static long Distance(AdditionQuestion question, long a, long b) => Math.Abs(question.A - a) + Math.Abs(question.B - b);
}
