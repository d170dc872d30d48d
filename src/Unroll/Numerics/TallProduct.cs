using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>Some columns of a tall product's right operand, and where their part of the result goes.</summary>
unsafe struct TallColumns
{
    /// <summary>[K, Width], <see cref="SourceRow"/> floats from row to row (0 repeats one row, such as a 1 for a bias).</summary>
    public float* Source;
    public nint SourceRow;
    public int Width;

    /// <summary>[M, Width].</summary>
    public float* Destination;
    public nint DestinationRow;

    /// <summary>Whether their part of the result is added to what the destination holds, rather than written over it.</summary>
    public bool Adds;

    /// <summary>A matrix [K, <paramref name="width"/>] whose rows follow one another, as do those of the destination [M, <paramref name="width"/>].</summary>
    public static TallColumns Matrix(float* source, int width, float* destination, bool adds) =>
        new() { Source = source, SourceRow = width, Width = width, Destination = destination, DestinationRow = width, Adds = adds };

    /// <summary>The input 1 of a bias [M].</summary>
    public static TallColumns Bias(float* one, float* destination, bool adds) =>
        new() { Source = one, Width = 1, Destination = destination, DestinationRow = 1, Adds = adds };
}

/// <summary>The rows k that a tall product sums over: runs of neighbours with as many rows left out between them.</summary>
/// <param name="Runs">How many.</param>
/// <param name="Run">Rows in each.</param>
/// <param name="Gap">Rows between one run and the next.</param>
readonly record struct TallRows(int Runs, int Run, int Gap)
{
    /// <summary>K.</summary>
    public int Count => Runs * Run;

    /// <summary>Where row <paramref name="k"/> lies, in rows of the operands, and how many of the next ones follow it there.</summary>
    public (int Row, int Following) At(int k)
    {
        if (Gap == 0)
            return (k, Count - k);
        var run = k / Run;
        return (k + (run * Gap), ((run + 1) * Run) - k);
    }

    /// <summary>The first K rows.</summary>
    public static TallRows First(int k) => new(1, k, 0);
}

/// <summary>
/// C[m, n] (+)= Σₖ A[k, m]·B[k, n] over many rows k: the weight gradients, which sum over all T·B rows. B is several
/// matrices side by side.
/// </summary>
/// <remarks>
/// Both operands lie row by row in k, so a column's elements are far apart, often a multiple of 4 KiB, where they evict
/// each other from the cache. A block of k is therefore copied: B into panels as <see cref="PackedMatrix"/> has them,
/// A into tiles of 6 or 12 rows. The copies are amortised over M and N. Each element of C is one chain over rising k.
/// </remarks>
static unsafe class TallProduct
{
    // Rows of a copied tile: a register tile of 6 rows or, with 16 registers, three of 4.
    static int TileRows(int lanes) => lanes < 16 ? C12.Value : 6;

    // Shares of several threads begin at a multiple of so many rows.
    const int ShareRows = 6;

    // Room behind each copied tile for the lanes that its last store writes too many.
    const int TilePadding = 16;

    // C beyond this is not in the second-level cache when a tile begins. Fetched a tile ahead, LSTM 64,50,256,1024 trained
    // 2.4 % faster on a Zen 4 core and 64,50,128,512 2 %; where C is near, the fetching costs 0.5 %.
    const long FarBytes = 512 * 1024;

    // What is copied of A at a time, 192 KiB.
    const int CopiedFloats = 192 * 256;

    // Steps of k copied at a time, as many as are best and at most. A panel of them need not fit the first-level cache. With
    // 64, 128, 192 and 256 steps of 512 bits, dW_hh of H = 1024 ran at 67, 77, 84 and 87 % of the peak of a Zen 4 core, H = 512
    // at 84, 85, 89 and 86 %; with 128, 256, 512 and 768 of 256 bits the latter at 80, 86, 89 and 89 % of a Zen 2 core.
    static (int Best, int Most) Depths(int lanes) => lanes < 16 ? (512, 512) : (192, 256);

    // Rows of C whose left operand is copied at a time.
    static int RowBlock(int lanes) => CopiedFloats / Depths(lanes).Most;

