using Unroll.Numerics;

namespace Unroll.Data;

/// <summary>Images as sequences: row t of an image is its input at step t, pixels scaled to 0 … 1, the class its one label.</summary>
/// <remarks>
/// With shifts, each time an image is filled in it is moved by dy rows and dx columns, both uniform on −n … n; what
/// moves in is empty. With slants, s is uniform on −m … m, and row r moves by another round(s·((R − 1)/2 − r)) columns,
/// R being the height: the writing leans to the right or to the left. The draws of the generator per image are dy, dx and,
/// with slants, s, in the order of the indices. Where it is the
/// generator that is also given to <c>Trainer.Fit</c>, a run resumed from a checkpoint sees the same shifts as one that
/// never stopped. An image shown without shifts needs a source of its own.
/// </remarks>
public sealed class ImageSequenceSource : ISequenceSource
{
    readonly ImageSet _images;
    readonly MersenneTwister? _random;
    readonly float[] _scaled = new float[byte.MaxValue + 1];

    /// <summary>Shows images as they are.</summary>
    public ImageSequenceSource(ImageSet images)
    {
        ArgumentNullException.ThrowIfNull(images);
        _images = images;
        for (var pixel = 0; pixel < _scaled.Length; pixel++)
            _scaled[pixel] = pixel / (float)images.PixelMaximum;
    }

    /// <summary>Shows images moved at random, anew each time.</summary>
    /// <param name="images">The images.</param>
    /// <param name="maxShift">n, the most pixels an image is moved by in each direction: 0 to below its height and width.</param>
    /// <param name="random">Draws.</param>
    /// <param name="maxSlant">m, the most columns a row moves by against the next: 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A shift could move an image out of sight, or the slant is out of range.</exception>
    public ImageSequenceSource(ImageSet images, int maxShift, MersenneTwister random, double maxSlant = 0)
        : this(images)
    {
        ArgumentNullException.ThrowIfNull(random);
        var limit = Math.Min(images.Rows, images.Columns) - 1;
        if (maxShift < 0 || maxShift > limit)
            throw new ArgumentOutOfRangeException(nameof(maxShift), maxShift, $"Expected a shift of 0 to {limit} for images of {images.Rows}×{images.Columns}.");
        if (maxSlant is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(maxSlant), maxSlant, "Expected a slant of 0 to 1 columns per row.");
        (MaxShift, MaxSlant, _random) = (maxShift, maxSlant, random);
    }

    /// <summary>n, the most pixels an image is moved by in each direction.</summary>
    public int MaxShift { get; }

    /// <summary>m, the most columns a row moves by against the next.</summary>
    public double MaxSlant { get; }

    /// <inheritdoc/>
    public int Count => _images.Count;

    /// <inheritdoc/>
    public int MaxSteps => _images.Rows;

    /// <inheritdoc/>
    public int InputSize => _images.Columns;

    /// <summary>0: there are labels only.</summary>
    public int TargetSize => 0;

    /// <inheritdoc/>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Resize(MaxSteps, indices.Length, targetSteps: 1);
        for (var b = 0; b < indices.Length; b++)
        {
            var (dy, dx) = _random is null ? (0, 0) : (Shift(_random), Shift(_random));
            var slant = _random is null || MaxSlant == 0 ? 0 : _random.Uniform(-MaxSlant, MaxSlant);
            FillRow(batch, b, _images.Image(indices[b]), dy, dx, slant);
            batch.Labels[b] = _images.Labels[indices[b]];
        }
    }

    int Shift(MersenneTwister random) => random.NextInterval(2 * MaxShift) - MaxShift;

    /// <summary>inputs[t, b, c] = image[r, c − dx − round(s·((R − 1)/2 − r))] with r = t − dy; 0 outside.</summary>
    void FillRow(SequenceBatch batch, int b, ReadOnlySpan<byte> image, int dy, int dx, double slant)
    {
        var (rows, columns) = (MaxSteps, InputSize);
        for (var t = 0; t < rows; t++)
        {
            var input = batch.Inputs.Slice(((t * batch.BatchSize) + b) * columns, columns);
            input.Clear();
            var r = t - dy;
            if ((uint)r >= (uint)rows)
                continue;
            var line = image.Slice(r * columns, columns);
            var right = dx + (int)Math.Round(slant * (((rows - 1) / 2.0) - r));
            for (var c = Math.Max(right, 0); c < columns + Math.Min(right, 0); c++)
                input[c] = _scaled[line[c - right]];
        }
    }
}
