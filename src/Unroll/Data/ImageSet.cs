using Unroll.Numerics;

namespace Unroll.Data;

/// <summary>Grey images of one size, each with a class. Immutable.</summary>
public sealed class ImageSet
{
    readonly ReadOnlyMemory<byte> _pixels;
    readonly ReadOnlyMemory<byte> _labels;

    /// <summary>Makes a set; the arrays are not copied and must not change.</summary>
    /// <param name="rows">Height of an image.</param>
    /// <param name="columns">Width of an image.</param>
    /// <param name="pixels">[count, rows, columns], each 0 … <paramref name="pixelMaximum"/>.</param>
    /// <param name="labels">[count], each an index into <paramref name="classNames"/>.</param>
    /// <param name="classNames">The names of the classes.</param>
    /// <param name="pixelMaximum">The value of full ink.</param>
    /// <exception cref="ArgumentException">There is no image, the lengths do not fit, or a pixel or label is too large.</exception>
    public ImageSet(
        int rows, int columns, ReadOnlyMemory<byte> pixels, ReadOnlyMemory<byte> labels, IReadOnlyList<string> classNames, byte pixelMaximum = byte.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pixelMaximum, 1);
        ArgumentNullException.ThrowIfNull(classNames);
        if (labels.IsEmpty)
            throw new ArgumentException("Expected at least one image, got none.", nameof(labels));
        var expected = (Int128)labels.Length * rows * columns;
        if (pixels.Length != expected)
            throw new ArgumentException($"Expected {expected} pixels for {labels.Length} images of {rows}×{columns}, got {pixels.Length}.", nameof(pixels));
        if (pixelMaximum < byte.MaxValue && pixels.Span.IndexOfAnyExceptInRange((byte)0, pixelMaximum) is >= 0 and var bright)
            throw new ArgumentException($"Expected pixels of 0 to {pixelMaximum}, got {pixels.Span[bright]} in image {bright / (rows * columns)}.", nameof(pixels));
        if (IndexOfUnknown(labels.Span, classNames.Count) is >= 0 and var unknown)
            throw new ArgumentException($"Expected labels of 0 to {classNames.Count - 1}, got {labels.Span[unknown]} for image {unknown}.", nameof(labels));
        (Rows, Columns, _pixels, _labels, ClassNames, PixelMaximum) = (rows, columns, pixels, labels, classNames, pixelMaximum);
    }

    /// <summary>The number of images, at least 1.</summary>
    public int Count => _labels.Length;

    /// <summary>Height of an image.</summary>
    public int Rows { get; }

    /// <summary>Width of an image.</summary>
    public int Columns { get; }

    /// <summary>The value of full ink.</summary>
    public byte PixelMaximum { get; }

    /// <summary>All pixels [count, rows, columns].</summary>
    public ReadOnlySpan<byte> Pixels => _pixels.Span;

    /// <summary>The class of each image [count].</summary>
    public ReadOnlySpan<byte> Labels => _labels.Span;

    /// <summary>The names of the classes.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>Reads images and their labels from two IDX files, each plain or compressed with gzip.</summary>
    /// <param name="imagesPath">The file of the images [count, rows, columns].</param>
    /// <param name="labelsPath">The file of the labels [count].</param>
    /// <param name="classNames">The names of the classes, in the order of the labels.</param>
    /// <returns>The set; pixels are 0 … 255.</returns>
    /// <exception cref="ArgumentException">A path is null or empty.</exception>
    /// <exception cref="DataFileException">
    /// A file cannot be read, see <see cref="IdxFile"/>; there are more images than labels or fewer; or a label names no class.
    /// </exception>
    public static ImageSet Read(string imagesPath, string labelsPath, IReadOnlyList<string> classNames)
    {
        ArgumentNullException.ThrowIfNull(classNames);
        var labels = IdxFile.Read(labelsPath, dimensions: 1);
        var images = IdxFile.Read(imagesPath, dimensions: 3);
        if (labels.Shape[0] != images.Shape[0])
            throw new DataFileException(labelsPath, $"it holds {labels.Shape[0]} labels where {images.Shape[0]} were expected, one for each image in {imagesPath}. Do the two belong together?");
        if (IndexOfUnknown(labels.Values.Span, classNames.Count) is >= 0 and var unknown)
            throw new DataFileException(labelsPath, $"label {unknown} is {labels.Values.Span[unknown]} where 0 to {classNames.Count - 1} was expected. Are these the labels of other images?");
        return new ImageSet(images.Shape[1], images.Shape[2], images.Values, labels.Values, classNames);
    }

    /// <summary>The pixels of one image [rows, columns].</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such image.</exception>
    public ReadOnlySpan<byte> Image(int index)
    {
        if ((uint)index >= (uint)Count)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"Expected an image of 0 to {Count - 1}.");
        return Pixels.Slice(index * Rows * Columns, Rows * Columns);
    }

    /// <summary>Some images that follow each other; nothing is copied.</summary>
    /// <param name="start">The first of them.</param>
    /// <param name="count">How many, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The set does not have them.</exception>
    public ImageSet Slice(int start, int count)
    {
        if (start < 0 || start >= Count)
            throw new ArgumentOutOfRangeException(nameof(start), start, $"Expected an image of 0 to {Count - 1}.");
        if (count < 1 || count > Count - start)
            throw new ArgumentOutOfRangeException(nameof(count), count, $"Expected 1 to {Count - start} images from image {start} on.");
        var size = Rows * Columns;
        return new ImageSet(Rows, Columns, _pixels.Slice(start * size, count * size), _labels.Slice(start, count), ClassNames, PixelMaximum);
    }

    /// <summary>Divides the images of each class at random, so that both parts have the classes in the same shares.</summary>
    /// <remarks>
    /// For class 0, 1, … in turn, with one generator: the indices of its n images, in rising order, are shuffled
    /// (<see cref="MersenneTwister.Shuffle"/>); the first ⌊n·percent/100⌋ go to the first part. Within a part the images
    /// keep their order.
    /// </remarks>
    /// <param name="percent">The share of the first part, 1 to 99.</param>
    /// <param name="random">Draws.</param>
    /// <returns>Two sets that have every image once; they are copies.</returns>
    /// <exception cref="ArgumentException">The percentage is out of range, or a part would have no image.</exception>
    public (ImageSet First, ImageSet Second) Split(int percent, MersenneTwister random)
    {
        ArgumentNullException.ThrowIfNull(random);
        if (percent is < 1 or > 99)
            throw new ArgumentOutOfRangeException(nameof(percent), percent, "Expected 1 to 99 percent.");
        List<int> first = [], second = [];
        for (var label = 0; label < ClassNames.Count; label++)
        {
            int[] members = [.. Enumerable.Range(0, Count).Where(index => _labels.Span[index] == label)];
            random.Shuffle(members);
            var taken = (int)((long)members.Length * percent / 100);
            first.AddRange(members.AsSpan(0, taken));
            second.AddRange(members.AsSpan(taken));
        }

        if (first.Count == 0 || second.Count == 0)
            throw new ArgumentException($"Expected a share that leaves images to both parts; {percent} % of each class of these {Count} images gives {first.Count} and {second.Count}.", nameof(percent));
        first.Sort();
        second.Sort();
        return (Subset(first), Subset(second));
    }

    ImageSet Subset(List<int> indices)
    {
        var size = Rows * Columns;
        var pixels = new byte[indices.Count * size];
        var labels = new byte[indices.Count];
        for (var i = 0; i < indices.Count; i++)
        {
            Image(indices[i]).CopyTo(pixels.AsSpan(i * size));
            labels[i] = Labels[indices[i]];
        }

        return new ImageSet(Rows, Columns, pixels, labels, ClassNames, PixelMaximum);
    }

    /// <summary>The first label that names no class; −1 if all do.</summary>
    static int IndexOfUnknown(ReadOnlySpan<byte> labels, int classes) =>
        classes > byte.MaxValue ? -1 : classes == 0 ? 0 : labels.IndexOfAnyExceptInRange((byte)0, (byte)(classes - 1));
}
