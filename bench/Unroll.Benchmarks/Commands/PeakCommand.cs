using System.CommandLine;
using Unroll.Benchmarks.Peers;
using Unroll.Benchmarks.Reporting;
using Unroll.Experiments.Hosting;
using Unroll.Numerics;

namespace Unroll.Benchmarks.Commands;

/// <summary><c>peak</c>: the fused multiply-adds of this machine at each vector width, on one core and on two.</summary>
static class PeakCommand
{
    const int Rounds = 5;

    static readonly int[] s_threads = [1, 2];

    public static Command Create()
    {
        var command = new Command("peak", "Measures the FMA peak of this machine at each vector width with 1 and 2 threads.");
        command.SetAction(parsed =>
        {
            var machine = Machine.Measure();
            var output = parsed.InvocationConfiguration.Output;
            output.WriteLine($"{machine.Cpu}, {machine.Cores} cores");
            TextTable.Write(output, Header, Rows());
        });
        return command;
    }

    public static IReadOnlyList<string> Header { get; } = ["vectors", "threads", "GFLOP/s", "±"];

    /// <summary>The table, in rounds over all its rows.</summary>
    public static IReadOnlyList<IReadOnlyList<string>> Rows()
    {
        var places = (from kernel in Kernels() from threads in s_threads select (kernel, threads, Rates: new List<double>())).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (kernel, threads, rates) in places)
                rates.Add(Peak.Measure(kernel, threads));
        }

        return [.. places.Select(place => Row(place.kernel, place.threads, Summary.Of(place.Rates)))];
    }

    static string[] Row(KernelKind kernel, int threads, Summary rates) =>
        [$"{32 * KernelLanes.Of(kernel)} bits", $"{threads}", $"{rates.Median:F1}", Text.Percent((rates.Max - rates.Min) / 2 / rates.Median)];

    static IEnumerable<KernelKind> Kernels() => Enum.GetValues<KernelKind>().Where(kernel => kernel != KernelKind.Naive && kernel <= Engine.WidestKernel);
}
