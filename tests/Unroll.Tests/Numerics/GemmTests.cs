using CsCheck;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

public unsafe class GemmTests
{
    static readonly Gen<(int Blocks, int M, int N, int K, int K2, int Start, bool Transposed, int Seed)> s_problems =
        Gen.Select(Gen.Int[1, 3], Gen.Int[1, 70], Gen.Int[1, 140], Gen.Int[1, 300], Gen.Int[0, 300], Gen.Int[0, 2], Gen.Bool, Gen.Int);

    [Fact]
    public void Multiply_GivesTheBitsOfTheThreeLoops_InEveryKernel() =>
        s_problems.Sample(
            CompareKernels, iter: 400, seed: "0000Kx9eUnR0", threads: 1);

    [Fact]
    public void Multiply_GivesTheSameBits_ForOneRowAndForFew() =>
        s_problems.Select(Gen.Int[1, 12], (p, rows) => p with { Blocks = 1, M = rows }).Sample(
            CompareKernels, iter: 500, seed: "0000Kx9eUnR1", threads: 1);

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void Multiply_GivesTheSameBits_WhereTheRightOperandIsFar(int rows)
    {
        (int Blocks, int M, int N, int K, int K2, int Start, bool Transposed, int Seed) p = (1, rows, 530, 600, 450, 1, false, 3);
        Assert.True((p.K + p.K2) * p.N >= Gemm.FarFloats);
        CompareKernels(p);
    }

    public static MatrixTheoryData<int, int, int, bool> GroupsOfColumns =>
        new([1, 5, 10, 20], [24, 56, 80, 96, 104, 128, 200], [0, 8], [false, true]);

    /// <summary>
    /// Groups of columns, of which the product leaves out the last rows; what lies between them in C stays. Of one row also
    /// groups that follow one another, and all of them from the end.
    /// </summary>
    [Theory]
    [MemberData(nameof(GroupsOfColumns))]
    public void Multiply_GivesTheSameBits_ForGroupsOfColumns(int rows, int columns, int gap, bool backwards)
    {
        const int Groups = 6, K = 50, BRows = 70;
        var random = new Random(6);
        float[] a = Fill(random, rows * K), b = Fill(random, Groups * BRows * columns), bias = Fill(random, Groups * columns);
        var cRow = Groups * (columns + gap);
        var expected = new float[rows * cRow];
        for (var group = 0; group < Groups; group++)
        {
            var matrix = b.AsSpan(group * BRows * columns, K * columns).ToArray();
            var product = Run(KernelKind.Naive, a, matrix, bias.AsSpan(group * columns, columns).ToArray(), rows, columns, K);
            for (var row = 0; row < rows; row++)
                product.AsSpan(row * columns, columns).CopyTo(expected.AsSpan((row * cRow) + (group * (columns + gap))));
        }

        foreach (var kernel in Kernels.All.Where(kernel => kernel != KernelKind.Naive))
        {
            var packed = new AlignedBuffer(b.Length);
            var c = new float[rows * cRow];
            fixed (float* pa = a, pb = b, pBias = bias, pc = c)
            {
                for (var group = 0; group < Groups; group++)
                {
                    var matrix = group * BRows * columns;
                    PackedMatrix.Pack(kernel, pb + matrix, columns, transposed: false, BRows, columns, packed.Pointer + matrix);
                }

                Kernels.Engine(kernel).Multiply(new GemmProblem
                {
                    M = rows,
                    N = columns,
                    Groups = Groups,
                    Backwards = backwards,
                    K = K,
                    A = pa,
                    ARow = K,
                    B = packed.Pointer,
                    BRows = BRows,
                    C = pc,
                    CRow = cRow,
                    CGroup = columns + gap,
                    Start = TileStart.Bias,
                    Bias = pBias,
                });
            }

            Assert.Equal(expected, c);
            GC.KeepAlive(packed);
        }
    }

    [Fact]
    public void Multiply_AgreesWithDouble()
    {
        var random = new Random(5);
        const int M = 7, N = 19, K = 33;
        float[] a = Fill(random, M * K), b = Fill(random, K * N), bias = Fill(random, N);
        var c = Run(Kernels.Chosen, a, b, bias, M, N, K);
        for (var m = 0; m < M; m++)
        {
            for (var n = 0; n < N; n++)
            {
                double sum = bias[n];
                for (var k = 0; k < K; k++)
                    sum += (double)a[(m * K) + k] * b[(k * N) + n];
                Assert.Equal(sum, c[(m * N) + n], 1e-5);
            }
        }
    }

    static void CompareKernels((int Blocks, int M, int N, int K, int K2, int Start, bool Transposed, int Seed) p)
    {
        var expected = Run(KernelKind.Naive, p);
        foreach (var kernel in Kernels.All)
            Assert.Equal(expected, Run(kernel, p));
    }

    static float[] Run(KernelKind kernel, float[] a, float[] b, float[] bias, int m, int n, int k)
    {
        var packed = new PackedMatrix(k, n);
        var c = new float[m * n];
        fixed (float* pa = a, pb = b, pBias = bias, pc = c)
        {
            packed.Pack(kernel, pb, transposed: false);
            Kernels.Engine(kernel).Multiply(new GemmProblem
            {
                M = m,
                N = n,
                K = k,
                A = pa,
                ARow = k,
                B = packed.Pointer,
                C = pc,
                CRow = n,
                Start = TileStart.Bias,
                Bias = pBias,
            });
        }

        GC.KeepAlive(packed);
        return c;
    }

    static float[] Run(KernelKind kernel, (int Blocks, int M, int N, int K, int K2, int Start, bool Transposed, int Seed) p)
    {
        // Guard values around every row of C show a write outside the result.
        const float Guard = 12345f;
        var random = new Random(p.Seed);
        var k2 = p.Blocks == 1 ? p.K2 : 0;
        var a = Fill(random, p.Blocks * p.M * p.K);
        var a2 = Fill(random, p.M * k2);
        var b = Fill(random, (p.K + k2) * p.N);
        var bias = Fill(random, p.N);
        var cRow = p.N + 3;
        var c = new float[p.Blocks * p.M * cRow];
        c.AsSpan().Fill(Guard);
        for (var row = 0; row < p.Blocks * p.M; row++)
            Fill(random, p.N).CopyTo(c.AsSpan(row * cRow));

        var packed = new PackedMatrix(p.K + k2, p.N);
        fixed (float* pa = a, pa2 = a2, pb = b, pBias = bias, pc = c)
        {
            packed.Pack(kernel, pb, p.Transposed);
            Kernels.Engine(kernel).Multiply(new GemmProblem
            {
                Blocks = p.Blocks,
                ABlock = p.M * p.K,
                CBlock = p.M * cRow,
                M = p.M,
                N = p.N,
                K = p.K,
                A = pa,
                ARow = p.K,
                K2 = k2,
                A2 = pa2,
                A2Row = k2,
                B = packed.Pointer,
                C = pc,
                CRow = cRow,
                Start = (TileStart)p.Start,
                Bias = pBias,
            });
        }

        GC.KeepAlive(packed);
        for (var row = 0; row < p.Blocks * p.M; row++)
            Assert.Equal([Guard, Guard, Guard], c[((row * cRow) + p.N)..((row + 1) * cRow)]);
        return c;
    }

    static float[] Fill(Random random, int length)
    {
        var values = new float[length];
        foreach (ref var value in values.AsSpan())
            value = random.NextSingle() - 0.5f;
        return values;
    }
}
