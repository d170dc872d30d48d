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

/// <summary>C[m, n] (+)= Σₖ A[k, m]·B[k, n].</summary>
/// <param name="rows">The rows of both operands, K in all.</param>
/// <param name="a">A [·, M].</param>
/// <param name="aRow">Floats from row to row of A; readable to 8 floats beyond each row.</param>
/// <param name="columns">B and C.</param>
readonly unsafe ref struct TallProblem(TallRows rows, float* a, nint aRow, ReadOnlySpan<TallColumns> columns)
{
    public readonly TallRows Rows = rows;
    public readonly float* A = a;
    public readonly nint ARow = aRow;
    public readonly ReadOnlySpan<TallColumns> Columns = columns;

    /// <summary>N.</summary>
    public readonly int N = Sum(columns);

    /// <summary>K.</summary>
    public int K => Rows.Count;

    static int Sum(ReadOnlySpan<TallColumns> columns)
    {
        var n = 0;
        foreach (var group in columns)
            n += group.Width;
        return n;
    }
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

    // Columns of B and rows of C in a block: each block copies the other operand again. With 16 registers, whose blocks are deeper,
    // 704 columns would take 0.4 MiB more for each thread; LSTM H = 512 and 1024 train 0.6 % faster on a Zen 2 core, the same on a
    // Zen 3.
    static int MostColumns(int lanes) => lanes < 16 ? 448 : 1408;

    const int MostRows = 2052;

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
        return lanes == 1 ? n : InBlocks(n, MostColumns(lanes), PackedMatrix.PanelColumns(int.MaxValue, lanes));
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
    /// <param name="problem">The operands and C.</param>
    /// <param name="m0">First row of C.</param>
    /// <param name="m1">Behind the last row of C.</param>
    /// <param name="scratch">64-byte aligned, <see cref="ScratchLength"/> floats.</param>
    /// <param name="k">The first of the K rows; those before have been added up in C.</param>
    /// <param name="team">Whose threads may take some of the rows of C; null if none may.</param>
    /// <returns>What they have taken, to be waited for.</returns>
    public static SharePart? Accumulate<S, V>(in TallProblem problem, int m0, int m1, float* scratch, int k = 0, TallTeam? team = null)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (S.Count == 1 || problem.K == 0 || m0 >= m1)
        {
            AccumulateNaive(problem, m0, m1);
            return null;
        }

        SharePart? handed = null;
        var isFar = (long)(m1 - m0) * problem.N * sizeof(float) > FarBytes;
        var blockRows = BlockRows(m1 - m0, S.Count);
        var depth = Depth(S.Count, problem.K - k);
        for (var m = m0; m < m1; m += blockRows)
        {
            var end = Math.Min(m + blockRows, m1);
            for (var k0 = k; k0 < problem.K; k0 += depth)
                end = AccumulateRows<S, V>(problem, k0, Math.Min(k0 + depth, problem.K), m, end, scratch, isFar, team, ref handed);
        }

        return handed;
    }

    /// <summary>Adds up rows [k0, k1) of the operands in rows [m0, m1) of C; returns the end of those that have not been handed over.</summary>
    static int AccumulateRows<S, V>(
        in TallProblem problem, int k0, int k1, int m0, int m1, float* scratch, bool isFar, TallTeam? team, ref SharePart? handed)
        where S : struct, ISimd<V>
        where V : struct
    {
        var n = problem.N;
        var blockColumns = BlockColumns(n, S.Count);
        var block = new Block { K0 = k0, K1 = k1, M0 = m0, M1 = m1, IsFar = isFar, Panels = scratch };
        var mixed = block.Mixed = scratch + PackedMatrix.Length(k1 - k0, Math.Min(n, blockColumns + S.Count));
        var tiles = Exchange<S, V>(problem, block, m1, gather: true);
        for (int n0 = 0, n1; n0 < n; n0 = n1)
        {
            for (n1 = n0; n1 < n && n1 < n0 + blockColumns;)
                n1 += PackedMatrix.PanelColumns(n - n1, S.Count);
            PackPanels<S, V>(problem, block, n0, n1);
            var behind = block.Mixed;
            for (block.M = m0; block.M < m1; block.M += block.Rows)
            {
                // Before its first columns, C holds all that there is of these rows.
                if (n0 == 0 && team is { IsWanted: true })
                    m1 = team.HandOver(ref handed, problem, k0, k1, m0, block.M, m1, TileRows(S.Count));
                block.Rows = Math.Min(RowBlock(S.Count), m1 - block.M);
                block.Left = new TileLeft { A = problem.A + (problem.Rows.At(k0).Row * problem.ARow) + block.M, Row = 1, Step = problem.ARow, K = k1 - k0 };
                block.TileStride = TileRows(S.Count);
                if (PackedMatrix.PanelColumns(n, S.Count) < n || problem.Rows.At(k0).Following < k1 - k0)
                {
                    PackTiles<S, V>(problem, block, tiles);
                    block.Left.A = tiles;
                    block.Left.Step = TileRows(S.Count);
                    block.TileStride = TileStride(k1 - k0, TileRows(S.Count));
                }

                behind = Panels<S, V>(problem, block, n0, n1);
            }

            block.Mixed = behind;
        }

        block.Mixed = mixed;
        Exchange<S, V>(problem, block, m1, gather: false);
        return m1;
    }

    /// <summary>The specification.</summary>
    static void AccumulateNaive(in TallProblem problem, int m0, int m1)
    {
        foreach (var group in problem.Columns)
        {
            for (var m = m0; m < m1; m++)
            {
                var destination = group.Destination + (m * group.DestinationRow);
                for (var n = 0; n < group.Width; n++)
                {
                    var sum = group.Adds ? destination[n] : 0f;
                    for (var k = 0; k < problem.K; k++)
                    {
                        var row = problem.Rows.At(k).Row;
                        sum = MathF.FusedMultiplyAdd(problem.A[(row * problem.ARow) + m], group.Source[(row * group.SourceRow) + n], sum);
                    }

                    destination[n] = sum;
                }
            }
        }
    }

    static nint TileStride(int depth, int tileRows) => ((depth * tileRows) + TilePadding) / TilePadding * TilePadding;

    /// <summary>Copies a block's rows of columns [start, end) side by side into panels: a few rows into all of them, then the next.</summary>
    static void PackPanels<S, V>(in TallProblem problem, in Block block, int start, int end)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (int k = block.K0, count; k < block.K1; k += count)
        {
            var (row, following) = problem.Rows.At(k);
            count = Math.Min(Math.Min(following, block.K1 - k), RowCopy.RowsAtOnce);
            var panel = block.Panels;
            for (int n0 = start, width; n0 < end; n0 += width)
            {
                width = PackedMatrix.PanelColumns(problem.N - n0, S.Count);
                var padded = PackedMatrix.Padded(width, S.Count);
                // What lies in the padding does not matter: those lanes of the products are never copied.
                var target = panel + ((nint)(k - block.K0) * padded);
                var first = 0;
                foreach (var group in problem.Columns)
                {
                    var (from, to) = (Math.Max(first, n0), Math.Min(first + group.Width, n0 + width));
                    if (from < to)
                    {
                        RowCopy.Copy<S, V>(
                            group.Source + (row * group.SourceRow) + (from - first), group.SourceRow, target + (from - n0), padded, count, to - from);
                    }

                    first += group.Width;
                }

                panel += (nint)(block.K1 - block.K0) * padded;
            }
        }
    }

    /// <summary>Copies a block's rows of its columns of A into tiles [rows / TileRows][k1 − k0, TileRows].</summary>
    static void PackTiles<S, V>(in TallProblem problem, in Block block, float* tiles)
        where S : struct, ISimd<V>
        where V : struct
    {
        var stride = TileStride(block.K1 - block.K0, TileRows(S.Count));
        for (int k = block.K0, count; k < block.K1; k += count)
        {
            var (row, following) = problem.Rows.At(k);
            count = Math.Min(following, block.K1 - k);
            CopyTiles<S, V>(
                problem.A + block.M + (row * problem.ARow), problem.ARow, count, block.Rows, tiles + ((k - block.K0) * TileRows(S.Count)), stride);
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

    /// <summary>A block's rows of C against the panels of columns [start, end). Returns what lies behind those of several matrices.</summary>
    static float* Panels<S, V>(in TallProblem problem, in Block block, int start, int end)
        where S : struct, ISimd<V>
        where V : struct
    {
        float* panel = block.Panels, mixed = block.Mixed;
        for (int n0 = start, width; n0 < end; n0 += width)
        {
            width = PackedMatrix.PanelColumns(problem.N - n0, S.Count);
            var padded = PackedMatrix.Padded(width, S.Count);
            var from = block.K0 > 0 || Adds(problem.Columns, n0, width) ? TileStart.Destination : TileStart.Zero;
            if (Single(problem.Columns, n0, width) is ( >= 0 and var index, var first))
            {
                ref readonly var group = ref problem.Columns[index];
                Tiles<S, V>(block, panel, width, group.Destination + (block.M * group.DestinationRow) + (n0 - first), group.DestinationRow, from);
            }
            else
            {
                Tiles<S, V>(block, panel, padded, mixed + ((nint)(block.M - block.M0) * padded), padded, from);
                mixed += (nint)(block.M1 - block.M0) * padded;
            }

            panel += (nint)block.Left.K * padded;
        }

        return mixed;
    }

    static void Tiles<S, V>(in Block block, float* panel, int columns, float* c, nint cRow, TileStart start)
        where S : struct, ISimd<V>
        where V : struct
    {
        var tileRows = TileRows(S.Count);
        var left = block.Left;
        for (var row = 0; row < block.Rows; row += tileRows)
        {
            for (var next = tileRows; block.IsFar && next < Math.Min(2 * tileRows, block.Rows - row); next++)
                Cache.Fetch(c + (next * cRow), columns);
            if (S.Count < 16 && left.Step == tileRows)
                Gemm.Rows<S, V, C12>(Math.Min(tileRows, block.Rows - row), columns, left, 1, panel, 0, c, cRow, start, null);
            else
                Gemm.Rows<S, V, C0>(Math.Min(tileRows, block.Rows - row), columns, left, 1, panel, 0, c, cRow, start, null);
            left.A += block.TileStride;
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
    /// Gathers rows [m0, end) of the panels that hold columns of several matrices, each [m1 − m0, width padded], where any are
    /// added to, or scatters them. Returns what lies behind the panels.
    /// </summary>
    static float* Exchange<S, V>(in TallProblem problem, in Block block, int end, bool gather)
        where S : struct, ISimd<V>
        where V : struct
    {
        var mixed = block.Mixed;
        for (int n0 = 0, width; n0 < problem.N; n0 += width)
        {
            width = PackedMatrix.PanelColumns(problem.N - n0, S.Count);
            if (Single(problem.Columns, n0, width).Index >= 0)
                continue;
            nint padded = PackedMatrix.Padded(width, S.Count);
            // At first, a panel of which nothing is added to starts from 0.
            if (gather && block.K0 == 0 && Adds(problem.Columns, n0, width))
                new Span<float>(mixed, (int)padded * (block.M1 - block.M0)).Clear();
            var start = 0;
            foreach (var group in problem.Columns)
            {
                var (from, to) = (Math.Max(start, n0), Math.Min(start + group.Width, n0 + width));
                if (from < to && (group.Adds || block.K0 > 0 || !gather))
                {
                    var c = group.Destination + (block.M0 * group.DestinationRow) + (from - start);
                    var part = mixed + (from - n0);
                    if (gather)
                        RowCopy.Copy<S, V>(c, group.DestinationRow, part, padded, end - block.M0, to - from);
                    else
                        RowCopy.Copy<S, V>(part, padded, c, group.DestinationRow, end - block.M0, to - from);
                }

                start += group.Width;
            }

            mixed += (block.M1 - block.M0) * padded;
        }

        return (float*)(((nuint)mixed + 63) & ~(nuint)63);
    }

    /// <summary>Rows [K0, K1) of the operands for rows [M0, M1) of C, and where their copies lie.</summary>
    ref struct Block
    {
        public int K0, K1, M0, M1;

        /// <summary>Whether C is not in the second-level cache when a tile begins.</summary>
        public bool IsFar;

        /// <summary>The columns of B, and the panels of C that hold columns of several matrices.</summary>
        public float* Panels, Mixed;

        /// <summary>Rows [M, M + Rows) of C, their columns of A, and the floats from one tile of them to the next.</summary>
        public int M, Rows;
        public TileLeft Left;
        public nint TileStride;
    }
}
