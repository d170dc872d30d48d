namespace Unroll.Numerics;

/// <summary>
/// The right operand [K, N] of a matrix product, rearranged so that the register tile reads it front to back: panels of
/// 4 vectors, each panel [K, 4·Count], the last one as wide as it needs in whole vectors, padded with zeros.
/// </summary>
/// <remarks>The naive kernel keeps the plain [K, N] rows, so it depends on no packing code.</remarks>
sealed unsafe class PackedMatrix
{
    readonly AlignedBuffer _buffer;

    /// <param name="k">Rows: the length of the dot products.</param>
    /// <param name="n">Columns: the width of the result.</param>
    public PackedMatrix(int k, int n)
    {
        K = k;
        N = n;
        // Padded to 16 lanes, the widest vector, so that one buffer serves every kernel.
        _buffer = new AlignedBuffer((long)k * ((n + 15) / 16 * 16));
    }

    public int K { get; }

    public int N { get; }

    public float* Pointer => _buffer.Pointer;

    /// <summary>Floats in a full panel for vectors of <paramref name="count"/> lanes.</summary>
    public static int PanelWidth(int count) => 4 * count;

    /// <summary>Packs <paramref name="source"/> [K, N], or [N, K] when <paramref name="transposed"/>.</summary>
    public void Pack(KernelKind kernel, float* source, bool transposed)
    {
        // The naive kernel's one panel is the plain matrix.
        var count = KernelLanes.Of(kernel);
        var width = kernel == KernelKind.Naive ? N : PanelWidth(count);
        var destination = _buffer.Pointer;
        for (var n = 0; n < N; n += width)
        {
            var columns = Math.Min(width, N - n);
            var padded = (columns + count - 1) / count * count;
            if (transposed)
                TransposedCopy.Copy(source + ((nint)n * K), K, columns, K, destination, padded);
            for (var k = 0; k < K; k++)
            {
                if (!transposed)
                    new ReadOnlySpan<float>(source + ((nint)k * N) + n, columns).CopyTo(new Span<float>(destination, columns));
                new Span<float>(destination + columns, padded - columns).Clear();
                destination += padded;
            }
        }
    }
}
