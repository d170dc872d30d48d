using Unroll.Data;
using Unroll.Experiments.Images;
using Unroll.Layers;
using Unroll.Models;

namespace Unroll.Tests.Experiments;

public class ImageAnswersTests
{
    // Four images of 2×3 with all ink in one column; the classes are the columns.
    static readonly ImageSet s_images = new(
        2, 3,
        new byte[]
        {
            4, 0, 0, 4, 0, 0, // column 0
            0, 4, 0, 0, 4, 0, // column 1
            0, 0, 2, 0, 0, 4, // column 2, fainter; said to be class 0
            0, 4, 0, 0, 4, 0, // column 1; said to be class 2
        },
        new byte[] { 0, 1, 0, 2 }, ["left", "middle", "right"], 4);

    static SequenceModel ColumnReader()
    {
        // logit j = 2 × the mean over the rows of column j.
        var model = new SequenceModel(new(3, [new PoolingOptions(PoolingKind.Mean), new LinearOptions(3)]), Kernels.Engine(Kernels.Chosen));
        var weights = model.Parameters.ValuesOf(model.Parameters.Find(1, ParameterRole.Weight));
        for (var j = 0; j < 3; j++)
            weights[(j * 3) + j] = 2;
        return model;
    }

    [Fact]
    public void Answers_AreTheLargestLogits_AsSureAsTheirSoftmax()
    {
        var answers = ImageAnswers.Of(ColumnReader(), s_images);
        Assert.Equal([0, 1, 2, 1], Enumerable.Range(0, 4).Select(answers.Answer));
        Assert.Equal(0.5, answers.Accuracy);
        Assert.Equal(Math.Exp(2) / (Math.Exp(2) + 2), answers.Confidence(0), 1e-6);
        Assert.Equal(Math.Exp(1.5) / (Math.Exp(1.5) + 2), answers.Confidence(2), 1e-6);
        Assert.Equal(new[,] { { 1, 0, 1 }, { 0, 1, 0 }, { 0, 1, 0 } }, answers.Confusion());
        Assert.Equal([3, 2], answers.Mistakes()); // the fainter one is less sure
    }

    [Fact]
    public void UpsideDown_PutsTheLastRowFirst_AndTwiceIsNothing()
    {
        var images = new ImageSet(2, 3, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, new byte[] { 1, 0 }, ["a", "b"], 16);
        var turned = ImageReading.UpsideDown(images);
        Assert.Equal([4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9], turned.Pixels.ToArray());
        Assert.Equal([1, 0], turned.Labels.ToArray());
        Assert.Equal((2, 3, 16), (turned.Rows, turned.Columns, turned.PixelMaximum));
        Assert.Equal(images.Pixels.ToArray(), ImageReading.UpsideDown(turned).Pixels.ToArray());
    }

    [Fact]
    public void MoreImagesThanABlock_AreAnsweredAlike()
    {
        var pixels = Enumerable.Range(0, 500).SelectMany(i => s_images.Image(i % 4).ToArray()).ToArray();
        var labels = Enumerable.Range(0, 500).Select(i => s_images.Labels[i % 4]).ToArray();
        var answers = ImageAnswers.Of(ColumnReader(), new ImageSet(2, 3, pixels, labels, s_images.ClassNames, 4));
        Assert.Equal(Enumerable.Range(0, 500).Select(i => new[] { 0, 1, 2, 1 }[i % 4]), Enumerable.Range(0, 500).Select(answers.Answer));
        Assert.Equal(0.5, answers.Accuracy);
    }

    [Fact]
    public void AModelThatDoesNotFit_IsRefused()
    {
        var everyStep = new SequenceModel(new(3, [new LinearOptions(3)]), Kernels.Engine(Kernels.Chosen));
        Assert.Contains("ends in one step of 3 outputs", Assert.Throws<ArgumentException>(() => ImageAnswers.Of(everyStep, s_images)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NearestMean_ComparesWithTheMeanOfEachClass()
    {
        // Means: class 0 (0, 6), class 1 (8, 0); class 2 has no image and is never answered.
        var training = new ImageSet(1, 2, new byte[] { 0, 4, 0, 8, 8, 0 }, new byte[] { 0, 0, 1 }, ["0", "1", "2"]);
        var test = new ImageSet(1, 2, new byte[] { 0, 9, 9, 0, 5, 3, 0, 0 }, new byte[] { 0, 1, 0, 2 }, ["0", "1", "2"]);
        Assert.Equal(0.5, NearestMean.Accuracy(training, test)); // (5, 3) is nearer to (8, 0): 18 against 34
        var wide = new ImageSet(1, 4, new byte[4], new byte[1], ["0"]);
        Assert.Contains("test images of 1×2, got 1×4", Assert.Throws<ArgumentException>(() => NearestMean.Accuracy(training, wide)).Message, StringComparison.Ordinal);
    }
}
