using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

public class WorkerTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void EveryShare_RunsExactlyOnce_InEveryRun(int threads)
    {
        using var engine = new Engine(threads);
        var job = new CountingJob(threads);
        for (var run = 1; run <= 1000; run++)
        {
            engine.Team.Run(job, threads);
            for (var worker = 0; worker < threads; worker++)
                Assert.Equal(run, job.Count(worker)); // also: the run waited for all of them
        }

        Assert.Equal(threads, job.Workers);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void SharesThatMeet_RunOnThreadsOfTheirOwn_TheSameInEveryRun(int threads)
    {
        using var engine = new Engine(threads);
        int[]? first = null;
        for (var run = 0; run < 100; run++)
        {
            var job = new MeetingJob(threads);
            engine.Team.Run(job, threads);
            first ??= job.Threads;
            Assert.Equal(Environment.CurrentManagedThreadId, job.Threads[0]);
            Assert.Equal(threads, job.Threads.Distinct().Count());
            Assert.Equal(first, job.Threads);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void EveryShare_RunsExactlyOnce_AfterPausesOfAnyLength(int threads)
    {
        // From none to far beyond the time that waiting threads spin, so that some are found spinning, some parked and
        // some on their way.
        using var engine = new Engine(threads);
        var job = new CountingJob(threads);
        var random = new Random(1);
        for (var run = 1; run <= 200; run++)
        {
            if (run % 10 == 0)
                Thread.Sleep(random.Next(1, 20));
            else
                Thread.SpinWait(random.Next(1, 60_000));
            engine.Team.Run(job, threads);
            for (var worker = 0; worker < threads; worker++)
                Assert.Equal(run, job.Count(worker));
        }
    }

    [Fact]
    public void FewerWorkersThanThreads_ShareTheWorkAmongThemselves()
    {
        using var engine = new Engine(4);
        for (var workers = 1; workers <= 4; workers++)
        {
            var job = new CountingJob(4);
            for (var run = 0; run < 50; run++)
                engine.Team.Run(job, workers);
            Assert.Equal(workers, job.Workers);
            for (var worker = 0; worker < 4; worker++)
                Assert.Equal(worker < workers ? 50 : 0, job.Count(worker));
        }
    }

    [Fact]
    public void MoreWorkersThanThreads_AreAsManyAsThreads()
    {
        using var engine = new Engine(2);
        var job = new CountingJob(8);
        engine.Team.Run(job, 8);
        Assert.Equal(2, job.Workers);
        Assert.Equal([1, 1, 0], Enumerable.Range(0, 3).Select(job.Count));
    }

    [Fact]
    public void SlowShare_IsWaitedFor()
    {
        using var engine = new Engine(3);
        var done = new bool[3];
        var job = new ActionJob(worker =>
        {
            if (worker > 0)
                Thread.Sleep(30); // longer than the caller spins
            done[worker] = true;
        });
        for (var run = 0; run < 5; run++)
        {
            Array.Clear(done);
            engine.Team.Run(job, 3);
            Assert.Equal([true, true, true], done);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void ExceptionInAShare_ReachesTheCaller_AndTheTeamGoesOn(int threads)
    {
        using var engine = new Engine(threads);
        var good = new CountingJob(threads);
        for (var run = 1; run <= 50; run++)
        {
            var failing = run % threads;
            var others = new CountingJob(threads);
            var bad = new ActionJob(worker =>
            {
                if (worker == failing)
                    Fail($"share {worker} of run {run}");
                others.Execute(worker, threads);
            });
            var exception = Assert.Throws<InvalidOperationException>(() => engine.Team.Run(bad, threads));
            Assert.Equal($"share {failing} of run {run}", exception.Message);
            Assert.Contains($"{nameof(Fail)}(", exception.StackTrace, StringComparison.Ordinal); // where it happened
            for (var worker = 0; worker < threads; worker++)
                Assert.Equal(worker == failing ? 0 : 1, others.Count(worker));

            engine.Team.Run(good, threads);
            for (var worker = 0; worker < threads; worker++)
                Assert.Equal(run, good.Count(worker));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Fail(string message) => throw new InvalidOperationException(message);

    [Fact]
    public void ExceptionsInAllShares_GiveOne()
    {
        using var engine = new Engine(3);
        var bad = new ActionJob(worker => throw new InvalidOperationException($"share {worker}"));
        for (var run = 0; run < 50; run++)
            Assert.StartsWith("share", Assert.Throws<InvalidOperationException>(() => engine.Team.Run(bad, 3)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SeveralCallers_TakeTurns()
    {
        using var engine = new Engine(3);
        CountingJob[] jobs = [.. Enumerable.Range(0, 4).Select(_ => new CountingJob(3))];
        Thread[] callers =
        [
            .. jobs.Select(job => new Thread(() =>
            {
                for (var run = 0; run < 100; run++)
                    engine.Team.Run(job, 3);
            })),
        ];
        foreach (var caller in callers)
            caller.Start();
        foreach (var caller in callers)
            Assert.True(caller.Join(TimeSpan.FromSeconds(30)));
        Assert.All(jobs, job => Assert.Equal([100, 100, 100], Enumerable.Range(0, 3).Select(job.Count)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    public void Dispose_EndsTheThreads(int pause)
    {
        var engine = new Engine(4);
        var job = new MeetingJob(4);
        engine.Team.Run(job, 4);
        Thread.Sleep(pause); // spinning or parked
        engine.Dispose();
        for (var worker = 1; worker < 4; worker++)
            Assert.True(job.Thread(worker).Join(TimeSpan.FromSeconds(10)), $"thread {worker} still runs");
        engine.Dispose(); // once more does no harm
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RunAfterDispose_IsRejected(bool ranBefore)
    {
        var engine = new Engine(2);
        var job = new CountingJob(2);
        if (ranBefore)
            engine.Team.Run(job, 2);
        engine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => engine.Team.Run(job, 2));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 4)]
    [InlineData(7, 3)]
    [InlineData(64, 5)]
    [InlineData(int.MaxValue, 1024)]
    public void Shares_CoverAllItemsInOrder_AndDifferByOneAtMost(int count, int workers)
    {
        var next = 0;
        for (var worker = 0; worker < workers; worker++)
        {
            var (start, end) = ParallelJob.Share(count, worker, workers);
            Assert.Equal(next, start);
            Assert.InRange(end - start, count / workers, (int)(((long)count + workers - 1) / workers));
            if (start < end)
            {
                Assert.Equal(worker, ParallelJob.OwnerOf(start, count, workers));
                Assert.Equal(worker, ParallelJob.OwnerOf(end - 1, count, workers));
            }

            next = end;
        }

        Assert.Equal(count, next);
    }

    sealed class ActionJob(Action<int> share) : ParallelJob
    {
        public override void Execute(int worker, int workers) => share(worker);
    }

    /// <summary>Shares that wait for each other, so that each needs a thread of its own.</summary>
    sealed class MeetingJob(int threads) : ParallelJob
    {
        readonly Thread[] _threads = new Thread[threads];
        int _arrived;

        public int[] Threads => [.. _threads.Select(thread => thread.ManagedThreadId)];

        public Thread Thread(int worker) => _threads[worker];

        public override void Execute(int worker, int workers)
        {
            _threads[worker] = System.Threading.Thread.CurrentThread;
            Interlocked.Increment(ref _arrived);
            while (Volatile.Read(ref _arrived) < workers)
                System.Threading.Thread.Yield();
        }
    }

    sealed class CountingJob(int threads) : ParallelJob
    {
        readonly int[] _counts = new int[threads];

        public int Workers { get; private set; }

        public int Count(int worker) => _counts[worker];

        public override void Execute(int worker, int workers)
        {
            Interlocked.Increment(ref _counts[worker]);
            if (worker == 0)
                Workers = workers;
        }
    }
}
