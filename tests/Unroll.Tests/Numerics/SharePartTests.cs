using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

/// <summary>Parts of a share that a thread hands over to another which waits.</summary>
public class SharePartTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Part_RunsOnce_OnAThreadThatWaits(int threads)
    {
        using var engine = new Engine(threads);
        for (var run = 0; run < 50; run++)
        {
            var part = new ActionPart(() => { });
            var owner = HandOver(engine, threads, part, afterwards: () => SpinWait.SpinUntil(() => part.Runs > 0));
            Assert.Equal(1, part.Runs);
            Assert.NotEqual(owner, part.Thread);
        }
    }

    [Fact]
    public void Part_IsTakenByAThreadThatHasParked()
    {
        using var engine = new Engine(2);
        var part = new ActionPart(() => { });
        var owner = HandOver(engine, 2, part, before: () => Thread.Sleep(50), afterwards: () => SpinWait.SpinUntil(() => part.Runs > 0));
        Assert.NotEqual(owner, part.Thread);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Join_WaitsForAllParts_WhoeverRunsThem(int threads)
    {
        using var engine = new Engine(threads);
        for (var run = 0; run < 20; run++)
        {
            ActionPart[] parts = [.. Enumerable.Range(0, 3).Select(k => new ActionPart(() => Thread.Sleep(k)))];
            var job = new Job(worker =>
            {
                SharePart? handed = null;
                foreach (var part in parts)
                {
                    SpinWait.SpinUntil(() => engine.Team.WantsPart || parts[0].Runs > 0);
                    Assert.NotNull(SharePart.Unused([part]));
                    if (!engine.Team.TryHandOver(part, ref handed))
                        Assert.NotNull(SharePart.Unused([part])); // free again
                }

                engine.Team.Join(handed);
            });
            engine.Team.Run(job, threads);
            Assert.Equal(1, parts[0].Runs);
            Assert.All(parts, part => Assert.InRange(part.Runs, 0, 1));
        }
    }

    [Fact]
    public void Part_IsInUse_UntilItIsJoined()
    {
        using var engine = new Engine(2);
        var part = new ActionPart(() => { });
        HandOver(engine, 2, part, afterwards: () =>
        {
            SpinWait.SpinUntil(() => part.Runs > 0);
            Assert.Null(SharePart.Unused([part]));
        });
        Assert.Same(part, SharePart.Unused([part]));
    }

    [Fact]
    public void NobodyWantsAPart_BetweenJobs_OnOneThread_AndBeforeAllSharesHaveBegun()
    {
        using var engine = new Engine(2);
        Assert.False(engine.Team.WantsPart);
        engine.Team.Run(new Job(_ => { }), 2);
        Thread.Sleep(5);
        Assert.False(engine.Team.WantsPart);
        engine.Team.Run(new Job(_ => Assert.False(engine.Team.WantsPart)), 1);

        using var meeting = new Barrier(2);
        engine.Team.Run(
            new EachJob(worker =>
            {
                Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(30)));
                Assert.False(engine.Team.WantsPart); // both are at work
                Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(30)));
            }),
            2);
    }

    [Fact]
    public void ExceptionInAPart_ReachesTheCaller_AndThePartIsFreeAgain()
    {
        using var engine = new Engine(2);
        for (var run = 0; run < 20; run++)
        {
            var part = new ActionPart(() => throw new InvalidOperationException("in the part"));
            var exception = Assert.Throws<InvalidOperationException>(() => HandOver(engine, 2, part));
            Assert.Equal("in the part", exception.Message);
            Assert.Same(part, SharePart.Unused([part]));
            var good = new ActionPart(() => { });
            HandOver(engine, 2, good);
            Assert.Equal(1, good.Runs);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Items_ThatAreHandedOverAgainAndAgain_AreEachDoneOnce(int threads)
    {
        using var engine = new Engine(threads);
        var counts = new int[3000];
        var random = new Random(threads);
        for (var run = 1; run <= 60; run++)
        {
            // The shares differ, so that there is always somebody who waits.
            var cut = random.Next(counts.Length);
            var ranges = new RangeParts(engine, counts, random.Next(200));
            engine.Team.Run(new EachJob(worker => ranges.Do(worker == 0 ? 0 : cut, worker == 0 ? cut : worker == 1 ? counts.Length : cut)), threads);
            Assert.All(counts, count => Assert.Equal(run, count));
        }
    }

    /// <summary>Runs a job whose first share hands over the part once a thread waits, and joins it; returns the thread of that share.</summary>
    static int HandOver(Engine engine, int threads, ActionPart part, Action? before = null, Action? afterwards = null)
    {
        var owner = 0; // not always the caller: another thread may have begun its share
        engine.Team.Run(
            new Job(_ =>
            {
                owner = Environment.CurrentManagedThreadId;
                before?.Invoke();
                SpinWait.SpinUntil(() => engine.Team.WantsPart);
                Assert.NotNull(SharePart.Unused([part]));
                SharePart? handed = null;
                Assert.True(engine.Team.TryHandOver(part, ref handed));
                // One lies there already, or the only other thread is at it; of several, the next may want one before it has begun.
                Assert.False(threads == 2 && engine.Team.WantsPart && part.Runs == 0);
                afterwards?.Invoke();
                engine.Team.Join(handed);
            }),
            threads);
        return owner;
    }

    /// <summary>The first share; the others have nothing to do.</summary>
    sealed class Job(Action<int> first) : ParallelJob
    {
        public override void Execute(int worker, int workers)
        {
            if (worker == 0)
                first(worker);
        }
    }

    sealed class EachJob(Action<int> share) : ParallelJob
    {
        public override void Execute(int worker, int workers) => share(worker);
    }

    sealed class ActionPart(Action action) : SharePart
    {
        int _runs;

        public int Runs => Volatile.Read(ref _runs);

        public int Thread { get; private set; }

        protected override void Execute()
        {
            Thread = Environment.CurrentManagedThreadId;
            Interlocked.Increment(ref _runs);
            action();
        }
    }

    /// <summary>Items done one by one, of which half of what is left is handed over whenever somebody waits.</summary>
    sealed class RangeParts
    {
        readonly Engine _engine;
        readonly int[] _counts;
        readonly int _spin;
        readonly Part[] _parts;

        public RangeParts(Engine engine, int[] counts, int spin)
        {
            (_engine, _counts, _spin) = (engine, counts, spin);
            _parts = [.. Enumerable.Range(0, engine.Threads).Select(_ => new Part(this))];
        }

        public void Do(int start, int end)
        {
            SharePart? handed = null;
            for (; start < end; start++)
            {
                Interlocked.Increment(ref _counts[start]);
                Thread.SpinWait(_spin);
                var middle = (start + 1 + end) / 2;
                if (middle == end || !_engine.Team.WantsPart || SharePart.Unused(_parts) is not { } part)
                    continue;
                (part.Start, part.End) = (middle, end);
                if (_engine.Team.TryHandOver(part, ref handed))
                    end = middle;
            }

            _engine.Team.Join(handed);
        }

        sealed class Part(RangeParts owner) : SharePart
        {
            public int Start { get; set; }

            public int End { get; set; }

            protected override void Execute() => owner.Do(Start, End);
        }
    }
}