    // What is copied of B at a time, 1.4 MiB at most, and the rows of C for it: each block copies the other operand again.
    const int PanelFloats = 352 * 1024, MostRows = 2052;

    static int Depth(int lanes, int k)
    {
        var (best, most) = Depths(lanes);
        var blocks = Math.Max((k + (best / 2)) / best, (k + most - 1) / most);
        return (k + blocks - 1) / blocks;
    }

    /// <summary>Rows of C in each of equal blocks, in whole tiles if there are several.</summary>
    static int BlockRows(int m, int lanes) => InBlocks(m, MostRows, TileRows(lanes));

    /// <summary>Columns in each of equal blocks, in whole panels if there are several; the last panel may be wider.</summary>
    static int BlockColumns(int n, int lanes)
    {
        var panel = PackedMatrix.PanelColumns(int.MaxValue, lanes);
        return lanes == 1 ? n : InBlocks(n, PanelFloats / Depths(lanes).Most / panel * panel, panel);
    }

    static int InBlocks(int count, int most, int grain)
    {
        if (count <= most)
            return count;
        var blocks = (count + most - 1) / most;
        return (((count + blocks - 1) / blocks) + grain - 1) / grain * grain;
    }

    /// <summary>Floats that <see cref="Accumulate"/> needs for its copies.</summary>
    /// <param name="kernel">The kernel that will run.</param>
    /// <param name="m">M, the rows of C.</param>
    /// <param name="widths">The widths of the matrices side by side.</param>
    public static long ScratchLength(KernelKind kernel, int m, params ReadOnlySpan<int> widths)
    {
        var (lanes, n) = (KernelLanes.Of(kernel), 0);
        foreach (var width in widths)
            n += width;
        var copies = CopiedFloats + (RowBlock(lanes) * TilePadding);
        var panels = PackedMatrix.Length(Depths(lanes).Most, Math.Min(n, BlockColumns(n, lanes) + lanes));
        return panels + ((long)MixedWidth(widths, n, lanes) * Math.Min(m, MostRows)) + copies;
    }

    /// <summary>The padded widths of all panels that hold columns of more than one matrix.</summary>
    static int MixedWidth(ReadOnlySpan<int> widths, int n, int lanes)
    {
        var sum = 0;
        for (int n0 = 0, columns; n0 < n; n0 += columns)
        {
            columns = PackedMatrix.PanelColumns(n - n0, lanes);
            var (boundary, isMixed) = (0, false);
            foreach (var width in widths)
            {
                boundary += width;
                isMixed |= n0 < boundary && boundary < n0 + columns;
            }

            sum += isMixed ? PackedMatrix.Padded(columns, lanes) : 0;
        }

        return sum;
    }

    /// <summary>The rows of C that one of several workers computes.</summary>
    public static (int Start, int End) Share(int m, int worker, int workers) => Share(m, 0, 1, worker, workers);

    /// <summary>The rows of one of several equal products that one of several workers computes: each has all its rows in a few of them.</summary>
    public static (int Start, int End) Share(int m, int product, int products, int worker, int workers)
    {
        var tiles = (m + ShareRows - 1) / ShareRows;
        var (start, end) = ParallelJob.Share(tiles * products, worker, workers);
        return (Row(start), Row(end));

        int Row(int tile) => Math.Min(Math.Clamp(tile - (product * tiles), 0, tiles) * ShareRows, m);
    }

    /// <summary>Computes rows [m0, m1) of C.</summary>
    /// <param name="rows">The rows of both operands, K in all.</param>
    /// <param name="a">A [·, M].</param>
    /// <param name="aRow">Floats from row to row of A; readable to 8 floats beyond each row.</param>
    /// <param name="m0">First row of C.</param>
    /// <param name="m1">Behind the last row of C.</param>
    /// <param name="columns">B and C.</param>
    /// <param name="scratch">64-byte aligned, <see cref="ScratchLength"/> floats.</param>
    public static void Accumulate<S, V>(
        TallRows rows, float* a, nint aRow, int m0, int m1, ReadOnlySpan<TallColumns> columns, float* scratch)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (m0 >= m1)
            return;
        if (S.Count == 1 || rows.Count == 0)
        {
            AccumulateNaive(rows, a, aRow, m0, m1, columns);
            return;
        }

