using Unroll.Data;
using Unroll.Models;

namespace Unroll.Experiments.Images;

/// <summary>What a model answers to images: a class for each, and how sure it is.</summary>
public sealed class ImageAnswers
{
    // Rows of a prediction: enough to keep the matrix product busy.
    const int BlockSize = 240;

    readonly ImageSet _images;
    readonly float[] _logits;
    readonly int[] _answers;

    ImageAnswers(ImageSet images, float[] logits)
    {
        (_images, _logits) = (images, logits);
        _answers = [.. Enumerable.Range(0, images.Count).Select(image => IndexOfLargest(Logits(image)))];
        Accuracy = Enumerable.Range(0, images.Count).Count(IsRight) / (double)images.Count;
    }

    /// <summary>The share of right answers.</summary>
    public double Accuracy { get; }

    /// <summary>Asks the model.</summary>
    /// <param name="model">Reads images row by row and ends in one step of as many logits as there are classes.</param>
    /// <param name="images">The images.</param>
    /// <exception cref="ArgumentException">The model does not fit the images.</exception>
    public static ImageAnswers Of(SequenceModel model, ImageSet images)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(images);
        var classes = images.ClassNames.Count;
        if (model.InputSize != images.Columns || model.OutputSize != classes || model.HasOutputAtEveryStep)
            throw new ArgumentException($"Expected a model of {images.Columns} inputs that ends in one step of {classes} outputs; got one of {model.InputSize} inputs and {model.OutputSize} outputs.", nameof(model));

        var logits = new float[images.Count * classes];
        var predictor = model.CreatePredictor(images.Rows, BlockSize);
        var source = new ImageSequenceSource(images);
        var batch = new SequenceBatch(source.MaxSteps, BlockSize, source.InputSize, source.TargetSize);
        int[] indices = [.. Enumerable.Range(0, images.Count)];
        for (var start = 0; start < images.Count; start += BlockSize)
        {
            var rows = Math.Min(BlockSize, images.Count - start);
            source.Fill(batch, indices.AsSpan(start, rows));
            predictor.Predict(batch.Inputs, batch.Steps, rows, logits.AsSpan(start * classes, rows * classes));
        }

        return new ImageAnswers(images, logits);
    }

    /// <summary>The class answered for an image.</summary>
    public int Answer(int image) => _answers[image];

    /// <summary>The probability that the answer has by the softmax of the logits.</summary>
    public double Confidence(int image)
    {
        var logits = Logits(image);
        var sum = 0.0;
        foreach (var logit in logits)
            sum += Math.Exp(logit - logits[_answers[image]]);
        return 1 / sum;
    }

    /// <summary>How often class [i, j] was shown as i and answered as j.</summary>
    public int[,] Confusion()
    {
        var classes = _images.ClassNames.Count;
        var counts = new int[classes, classes];
        for (var image = 0; image < _images.Count; image++)
            counts[_images.Labels[image], _answers[image]]++;
        return counts;
    }

    /// <summary>The images answered wrongly, the surest first.</summary>
    public IReadOnlyList<int> Mistakes() =>
        [.. Enumerable.Range(0, _images.Count).Where(image => !IsRight(image)).OrderByDescending(Confidence)];

    bool IsRight(int image) => _answers[image] == _images.Labels[image];

    ReadOnlySpan<float> Logits(int image)
    {
        var classes = _images.ClassNames.Count;
        return _logits.AsSpan(image * classes, classes);
    }

    static int IndexOfLargest(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var j = 1; j < logits.Length; j++)
        {
            if (logits[j] > logits[best])
                best = j;
        }

        return best;
    }
}
