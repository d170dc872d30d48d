using Unroll.Data;

namespace Unroll.Experiments.Images;

/// <summary>Copies of images whose pixels stand elsewhere.</summary>
public static class ImageMoves
{
    /// <summary>Moves every image by <paramref name="dy"/> rows down and <paramref name="dx"/> columns to the right; what moves in is empty.</summary>
    public static ImageSet Shift(ImageSet images, int dy, int dx)
    {
        ArgumentNullException.ThrowIfNull(images);
        return (dy, dx) == (0, 0) ? images : Rearrange(images, (row, column) => (row - dy, column - dx));
    }

    /// <summary>Puts the last row first: who reads the result from top to bottom reads the images from bottom to top.</summary>
    public static ImageSet UpsideDown(ImageSet images)
    {
        ArgumentNullException.ThrowIfNull(images);
        return Rearrange(images, (row, column) => (images.Rows - 1 - row, column));
    }

    /// <summary>Takes the pixel of each place from another place of the same image; from outside comes 0.</summary>
    static ImageSet Rearrange(ImageSet images, Func<int, int, (int Row, int Column)> origin)
    {
        var size = images.Rows * images.Columns;
        var from = new int[size];
        for (var place = 0; place < size; place++)
        {
            var (row, column) = origin(place / images.Columns, place % images.Columns);
            from[place] = (uint)row < (uint)images.Rows && (uint)column < (uint)images.Columns ? (row * images.Columns) + column : -1;
        }

        var pixels = new byte[images.Pixels.Length];
        for (var image = 0; image < images.Count; image++)
        {
            var source = images.Image(image);
            var destination = pixels.AsSpan(image * size, size);
            for (var place = 0; place < size; place++)
                destination[place] = from[place] < 0 ? (byte)0 : source[from[place]];
        }

        return new ImageSet(images.Rows, images.Columns, pixels, images.Labels.ToArray(), images.ClassNames, images.PixelMaximum);
    }
}
