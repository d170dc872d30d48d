using System.Globalization;
using Unroll.Layers;

namespace Unroll.Experiments.Images;

/// <summary>A recurrent cell to read images with.</summary>
/// <param name="Word">Its name on the command line.</param>
/// <param name="Name">Its usual name.</param>
/// <param name="Make">Makes it for a number of hidden units.</param>
/// <param name="RateFactor">What the recipe's learning rate is multiplied by.</param>
public sealed record ImageCell(string Word, string Name, Func<int, RecurrentOptions> Make, double RateFactor = 1);

/// <summary>How a model is trained on images, and how it is asked.</summary>
public sealed record ImageRecipe
{
    /// <summary>H, hidden units of each direction.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Epochs of a full run.</summary>
    public required int Epochs { get; init; }

    /// <summary>Images in a mini-batch.</summary>
    public required int BatchSize { get; init; }

    /// <summary>The largest learning rate of the cycle.</summary>
    public required double PeakRate { get; init; }

    /// <summary>λ of AdamW.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Gradients longer than this are scaled to it.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>The most pixels by which a training image is moved in each direction, at random.</summary>
    public required int MaxShift { get; init; }

    /// <summary>The most columns by which a row of a training image moves against the next, at random: the slant of the writing.</summary>
    public double MaxSlant { get; init; }

    /// <summary>The rate of dropout before the readout.</summary>
    public required double Dropout { get; init; }

    /// <summary>Settings by name, for the report.</summary>
    internal IReadOnlyList<(string Name, string Value)> Describe(ImageCell cell) =>
    [
        ("examples", string.Create(CultureInfo.InvariantCulture, $"each training image once an epoch, moved by up to {MaxShift} pixels in each direction{(MaxSlant > 0 ? $" and slanted by up to {MaxSlant} columns per row" : "")}, anew each time")),
        ("start", "orthogonal recurrent matrices, Glorot's uniform distribution for the others, biases 0, those of LSTM forget gates 1"),
        ("optimizer", string.Create(CultureInfo.InvariantCulture, $"AdamW, weight decay {WeightDecay}, batches of {BatchSize}, {Epochs} epochs, gradient clipped to norm {ClipNorm}")),
        ("learning rate", string.Create(CultureInfo.InvariantCulture, $"one cycle: up to {PeakRate * cell.RateFactor:G3} over the first 30 %, down to 0 by a cosine")),
        ("dropout", string.Create(CultureInfo.InvariantCulture, $"{Dropout} before the readout")),
    ];
}
