using System.Diagnostics;
using System.Globalization;

namespace Unroll.Benchmarks.Measuring;

/// <summary>Processor time so far, in seconds.</summary>
/// <param name="Clock">The time itself.</param>
/// <param name="Machine">Of all processes, and what a hypervisor gave to other guests.</param>
/// <param name="Own">Of one process.</param>
readonly record struct CpuTimes(double Clock, double Machine, double Own)
{
    const string Source = "/proc/stat";

    // USER_HZ, the unit of /proc/stat.
    const double TicksPerSecond = 100;

    /// <summary>Reads the times; all zero where the system does not tell.</summary>
    public static CpuTimes Now(Process process)
    {
        if (!File.Exists(Source))
            return default;
        // cpu user nice system idle iowait irq softirq steal
        var ticks = File.ReadLines(Source).First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(field => double.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        process.Refresh();
        return new CpuTimes(
            Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency,
            (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) / TicksPerSecond,
            process.TotalProcessorTime.TotalSeconds);
    }

    /// <summary>Cores that were not this process's, less what the unit of the clock may add.</summary>
    public double OthersSince(CpuTimes before) => Clock == before.Clock
        ? 0
        : Math.Max(0, (Machine - before.Machine - (Own - before.Own) - (4 / TicksPerSecond)) / (Clock - before.Clock));
}
