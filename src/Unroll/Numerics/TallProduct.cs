using System.Runtime.CompilerServices;

namespace Unroll.Numerics;

/// <summary>Some columns of a tall product's right operand, and where their part of the result is added.</summary>
unsafe struct TallColumns
{
    /// <summary>[K, Width], <see cref="SourceRow"/> floats from row to row (0 repeats one row, such as a 1 for a bias).</summary>
    public float* Source;
    public nint SourceRow;
    public int Width;

    /// <summary>[M, Width], accumulated into.</summary>
    public float* Destination;
    public nint DestinationRow;
}

/// <summary>
/// C[m, n] += Σₖ A[k, m]·B[k, n] over many rows k: the weight gradients, which sum over all T·B rows. B is several
/// matrices side by side.
/// </summary>
/// <remarks>
/// Both operands lie row by row in k, so a column's elements are far apart, often a multiple of 4 KiB, where they evict
/// each other from the cache. A block of k is therefore copied: B into panels as <see cref="PackedMatrix"/> has them,
/// A into tiles of 6 (or 3) rows. The copies are amortised over M and N. Each element of C is one chain over rising k.
/// </remarks>
static unsafe class TallProduct
{
    // Rows of C whose left operand is copied at a time: 192 × 128 steps are 96 KiB of the second-level cache.
    const int RowBlock = 192;

    // Shares of several threads begin at a multiple of this: whole tiles of every kernel.
    const int RowGrain = 6;

    // Room behind each copied tile for the lanes that its last store writes too many.
    const int TilePadding = 16;

    // Steps of k copied at a time. A panel of them (48 KiB at 512 bits) need not fit the first-level cache: with 64, 128,
    // 192 and 256 steps, dW_hh of H = 1024 ran at 67, 77, 84 and 87 % of the peak of a Zen 4 core, H = 512 at 84, 85, 89 and 86 %.
    const int DeepestBlock = 256;

    static int Depth(int lanes) => lanes == 16 ? 192 : DeepestBlock;

    /// <summary>Floats that <see cref="Accumulate"/> needs for its copies, for every kernel.</summary>
    public static long ScratchLength(int columns) =>
        ((long)(columns + 15) / 16 * 16 * DeepestBlock) + ((long)DeepestBlock * RowBlock) + (RowBlock * TilePadding);

    /// <summary>The rows of C that one of several workers computes.</summary>
    public static (int Start, int End) Share(int m, int worker, int workers)
    {
        var (start, end) = ParallelJob.Share((m + RowGrain - 1) / RowGrain, worker, workers);
        return (Math.Min(start * RowGrain, m), Math.Min(end * RowGrain, m));
    }

    /// <summary>Computes rows [m0, m1) of C.</summary>
    /// <param name="k">K, the rows of both operands.</param>
    /// <param name="a">A [K, M].</param>
    /// <param name="aRow">Floats from row to row of A; readable to 8 floats beyond each row.</param>
    /// <param name="m0">First row of C.</param>
    /// <param name="m1">Behind the last row of C.</param>
    /// <param name="columns">B and C.</param>
    /// <param name="scratch">64-byte aligned, <see cref="ScratchLength"/> floats for the widths' sum.</param>
    public static void Accumulate<S, V>(
        int k, float* a, nint aRow, int m0, int m1, ReadOnlySpan<TallColumns> columns, float* scratch)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (m0 >= m1)
            return;
        if (S.Count == 1)
        {
            AccumulateNaive(k, a, aRow, m0, m1, columns);
            return;
        }

