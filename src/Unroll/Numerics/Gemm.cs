using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>
/// One matrix product C[m, n] = start + Σₖ [A | A2][m, k]·B[k, n], repeated over equally spaced blocks of A and C.
/// </summary>
/// <remarks>
/// Legend: M rows, N columns, K length of the dot product. Each element of C is one sequential chain of fused
/// multiply-adds over k, whatever the kernel, the blocking or the split over threads: equal inputs give equal bits.
/// </remarks>
unsafe struct GemmProblem
{
    /// <summary>Blocks of A and C; B is common to all.</summary>
    public int Blocks = 1;

    /// <summary>Floats from block to block of A.</summary>
    public nint ABlock;

    /// <summary>Floats from block to block of C.</summary>
    public nint CBlock;

    public int M;

    /// <summary>Columns, in whole vectors where there are several groups.</summary>
    public int N;

    /// <summary>Columns of A.</summary>
    public int K;

    /// <summary>A[m, k] is <c>A[m·ARow + k]</c>.</summary>
    public float* A;
    public nint ARow;

    /// <summary>Columns of A2, which stands to the right of A; 0 when there is none. Not with several blocks.</summary>
    public int K2;
    public float* A2;
    public nint A2Row;

    /// <summary>The panels of a <see cref="PackedMatrix"/> [K + K2, N].</summary>
    public float* B;

    /// <summary>The rows of B, where the product leaves out the last ones; 0 if they are K + K2.</summary>
    public int BRows;

    /// <summary>Whether B is a part of what all in all has <see cref="Gemm.FarFloats"/> or more.</summary>
    public bool IsFar;

    /// <summary>So many matrices of N columns lie in B one behind the other, and so do their biases.</summary>
    public int Groups = 1;

    public float* C;
    public nint CRow;

    /// <summary>Floats from one such matrix's columns of C to the next one's.</summary>
    public int CGroup;

    /// <summary>
    /// Of a single row with 16 registers: whether B is read from its last panels to its first. Products that turn round each time
    /// find near what the one before has read last; in one direction a cache a little smaller than B has lost each panel again.
    /// </summary>
    public bool Backwards;

    public TileStart Start;

    /// <summary>Bias [N], read when <see cref="Start"/> is <see cref="TileStart.Bias"/>.</summary>
    public float* Bias;

    public GemmProblem()
    {
    }
}

/// <summary>The matrix product with packed weights: both directions of every layer.</summary>
static unsafe class Gemm
{
    // A block of a panel stays in the second-level cache while the rows pass over it: a tile takes a line of it in six
    // vector operations, fewer than the cache can bring. With 32, 64, 128 and 256 KiB, LSTM 64,50,256,1024 trained at 91, 93,
    // 95 and 94 % of the peak of a Zen 4 core, 64,50,128,512 at 92, 94, 94 and 94 %.
    const int PanelFloats = 32 * 1024;

    /// <summary>
    /// Floats of B from which on tiles of 16 registers fetch the next panel while they read one: 512 KiB, which come from the
    /// third cache or from memory, and of which a processor foresees no more than a page. LSTM 64,50,256,1024 predicts 11 % faster
    /// for it on a Zen 2 core, H = 512 as fast or, where others use the third cache, 8 %; H = 128 would be 1 % slower.
    /// </summary>
    public const int FarFloats = 128 * 1024;

    // So many rows take all equal panels of a group in one call: LSTM 10,25,1,50 trains 1.3 % faster for it on a Zen 2 core and
    // predicts 2.7 %. More rows would read panels beyond the first-level cache twice, where their tiles have two heights.
    const int MostRowsTogether = 12;

