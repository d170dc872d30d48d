using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Experiments.Images;

/// <summary>What experiment 5 learns from and is judged by.</summary>
/// <param name="Name">The name of the data set.</param>
/// <param name="Training">The images to learn from.</param>
/// <param name="Test">The images that are looked at once, at the end.</param>
public sealed record ImageData(string Name, ImageSet Training, ImageSet Test)
{
    /// <summary>The seed of every fixed division; it does not depend on the seed of a run.</summary>
    public const uint SplitSeed = 1;

    /// <summary>Divides the training images once more, to choose settings and epochs by; see <see cref="ImageSet.Split"/>.</summary>
    /// <param name="trainingPercent">The share of each class that is still trained on.</param>
    public (ImageSet Training, ImageSet Validation) CutValidation(int trainingPercent = 80) =>
        Training.Split(trainingPercent, new MersenneTwister(SplitSeed));
}
