using System.CommandLine;
using System.Diagnostics;
using Unroll.Benchmarks.Reporting;
using Unroll.Experiments.Hosting;
using Unroll.Numerics;

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

    public static IReadOnlyList<string> Header { get; } = ["H", "gates = h·W_hhᵀ", "dh += dGates·W_hh", "dW_hh += dGatesᵀ·h", "all steps at once"];

    public static IReadOnlyList<IReadOnlyList<string>> Rows() =>
        [.. s_hidden.Select(h => (IReadOnlyList<string>)[$"{h}", .. Shares(h).Select(Text.Percent)])];

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

    /// <summary>C [m, n] += A [m, k] · B [k, n], with B packed; or, for weight gradients, A transposed and B as it lies.</summary>
    sealed unsafe class Product(int m, int n, int k, Engine engine)
    {
        readonly AlignedBuffer _a = Drawn((long)m * k);
        readonly AlignedBuffer _c = new((long)m * n);
        readonly AlignedBuffer _plain = Drawn((long)k * n);
        readonly PackedMatrix _packed = new(k, n);

        public bool IsWeightGradient { get; init; }

        public double Gflops()
        {
            if (!IsWeightGradient)
                _packed.Pack(engine.Kernel, _plain.Pointer, transposed: false);
            Multiply();
            var start = Stopwatch.GetTimestamp();
            var count = 0;
            do
            {
                Multiply();
                count++;
            }
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < WindowSeconds);

            return 2.0 * m * n * k * count / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
        }

        void Multiply()
        {
            engine.Multiply(new GemmProblem
            {
                M = m,
                N = n,
                K = k,
                A = _a.Pointer,
                ARow = IsWeightGradient ? 1 : k,
                AStep = IsWeightGradient ? m : 1,
                B = IsWeightGradient ? _plain.Pointer : _packed.Pointer,
                BStep = IsWeightGradient ? n : 0,
                C = _c.Pointer,
                CRow = n,
                Start = IsWeightGradient ? TileStart.Destination : TileStart.Zero,
            });
            GC.KeepAlive(this);
        }

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
