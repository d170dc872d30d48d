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
        _buffer = new AlignedBuffer(Length(k, n));
    }

    public int K { get; }

    public int N { get; }

    public float* Pointer => _buffer.Pointer;

    /// <summary>Floats in a full panel for vectors of <paramref name="count"/> lanes.</summary>
    public static int PanelWidth(int count) => 4 * count;

    /// <summary>Packs <paramref name="source"/> [K, N], or [N, K] when <paramref name="transposed"/>.</summary>
    public void Pack(KernelKind kernel, float* source, bool transposed) =>
        Pack(kernel, source, transposed ? 1 : N, transposed ? K : 1, K, N, _buffer.Pointer);

    /// <summary>Floats that K × N elements take, for every kernel.</summary>
    public static long Length(int k, int n) => (long)k * ((n + 15) / 16 * 16);

    /// <summary>Packs elements [k, n] that lie at k·<paramref name="kStep"/> + n·<paramref name="nStep"/> into 64-byte aligned memory.</summary>
    public static void Pack(KernelKind kernel, float* source, nint kStep, nint nStep, int k, int n, float* destination)
    {
        var count = KernelLanes.Of(kernel);
        if (kernel == KernelKind.Naive)
        {
            PackPanel(source, kStep, nStep, k, n, n, destination);
            return;
        }

        var width = PanelWidth(count);
        for (var n0 = 0; n0 < n; n0 += width)
        {
            var columns = Math.Min(width, n - n0);
            var padded = (columns + count - 1) / count * count;
            PackPanel(source + (n0 * nStep), kStep, nStep, k, columns, padded, destination);
            destination += (nint)k * padded;
        }
    }

    static void PackPanel(float* source, nint kStep, nint nStep, int depth, int columns, int padded, float* destination)
    {
        for (var k = 0; k < depth; k++)
        {
            var row = source + (k * kStep);
            if (nStep == 1)
            {
                new ReadOnlySpan<float>(row, columns).CopyTo(new Span<float>(destination, columns));
            }
            else
            {
                for (var n = 0; n < columns; n++)
                    destination[n] = row[n * nStep];
            }

            new Span<float>(destination + columns, padded - columns).Clear();
            destination += padded;
        }
    }
}
