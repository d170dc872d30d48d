using System.Runtime.CompilerServices;

namespace Unroll.Numerics;

/// <summary>
/// A zeroed block of floats on the pinned heap, 64-byte aligned, with one cache line of slack at its end so that a
/// full-width vector load at the last element stays inside the block.
/// </summary>
/// <remarks>Whoever uses <see cref="Pointer"/> keeps the buffer reachable (see <see cref="GC.KeepAlive"/>).</remarks>
sealed unsafe class AlignedBuffer
{
    const int AlignmentFloats = 16;

    // 4 vectors of 16 lanes: the widest read of an unpacked GEMM operand beyond its last column.
    const int SlackFloats = 64;

    const int PageFloats = 1024; // the smallest page, 4 KiB

    readonly float[] _storage;
    readonly int _offset;

    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or does not fit one array.</exception>
    public AlignedBuffer(long length)
    {
        if (length < 0 || length > Array.MaxLength - AlignmentFloats - SlackFloats)
        {
            throw new ArgumentOutOfRangeException(
                nameof(length), length, $"A buffer holds 0 to {Array.MaxLength - AlignmentFloats - SlackFloats} floats; use a shorter sequence, a smaller batch or a smaller layer.");
        }

        Length = (int)length;
        _storage = GC.AllocateArray<float>(Length + AlignmentFloats + SlackFloats, pinned: true);
        var address = (nuint)Unsafe.AsPointer(ref _storage[0]);
        _offset = (int)((64 - (address & 63)) & 63) / sizeof(float);
        Pointer = (float*)Unsafe.AsPointer(ref _storage[_offset]);

        // The system gives a page when it is first written: now, not within a training step.
        for (nint at = 0; at < Length; at += PageFloats)
            Volatile.Write(ref Pointer[at], 0f);
    }

    /// <summary>Floats in the block.</summary>
    public int Length { get; }

    /// <summary>Bytes in the block.</summary>
    public long Bytes => (long)Length * sizeof(float);

    /// <summary>The 64-byte aligned first element.</summary>
    public float* Pointer { get; }

    /// <summary>The block as a span.</summary>
    public Span<float> Span => _storage.AsSpan(_offset, Length);

    /// <summary>The block as memory, for consumers that outlive a stack frame.</summary>
    public Memory<float> Memory => _storage.AsMemory(_offset, Length);
}