        var n = 0;
        foreach (var group in columns)
            n += group.Width;
        var isFar = (long)(m1 - m0) * n * sizeof(float) > FarBytes;
        var blockRows = BlockRows(m1 - m0, S.Count);
        for (var m = m0; m < m1; m += blockRows)
            AccumulateRows<S, V>(rows, a, aRow, m, Math.Min(m + blockRows, m1), columns, n, scratch, isFar);
    }

    static void AccumulateRows<S, V>(
        TallRows rows, float* a, nint aRow, int m0, int m1, ReadOnlySpan<TallColumns> columns, int n, float* scratch, bool isFar)
        where S : struct, ISimd<V>
        where V : struct
    {
        var depth = Depth(S.Count, rows.Count);
        var blockColumns = BlockColumns(n, S.Count);
        var mixed = scratch + PackedMatrix.Length(depth, Math.Min(n, blockColumns + S.Count));
        var tiles = Exchange<S, V>(columns, n, m0, m1, mixed, gather: true);
        var mixedPanels = mixed;
        for (int n0 = 0, n1; n0 < n; n0 = n1)
        {
            for (n1 = n0; n1 < n && n1 < n0 + blockColumns;)
                n1 += PackedMatrix.PanelColumns(n - n1, S.Count);
            var behind = mixedPanels;
            for (var k0 = 0; k0 < rows.Count; k0 += depth)
            {
                var k1 = Math.Min(k0 + depth, rows.Count);
                PackPanels<S, V>(columns, n, n0, n1, rows, k0, k1, scratch);
                for (var m = m0; m < m1; m += RowBlock(S.Count))
                {
                    var block = Math.Min(RowBlock(S.Count), m1 - m);
                    var left = new TileLeft { A = a + (rows.At(k0).Row * aRow) + m, Row = 1, Step = aRow, K = k1 - k0 };
                    nint tileStride = TileRows(S.Count);
                    if (PackedMatrix.PanelColumns(n, S.Count) < n || rows.At(k0).Following < left.K)
                    {
                        PackTiles<S, V>(a + m, aRow, rows, k0, k1, block, tiles);
                        left.A = tiles;
                        left.Step = TileRows(S.Count);
                        tileStride = TileStride(left.K, TileRows(S.Count));
                    }

                    behind = Panels<S, V>(columns, n, n0, n1, m, block, m0, m1, left, tileStride, scratch, mixedPanels, isFirst: k0 == 0, isFar);
                }
            }

            mixedPanels = behind;
        }

        Exchange<S, V>(columns, n, m0, m1, mixed, gather: false);
    }

    /// <summary>The specification.</summary>
    static void AccumulateNaive(TallRows rows, float* a, nint aRow, int m0, int m1, ReadOnlySpan<TallColumns> columns)
    {
        foreach (var group in columns)
        {
            for (var m = m0; m < m1; m++)
            {
                var destination = group.Destination + (m * group.DestinationRow);
                for (var n = 0; n < group.Width; n++)
                {
                    var sum = group.Adds ? destination[n] : 0f;
                    for (var k = 0; k < rows.Count; k++)
                    {
                        var row = rows.At(k).Row;
                        sum = MathF.FusedMultiplyAdd(a[(row * aRow) + m], group.Source[(row * group.SourceRow) + n], sum);
                    }

                    destination[n] = sum;
                }
            }
        }
    }

    static nint TileStride(int depth, int tileRows) => ((depth * tileRows) + TilePadding) / TilePadding * TilePadding;

    /// <summary>Copies rows [k0, k1) of columns [start, end) side by side into panels: a few rows into all of them, then the next.</summary>
    static void PackPanels<S, V>(ReadOnlySpan<TallColumns> columns, int n, int start, int end, TallRows rows, int k0, int k1, float* panels)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (int k = k0, count; k < k1; k += count)
        {
            var (row, following) = rows.At(k);
            count = Math.Min(Math.Min(following, k1 - k), RowCopy.RowsAtOnce);
            var panel = panels;
            for (int n0 = start, width; n0 < end; n0 += width)
            {
                width = PackedMatrix.PanelColumns(n - n0, S.Count);
                var padded = PackedMatrix.Padded(width, S.Count);
                // What lies in the padding does not matter: those lanes of the products are never copied.
                var target = panel + ((nint)(k - k0) * padded);
                var first = 0;
                foreach (var group in columns)
                {
                    var (from, to) = (Math.Max(first, n0), Math.Min(first + group.Width, n0 + width));
                    if (from < to)
                    {
                        RowCopy.Copy<S, V>(
                            group.Source + (row * group.SourceRow) + (from - first), group.SourceRow, target + (from - n0), padded, count, to - from);
                    }

                    first += group.Width;
                }

                panel += (nint)(k1 - k0) * padded;
            }
        }
    }

    /// <summary>Copies rows [k0, k1) of m columns into tiles [m / TileRows][k1 − k0, TileRows].</summary>
    static void PackTiles<S, V>(float* source, nint sourceRow, TallRows rows, int k0, int k1, int m, float* tiles)
        where S : struct, ISimd<V>
        where V : struct
    {
        var stride = TileStride(k1 - k0, TileRows(S.Count));
        for (int k = k0, count; k < k1; k += count)
        {
            var (row, following) = rows.At(k);
            count = Math.Min(following, k1 - k);
            CopyTiles<S, V>(source + (row * sourceRow), sourceRow, count, m, tiles + ((k - k0) * TileRows(S.Count)), stride);
        }
    }

    [MethodImpl(Kernel.Compilation)]
    static void CopyTiles<S, V>(float* source, nint sourceRow, int rows, int m, float* tiles, nint stride)
        where S : struct, ISimd<V>
        where V : struct
    {
        // Two rows of 12 are three vectors of 8, none of them across two cache lines.
        for (; TileRows(S.Count) == 12 && rows > 1; rows -= 2)
        {
            float* destination = tiles, next = source + sourceRow;
            var j = 0;
            for (; m - j > Simd256.Count; j += 12)
            {
                if (S.Registers == 16)
                {
                    Cache.Fetch(source + (RowCopy.FetchedRows * sourceRow) + j);
                    Cache.Fetch(next + (RowCopy.FetchedRows * sourceRow) + j);
                }

                Simd256.Store(destination, Simd256.Load(source + j));
                Simd256.Store(destination + 8, Vector256.Create(Vector128.Load(source + j + 8), Vector128.Load(next + j)));
                Simd256.Store(destination + 16, Simd256.Load(next + j + 4));
                destination += stride;
            }

            if (j < m)
            {
                Simd256.Store(destination, Simd256.Load(source + j));
                Simd256.Store(destination + 12, Simd256.Load(next + j));
            }

            tiles += 2 * 12;
            source += 2 * sourceRow;
        }

        // 12 rows are 8 lanes and 4. Of 6 a store of 8 lanes writes 2 too many, which the next step overwrites.
        for (var k = 0; k < rows; k++)
        {
            var destination = tiles + (k * TileRows(S.Count));
            for (var j = 0; j < m; j += TileRows(S.Count))
            {
                if (S.Registers == 16)
                    Cache.Fetch(source + (RowCopy.FetchedRows * sourceRow) + j);
                Simd256.Store(destination, Simd256.Load(source + j));
                if (TileRows(S.Count) > Simd256.Count && m - j > Simd256.Count)
                    Simd128.Store(destination + Simd256.Count, Simd128.Load(source + j + Simd256.Count));
                destination += stride;
            }

            source += sourceRow;
        }
    }

    /// <summary>Rows [m, m + rows) of C against the panels of columns [start, end). Returns what lies behind those of several matrices.</summary>
    static float* Panels<S, V>(
        ReadOnlySpan<TallColumns> columns, int n, int start, int end, int m, int rows, int m0, int m1, TileLeft left, nint tileStride, float* panel,
        float* mixed, bool isFirst, bool isFar)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (int n0 = start, width; n0 < end; n0 += width)
        {
            width = PackedMatrix.PanelColumns(n - n0, S.Count);
            var padded = PackedMatrix.Padded(width, S.Count);
            var from = isFirst && !Adds(columns, n0, width) ? TileStart.Zero : TileStart.Destination;
            if (Single(columns, n0, width) is ( >= 0 and var index, var first))
            {
                var c = columns[index].Destination + (m * columns[index].DestinationRow) + (n0 - first);
                Tiles<S, V>(rows, left, tileStride, panel, width, c, columns[index].DestinationRow, from, isFar);
            }
            else
            {
                Tiles<S, V>(rows, left, tileStride, panel, padded, mixed + ((nint)(m - m0) * padded), padded, from, isFar);
                mixed += (nint)(m1 - m0) * padded;
            }

            panel += (nint)left.K * padded;
        }

        return mixed;
    }

    static void Tiles<S, V>(int rows, TileLeft left, nint tileStride, float* panel, int columns, float* c, nint cRow, TileStart start, bool isFar)
        where S : struct, ISimd<V>
        where V : struct
    {
        var tileRows = TileRows(S.Count);
        for (var row = 0; row < rows; row += tileRows)
        {
            for (var next = tileRows; isFar && next < Math.Min(2 * tileRows, rows - row); next++)
                Cache.Fetch(c + (next * cRow), columns);
            if (S.Count < 16 && left.Step == tileRows)
                Gemm.Rows<S, V, C12>(Math.Min(tileRows, rows - row), columns, left, 1, panel, 0, c, cRow, start, null);
            else
                Gemm.Rows<S, V, C0>(Math.Min(tileRows, rows - row), columns, left, 1, panel, 0, c, cRow, start, null);
            left.A += tileStride;
            c += tileRows * cRow;
        }
    }

    /// <summary>The matrix that columns [n0, n0 + width) are all of, and its first column; −1 if there are several.</summary>
    static (int Index, int Start) Single(ReadOnlySpan<TallColumns> columns, int n0, int width)
    {
        var start = 0;
        for (var index = 0; index < columns.Length; index++)
        {
            if (start <= n0 && n0 + width <= start + columns[index].Width)
                return (index, start);
            start += columns[index].Width;
        }

        return (-1, 0);
    }

    /// <summary>Whether any of the columns [n0, n0 + width) are added to their destination.</summary>
    static bool Adds(ReadOnlySpan<TallColumns> columns, int n0, int width)
    {
        var start = 0;
        foreach (var group in columns)
        {
            if (group.Adds && start < n0 + width && n0 < start + group.Width)
                return true;
            start += group.Width;
        }

        return false;
    }

    /// <summary>
    /// Gathers rows [m0, m1) of the panels that hold columns of several matrices, each [rows, width padded], where any are
    /// added to, or scatters them. Returns what lies behind them.
    /// </summary>
    static float* Exchange<S, V>(ReadOnlySpan<TallColumns> columns, int n, int m0, int m1, float* mixed, bool gather)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (int n0 = 0, width; n0 < n; n0 += width)
        {
            width = PackedMatrix.PanelColumns(n - n0, S.Count);
            if (Single(columns, n0, width).Index >= 0)
                continue;
            nint padded = PackedMatrix.Padded(width, S.Count);
            // A panel of which nothing is added to starts from 0.
            if (gather && Adds(columns, n0, width))
                new Span<float>(mixed, (int)padded * (m1 - m0)).Clear();
            var start = 0;
            foreach (var group in columns)
            {
                var (from, to) = (Math.Max(start, n0), Math.Min(start + group.Width, n0 + width));
                if (from < to && (group.Adds || !gather))
                {
                    var c = group.Destination + (m0 * group.DestinationRow) + (from - start);
                    var part = mixed + (from - n0);
                    if (gather)
                        RowCopy.Copy<S, V>(c, group.DestinationRow, part, padded, m1 - m0, to - from);
                    else
                        RowCopy.Copy<S, V>(part, padded, c, group.DestinationRow, m1 - m0, to - from);
                }

                start += group.Width;
            }

            mixed += (m1 - m0) * padded;
        }

        return (float*)(((nuint)mixed + 63) & ~(nuint)63);
    }
}
