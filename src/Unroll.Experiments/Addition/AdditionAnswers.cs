using Unroll.Models;

namespace Unroll.Experiments.Addition;

/// <summary>What a model answers to a question.</summary>
/// <param name="Question">The question.</param>
/// <param name="Text">The answer, D + 1 characters.</param>
/// <param name="Probability">How likely the model holds it to be, 0 to 1.</param>
/// <param name="Attention">The weights that each character of the answer gave those of the question [D + 1, 2·D + 1]; empty without attention.</param>
public sealed record AdditionAnswer(AdditionQuestion Question, string Text, double Probability, ReadOnlyMemory<float> Attention)
{
    /// <summary>Whether every character is right.</summary>
    public bool IsRight => Text == Question.Answer;

    /// <summary>How many characters are right.</summary>
    public int RightCharacters => Text.Zip(Question.Answer).Count(pair => pair.First == pair.Second);
}

/// <summary>A model's answers to several questions, and how good they are.</summary>
public sealed class AdditionAnswers
{
    // Rows of a prediction: enough to keep the matrix product busy.
    const int BlockSize = 240;

    /// <summary>Takes answers.</summary>
    /// <param name="all">The answers, at least one.</param>
    /// <exception cref="ArgumentException">There is none.</exception>
    public AdditionAnswers(IReadOnlyList<AdditionAnswer> all)
    {
        ArgumentNullException.ThrowIfNull(all);
        if (all.Count == 0)
            throw new ArgumentException("Expected at least one answer, got none.", nameof(all));
        All = all;
        ExactMatch = all.Count(answer => answer.IsRight) / (double)all.Count;
        CharacterAccuracy = all.Sum(answer => answer.RightCharacters) / (double)all.Sum(answer => answer.Question.Answer.Length);
    }

    /// <summary>The answers, in the order of the questions.</summary>
    public IReadOnlyList<AdditionAnswer> All { get; }

    /// <summary>The share of answers that are right as a whole.</summary>
    public double ExactMatch { get; }

    /// <summary>The share of right characters, the spaces behind a short answer among them.</summary>
    public double CharacterAccuracy { get; }

    /// <summary>How many questions have a number of carries, and how many of their answers are right.</summary>
    public (int Count, int Right) OfCarries(int carries)
    {
        var some = All.Where(answer => answer.Question.Carries == carries).ToArray();
        return (some.Length, some.Count(answer => answer.IsRight));
    }

    /// <summary>Asks a model, which takes the likeliest character at every step.</summary>
    /// <param name="model">A model of the characters of <see cref="AdditionData"/>.</param>
    /// <param name="form">How the questions are written.</param>
    /// <param name="questions">The questions, at least one.</param>
    /// <exception cref="ArgumentException">There is no question, or the model is of other characters.</exception>
    public static AdditionAnswers Of(EncoderDecoder model, AdditionForm form, IReadOnlyList<AdditionQuestion> questions)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(form);
        ArgumentNullException.ThrowIfNull(questions);
        var characters = AdditionData.Characters;
        if (model.InputSize != 1 || model.OutputSize != characters.Count)
            throw new ArgumentException($"Expected a model that writes the {characters.Count} characters of additions; got one of {model.InputSize} inputs that writes {model.OutputSize} tokens.", nameof(model));
        var generator = model.CreateGenerator(new GenerationOptions { MaxSteps = form.AnswerLength }, form.QuestionLength, BlockSize);
        var answers = new List<AdditionAnswer>(questions.Count);
        foreach (var block in questions.Chunk(BlockSize))
        {
            var inputs = new float[form.QuestionLength * block.Length];
            for (var b = 0; b < block.Length; b++)
                AdditionSource.Put(characters.EncodeText(block[b].Question), inputs, block.Length, b);
            var written = generator.Generate(inputs, form.QuestionLength, block.Length);
            answers.AddRange(block.Zip(written, (question, best) => new AdditionAnswer(
                question, characters.DecodeText([.. best[0].Tokens]), Math.Exp(best[0].LogProbability), best[0].Attention)));
        }

        return new AdditionAnswers(answers);
    }
}
