using Unroll.Data;

namespace Unroll.Experiments.Images;

/// <summary>In which order of the rows a model reads an image.</summary>
/// <param name="Name">Its name in <c>metrics.json</c>.</param>
/// <param name="Title">What it is, in a few words.</param>
public sealed record ImageReading(string Name, string Title)
{
    /// <summary>From top to bottom and from bottom to top.</summary>
    public static ImageReading Both { get; } = new("bidirectional", "both directions");

    /// <summary>From top to bottom.</summary>
    public static ImageReading Forward { get; } = new("forward", "forward alone, from the top row down");

    /// <summary>From bottom to top.</summary>
    public static ImageReading Backward { get; } = new("backward", "backward alone, from the bottom row up");

    /// <summary>Copies images with the last row first: who reads these from top to bottom reads the originals from bottom to top.</summary>
    public static ImageSet UpsideDown(ImageSet images)
    {
        ArgumentNullException.ThrowIfNull(images);
        var pixels = new byte[images.Pixels.Length];
        for (var line = 0; line < images.Count * images.Rows; line++)
        {
            var (image, row) = (line / images.Rows, line % images.Rows);
            images.Image(image).Slice((images.Rows - 1 - row) * images.Columns, images.Columns).CopyTo(pixels.AsSpan(line * images.Columns));
        }

        return new ImageSet(images.Rows, images.Columns, pixels, images.Labels.ToArray(), images.ClassNames, images.PixelMaximum);
    }
}
