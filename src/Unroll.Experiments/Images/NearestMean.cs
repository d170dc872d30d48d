using Unroll.Data;

namespace Unroll.Experiments.Images;

/// <summary>The simplest reader of images: the class whose mean image is nearest.</summary>
public static class NearestMean
{
    /// <summary>The share of right answers on <paramref name="test"/> with the mean images of <paramref name="training"/>.</summary>
    /// <exception cref="ArgumentException">The images are of two sizes.</exception>
    public static double Accuracy(ImageSet training, ImageSet test)
    {
        ArgumentNullException.ThrowIfNull(training);
        ArgumentNullException.ThrowIfNull(test);
        if ((training.Rows, training.Columns) != (test.Rows, test.Columns))
            throw new ArgumentException($"Expected test images of {training.Rows}×{training.Columns}, got {test.Rows}×{test.Columns}.", nameof(test));
        var means = Means(training);
        var right = 0;
        for (var image = 0; image < test.Count; image++)
        {
            var (best, nearest) = (-1, double.PositiveInfinity);
            for (var label = 0; label < means.Length; label++)
            {
                var distance = Distance(test.Image(image), means[label]);
                if (distance < nearest)
                    (best, nearest) = (label, distance);
            }

            right += best == test.Labels[image] ? 1 : 0;
        }

        return right / (double)test.Count;
    }

    /// <summary>The mean image of each class; of a class without images it is infinitely far away.</summary>
    static double[][] Means(ImageSet images)
    {
        var size = images.Rows * images.Columns;
        var means = Enumerable.Range(0, images.ClassNames.Count).Select(_ => new double[size]).ToArray();
        for (var image = 0; image < images.Count; image++)
        {
            var pixels = images.Image(image);
            var mean = means[images.Labels[image]];
            for (var i = 0; i < size; i++)
                mean[i] += pixels[i];
        }

        for (var label = 0; label < means.Length; label++)
        {
            var count = images.Labels.Count((byte)label);
            for (var i = 0; i < size; i++)
                means[label][i] = count > 0 ? means[label][i] / count : double.PositiveInfinity;
        }

        return means;
    }

    static double Distance(ReadOnlySpan<byte> pixels, double[] mean)
    {
        var sum = 0.0;
        for (var i = 0; i < pixels.Length; i++)
            sum += (pixels[i] - mean[i]) * (pixels[i] - mean[i]);
        return sum;
    }
}
