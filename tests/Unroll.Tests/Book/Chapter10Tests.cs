using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Theory;
using Activations = Unroll.Numerics.Activations;
using LstmOptions = Unroll.Layers.LstmOptions;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 10 as printed, against the members of the engine: most of them to the bit.</summary>
public unsafe class Chapter10Tests
{
    [Fact]
    [Equation("10.1", "UnrolledLayer.FlopsPerStep")]
    public void Operations_AreTheFormula()
    {
        const int I = 5, H = 7;
        foreach (var (options, G) in new (RecurrentOptions, int)[] { (new RnnOptions(H), 1), (new GruOptions(H), 3), (new LstmOptions(H), 4) })
        {
            var model = new SequenceModel(new SequenceModelOptions(I, [options]), Kernels.Engine(Kernels.Chosen));
            var layer = model.Layers[0];
            var context = new UnrollContext(model.Engine, model.Parameters);
            var unrolled = layer.Unroll(context, layer.CreateWeights(model.Engine), Keep.Everything, 3, 2);
            Assert.Equal(2 * G * H * (I + H), unrolled.FlopsPerStep);
        }
    }

    [Fact]
    [Equation("10.2", "Sequence.Item")]
    public void Place_IsTheFormula()
    {
        const int T = 3, B = 4, F = 5;
        var sequence = new Sequence(T, B, F, [.. Enumerable.Range(0, T * B * F).Select(place => (double)place)]);
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                for (var k = 0; k < F; k++)
                    Assert.Equal((((t * B) + b) * F) + k, sequence[t, b, k]);
            }
        }
    }

    [Fact]
    [Equation("10.3", "Gemm.MultiplyNaive")]
    public void Product_IsOneChainPerElement_InEveryKernel()
    {
        const int M = 8, N = 70, K = 5, K2 = 6;
        var random = new Random(1003);
        float[] a = Floats(random, M * K), a2 = Floats(random, M * K2), weights = Floats(random, (K + K2) * N), start = Floats(random, N);
        var expected = new float[M * N];
        for (var m = 0; m < M; m++)
        {
            for (var n = 0; n < N; n++)
            {
                var c = start[n];
                for (var k = 0; k < K + K2; k++)
                    c = MathF.FusedMultiplyAdd(k < K ? a[(m * K) + k] : a2[(m * K2) + k - K], weights[(k * N) + n], c);
                expected[(m * N) + n] = c;
            }
        }

        foreach (var kernel in Kernels.All)
        {
            var packed = new PackedMatrix(K + K2, N);
            var result = new float[M * N];
            fixed (float* pa = a, pa2 = a2, pw = weights, ps = start, pc = result)
            {
                packed.Pack(kernel, pw, transposed: false);
                var problem = new GemmProblem
                {
                    M = M,
                    N = N,
                    K = K,
                    A = pa,
                    ARow = K,
                    K2 = K2,
                    A2 = pa2,
                    A2Row = K2,
                    B = packed.Pointer,
                    C = pc,
                    CRow = N,
                    Start = TileStart.Bias,
                    Bias = ps,
                };
                if (kernel == KernelKind.Naive)
                    Gemm.MultiplyNaive(problem);
                else
                    Kernels.Engine(kernel).Multiply(problem);
            }

            Assert.Equal(expected, result);
            GC.KeepAlive(packed);
        }
    }

    [Fact]
    [Equation("10.4", "PackedMatrix.Pack")]
    public void PackedPlace_IsTheFormula()
    {
        const int K = 3, N = 90;
        var matrix = Floats(new Random(1004), K * N);
        foreach (var (kernel, v) in new[] { (KernelKind.Vector128, 4), (KernelKind.Vector256, 8), (KernelKind.Vector512, 16) })
        {
            var packed = new PackedMatrix(K, N);
            fixed (float* source = matrix)
                packed.Pack(kernel, source, transposed: false);
            for (var k = 0; k < K; k++)
            {
                for (var n = 0; n < N; n++)
                    Assert.Equal(matrix[(k * N) + n], packed.Pointer[Place(k, n, K, N, v)]);
            }

            GC.KeepAlive(packed);
        }
    }

    [Fact]
    [Equation("10.5", "GatePanels.Pack")]
    public void GatePlace_IsTheFormula()
    {
        const int K = 3;
        foreach (var (kernel, v) in new[] { (KernelKind.Vector128, 4), (KernelKind.Vector256, 8), (KernelKind.Vector512, 16) })
        {
            foreach (var (G, H) in new[] { (1, 37), (2, 37), (3, 37), (4, 37), (4, 50) })
            {
                var weights = Floats(new Random(1005), G * H * K);
                var panels = new GatePanels(kernel, H, K, [.. Enumerable.Range(0, G)]);
                var memory = new AlignedBuffer(panels.Length);
                panels.Place(memory.Pointer);
                fixed (float* source = weights)
                    panels.Pack(source, K, row: 0);
                var u = v * Math.Max(1, (v == 16 ? 4 : G == 3 ? 6 : 12) / G);
                var last = Ceiling(H, u) - 1;
                if (v < 16 && last > 0 && G * (H - (u * last)) <= 4 * v)
                    last--;
                for (var gate = 0; gate < G; gate++)
                {
                    for (var j = 0; j < H; j++)
                    {
                        var p = Math.Min(j / u, last);
                        var units = p < last ? u : H - (last * u);
                        for (var k = 0; k < K; k++)
                        {
                            var place = (p * u * G * K) + Place(k, (gate * units) + (j - (p * u)), K, G * units, v);
                            Assert.Equal(weights[(((gate * H) + j) * K) + k], panels.Weights(0)[place]);
                        }
                    }
                }

                GC.KeepAlive(memory);
            }
        }
    }

    /// <summary>(10.4): where element (k, n) of a matrix [K, N] lies among vectors of v lanes.</summary>
    static int Place(int k, int n, int K, int N, int v)
    {
        var s = v == 16 ? 4 : 3;
        var last = Math.Max(0, Ceiling(N - (4 * v), s * v));
        var q = Math.Min(n / (s * v), last);
        var half = Math.Min(v, 8);
        var w = half * Ceiling(q < last ? s * v : N - (s * v * last), half);
        return (s * v * K * q) + (k * w) + (n - (s * v * q));
    }

    [Fact]
    [Equation("10.6", "TallProduct.Accumulate")]
    public void WeightGradients_AreOneChainPerElement_InEveryKernel()
    {
        const int Rows = 210, GH = 9, H = 4, I = 3; // T·B beyond one copied block
        var random = new Random(1006);
        float[] dA = Floats(random, (Rows * GH) + 16), h = Floats(random, Rows * H), x = Floats(random, Rows * I), before = Floats(random, GH * (H + I + 2));
        var expected = (float[])before.Clone();
        for (var m = 0; m < GH; m++)
        {
            for (var r = 0; r < Rows; r++)
            {
                float[] z = [.. h[(r * H)..((r + 1) * H)], 1, .. x[(r * I)..((r + 1) * I)], 1];
                for (var n = 0; n < z.Length; n++)
                    expected[(m * z.Length) + n] = MathF.FusedMultiplyAdd(dA[(r * GH) + m], z[n], expected[(m * z.Length) + n]);
            }
        }

        foreach (var kernel in Kernels.All)
        {
            var result = (float[])before.Clone();
            var scratch = new AlignedBuffer(TallProduct.ScratchLength(kernel, GH, H, 1, I, 1));
            var one = 1f;
            fixed (float* pa = dA, ph = h, px = x, pc = result)
            {
                const int Z = H + I + 2;
                TallColumns[] columns =
                [
                    new() { Source = ph, SourceRow = H, Width = H, Destination = pc, DestinationRow = Z, Adds = true },
                    new() { Source = &one, Width = 1, Destination = pc + H, DestinationRow = Z, Adds = true },
                    new() { Source = px, SourceRow = I, Width = I, Destination = pc + H + 1, DestinationRow = Z, Adds = true },
                    new() { Source = &one, Width = 1, Destination = pc + H + 1 + I, DestinationRow = Z, Adds = true },
                ];
                var action = new TallAction { K = Rows, A = pa, ARow = GH, M = GH, Columns = columns, Scratch = scratch.Pointer };
                Kernels.Engine(kernel).Run(ref action);
            }

            Assert.Equal(expected, result);
            GC.KeepAlive(scratch);
        }
    }

    [Fact]
    [Equation("10.7", "ParallelJob.Share")]
    public void Shares_AreTheFormula()
    {
        for (var n = 0; n < 40; n++)
        {
            for (var W = 1; W <= 9; W++)
            {
                for (var w = 0; w < W; w++)
                    Assert.Equal(((int)Math.Floor(n * w / (double)W), (int)Math.Floor(n * (w + 1) / (double)W)), ParallelJob.Share(n, w, W));
            }
        }
    }

    [Fact]
    [Equation("10.8", "RowJob.Workers")]
    public void Threads_AreTheFormula()
    {
        using var engine = new Engine(threads: 3);
        Assert.Equal(1, RowJob.Workers(engine, 2_000_000 - 1));
        Assert.Equal(3, RowJob.Workers(engine, 2_000_000));
    }

    [Fact]
    [Equation("10.9", "Activations.Tanh")]
    public void Tanh_IsTheFormula()
    {
        for (var x = -8f; x <= 8; x += 0.0137f)
        {
            // In single precision, as the engine: adding 1.5·2²³ rounds to a whole number, and the two parts of ln 2 keep the digits of r.
            var n = MathF.FusedMultiplyAdd(2 * x, 1.44269504f, 12582912f) - 12582912f;
            var r = MathF.FusedMultiplyAdd(-n, -2.12194440e-4f, MathF.FusedMultiplyAdd(-n, 0.693359375f, 2 * x));
            float[] c = [0.5f, 0.16666576f, 0.041666552f, 0.008363233f, 0.001392625f];
            var sum = c[4];
            for (var k = 3; k >= 0; k--)
                sum = MathF.FusedMultiplyAdd(sum, r, c[k]);
            var p = MathF.FusedMultiplyAdd(r * r, sum, r);
            var e = MathF.FusedMultiplyAdd(MathF.ScaleB(1, (int)n), p, MathF.ScaleB(1, (int)n) - 1);
            var result = Activations.Tanh<SimdScalar, float>(x);
            Assert.Equal(e / (e + 2), result);
            Assert.Equal(Math.Tanh(x), result, 2e-7);
        }
    }

    [Fact]
    [Equation("10.10", "CellGradient.Flush")]
    public void Flush_IsTheFormula()
    {
        foreach (var d in new[] { 0f, 1e-31f, -9.9e-31f, 1e-30f, -1e-30f, 1.1e-30f, 1e-42f, -3f })
            Assert.Equal(Math.Abs(d) < 1e-30f ? 0 : d, CellGradient.Flush<SimdScalar, float>(d));
    }

    [Fact]
    [Equation("10.11", "UnrolledModel.ActivationBytes")]
    public void Memory_IsTheFormula()
    {
        foreach (var (T, B, I, H, O) in new[] { (100, 32, 28, 128, 10), (7, 3, 2, 5, 4) })
        {
            foreach (var (options, G, S, C) in new (RecurrentOptions, int, int, int)[] { (new RnnOptions(H), 1, 0, 0), (new GruOptions(H), 3, 1, 0), (new LstmOptions(H), 4, 0, 1) })
            {
                var bytes = 4L * ((T * B * ((G * H) + (S * H) + H)) + ((T + 1) * B * (H + (C * H)))
                    + (B * (152 + H + (C * H))) + (T * B * I) + (2 * T * B * O));
                var model = new SequenceModel(new SequenceModelOptions(I, [options, new LinearOptions(O)]), Kernels.Engine(Kernels.Chosen));
                Assert.InRange(model.Unroll(T, B).ActivationBytes, bytes, bytes + (20 * 63));
            }
        }
    }

    static int Ceiling(int x, int y) => (x + y - 1) / y;

    static float[] Floats(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextSingle()) - 1)];

    struct TallAction : IKernelAction
    {
        public int K, M;
        public nint ARow;
        public float* A, Scratch;
        public TallColumns[] Columns;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => TallProduct.Accumulate<S, V>(new TallProblem(TallRows.First(K), A, ARow, Columns), 0, M, Scratch);
    }
}
