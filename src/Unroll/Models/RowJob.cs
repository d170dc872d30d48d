using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>Work on the rows of a batch, which never see each other: each thread takes a range of them.</summary>
sealed class RowJob(Action<int, int> rows) : ParallelJob
{
    // Below this many floating-point operations a pass is over before a second thread has woken.
    const long SmallestParallelFlops = 2_000_000;

    int _count;

    /// <summary>How many threads share work of so many operations.</summary>
    public static int Workers(Engine engine, long flops) => flops < SmallestParallelFlops ? 1 : engine.Threads;

    /// <summary>Does the work on rows 0 to <paramref name="count"/> − 1, some <paramref name="flops"/> operations in all.</summary>
    public void Run(Engine engine, int count, long flops)
    {
        if (Workers(engine, flops) == 1)
        {
            rows(0, count);
            return;
        }

        _count = count;
        engine.Team.Run(this, Math.Min(engine.Threads, count));
    }

    public override void Execute(int worker, int workers)
    {
        var (start, end) = Share(_count, worker, workers);
        rows(start, end);
    }
}
