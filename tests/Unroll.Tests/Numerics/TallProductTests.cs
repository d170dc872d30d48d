using CsCheck;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

public unsafe class TallProductTests
{
    static readonly Gen<(int K, int M, int[] Widths, int Workers, int Seed)> s_problems =
        Gen.Select(Gen.Int[1, 600], Gen.Int[1, 260], Gen.Int[1, 150].Array[1, 4], Gen.Int[1, 3], Gen.Int);

    [Fact]
    public void Accumulate_GivesTheBitsOfTheThreeLoops_InEveryKernel_ForEverySplit() =>
        s_problems.Sample(
            p =>
            {
                var expected = Run(KernelKind.Naive, p with { Workers = 1 });
                foreach (var kernel in Kernels.All)
                    Assert.Equal(expected, Run(kernel, p));
            },
            iter: 60, seed: "0000Kx9eUnR0", threads: 1);

    [Fact]
    public void Accumulate_AgreesWithDouble()
    {
        const int K = 211, M = 13;
        int[] widths = [70, 1, 2];
        var random = new Random(3);
        var a = Fill(random, K * M);
        var sources = Array.ConvertAll(widths, width => Fill(random, width == 1 ? 1 : K * width));
        var starts = Array.ConvertAll(widths, width => Fill(random, M * width));
        var actual = Run(Kernels.Chosen, (K, M, widths, 2, 3));
        var at = 0;
        for (var g = 0; g < widths.Length; g++)
        {
            for (var m = 0; m < M; m++)
            {
                for (var n = 0; n < widths[g]; n++)
                {
                    double sum = starts[g][(m * widths[g]) + n];
                    for (var k = 0; k < K; k++)
                        sum += (double)a[(k * M) + m] * sources[g][widths[g] == 1 ? 0 : (k * widths[g]) + n];
                    Assert.Equal(sum, actual[at++], 1e-4);
                }
            }
        }
    }

    /// <summary>The destinations one after another; a source of width 1 is one repeated row.</summary>
    static float[] Run(KernelKind kernel, (int K, int M, int[] Widths, int Workers, int Seed) p)
    {
        var random = new Random(p.Seed);
        var a = new AlignedBuffer((long)p.K * p.M);
        Fill(random, p.K * p.M).CopyTo(a.Span);
        var sources = Array.ConvertAll(p.Widths, width => Buffer(Fill(random, width == 1 ? 1 : p.K * width)));
        var destinations = Array.ConvertAll(p.Widths, width => Buffer(Fill(random, p.M * width)));
        var columns = new TallColumns[p.Widths.Length];
        for (var g = 0; g < columns.Length; g++)
        {
            columns[g] = new TallColumns
            {
                Source = sources[g].Pointer,
                SourceRow = p.Widths[g] == 1 ? 0 : p.Widths[g],
                Width = p.Widths[g],
                Destination = destinations[g].Pointer,
                DestinationRow = p.Widths[g],
            };
        }

        var scratch = new AlignedBuffer(TallProduct.ScratchLength(p.M, p.Widths));
        for (var worker = 0; worker < p.Workers; worker++)
        {
            var (start, end) = TallProduct.Share(p.M, worker, p.Workers);
            var action = new AccumulateAction { K = p.K, A = a.Pointer, ARow = p.M, Start = start, End = end, Columns = columns, Scratch = scratch.Pointer };
            Kernels.Engine(kernel).Run(ref action);
        }

        GC.KeepAlive(a);
        GC.KeepAlive(sources);
        GC.KeepAlive(scratch);
        return [.. destinations.SelectMany(destination => destination.Span.ToArray())];
    }

    struct AccumulateAction : IKernelAction
    {
        public int K, Start, End;
        public float* A, Scratch;
        public nint ARow;
        public TallColumns[] Columns;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => TallProduct.Accumulate<S, V>(K, A, ARow, Start, End, Columns, Scratch);
    }

    static AlignedBuffer Buffer(float[] values)
    {
        var buffer = new AlignedBuffer(values.Length);
        values.CopyTo(buffer.Span);
        return buffer;
    }

    static float[] Fill(Random random, int length)
    {
        var values = new float[length];
        foreach (ref var value in values.AsSpan())
            value = random.NextSingle() - 0.5f;
        return values;
    }
}
