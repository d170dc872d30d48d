using CsCheck;
using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

/// <summary>Layers of all kinds and sizes, and ways to compute a pass.</summary>
static class Any
{
    // Every option of every cell; every third the one that is used most.
    public static readonly Gen<RecurrentOptions> Recurrent =
        from H in Gen.Int[1, 70]
        from choice in Gen.Frequency((2, Gen.Int[0, CellOptions.All(1).Length - 1]), (1, Gen.Const(-1)))
        select choice < 0 ? new LstmOptions(H) : CellOptions.All(H)[choice];

    public static readonly Gen<LayerOptions> Layer = Gen.Frequency(
        (6, Recurrent.Select(LayerOptions (cell) => cell)),
        (2, Gen.Select(Recurrent, Gen.Enum<BidirectionalMerge>(), LayerOptions (cell, merge) => new BidirectionalOptions(cell) { Merge = merge })),
        (1, Gen.Select(Gen.Bool, LayerOptions (perSequence) => new DropoutOptions(0.2) { PerSequence = perSequence })),
        (1, Gen.Select(Gen.Int[1, 40], Gen.Enum<Nonlinearity>(), Gen.Bool, LayerOptions (size, kind, plain) => new LinearOptions(size) { Activation = plain ? null : kind })));

    public static readonly Gen<Way> Way = Gen.Select(
        Gen.Enum<KernelKind>(), Gen.Int[1, 4], Gen.Int[0, 5], Gen.Int[0, 20], Gen.Bool, Gen.Bool,
        (kernel, threads, moreSteps, moreRows, accumulate, isUsed) => new Way(kernel, threads, moreSteps, moreRows, accumulate, isUsed));

    /// <summary>All steps are valid; or of each row so many.</summary>
    public static Gen<int[]> Lengths(int steps, int rows) => Gen.OneOf(Gen.Const(Array.Empty<int>()), Gen.Int[0, steps].Array[rows]);

    /// <summary>What a pass gives in each way is what it gives in the naive kernel on one thread, to the bit.</summary>
    public static void AssertSame(Func<Way, Dictionary<string, float[]>> pass, Way[] ways)
    {
        var expected = pass(new Way(KernelKind.Naive, 1, 0, 0, Accumulate: true, IsUsed: false));
        foreach (var way in ways)
        {
            var actual = pass(way);
            foreach (var (name, values) in expected)
                Assert.True(values.AsSpan().SequenceEqual(actual[name]), $"{name} differs in {way}");
        }
    }
}

/// <summary>What computes a pass, how much more there is room for, and whether another pass came before.</summary>
sealed record Way(KernelKind Kernel, int Threads, int MoreSteps, int MoreRows, bool Accumulate, bool IsUsed);
