using CsCheck;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

public unsafe class TallProductTests
{
    static readonly Gen<(TallRows Rows, int M, int[] Widths, int Workers, int Adds, int Seed)> s_problems =
        Gen.Select(
            Gen.OneOf(Gen.Int[0, 600].Select(TallRows.First), Gen.Select(Gen.Int[0, 40], Gen.Int[1, 50], Gen.Int[0, 30], (runs, run, gap) => new TallRows(runs, run, gap))),
            Gen.Int[1, 260], Gen.Int[1, 150].Array[1, 4], Gen.Int[1, 3], Gen.Int[0, 15], Gen.Int);

    [Fact]
    public void Accumulate_GivesTheBitsOfTheThreeLoops_InEveryKernel_ForEverySplit() =>
        s_problems.Sample(
            p =>
            {
                var expected = Sums(KernelKind.Naive, p with { Workers = 1 });
                foreach (var kernel in Kernels.All)
                    Assert.Equal(expected, Sums(kernel, p));
            },
            iter: 60, seed: "0000Kx9eUnR0", threads: 1);

    // More rows or columns than are taken at a time; the last columns as wide as they can be beyond whole panels; the left
    // operand where it lies, its rows as far apart as those of a copy.
    [Theory]
    [InlineData(20, 2053, new[] { 3, 1 })]
    [InlineData(7, 4110, new[] { 25, 1, 24, 1 })]
    [InlineData(20, 25, new[] { 700, 1, 9, 1 })]
    [InlineData(530, 13, new[] { 1024, 1, 400, 1 })]
    [InlineData(5, 2060, new[] { 699, 1, 28, 5 })]
    [InlineData(9, 14, new[] { 2816, 30 })]
    [InlineData(39, 12, new[] { 17 })]
    public void Accumulate_InBlocks_GivesTheBitsOfTheThreeLoops_InEveryKernel(int k, int m, int[] widths)
    {
        for (var workers = 1; workers <= 2; workers++)
        {
            var problem = (TallRows.First(k), m, widths, workers, Adds: 0b0110, Seed: k);
            var expected = Sums(KernelKind.Naive, problem);
            foreach (var kernel in Kernels.All)
                Assert.Equal(expected, Sums(kernel, problem));
        }
    }

    [Fact]
    public void Accumulate_AgreesWithDouble()
    {
        const int K = 211, M = 13, Runs = 7, Run = 19, Gap = 13;
        int[] widths = [70, 1, 2];
        const int Adds = 0b101;
        var random = new Random(3);
        var a = Fill(random, K * M);
        var sources = Array.ConvertAll(widths, width => Fill(random, width == 1 ? 1 : K * width));
        var starts = Array.ConvertAll(widths, width => Fill(random, M * width));
        var actual = Sums(Kernels.Chosen, (new TallRows(Runs, Run, Gap), M, widths, 2, Adds, 3));
        var at = 0;
        for (var g = 0; g < widths.Length; g++)
        {
            for (var m = 0; m < M; m++)
            {
                for (var n = 0; n < widths[g]; n++)
                {
                    double sum = (Adds >> g & 1) == 0 ? 0 : starts[g][(m * widths[g]) + n];
                    for (var k = 0; k < K; k++)
                    {
                        if (k % (Run + Gap) < Run)
                            sum += (double)a[(k * M) + m] * sources[g][widths[g] == 1 ? 0 : (k * widths[g]) + n];
                    }

                    Assert.Equal(sum, actual[at++], 1e-4);
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(50, 2, 1)]
    [InlineData(50, 2, 2)]
    [InlineData(37, 2, 3)]
    [InlineData(128, 3, 4)]
    [InlineData(6, 2, 7)]
    public void Shares_OfSeveralProducts_CoverEachRowOnce(int m, int products, int workers)
    {
        var computed = new int[products, m];
        for (var worker = 0; worker < workers; worker++)
        {
            for (var product = 0; product < products; product++)
            {
                var (start, end) = TallProduct.Share(m, product, products, worker, workers);
                for (var row = start; row < end; row++)
                    computed[product, row]++;
            }
        }

        Assert.All(computed.Cast<int>(), count => Assert.Equal(1, count));
    }

    /// <summary>The destinations one after another; a source of width 1 is one repeated row. A bit of Adds is a destination that is added to.</summary>
    static float[] Sums(KernelKind kernel, (TallRows Rows, int M, int[] Widths, int Workers, int Adds, int Seed) p)
    {
        var random = new Random(p.Seed);
        var k = p.Rows.Count + (Math.Max(p.Rows.Runs - 1, 0) * p.Rows.Gap);
        var a = Buffer(Fill(random, k * p.M));
        var sources = Array.ConvertAll(p.Widths, width => Buffer(Fill(random, width == 1 ? 1 : k * width)));
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
                Adds = (p.Adds >> g & 1) != 0,
            };
        }

        var scratch = new AlignedBuffer(TallProduct.ScratchLength(kernel, p.M, p.Widths));
        for (var worker = 0; worker < p.Workers; worker++)
        {
            var (start, end) = TallProduct.Share(p.M, worker, p.Workers);
            var action = new AccumulateAction { Rows = p.Rows, A = a.Pointer, ARow = p.M, Start = start, End = end, Columns = columns, Scratch = scratch.Pointer };
            Kernels.Engine(kernel).Run(ref action);
        }

        GC.KeepAlive(a);
        GC.KeepAlive(sources);
        GC.KeepAlive(scratch);
        return [.. destinations.SelectMany(destination => destination.Span.ToArray())];
    }

    struct AccumulateAction : IKernelAction
    {
        public TallRows Rows;
        public int Start, End;
        public float* A, Scratch;
        public nint ARow;
        public TallColumns[] Columns;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => TallProduct.Accumulate<S, V>(new TallProblem(Rows, A, ARow, Columns), Start, End, Scratch);
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
