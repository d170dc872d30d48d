using System.Diagnostics;
using System.Runtime.CompilerServices;
using Unroll.Benchmarks.Peers;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Measuring;

/// <summary>How many operations a core begins in a cycle for one thread.</summary>
/// <remarks>
/// A thread of another guest on the same core takes its share of them, and no counter of this machine shows it. Multiply-adds
/// alone hardly feel that: two of them a cycle are a third of what a core begins. A matrix product, which also loads, does.
/// </remarks>
static class CoreWidth
{
    /// <summary>The part of the widest seen below which a core is shared.</summary>
    public const double LeastOfOwn = 0.9;

    // The median of so many, so that an interruption does not count; all take a millisecond.
    const int Repeats = 5;
    const int Multiplications = 10_000 * 16, Additions = 10_000 * 64;

    // What a processor takes for a whole-number multiplication: AMD's from Zen on, Intel's from 2008 on.
    const double CyclesPerMultiplication = 3;

    // Keeps the loops' results observable.
    static long s_sink;

    /// <summary>Additions a cycle, on the narrowest of the cores that <paramref name="threads"/> threads have at once.</summary>
    public static double Measure(int threads) => Cores.Measure(threads, MeasureHere).Min();

    static double MeasureHere()
    {
        // The shortest chain tells how long a cycle is: one that was interrupted would make the core look wider than it is.
        var (chain, additions) = (double.MaxValue, new double[Repeats]);
        foreach (ref var ticks in additions.AsSpan())
        {
            var start = Stopwatch.GetTimestamp();
            var product = Chain(3, Multiplications / 16);
            var between = Stopwatch.GetTimestamp();
            var sum = Independent(product, Additions / 64);
            ticks = Stopwatch.GetTimestamp() - between;
            Volatile.Write(ref s_sink, sum);
            chain = Math.Min(chain, between - start);
        }

        return Additions / (CyclesPerMultiplication * Multiplications) * (chain / Statistics.Median(additions));
    }

    /// <summary>Multiplications that wait for each other: they tell how long a cycle is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    static long Chain(long factor, int times)
    {
        var x = factor;
        for (; times > 0; times--)
        {
            x *= factor; x *= factor; x *= factor; x *= factor;
            x *= factor; x *= factor; x *= factor; x *= factor;
            x *= factor; x *= factor; x *= factor; x *= factor;
            x *= factor; x *= factor; x *= factor; x *= factor;
        }

        return x;
    }

    /// <summary>Additions of which eight never wait for each other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    static long Independent(long term, int times)
    {
        long a = 0, b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7;
        for (; times > 0; times--)
        {
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
            a += term; b += term; c += term; d += term; e += term; f += term; g += term; h += term;
        }

        return a + b + c + d + e + f + g + h;
    }
}
