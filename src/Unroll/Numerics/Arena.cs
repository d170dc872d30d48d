namespace Unroll.Numerics;

/// <summary>One allocation for many arrays: reserve all, commit once, then take the pointers.</summary>
sealed unsafe class Arena
{
    const int Alignment = 16; // floats: 64 bytes

    long _length;
    AlignedBuffer? _buffer;

    /// <summary>Reserves <paramref name="count"/> floats, 64-byte aligned.</summary>
    public Region Reserve(long count)
    {
        var offset = _length;
        _length += (count + Alignment - 1) / Alignment * Alignment;
        return new Region(offset, count);
    }

    /// <summary>Allocates everything that was reserved, zeroed.</summary>
    public void Commit() => _buffer = new AlignedBuffer(_length);

    /// <summary>Bytes allocated.</summary>
    public long Bytes => _length * sizeof(float);

    public float* Pointer(Region region) => _buffer!.Pointer + region.Offset;

    public Span<float> Span(Region region) => _buffer!.Span.Slice((int)region.Offset, (int)region.Length);

    /// <summary>The <paramref name="length"/> floats from a pointer into the arena, as a span that keeps it alive.</summary>
    public Span<float> Span(float* start, int length) => _buffer!.Span.Slice((int)(start - _buffer.Pointer), length);

    /// <summary>A place in an <see cref="Arena"/>.</summary>
    public readonly record struct Region(long Offset, long Length);
}
