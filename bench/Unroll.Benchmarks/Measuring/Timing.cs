using System.Diagnostics;

namespace Unroll.Benchmarks.Measuring;

/// <summary>Times calls within this process.</summary>
static class Timing
{
    /// <summary>Seconds a call takes, over as many as fit a window, after one that is not counted.</summary>
    public static double SecondsPerCall(Action call, double windowSeconds)
    {
        call();
        var start = Stopwatch.GetTimestamp();
        var count = 0;
        do
        {
            call();
            count++;
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < windowSeconds);

        return Stopwatch.GetElapsedTime(start).TotalSeconds / count;
    }
}
