using System.Diagnostics;

namespace Unroll.Benchmarks.Measuring;

/// <summary>How far two cores are from each other: a word goes from one to the other and back.</summary>
/// <remarks>
/// Cores that share a cache take some 150 ns on a Zen 4 server, cores that do not some 550, and work that is split over two
/// threads takes up to twice as long there. So figures for two threads come with the distance.
/// </remarks>
static class CoreDistance
{
    const int RoundTrips = 20_000;

    // Words of their own cache lines: 128 bytes apart, since lines are fetched in pairs.
    const int Line = 32;

    /// <summary>Nanoseconds of a round trip, both threads awake.</summary>
    public static double Measure()
    {
        var words = new int[3 * Line];
        ref int there = ref words[Line], back = ref words[2 * Line];
        using var ready = new ManualResetEventSlim();
        var echo = new Thread(() => Echo(words, ready)) { IsBackground = true };
        echo.Start();
        ready.Wait();
        Trips(ref there, ref back, 1, RoundTrips / 10);
        var start = Stopwatch.GetTimestamp();
        Trips(ref there, ref back, (RoundTrips / 10) + 1, RoundTrips);
        var time = Stopwatch.GetElapsedTime(start);
        echo.Join();
        return time.TotalNanoseconds / (RoundTrips - (RoundTrips / 10));
    }

    static void Trips(ref int there, ref int back, int first, int last)
    {
        for (var trip = first; trip <= last; trip++)
        {
            Volatile.Write(ref there, trip);
            Await(ref back, trip);
        }
    }

    static void Echo(int[] words, ManualResetEventSlim ready)
    {
        ref int there = ref words[Line], back = ref words[2 * Line];
        ready.Set();
        for (var trip = 1; trip <= RoundTrips; trip++)
        {
            Await(ref there, trip);
            Volatile.Write(ref back, trip);
        }
    }

    // On one processor, or a busy machine, the other thread may need this one's.
    static void Await(ref int word, int value)
    {
        for (var spins = 0; Volatile.Read(ref word) != value; spins++)
        {
            if (spins > 100_000)
            {
                Thread.Yield();
                spins = 0;
            }
        }
    }
}
