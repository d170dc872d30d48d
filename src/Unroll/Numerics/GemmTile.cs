using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Unroll.Numerics;

/// <summary>An integer the JIT knows while it compiles.</summary>
interface IConstant
{
    static abstract int Value { get; }
}

readonly struct C0 : IConstant
{
    public static int Value => 0;
}

readonly struct C1 : IConstant
{
    public static int Value => 1;
}

readonly struct C2 : IConstant
{
    public static int Value => 2;
}

readonly struct C3 : IConstant
{
    public static int Value => 3;
}

readonly struct C4 : IConstant
{
    public static int Value => 4;
}

readonly struct C5 : IConstant
{
    public static int Value => 5;
}

readonly struct C6 : IConstant
{
    public static int Value => 6;
}

readonly struct C12 : IConstant
{
    public static int Value => 12;
}

readonly struct C16 : IConstant
{
    public static int Value => 16;
}

/// <summary>What the accumulators of a tile start from.</summary>
enum TileStart
{
    /// <summary>0.</summary>
    Zero,

    /// <summary>The bias of the column.</summary>
    Bias,

    /// <summary>What the destination holds.</summary>
    Destination,
}

/// <summary>
/// The left operand of a tile: element [r, k] at A[r·Row + k·Step] for the first K, then at A2[r·Row2 + k − K] for the K2
/// that follow, so that two matrices side by side need no copy.
/// </summary>
unsafe ref struct TileLeft
{
    public float* A;
    public nint Row;
    public nint Step;
    public int K;
    public float* A2;
    public nint Row2;
    public int K2;

    /// <summary>
    /// Bytes of the right operand, behind what a tile reads, that it fetches with each k for each of its rows, such that the
    /// tiles of all rows together fetch as much as one reads; with every second k where four are taken in a turn. 0 for none.
    /// </summary>
    public nint Fetch;
}

/// <summary>
/// The register tile of the matrix product: R rows × C vectors, one fused multiply-add chain over k per element.
/// </summary>
/// <remarks>
/// The body is written once for the largest tile of 6 × 4; R and C are constants to the JIT, which drops the accumulators
/// that another does not have. So edges run the same code at the same bits, with no scalar tail. The last vector of
/// each row may be of half the width: a processor that splits 512 bits in two computes 50 columns in 7 halves, not 8.
/// </remarks>
static unsafe class GemmTile
{
    /// <summary>R at most.</summary>
    public const int MostRows = 6;

