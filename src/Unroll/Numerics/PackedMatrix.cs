namespace Unroll.Numerics;

/// <summary>
/// The right operand [K, N] of a matrix product, rearranged so that the register tile reads it front to back: panels of
/// 4 vectors, each panel [K, 4·Count], the last one as wide as it needs (see <see cref="Padded"/>), padded with zeros.
/// </summary>
/// <remarks>The naive kernel keeps the plain [K, N] rows, so it depends on no packing code.</remarks>
sealed unsafe class PackedMatrix
{
    // Workers begin at whole cache lines of the transposed source.
    const int RowGrain = 16;

    readonly AlignedBuffer _buffer;

    /// <param name="k">Rows: the length of the dot products.</param>
    /// <param name="n">Columns: the width of the result.</param>
    public PackedMatrix(int k, int n)
    {
        K = k;
        N = n;
        // Padded to 16 lanes, the widest vector, so that one buffer serves every kernel.
        _buffer = new AlignedBuffer(Length(k, n));
    }

    public int K { get; }

    public int N { get; }

    public float* Pointer => _buffer.Pointer;

    /// <summary>Floats in a full panel for vectors of <paramref name="count"/> lanes.</summary>
    public static int PanelWidth(int count) => 4 * count;

    /// <summary>Floats in a row of a panel of so many columns: whole vectors, of which the last may be half of 16 lanes.</summary>
    public static int Padded(int columns, int count)
    {
        var grain = count == 16 ? 8 : count; // a power of 2
        return (columns + grain - 1) & -grain;
    }

    /// <summary>Packs <paramref name="source"/> [K, N], or [N, K] when <paramref name="transposed"/>.</summary>
    public void Pack(KernelKind kernel, float* source, bool transposed, int worker = 0, int workers = 1) =>
        Pack(kernel, source, transposed ? K : N, transposed, K, N, _buffer.Pointer, worker, workers);

    /// <summary>Floats that K × N elements take, for every kernel.</summary>
    public static long Length(int k, int n) => (long)k * ((n + 15) / 16 * 16);

    /// <summary>
    /// Packs rows that lie <paramref name="sourceRow"/> floats apart into 64-byte aligned memory; of several workers each
    /// fills some of the K rows.
    /// </summary>
    public static void Pack(
        KernelKind kernel, float* source, nint sourceRow, bool transposed, int k, int n, float* destination, int worker = 0, int workers = 1)
    {
        var (start, end) = ParallelJob.Share(k, worker, workers, RowGrain);
        // The naive kernel's one panel is the plain matrix.
        var count = KernelLanes.Of(kernel);
        var width = kernel == KernelKind.Naive ? n : PanelWidth(count);
        for (var n0 = 0; n0 < n; n0 += width)
        {
            var columns = Math.Min(width, n - n0);
            var padded = Padded(columns, count);
            if (transposed)
                TransposedCopy.Copy(source + (n0 * sourceRow) + start, sourceRow, columns, end - start, destination + ((nint)start * padded), padded);
            for (var row = start; row < end; row++)
            {
                var target = destination + ((nint)row * padded);
                if (!transposed)
                    new ReadOnlySpan<float>(source + (row * sourceRow) + n0, columns).CopyTo(new Span<float>(target, columns));
                new Span<float>(target + columns, padded - columns).Clear();
            }

            destination += (nint)k * padded;
        }
    }
}
