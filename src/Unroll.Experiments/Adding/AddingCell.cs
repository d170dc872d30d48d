using Unroll.Models;
using Unroll.Training;

namespace Unroll.Experiments.Adding;

/// <summary>How long and how large a run of experiment 3 is.</summary>
/// <param name="Steps">T, the steps of a sequence.</param>
/// <param name="HiddenSize">H, the hidden units.</param>
/// <param name="BatchSize">Sequences per update.</param>
/// <param name="MostUpdates">Updates, unless the task is solved before.</param>
public sealed record AddingScale(int Steps, int HiddenSize, int BatchSize, int MostUpdates);

/// <summary>One of the cells of experiment 3, and what of the training is its own.</summary>
public sealed record AddingCell
{
    /// <summary>The cell's usual name; in lower case on the command line and in <c>metrics.json</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The model with a number of hidden units: 2 inputs at every step, 1 output after the last.</summary>
    public required Func<int, SequenceModelOptions> Model { get; init; }

    /// <summary>How the parameters start, for sequences of a number of steps.</summary>
    public required Func<int, Initialization> Start { get; init; }

    /// <summary>The start in a few words.</summary>
    public required string StartText { get; init; }

    /// <summary>The first learning rate of Adam, which falls to 0 by a cosine.</summary>
    public required double LearningRate { get; init; }

    internal string Word => Name.ToLowerInvariant();
}