    /// <summary>
    /// destination[r, j] = start[r, j] + Σₖ left[row + r, k] · b[k·width + j], r &lt; R, j &lt; width, which is C − 1 vectors of
    /// <typeparamref name="S"/> and one of <typeparamref name="L"/>.
    /// </summary>
    /// <typeparam name="S">The kernel's vectors.</typeparam>
    /// <typeparam name="V">Their registers.</typeparam>
    /// <typeparam name="L">The last vector of a row.</typeparam>
    /// <typeparam name="W">Its register.</typeparam>
    /// <typeparam name="R">Rows, up to 6.</typeparam>
    /// <typeparam name="C">Vectors, up to 4.</typeparam>
    /// <typeparam name="P">Vectors of the panel: C, or more of which the tile reads some.</typeparam>
    /// <typeparam name="T">Floats from k to k of the left operand where its rows lie side by side, 0 where it is as <paramref name="left"/> says.</typeparam>
    /// <typeparam name="F">1 to fetch what lies behind, else 0.</typeparam>
    /// <param name="left">The left operand.</param>
    /// <param name="row">Its first row.</param>
    /// <param name="tiles">Tiles, one below the other.</param>
    /// <param name="panels">Panels of as many columns, one behind the other: these tiles are computed with each.</param>
    /// <param name="panel">First vector of the first panel; whole vectors for every k.</param>
    /// <param name="panelStep">Floats from panel to panel.</param>
    /// <param name="destination">First element of the tile.</param>
    /// <param name="destinationRow">Floats from row to row of the destination.</param>
    /// <param name="start">What the chains start from.</param>
    /// <param name="bias">The tile's columns of the bias; read only with <see cref="TileStart.Bias"/>.</param>
    /// <param name="last">Lanes of the last vector that belong to the destination, 1 to its Count.</param>
    [MethodImpl(Kernel.Compilation)]
    public static void Multiply<S, V, L, W, R, C, P, T, F>(
        in TileLeft left, int row, int tiles, int panels, float* panel, nint panelStep, float* destination, nint destinationRow, TileStart start, float* bias,
        int last)
        where S : struct, ISimd<V>
        where V : struct
        where L : struct, ISimd<W>
        where W : struct
        where R : struct, IConstant
        where C : struct, IConstant
        where P : struct, IConstant
        where T : struct, IConstant
        where F : struct, IConstant
    {
        nint depth = left.K + left.K2, fetchStep = R.Value * left.Fetch, width = ((P.Value - 1) * S.Count) + L.Count;
        for (; panels > 0; panels--)
        {
            var fetch = (byte*)(panel + (depth * C.Value * S.Count)) + (row * depth * left.Fetch);
            for (var tile = 0; tile < tiles; tile++)
            {
                V c00 = default, c01 = default, c02 = default;
                V c10 = default, c11 = default, c12 = default;
                V c20 = default, c21 = default, c22 = default;
                V c30 = default, c31 = default, c32 = default;
                V c40 = default, c41 = default, c42 = default;
                V c50 = default, c51 = default, c52 = default;
                W c0l = default, c1l = default, c2l = default, c3l = default, c4l = default, c5l = default;

                if (start == TileStart.Destination)
                {
                    LoadRow<S, V, L, W, C>(destination, last, ref c00, ref c01, ref c02, ref c0l);
                    if (R.Value > 1) LoadRow<S, V, L, W, C>(destination + (1 * destinationRow), last, ref c10, ref c11, ref c12, ref c1l);
                    if (R.Value > 2) LoadRow<S, V, L, W, C>(destination + (2 * destinationRow), last, ref c20, ref c21, ref c22, ref c2l);
                    if (R.Value > 3) LoadRow<S, V, L, W, C>(destination + (3 * destinationRow), last, ref c30, ref c31, ref c32, ref c3l);
                    if (R.Value > 4) LoadRow<S, V, L, W, C>(destination + (4 * destinationRow), last, ref c40, ref c41, ref c42, ref c4l);
                    if (R.Value > 5) LoadRow<S, V, L, W, C>(destination + (5 * destinationRow), last, ref c50, ref c51, ref c52, ref c5l);
                }
                else if (start == TileStart.Bias)
                {
                    LoadRow<S, V, L, W, C>(bias, last, ref c00, ref c01, ref c02, ref c0l);
                    (c10, c11, c12, c1l) = (c00, c01, c02, c0l);
                    (c20, c21, c22, c2l) = (c00, c01, c02, c0l);
                    (c30, c31, c32, c3l) = (c00, c01, c02, c0l);
                    (c40, c41, c42, c4l) = (c00, c01, c02, c0l);
                    (c50, c51, c52, c5l) = (c00, c01, c02, c0l);
                }

                var (step, row1) = T.Value > 0 ? (T.Value, 1) : (left.Step, left.Row);
                nint row2 = 2 * row1, row3 = 3 * row1, row4 = 4 * row1, row5 = 5 * row1;
                int k = left.K, more = left.K2;
                var a = left.A + (row * row1);
                var b = panel;
                while (true)
                {
                    // Four k in a turn, at constant places: 19.75 operations for 12 multiply-adds, not 23. On a Zen 3 core LSTM
                    // 64,50,128,512 trains in 9 % less time where another thread shares the core, in 1 % less where none does.
                    if (S.Registers == 16 && R.Value > 3 && (T.Value > 0 || step == 1))
                    {
                        for (; k > 3; k -= 4)
                        {
                            ByRows<S, V, L, W, R, C, P, T, C0>(
                                a, b, row1, row2, row3, row4, row5, ref c00, ref c01, ref c0l, ref c10, ref c11, ref c1l, ref c20, ref c21, ref c2l,
                                ref c30, ref c31, ref c3l, ref c40, ref c41, ref c4l, ref c50, ref c51, ref c5l);
                            ByRows<S, V, L, W, R, C, P, T, C1>(
                                a, b, row1, row2, row3, row4, row5, ref c00, ref c01, ref c0l, ref c10, ref c11, ref c1l, ref c20, ref c21, ref c2l,
                                ref c30, ref c31, ref c3l, ref c40, ref c41, ref c4l, ref c50, ref c51, ref c5l);
                            ByRows<S, V, L, W, R, C, P, T, C2>(
                                a, b, row1, row2, row3, row4, row5, ref c00, ref c01, ref c0l, ref c10, ref c11, ref c1l, ref c20, ref c21, ref c2l,
                                ref c30, ref c31, ref c3l, ref c40, ref c41, ref c4l, ref c50, ref c51, ref c5l);
                            ByRows<S, V, L, W, R, C, P, T, C3>(
                                a, b, row1, row2, row3, row4, row5, ref c00, ref c01, ref c0l, ref c10, ref c11, ref c1l, ref c20, ref c21, ref c2l,
                                ref c30, ref c31, ref c3l, ref c40, ref c41, ref c4l, ref c50, ref c51, ref c5l);
                            if (F.Value != 0 && Sse.IsSupported)
                            {
                                Sse.Prefetch1(fetch);
                                Sse.Prefetch1(fetch + (2 * fetchStep));
                                fetch += 4 * fetchStep;
                            }

                            a += 4 * step;
                            b += 4 * width;
                        }
                    }

                    // Tested at the end, so that a step has one branch.
                    if (k > 0) do
                    {
                        if (S.Registers == 16 && R.Value > 3)
                        {
                            ByRows<S, V, L, W, R, C, P, T, C0>(
                                a, b, row1, row2, row3, row4, row5, ref c00, ref c01, ref c0l, ref c10, ref c11, ref c1l, ref c20, ref c21, ref c2l,
                                ref c30, ref c31, ref c3l, ref c40, ref c41, ref c4l, ref c50, ref c51, ref c5l);
                        }
                        else
                        {
                            var a0 = S.Broadcast(a[0]);
                            var a1 = R.Value > 1 ? S.Broadcast(a[row1]) : a0;
                            var a2 = R.Value > 2 ? S.Broadcast(a[row2]) : a0;
                            var a3 = R.Value > 3 ? S.Broadcast(a[row3]) : a0;
                            var a4 = R.Value > 4 ? S.Broadcast(a[row4]) : a0;
                            var a5 = R.Value > 5 ? S.Broadcast(a[row5]) : a0;

                            var bl = L.Load(b + ((C.Value - 1) * S.Count));
                            c0l = L.Fma(Lower<V, W>(a0), bl, c0l);
                            if (R.Value > 1) c1l = L.Fma(Lower<V, W>(a1), bl, c1l);
                            if (R.Value > 2) c2l = L.Fma(Lower<V, W>(a2), bl, c2l);
                            if (R.Value > 3) c3l = L.Fma(Lower<V, W>(a3), bl, c3l);
                            if (R.Value > 4) c4l = L.Fma(Lower<V, W>(a4), bl, c4l);
                            if (R.Value > 5) c5l = L.Fma(Lower<V, W>(a5), bl, c5l);

                            if (C.Value > 1)
                            {
                                var b0 = S.Load(b);
                                c00 = S.Fma(a0, b0, c00);
                                if (R.Value > 1) c10 = S.Fma(a1, b0, c10);
                                if (R.Value > 2) c20 = S.Fma(a2, b0, c20);
                                if (R.Value > 3) c30 = S.Fma(a3, b0, c30);
                                if (R.Value > 4) c40 = S.Fma(a4, b0, c40);
                                if (R.Value > 5) c50 = S.Fma(a5, b0, c50);
                            }

                            if (C.Value > 2)
                            {
                                var b1 = S.Load(b + (1 * S.Count));
                                c01 = S.Fma(a0, b1, c01);
                                if (R.Value > 1) c11 = S.Fma(a1, b1, c11);
                                if (R.Value > 2) c21 = S.Fma(a2, b1, c21);
                                if (R.Value > 3) c31 = S.Fma(a3, b1, c31);
                                if (R.Value > 4) c41 = S.Fma(a4, b1, c41);
                                if (R.Value > 5) c51 = S.Fma(a5, b1, c51);
                            }

                            if (C.Value > 3)
                            {
                                var b2 = S.Load(b + (2 * S.Count));
                                c02 = S.Fma(a0, b2, c02);
                                if (R.Value > 1) c12 = S.Fma(a1, b2, c12);
                                if (R.Value > 2) c22 = S.Fma(a2, b2, c22);
                                if (R.Value > 3) c32 = S.Fma(a3, b2, c32);
                                if (R.Value > 4) c42 = S.Fma(a4, b2, c42);
                                if (R.Value > 5) c52 = S.Fma(a5, b2, c52);
                            }
                        }

                        if (F.Value != 0 && Sse.IsSupported)
                        {
                            Sse.Prefetch1(fetch);
                            fetch += fetchStep;
                        }

                        a += step;
                        b += width;
                    }
                    while (--k > 0);

                    if (T.Value > 0 || more == 0)
                        break;
                    a = left.A2 + (row * left.Row2);
                    step = 1;
                    row1 = left.Row2;
                    (row2, row3, row4, row5) = (2 * row1, 3 * row1, 4 * row1, 5 * row1);
                    (k, more) = (more, 0);
                }

                StoreRow<S, V, L, W, C>(destination, last, c00, c01, c02, c0l);
                if (R.Value > 1) StoreRow<S, V, L, W, C>(destination + (1 * destinationRow), last, c10, c11, c12, c1l);
                if (R.Value > 2) StoreRow<S, V, L, W, C>(destination + (2 * destinationRow), last, c20, c21, c22, c2l);
                if (R.Value > 3) StoreRow<S, V, L, W, C>(destination + (3 * destinationRow), last, c30, c31, c32, c3l);
                if (R.Value > 4) StoreRow<S, V, L, W, C>(destination + (4 * destinationRow), last, c40, c41, c42, c4l);
                if (R.Value > 5) StoreRow<S, V, L, W, C>(destination + (5 * destinationRow), last, c50, c51, c52, c5l);

                row += R.Value;
                destination += R.Value * destinationRow;
            }

            panel += panelStep;
            bias += P.Value * S.Count;
            row -= tiles * R.Value;
            destination += (P.Value * S.Count) - (tiles * R.Value * destinationRow);
        }
    }