        var n = 0;
        foreach (var group in columns)
            n += group.Width;
        var depth = Depth(S.Count);
        var panelWidth = PackedMatrix.PanelWidth(S.Count);
        var tiles = scratch + ((nint)((n + 15) / 16 * 16) * depth);
        for (var k0 = 0; k0 < k; k0 += depth)
        {
            var rows = Math.Min(depth, k - k0);
            PackPanels<S, V>(columns, n, k0, rows, scratch);
            for (var m = m0; m < m1; m += RowBlock)
            {
                var block = Math.Min(RowBlock, m1 - m);
                var left = new TileLeft { A = a + (k0 * aRow) + m, Row = 1, Step = aRow, K = rows };
                nint tileStride = S.TileRows;
                if (n > panelWidth)
                {
                    PackTiles<S, V>(left.A, aRow, rows, block, tiles);
                    left.A = tiles;
                    left.Step = S.TileRows;
                    tileStride = TileStride(rows, S.TileRows);
                }

                var panel = scratch;
                for (var n0 = 0; n0 < n; n0 += panelWidth)
                {
                    var width = Math.Min(panelWidth, n - n0);
                    Panel<S, V>(columns, n0, width, m, block, left, tileStride, panel);
                    panel += (nint)rows * Padded(width, S.Count);
                }
            }
        }
    }

    /// <summary>The specification.</summary>
    static void AccumulateNaive(int k, float* a, nint aRow, int m0, int m1, ReadOnlySpan<TallColumns> columns)
    {
        foreach (var group in columns)
        {
            for (var m = m0; m < m1; m++)
            {
                var destination = group.Destination + (m * group.DestinationRow);
                for (var n = 0; n < group.Width; n++)
                {
                    var sum = destination[n];
                    for (var row = 0; row < k; row++)
                        sum = MathF.FusedMultiplyAdd(a[(row * aRow) + m], group.Source[(row * group.SourceRow) + n], sum);
                    destination[n] = sum;
                }
            }
        }
    }

    static int Padded(int width, int count) => (width + count - 1) / count * count;

    static nint TileStride(int depth, int tileRows) => ((depth * tileRows) + TilePadding) / TilePadding * TilePadding;

    /// <summary>Copies rows [k0, k0 + rows) of all columns side by side into panels.</summary>
    static void PackPanels<S, V>(ReadOnlySpan<TallColumns> columns, int n, int k0, int rows, float* panels)
        where S : struct, ISimd<V>
        where V : struct
    {
        var panelWidth = PackedMatrix.PanelWidth(S.Count);
        for (var n0 = 0; n0 < n; n0 += panelWidth)
        {
            var width = Math.Min(panelWidth, n - n0);
            var padded = Padded(width, S.Count);
            if (padded > width)
            {
                for (var k = 0; k < rows; k++)
                    S.Store(panels + (k * padded) + padded - S.Count, S.Broadcast(0f));
            }

            var start = 0;
            foreach (var group in columns)
            {
                var (from, to) = (Math.Max(start, n0), Math.Min(start + group.Width, n0 + width));
                if (from < to)
                {
                    CopyRows<S, V>(
                        group.Source + (k0 * group.SourceRow) + (from - start), group.SourceRow, panels + (from - n0), padded, rows, to - from);
                }

                start += group.Width;
            }

            panels += (nint)rows * padded;
        }
    }

    [MethodImpl(Kernel.Compilation)]
    static void CopyRows<S, V>(float* source, nint sourceRow, float* destination, nint destinationRow, int rows, int width)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var row = 0; row < rows; row++)
        {
            for (var j = 0; j < width; j += S.Count)
                Lanes<S, V>.Store(destination + j, Lanes<S, V>.Load(source + j, width - j), width - j);
            source += sourceRow;
            destination += destinationRow;
        }
    }

    /// <summary>Copies [rows, m] into tiles [m / TileRows][rows, TileRows].</summary>
    [MethodImpl(Kernel.Compilation)]
    static void PackTiles<S, V>(float* source, nint sourceRow, int rows, int m, float* tiles)
        where S : struct, ISimd<V>
        where V : struct
    {
        // A store of 8 (or 4) lanes writes 2 (or 1) more than the 6 (or 3) of a tile's step: the next step overwrites them.
        var stride = TileStride(rows, S.TileRows);
        for (var k = 0; k < rows; k++)
        {
            var destination = tiles + (k * S.TileRows);
            for (var j = 0; j < m; j += S.TileRows)
            {
                if (S.TileRows == 6)
                    Simd256.Store(destination, Simd256.Load(source + j));
                else
                    Simd128.Store(destination, Simd128.Load(source + j));
                destination += stride;
            }

            source += sourceRow;
        }
    }

    static void Panel<S, V>(
        ReadOnlySpan<TallColumns> columns, int n0, int width, int m, int rows, TileLeft left, nint tileStride, float* panel)
        where S : struct, ISimd<V>
        where V : struct
    {
        var vectors = Padded(width, S.Count) / S.Count;
        var last = width - ((vectors - 1) * S.Count);
        var start = 0;
        foreach (var group in columns)
        {
            if (start <= n0 && n0 + width <= start + group.Width)
            {
                var c = group.Destination + (m * group.DestinationRow) + (n0 - start);
                for (var row = 0; row < rows; row += S.TileRows)
                {
                    Gemm.Rows<S, V>(
                        Math.Min(S.TileRows, rows - row), vectors, left, panel, c, group.DestinationRow, TileStart.Destination, null, last);
                    left.A += tileStride;
                    c += S.TileRows * group.DestinationRow;
                }

                return;
            }

            start += group.Width;
        }

        // The panel holds columns of several matrices: the tile is gathered, computed and scattered.
        var tile = stackalloc float[S.TileRows * PackedMatrix.PanelWidth(S.Count)];
        nint tileRow = PackedMatrix.PanelWidth(S.Count);
        for (var row = 0; row < rows; row += S.TileRows)
        {
            var count = Math.Min(S.TileRows, rows - row);
            Exchange<S, V>(columns, n0, width, m + row, count, tile, tileRow, gather: true);
            Gemm.Rows<S, V>(count, vectors, left, panel, tile, tileRow, TileStart.Destination, null, last);
            Exchange<S, V>(columns, n0, width, m + row, count, tile, tileRow, gather: false);
            left.A += tileStride;
        }
    }

    static void Exchange<S, V>(
        ReadOnlySpan<TallColumns> columns, int n0, int width, int m, int rows, float* tile, nint tileRow, bool gather)
        where S : struct, ISimd<V>
        where V : struct
    {
        var start = 0;
        foreach (var group in columns)
        {
            var (from, to) = (Math.Max(start, n0), Math.Min(start + group.Width, n0 + width));
            if (from < to)
            {
                var c = group.Destination + (m * group.DestinationRow) + (from - start);
                var t = tile + (from - n0);
                if (gather)
                    CopyRows<S, V>(c, group.DestinationRow, t, tileRow, rows, to - from);
                else
                    CopyRows<S, V>(t, tileRow, c, group.DestinationRow, rows, to - from);
            }

            start += group.Width;
        }
    }
}
