using System.CommandLine;
using Unroll.Benchmarks.Measuring;
using Unroll.Benchmarks.Reporting;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Benchmarks.Commands;

/// <summary><c>kernels</c>: the matrix products that an LSTM layer is made of, on one core, as a share of its peak.</summary>
static class KernelsCommand
{
    const int Rounds = 7;
    const double WindowSeconds = 0.03;
    const int Gates = 4;

    // What a layer gives a product at a time: a block of rows of the batch, and all steps of the batch.
    const int BlockRows = 60;
    const int AllRows = 1500;

    static readonly int[] s_hidden = [32, 64, 128, 256, 512, 1024];

    public static Command Create()
    {
        var command = new Command("kernels", "Measures the matrix products of the layers as a share of the FMA peak, on one core.");
        command.SetAction(parsed => TextTable.Write(parsed.InvocationConfiguration.Output, Header, Rows()));
        return command;
    }

    public static IReadOnlyList<string> Header { get; } = ["H", "gates = h·W_hhᵀ", "dh += dGates·W_hh", "dW_hh += dGatesᵀ·h", "all steps at once", "forward step ÷ its product"];

    public static IReadOnlyList<IReadOnlyList<string>> Rows() =>
        [.. s_hidden.Select(h => (IReadOnlyList<string>)[$"{h}", .. Shares(h).Select(Text.Percent), Text.Percent(StepOverProduct(h))])];

    /// <summary>The median share of the peak of each product, each round beginning with the peak.</summary>
    static double[] Shares(int h)
    {
        using var engine = new Engine(threads: 1);
        Product[] products =
        [
            new(BlockRows, Gates * h, h, engine),
            new(BlockRows, h, Gates * h, engine),
            new(Gates * h, h, AllRows, engine) { IsWeightGradient = true },
            new(AllRows, Gates * h, h, engine),
        ];
        var shares = products.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            var peak = FmaPeak.Measure(engine.Kernel);
            for (var index = 0; index < products.Length; index++)
                shares[index].Add(products[index].Gflops() / peak);
        }

        return [.. shares.Select(list => Statistics.Median(list))];
    }

    /// <summary>What a step of an LSTM with H inputs costs forward, activations kept, for one block of rows, over its matrix product.</summary>
    static double StepOverProduct(int h)
    {
        const int Steps = 40;
        using var engine = new Engine(threads: 1);
        var product = new Product(BlockRows, Gates * h, 2 * h, engine);
        var model = new SequenceModel(new(h, [new LstmOptions(h)]), engine);
        Initialization.PyTorch.Apply(model, new MersenneTwister(1));
        var unrolled = model.Unroll(Steps, BlockRows);
        unrolled.InitialState.Hidden(0).Fill(0.1f);
        var operations = 2.0 * Steps * BlockRows * Gates * h * 2 * h;
        var ratios = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            var gflops = product.Gflops();
            var seconds = Timing.SecondsPerCall(() => unrolled.Forward(), WindowSeconds);
            ratios.Add(gflops * 1e9 * seconds / operations);
        }

        return Statistics.Median(ratios);
    }

    /// <summary>C [m, n] += A [m, k] · B [k, n], with B packed; or, for weight gradients, C += Aᵀ·B with both as they lie.</summary>
    sealed unsafe class Product(int m, int n, int k, Engine engine)
    {
        readonly AlignedBuffer _a = Drawn((long)m * k);
        readonly AlignedBuffer _c = new((long)m * n);
        readonly AlignedBuffer _plain = Drawn((long)k * n);
        readonly PackedMatrix _packed = new(k, n);
        readonly AlignedBuffer _scratch = new(TallProduct.ScratchLength(engine.Kernel, m, n));

        public bool IsWeightGradient { get; init; }

        public double Gflops()
        {
            if (!IsWeightGradient)
                _packed.Pack(engine.Kernel, _plain.Pointer, transposed: false);
            return 2.0 * m * n * k / Timing.SecondsPerCall(Multiply, WindowSeconds) / 1e9;
        }

        void Multiply()
        {
            if (IsWeightGradient)
            {
                var action = new WeightGradient { Product = this };
                engine.Run(ref action);
            }
            else
            {
                engine.Multiply(new GemmProblem { M = m, N = n, K = k, A = _a.Pointer, ARow = k, B = _packed.Pointer, C = _c.Pointer, CRow = n });
            }

            GC.KeepAlive(this);
        }

        readonly struct WeightGradient : IKernelAction
        {
            public Product Product { get; init; }

            public void Invoke<S, V>()
                where S : struct, ISimd<V>
                where V : struct
            {
                var (m, n, k) = Product.Sizes;
                var columns = new TallColumns { Source = Product._plain.Pointer, SourceRow = n, Width = n, Destination = Product._c.Pointer, DestinationRow = n };
                TallProduct.Accumulate<S, V>(new TallProblem(TallRows.First(k), Product._a.Pointer, m, new ReadOnlySpan<TallColumns>(ref columns)), 0, m, Product._scratch.Pointer);
            }
        }

        (int M, int N, int K) Sizes => (m, n, k);

        static AlignedBuffer Drawn(long length)
        {
            var buffer = new AlignedBuffer(length);
            var random = new MersenneTwister(1);
            foreach (ref var value in buffer.Span)
                value = (float)random.Uniform(-1, 1);
            return buffer;
        }
    }
}
