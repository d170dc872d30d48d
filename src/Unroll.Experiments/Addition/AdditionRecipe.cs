using System.Globalization;
using Unroll.Models;
using Unroll.Training;

namespace Unroll.Experiments.Addition;

/// <summary>How long and how large a run of experiment 6 is.</summary>
/// <param name="Digits">D, the most digits of a number.</param>
/// <param name="Pairs">N, the pairs of numbers to learn from and to be judged by.</param>
/// <param name="HiddenSize">H, hidden units of encoder and decoder.</param>
/// <param name="BatchSize">Questions per update.</param>
/// <param name="Epochs">Epochs.</param>
public sealed record AdditionScale(int Digits, int Pairs, int HiddenSize, int BatchSize, int Epochs);

/// <summary>One of the ways to learn to add: the model, how questions are read, and how it is trained.</summary>
public sealed record AdditionRecipe
{
    /// <summary>The name: on the command line, in tables, in <c>metrics.json</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What is special about it, in a few words.</summary>
    public required string Title { get; init; }

    /// <summary>
    /// The model with a number of hidden units: reads and writes the characters of <see cref="AdditionData"/>; the start token
    /// is one more.
    /// </summary>
    public required Func<int, EncoderDecoderOptions> Model { get; init; }

    /// <summary>Whether questions are read backwards, so that their first digits come last.</summary>
    public required bool Reverse { get; init; }

    /// <summary>Whether a training question is given as a+b or as b+a at random, anew each time.</summary>
    public required bool SwapNumbers { get; init; }

    /// <summary>How the parameters start.</summary>
    public required Initialization Start { get; init; }

    /// <summary>The start in a few words.</summary>
    public required string StartText { get; init; }

    /// <summary>The first learning rate of AdamW, which falls to 0 by a cosine.</summary>
    public required double LearningRate { get; init; }

    /// <summary>λ of AdamW.</summary>
    public required double WeightDecay { get; init; }

    /// <summary>What is the recipe's own, in words.</summary>
    internal string Describe() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Title}; learning rate {LearningRate}, weight decay {WeightDecay}, start: {StartText}");
}
