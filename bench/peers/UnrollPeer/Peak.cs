using System.Diagnostics;
using Unroll.Benchmarks.Protocol;
using Unroll.Numerics;

namespace Unroll.Benchmarks.Peers;

/// <summary>The fused multiply-adds of several cores at once.</summary>
public static class Peak
{
    /// <summary>GFLOP/s of <paramref name="threads"/> threads that start together, each as <see cref="FmaPeak"/> measures it.</summary>
    public static double Measure(KernelKind kernel, int threads) => Cores.Measure(threads, () => FmaPeak.Measure(kernel)).Sum();

    /// <summary>Measures windows with the widest vectors; a step is 1 GFLOP.</summary>
    public static Func<double, Window> Build(Configuration configuration) => seconds =>
    {
        var rates = new List<double>();
        var clock = Stopwatch.StartNew();
        do
            rates.Add(Measure(Engine.WidestKernel, configuration.Threads));
        while (rates.Count < 3 || clock.Elapsed.TotalSeconds < seconds);

        rates.Sort();
        return new Window(1 / rates[rates.Count / 2], 1 / rates[^1], rates.Count, Contender.PeakBytes());
    };
}