    /// <summary>Computes <paramref name="problem"/> with the vectors of <typeparamref name="S"/>.</summary>
    public static void Multiply<S, V>(scoped in GemmProblem problem)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (S.Count == 1)
            MultiplyNaive(problem);
        else
            MultiplyTiled<S, V>(problem);
    }

    /// <summary>The specification: three loops.</summary>
    public static void MultiplyNaive(scoped in GemmProblem p)
    {
        for (var block = 0; block < p.Blocks; block++)
        {
            for (var m = 0; m < p.M; m++)
            {
                var a = p.A + (block * p.ABlock) + (m * p.ARow);
                var a2 = p.A2 + (m * p.A2Row);
                var c = p.C + (block * p.CBlock) + (m * p.CRow);
                for (var n = 0; n < p.N; n++)
                {
                    var sum = p.Start switch
                    {
                        TileStart.Destination => c[n],
                        TileStart.Bias => p.Bias[n],
                        _ => 0f,
                    };
                    for (var k = 0; k < p.K; k++)
                        sum = MathF.FusedMultiplyAdd(a[k], p.B[((nint)k * p.N) + n], sum);
                    for (var k = 0; k < p.K2; k++)
                        sum = MathF.FusedMultiplyAdd(a2[k], p.B[((nint)(p.K + k) * p.N) + n], sum);
                    c[n] = sum;
                }
            }
        }
    }

    static void MultiplyTiled<S, V>(scoped in GemmProblem p)
        where S : struct, ISimd<V>
        where V : struct
    {
        nint bRows = p.BRows > 0 ? p.BRows : p.K + p.K2;
        if (S.Registers == 16 && p.Blocks * p.M == 1)
        {
            Row<S, V>(p, bRows);
            return;
        }

        var fetch = S.Registers == 16 && (p.IsFar || bRows * p.N * p.Groups >= FarFloats);
        float* b = p.B, c = p.C, bias = p.Bias;
        for (var group = 0; group < p.Groups; group++)
        {
            Panels<S, V>(p, bRows, b, fetch, c, bias);
            b += bRows * p.N;
            c += p.CGroup;
            bias += p.N;
        }
    }

    /// <summary>All rows against the panels of one group of columns.</summary>
    static void Panels<S, V>(scoped in GemmProblem p, nint bRows, float* panel, bool fetch, float* c, float* bias)
        where S : struct, ISimd<V>
        where V : struct
    {
        var depth = p.K + p.K2;
        for (int n = p.N, columns; n > 0; n -= columns)
        {
            columns = PackedMatrix.PanelColumns(n, S.Count);
            var bStep = PackedMatrix.Padded(columns, S.Count);
            var panels = p.Blocks * p.M <= MostRowsTogether ? PackedMatrix.FullPanels(n, columns, S.Count) : 1;
            // One tile of rows reads a panel once: there is nothing to keep.
            var kBlock = p.Blocks * p.M <= GemmTile.MostRows || depth * bStep <= PanelFloats ? Math.Max(depth, 1) : PanelFloats / bStep;
            for (var k = 0; k < depth; k += kBlock)
            {
                var kEnd = Math.Min(k + kBlock, depth);
                // One object that all tiles read: a copy would wait for the fields just written.
                TileLeft left = default;
                left.Step = 1;
                left.Row = p.ARow;
                left.Row2 = p.A2Row;
                left.Fetch = fetch ? ((bStep * sizeof(float)) + p.M - 1) / p.M : 0;
                if (k < p.K)
                {
                    left.K = Math.Min(kEnd, p.K) - k;
                    left.K2 = kEnd - k - left.K;
                }
                else
                {
                    left.Row = p.A2Row;
                    left.K = kEnd - k;
                }

                for (var block = 0; block < p.Blocks; block++)
                {
                    left.A = k < p.K ? p.A + (block * p.ABlock) + k : p.A2 + (k - p.K);
                    left.A2 = p.A2;
                    Rows<S, V, C0>(
                        p.M, columns, left, panels, panel + ((nint)k * bStep), bRows * bStep, c + (block * p.CBlock), p.CRow,
                        k == 0 ? p.Start : TileStart.Destination, bias);
                }
            }

            columns *= panels;
            panel += bRows * bStep * panels;
            c += columns;
            bias += columns;
        }
    }

    /// <summary>One row: the full panels several side by side, and then what a group has left.</summary>
    static void Row<S, V>(scoped in GemmProblem p, nint bRows)
        where S : struct, ISimd<V>
        where V : struct
    {
        TileLeft left = default;
        left.Step = 1;
        left.A = p.A;
        left.K = p.K;
        left.A2 = p.A2;
        left.K2 = p.K2;

        int full = 3 * S.Count, groups = p.Groups, n = p.N, panels = PackedMatrix.FullPanels(n, full, S.Count);
        var bPanel = bRows * full;

        // Full panels that follow one another are those of one group.
        if (panels * full == n && p.CGroup == n)
            (groups, panels, n) = (1, groups * panels, groups * n);
        if (groups > 1 && panels * full == n && panels is >= 2 and <= 4)
        {
            RowPanels<S, V>(left, panels, groups, p.B, bPanel, p.C, full, p.CGroup, p.Start, p.Bias, p.Backwards);
            return;
        }

        // A last panel of four vectors goes beside one or two others, such that none of these is left alone.
        var rest = n - (panels * full);
        var beside = rest < 4 * S.Count ? 0 : panels % 4 == 3 ? 1 : Math.Min(panels, 2);
        panels -= beside;
        var taken = panels * full;
        for (var i = 0; i < groups; i++)
        {
            nint group = p.Backwards ? groups - 1 - i : i;
            float* b = p.B + (group * bRows * n), c = p.C + (group * p.CGroup), bias = p.Bias + (group * n);
            if (rest > 0 && p.Backwards)
                RowRest<S, V>(left, beside, rest, b + (bRows * taken), bPanel, c + taken, full, p.Start, bias + taken);
            if (panels > 0)
                RowPanels<S, V>(left, panels, b, bPanel, c, full, p.Start, bias, p.Backwards);
            if (rest > 0 && !p.Backwards)
                RowRest<S, V>(left, beside, rest, b + (bRows * taken), bPanel, c + taken, full, p.Start, bias + taken);
        }
    }

    /// <summary>One row against so many full panels, four at a time side by side.</summary>
    static void RowPanels<S, V>(
        in TileLeft left, int panels, float* b, nint bPanel, float* c, nint cPanel, TileStart start, float* bias, bool backwards)
        where S : struct, ISimd<V>
        where V : struct
    {
        var taken = panels & -4;
        if (taken > 0)
            RowPanels<S, V>(left, 4, taken / 4, b, bPanel, c, cPanel, 4 * cPanel, start, bias, backwards);
        if (taken < panels)
            RowPanels<S, V>(left, panels - taken, 1, b + (taken * bPanel), bPanel, c + (taken * cPanel), cPanel, 0, start, bias + (taken * 3 * S.Count), backwards);
    }

    /// <summary>One row against full panels, <paramref name="side"/> side by side, so many times.</summary>
    static void RowPanels<S, V>(
        in TileLeft left, int side, int times, float* b, nint bPanel, float* c, nint cPanel, nint cStep, TileStart start, float* bias, bool backwards)
        where S : struct, ISimd<V>
        where V : struct
    {
        switch (side)
        {
            case 1: Rows<S, V, C0>(1, 3 * S.Count, left, 1, b, 0, c, 0, start, bias); break;
            case 2: GemmTile.MultiplyRow<S, V, C2, C3>(left, times, b, bPanel, c, cPanel, cStep, start, bias, backwards); break;
            case 3: GemmTile.MultiplyRow<S, V, C3, C3>(left, times, b, bPanel, c, cPanel, cStep, start, bias, backwards); break;
            default: GemmTile.MultiplyRow<S, V, C4, C3>(left, times, b, bPanel, c, cPanel, cStep, start, bias, backwards); break;
        }
    }

    /// <summary>One row against what a group has left, beside so many full panels.</summary>
    static void RowRest<S, V>(in TileLeft left, int beside, int columns, float* b, nint bPanel, float* c, nint cPanel, TileStart start, float* bias)
        where S : struct, ISimd<V>
        where V : struct
    {
        switch (beside)
        {
            case 1: GemmTile.MultiplyRow<S, V, C2, C4>(left, 1, b, bPanel, c, cPanel, 0, start, bias, backwards: false); break;
            case 2: GemmTile.MultiplyRow<S, V, C3, C4>(left, 1, b, bPanel, c, cPanel, 0, start, bias, backwards: false); break;
            default: Rows<S, V, C0>(1, columns, left, 1, b, 0, c, 0, start, bias); break;
        }
    }

    /// <summary>M rows against panels of up to 4 vectors, tile by tile.</summary>
    [MethodImpl(Kernel.Compilation)]
    public static void Rows<S, V, T>(
        int m, int columns, in TileLeft left, int panels, float* b, nint bPanel, float* c, nint cRow, TileStart start, float* bias)
        where S : struct, ISimd<V>
        where V : struct
        where T : struct, IConstant
    {
        var vectors = (columns + S.Count - 1) / S.Count;
        var last = columns - ((vectors - 1) * S.Count);
        if (S.Count == 16 && last <= Simd256.Count)
            Rows<S, V, Simd256, Vector256<float>, T>(vectors, m, left, panels, b, bPanel, c, cRow, start, bias, last);
        else
            Rows<S, V, S, V, T>(vectors, m, left, panels, b, bPanel, c, cRow, start, bias, last);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Rows<S, V, L, W, T>(
        int vectors, int m, in TileLeft left, int panels, float* b, nint bPanel, float* c, nint cRow, TileStart start, float* bias, int last)
        where S : struct, ISimd<V>
        where V : struct
        where L : struct, ISimd<W>
        where W : struct
        where T : struct, IConstant
    {
        switch (vectors)
        {
            case 1: Rows<S, V, L, W, C1, C1, T>(m, left, panels, b, bPanel, c, cRow, start, bias, last); break;
            case 2: Rows<S, V, L, W, C2, C2, T>(m, left, panels, b, bPanel, c, cRow, start, bias, last); break;
            case 3: Rows<S, V, L, W, C3, C3, T>(m, left, panels, b, bPanel, c, cRow, start, bias, last); break;
            // In tiles of 5 rows × 2 vectors no multiply-add waits for another; in tiles of 2 × 4 some would. LSTM 10,25,1,50
            // trains 0.8 % faster for it on a Zen 2 core.
            case 4 when S.Registers == 16 && m is 5 or 10:
                Rows<S, V, L, W, C2, C4, T>(m, left, panels, b, bPanel, c, cRow, start, bias, S.Count);
                Rows<S, V, L, W, C2, C4, T>(m, left, panels, b + (2 * S.Count), bPanel, c + (2 * S.Count), cRow, start, bias + (2 * S.Count), last);
                break;
            default: Rows<S, V, L, W, C4, C4, T>(m, left, panels, b, bPanel, c, cRow, start, bias, last); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Rows<S, V, L, W, C, P, T>(
        int m, in TileLeft left, int panels, float* b, nint bPanel, float* c, nint cRow, TileStart start, float* bias, int last)
        where S : struct, ISimd<V>
        where V : struct
        where L : struct, ISimd<W>
        where W : struct
        where C : struct, IConstant
        where P : struct, IConstant
        where T : struct, IConstant
    {
        var (rows, tiles, others) = Tiles<S, V, C>(m);
        for (var row = 0; row < m;)
        {
            switch (rows)
            {
                case 1: GemmTile.Multiply<S, V, L, W, C1, C, P, T, C0>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last); break;
                case 2: GemmTile.Multiply<S, V, L, W, C2, C, P, T, C0>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last); break;
                case 3: GemmTile.Multiply<S, V, L, W, C3, C, P, T, C0>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last); break;
                case 4 when S.Registers == 16 && C.Value == 3 && left.Fetch > 0:
                    GemmTile.Multiply<S, V, L, W, C4, C, P, T, C1>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last);
                    break;
                case 4: GemmTile.Multiply<S, V, L, W, C4, C, P, T, C0>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last); break;
                case 5: GemmTile.Multiply<S, V, L, W, C5, C, P, T, C0>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last); break;
                default: GemmTile.Multiply<S, V, L, W, C6, C, P, T, C0>(left, row, tiles, panels, b, bPanel, c, cRow, start, bias, last); break;
            }

            c += tiles * rows * cRow;
            row += tiles * rows;
            rows = S.Registers == 32 ? m - row : rows - 1;
            tiles = others;
        }
    }

    /// <summary>The rows of the first tiles of C vectors, how many these are, and the number of others, which are smaller.</summary>
    /// <remarks>
    /// With 16 registers a tile has 12 accumulators: 4 rows × 3 vectors, 3 × 4 or 6 × 2. Two multiply-adds a cycle that take 4
    /// or 5 each want 8 or 10 of them, so the rows are divided such that no tile is small: the others have one less.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static (int Rows, int Tiles, int Others) Tiles<S, V, C>(int m)
        where S : struct, ISimd<V>
        where V : struct
        where C : struct, IConstant
    {
        var most = S.Registers == 32 || C.Value < 3 ? GemmTile.MostRows : C.Value == 3 ? 4 : 3;
        var all = (m + most - 1) / most;
        if (S.Registers == 32)
            return m < most ? (m, 1, 0) : (most, m / most, all - (m / most));
        // Without a division, which would take as long as a small tile: what all tiles could hold beyond m, they have fewer.
        var fewer = (all * most) - m;
        for (; fewer >= all && all > 0; fewer -= all)
            most--;
        return (most, all - fewer, fewer);
    }
}
