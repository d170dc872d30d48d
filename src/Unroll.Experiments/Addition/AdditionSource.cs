using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Experiments.Addition;

/// <summary>Questions and answers as tokens, for an encoder–decoder to learn from.</summary>
/// <remarks>Inputs [2·D + 1, B, 1] are the characters of the questions, labels [D + 1, B] those of the answers.</remarks>
public sealed class AdditionSource : ISequenceSource
{
    readonly AdditionForm _form;
    readonly MersenneTwister? _swaps;
    readonly int[][] _questions, _swapped, _answers;

    /// <summary>Takes the questions.</summary>
    /// <param name="form">How they are written.</param>
    /// <param name="questions">The questions, at least one.</param>
    /// <param name="swaps">Draws for each question that is filled in whether its numbers are swapped; never, if null.</param>
    /// <exception cref="ArgumentException">There is no question.</exception>
    public AdditionSource(AdditionForm form, IReadOnlyList<AdditionQuestion> questions, MersenneTwister? swaps = null)
    {
        ArgumentNullException.ThrowIfNull(form);
        ArgumentNullException.ThrowIfNull(questions);
        if (questions.Count == 0)
            throw new ArgumentException("Expected at least one question, got none.", nameof(questions));
        (_form, _swaps) = (form, swaps);
        _questions = Encode(question => question.Question);
        _answers = Encode(question => question.Answer);
        _swapped = swaps is null ? _questions : Encode(question => form.Swapped(question).Question);

        int[][] Encode(Func<AdditionQuestion, string> text) =>
            [.. questions.Select(question => AdditionData.Characters.EncodeText(text(question)))];
    }

    /// <inheritdoc/>
    public int Count => _questions.Length;

    /// <summary>The characters of a question.</summary>
    public int MaxSteps => _form.QuestionLength;

    /// <summary>1: a character's number.</summary>
    public int InputSize => 1;

    /// <summary>0: targets are labels.</summary>
    public int TargetSize => 0;

    /// <inheritdoc/>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var rows = indices.Length;
        batch.Resize(_form.QuestionLength, rows, _form.AnswerLength);
        for (var b = 0; b < rows; b++)
        {
            var questions = _swaps?.NextInterval(1) == 1 ? _swapped : _questions;
            Put(questions[indices[b]], batch.Inputs, rows, b);
            var answer = _answers[indices[b]];
            for (var t = 0; t < answer.Length; t++)
                batch.Labels[(t * rows) + b] = answer[t];
        }
    }

    /// <summary>Writes a question's characters into row b of inputs [2·D + 1, B, 1].</summary>
    internal static void Put(int[] question, Span<float> inputs, int rows, int b)
    {
        for (var s = 0; s < question.Length; s++)
            inputs[(s * rows) + b] = question[s];
    }
}