    /// <summary>The multiply-adds of k = <typeparamref name="U"/>, row by row: one broadcast beside 12 accumulators and the row of B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void ByRows<S, V, L, W, R, C, P, T, U>(
        float* a, float* b, nint row1, nint row2, nint row3, nint row4, nint row5, ref V c00, ref V c01, ref W c0l, ref V c10, ref V c11, ref W c1l,
        ref V c20, ref V c21, ref W c2l, ref V c30, ref V c31, ref W c3l, ref V c40, ref V c41, ref W c4l, ref V c50, ref V c51, ref W c5l)
        where S : struct, ISimd<V>
        where V : struct
        where L : struct, ISimd<W>
        where W : struct
        where R : struct, IConstant
        where C : struct, IConstant
        where P : struct, IConstant
        where T : struct, IConstant
        where U : struct, IConstant
    {
        nint step = U.Value * (T.Value > 0 ? T.Value : 1), at = U.Value * (((P.Value - 1) * S.Count) + L.Count);
        var b0 = C.Value > 1 ? S.Load(b + at) : default;
        var b1 = C.Value > 2 ? S.Load(b + (at + S.Count)) : default;
        var bl = L.Load(b + (at + ((C.Value - 1) * S.Count)));

        var ar = S.Broadcast(a[step]);
        if (C.Value > 1) c00 = S.Fma(ar, b0, c00);
        if (C.Value > 2) c01 = S.Fma(ar, b1, c01);
        c0l = L.Fma(Lower<V, W>(ar), bl, c0l);

        ar = S.Broadcast((a + row1)[step]);
        if (C.Value > 1) c10 = S.Fma(ar, b0, c10);
        if (C.Value > 2) c11 = S.Fma(ar, b1, c11);
        c1l = L.Fma(Lower<V, W>(ar), bl, c1l);

        ar = S.Broadcast((a + row2)[step]);
        if (C.Value > 1) c20 = S.Fma(ar, b0, c20);
        if (C.Value > 2) c21 = S.Fma(ar, b1, c21);
        c2l = L.Fma(Lower<V, W>(ar), bl, c2l);

        ar = S.Broadcast((a + row3)[step]);
        if (C.Value > 1) c30 = S.Fma(ar, b0, c30);
        if (C.Value > 2) c31 = S.Fma(ar, b1, c31);
        c3l = L.Fma(Lower<V, W>(ar), bl, c3l);

        if (R.Value > 4)
        {
            ar = S.Broadcast((a + row4)[step]);
            if (C.Value > 1) c40 = S.Fma(ar, b0, c40);
            if (C.Value > 2) c41 = S.Fma(ar, b1, c41);
            c4l = L.Fma(Lower<V, W>(ar), bl, c4l);
        }

        if (R.Value > 5)
        {
            ar = S.Broadcast((a + row5)[step]);
            if (C.Value > 1) c50 = S.Fma(ar, b0, c50);
            if (C.Value > 2) c51 = S.Fma(ar, b1, c51);
            c5l = L.Fma(Lower<V, W>(ar), bl, c5l);
        }
    }

    /// <summary>
    /// One row of N panels of 3 whole vectors each, one behind the other: a single panel's three chains would keep two
    /// multiply-adds a cycle waiting for each other.
    /// </summary>
    /// <typeparam name="S">The kernel's vectors.</typeparam>
    /// <typeparam name="V">Their registers.</typeparam>
    /// <typeparam name="N">Panels, 2 to 4.</typeparam>
    /// <typeparam name="W">Vectors of the last of them, 3 or, of 2 or 3 panels with which a matrix ends, 4.</typeparam>
    /// <param name="left">The left operand.</param>
    /// <param name="times">How often N panels follow, one behind the other.</param>
    /// <param name="panel">The first panel.</param>
    /// <param name="panelStep">Floats from panel to panel.</param>
    /// <param name="destination">The first panel's columns.</param>
    /// <param name="destinationPanel">Floats from a panel's columns of the destination to the next one's.</param>
    /// <param name="destinationStep">Floats from the columns of N panels to those of the next N.</param>
    /// <param name="start">What the chains start from.</param>
    /// <param name="bias">The columns' bias.</param>
    /// <param name="backwards">Whether the last N panels come first.</param>
    [MethodImpl(Kernel.Compilation)]
    public static void MultiplyRow<S, V, N, W>(
        in TileLeft left, int times, float* panel, nint panelStep, float* destination, nint destinationPanel, nint destinationStep, TileStart start, float* bias,
        bool backwards)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
        where W : struct, IConstant
    {
        nint width = 3 * S.Count;
        nint panelsStep = N.Value * panelStep, biasStep = N.Value * width;
        if (backwards)
        {
            panel += (times - 1) * panelsStep;
            destination += (times - 1) * destinationStep;
            bias += (times - 1) * biasStep;
            (panelsStep, destinationStep, biasStep) = (-panelsStep, -destinationStep, -biasStep);
        }

        for (; times > 0; times--)
        {
            V c00 = default, c01 = default, c02 = default;
            V c10 = default, c11 = default, c12 = default;
            V c20 = default, c21 = default, c22 = default;
            V c30 = default, c31 = default, c32 = default, wide = default;
            if (start != TileStart.Zero)
            {
                var from = start == TileStart.Bias ? bias : destination;
                var step = start == TileStart.Bias ? width : destinationPanel;
                LoadRow<S, V, S, V, C3>(from, S.Count, ref c00, ref c01, ref c02, ref c02);
                LoadRow<S, V, S, V, C3>(from + step, S.Count, ref c10, ref c11, ref c12, ref c12);
                if (N.Value > 2) LoadRow<S, V, S, V, C3>(from + (2 * step), S.Count, ref c20, ref c21, ref c22, ref c22);
                if (N.Value > 3) LoadRow<S, V, S, V, C3>(from + (3 * step), S.Count, ref c30, ref c31, ref c32, ref c32);
                if (W.Value > 3) wide = S.Load(from + ((N.Value - 1) * step) + width);
            }

            int k = left.K, more = left.K2;
            float* a = left.A, b = panel, b1 = b + panelStep, b2 = b1 + panelStep, b3 = b2 + panelStep;
            while (true)
            {
                if (k > 0) do
                {
                    var x = S.Broadcast(*a++);
                    c00 = S.Fma(x, S.Load(b), c00);
                    c01 = S.Fma(x, S.Load(b + S.Count), c01);
                    c02 = S.Fma(x, S.Load(b + (2 * S.Count)), c02);
                    b += width;
                    c10 = S.Fma(x, S.Load(b1), c10);
                    c11 = S.Fma(x, S.Load(b1 + S.Count), c11);
                    c12 = S.Fma(x, S.Load(b1 + (2 * S.Count)), c12);
                    if (N.Value == 2 && W.Value > 3) wide = S.Fma(x, S.Load(b1 + width), wide);
                    b1 += N.Value == 2 ? W.Value * S.Count : width;
                    if (N.Value > 2)
                    {
                        c20 = S.Fma(x, S.Load(b2), c20);
                        c21 = S.Fma(x, S.Load(b2 + S.Count), c21);
                        c22 = S.Fma(x, S.Load(b2 + (2 * S.Count)), c22);
                        if (N.Value == 3 && W.Value > 3) wide = S.Fma(x, S.Load(b2 + width), wide);
                        b2 += N.Value == 3 ? W.Value * S.Count : width;
                    }

                    if (N.Value > 3)
                    {
                        c30 = S.Fma(x, S.Load(b3), c30);
                        c31 = S.Fma(x, S.Load(b3 + S.Count), c31);
                        c32 = S.Fma(x, S.Load(b3 + (2 * S.Count)), c32);
                        b3 += width;
                    }
                }
                while (--k > 0);

                if (more == 0)
                    break;
                a = left.A2;
                (k, more) = (more, 0);
            }

            StoreRow<S, V, S, V, C3>(destination, S.Count, c00, c01, c02, c02);
            StoreRow<S, V, S, V, C3>(destination + destinationPanel, S.Count, c10, c11, c12, c12);
            if (N.Value > 2) StoreRow<S, V, S, V, C3>(destination + (2 * destinationPanel), S.Count, c20, c21, c22, c22);
            if (N.Value > 3) StoreRow<S, V, S, V, C3>(destination + (3 * destinationPanel), S.Count, c30, c31, c32, c32);
            if (W.Value > 3) S.Store(destination + ((N.Value - 1) * destinationPanel) + width, wide);

            panel += panelsStep;
            destination += destinationStep;
            bias += biasStep;
        }
    }

    /// <summary>A broadcast value in a vector of the same or of half the width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static W Lower<V, W>(V value)
        where V : struct
        where W : struct =>
        typeof(V) == typeof(Vector512<float>) && typeof(W) == typeof(Vector256<float>)
            ? Unsafe.BitCast<Vector256<float>, W>(Unsafe.BitCast<V, Vector512<float>>(value).GetLower())
            : Unsafe.BitCast<V, W>(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void LoadRow<S, V, L, W, C>(float* source, int last, ref V v0, ref V v1, ref V v2, ref W vl)
        where S : struct, ISimd<V>
        where V : struct
        where L : struct, ISimd<W>
        where W : struct
        where C : struct, IConstant
    {
        // What a tile does not have stays untouched: otherwise the compiler keeps registers for it.
        if (C.Value > 1) v0 = S.Load(source);
        if (C.Value > 2) v1 = S.Load(source + S.Count);
        if (C.Value > 3) v2 = S.Load(source + (2 * S.Count));
        var at = source + ((C.Value - 1) * S.Count);
        vl = last == L.Count ? L.Load(at) : L.LoadPartial(at, last);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreRow<S, V, L, W, C>(float* destination, int last, V v0, V v1, V v2, W vl)
        where S : struct, ISimd<V>
        where V : struct
        where L : struct, ISimd<W>
        where W : struct
        where C : struct, IConstant
    {
        if (C.Value > 1) S.Store(destination, v0);
        if (C.Value > 2) S.Store(destination + S.Count, v1);
        if (C.Value > 3) S.Store(destination + (2 * S.Count), v2);
        var at = destination + ((C.Value - 1) * S.Count);
        if (last == L.Count)
            L.Store(at, vl);
        else
            L.StorePartial(at, vl, last);
    }
}
