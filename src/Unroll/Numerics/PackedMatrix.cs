using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>
/// The right operand [K, N] of a matrix product, rearranged so that the register tile reads it front to back: panels of
/// some columns (see <see cref="PanelColumns"/>), each [K, columns], the last one padded with zeros (see <see cref="Padded"/>).
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

    /// <summary>Columns of the next panel of vectors of <paramref name="count"/> lanes when <paramref name="left"/> are left.</summary>
    /// <remarks>
    /// As wide as a register tile: 4 vectors for 6 rows with 32 registers, 3 for 4 rows with 16, but 4 where one would be left
    /// alone. The naive kernel has one panel of all columns.
    /// </remarks>
    public static int PanelColumns(int left, int count) =>
        left <= 4 * count || count == 1 ? left : (count == 16 ? 4 : 3) * count;

    /// <summary>The panels of <paramref name="full"/> columns with which a matrix of so many begins.</summary>
    public static int FullPanels(int columns, int full, int count)
    {
        var panels = 0;
        while (PanelColumns(columns - (panels * full), count) == full)
            panels++;
        return panels;
    }

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
        var count = KernelLanes.Of(kernel);
        for (int row = start, rows; row < end; row += rows)
        {
            rows = transposed ? end - row : Math.Min(end - row, RowCopy.RowsAtOnce);
            var panel = destination;
            for (int n0 = 0, columns; n0 < n; n0 += columns)
            {
                columns = PanelColumns(n - n0, count);
                var padded = Padded(columns, count);
                var target = panel + ((nint)row * padded);
                if (columns < padded)
                    RowCopy.ClearPadding(target, padded, rows, count);
                if (transposed)
                    TransposedCopy.Copy(source + (n0 * sourceRow) + row, sourceRow, columns, rows, target, padded);
                else
                    RowCopy.Copy<Simd256, Vector256<float>>(source + (row * sourceRow) + n0, sourceRow, target, padded, rows, columns);

                panel += (nint)k * padded;
            }
        }
    }
}
