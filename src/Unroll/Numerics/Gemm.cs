namespace Unroll.Numerics;

/// <summary>
/// One matrix product C[m, n] = start + Σₖ A[m, k]·B[k, n], repeated over equally spaced blocks of A and C.
/// </summary>
/// <remarks>
/// Legend: M rows, N columns, K length of the dot product. Each element of C is one sequential chain of fused
/// multiply-adds over k, whatever the kernel, the blocking or the split over threads: equal inputs give equal bits.
/// </remarks>
unsafe ref struct GemmProblem
{
    /// <summary>Blocks of A and C; B is common to all.</summary>
    public int Blocks = 1;

    /// <summary>Floats from block to block of A.</summary>
    public nint ABlock;

    /// <summary>Floats from block to block of C.</summary>
    public nint CBlock;

    public int M;
    public int N;
    public int K;

    /// <summary>A[m, k] is <c>A[m·ARow + k·AStep]</c>, so a transposed operand needs no copy.</summary>
    public float* A;
    public nint ARow;
    public nint AStep = 1;

    /// <summary>Packed panels when <see cref="BStep"/> is 0, else plain rows of B with BStep floats between them.</summary>
    public float* B;
    public nint BStep;

    public float* C;
    public nint CRow;

    public TileStart Start;

    /// <summary>Bias [N], read when <see cref="Start"/> is <see cref="TileStart.Bias"/>.</summary>
    public float* Bias;

    public GemmProblem()
    {
    }
}

/// <summary>The matrix product for every shape the layers need.</summary>
static unsafe class Gemm
{
    // A panel block of K × 4 vectors stays in the first-level cache (32 KiB) while the rows pass over it.
    const int PanelBytes = 32 * 1024;

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
        var bStep = p.BStep == 0 ? p.N : p.BStep;
        for (var block = 0; block < p.Blocks; block++)
        {
            for (var m = 0; m < p.M; m++)
            {
                var a = p.A + (block * p.ABlock) + (m * p.ARow);
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
                        sum = MathF.FusedMultiplyAdd(a[k * p.AStep], p.B[(k * bStep) + n], sum);
                    c[n] = sum;
                }
            }
        }
    }

    static void MultiplyTiled<S, V>(scoped in GemmProblem p)
        where S : struct, ISimd<V>
        where V : struct
    {
        var panelWidth = PackedMatrix.PanelWidth(S.Count);
        var kBlock = PanelBytes / (panelWidth * sizeof(float));
        var panel = p.B;
        for (var n = 0; n < p.N; n += panelWidth)
        {
            var columns = Math.Min(panelWidth, p.N - n);
            var vectors = (columns + S.Count - 1) / S.Count;
            var last = columns - ((vectors - 1) * S.Count);
            var bStep = p.BStep == 0 ? vectors * S.Count : p.BStep;
            for (var k = 0; k < p.K; k += kBlock)
            {
                var start = k == 0 ? p.Start : TileStart.Destination;
                var depth = Math.Min(kBlock, p.K - k);
                for (var block = 0; block < p.Blocks; block++)
                {
                    var a = p.A + (block * p.ABlock) + (k * p.AStep);
                    var c = p.C + (block * p.CBlock) + n;
                    for (var m = 0; m < p.M; m += S.TileRows)
                    {
                        var rows = Math.Min(S.TileRows, p.M - m);
                        Tile<S, V>(
                            rows, vectors, a + (m * p.ARow), p.ARow, p.AStep, panel + (k * bStep), bStep, depth,
                            c + (m * p.CRow), p.CRow, start, p.Bias + n, last);
                    }
                }
            }

            panel += p.BStep == 0 ? p.K * bStep : panelWidth;
        }
    }

    static void Tile<S, V>(
        int rows, int vectors, float* a, nint aRow, nint aStep, float* b, nint bStep, int k,
        float* c, nint cRow, TileStart start, float* bias, int last)
        where S : struct, ISimd<V>
        where V : struct
    {
        switch (rows)
        {
            case 1: TileOfRows<S, V, C1>(vectors, a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            case 2: TileOfRows<S, V, C2>(vectors, a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            case 3: TileOfRows<S, V, C3>(vectors, a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            case 4: TileOfRows<S, V, C4>(vectors, a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            case 5: TileOfRows<S, V, C5>(vectors, a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            default: TileOfRows<S, V, C6>(vectors, a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
        }
    }

    static void TileOfRows<S, V, R>(
        int vectors, float* a, nint aRow, nint aStep, float* b, nint bStep, int k,
        float* c, nint cRow, TileStart start, float* bias, int last)
        where S : struct, ISimd<V>
        where V : struct
        where R : struct, IConstant
    {
        switch (vectors)
        {
            case 1: GemmTile.Multiply<S, V, R, C1>(a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            case 2: GemmTile.Multiply<S, V, R, C2>(a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            case 3: GemmTile.Multiply<S, V, R, C3>(a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
            default: GemmTile.Multiply<S, V, R, C4>(a, aRow, aStep, b, bStep, k, c, cRow, start, bias, last); break;
        }
    }
}
