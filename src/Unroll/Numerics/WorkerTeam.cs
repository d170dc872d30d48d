using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Unroll.Numerics;

/// <summary>Work split over a team; made once and run many times, so that running allocates nothing.</summary>
abstract class ParallelJob
{
    /// <summary>Does the share of <paramref name="worker"/> (0-based) of <paramref name="workers"/>.</summary>
    public abstract void Execute(int worker, int workers);

    /// <summary>The contiguous share [start, end) of <paramref name="worker"/> in <paramref name="count"/> equal items.</summary>
    public static (int Start, int End) Share(int count, int worker, int workers) =>
        ((int)((long)count * worker / workers), (int)((long)count * (worker + 1) / workers));

    /// <summary>Whose share of <paramref name="count"/> items holds the item <paramref name="index"/>.</summary>
    public static int OwnerOf(int index, int count, int workers) => (int)((((long)index * workers) + workers - 1) / count);

    /// <summary>The share in whole groups of <paramref name="grain"/> items, of which the last may be smaller.</summary>
    public static (int Start, int End) Share(int count, int worker, int workers, int grain)
    {
        var (start, end) = Share((count + grain - 1) / grain, worker, workers);
        return (Math.Min(start * grain, count), Math.Min(end * grain, count));
    }
}

/// <summary>A fixed set of threads that run one job at a time, each share once.</summary>
/// <remarks>
/// A thread begins with its own share, so that it meets the memory it had before. Then it waits a quarter of the time that
/// took for the others to begin theirs, and takes those that nobody has begun: on a busy machine a thread that gets no
/// processor holds up nobody for long, and on a quiet one a thread that has just woken still finds its work. When all shares
/// have begun, one that still runs may hand over a part of itself to a thread that waits: processors differ, and other
/// processes and machines slow down one more than the other. Waiting threads spin for some microseconds, then offer their
/// processor to others, then park.
/// </remarks>
sealed class WorkerTeam : IDisposable
{
    /// <summary>How long a thread that waits for work spins; after so long it may not be there at once.</summary>
    /// <remarks>The serial parts between the phases of a training step take some microseconds; waking a parked thread takes about 50.</remarks>
    public const int SpinMicroseconds = 20;

    static readonly long s_spinTicks = Stopwatch.Frequency / 1_000_000 * SpinMicroseconds;
    static readonly long s_yieldTicks = Stopwatch.Frequency / 1_000_000 * 200;

    // How long a thread waits before it takes a part of another's share; what threads share in less is not worth one.
    static readonly long s_idleTicks = Stopwatch.Frequency / 1_000_000 * 4;

    readonly object _gate = new();
    readonly object _caller = new();
    readonly int _size;

    // Of each share the last epoch whose job has it begun: whoever raises it to the present one owns the share.
    readonly int[] _begun;
    bool _started;
    ParallelJob? _job;
    int _workers;
    int _parked;
    int _epoch;
    int _running;
    volatile bool _stopping;
    int _remaining;
    ExceptionDispatchInfo? _failure;

    // Threads that have waited for a while, and what one of them may take.
    int _idle;
    SharePart? _part;

    public WorkerTeam(int size)
    {
        _size = size;
        _begun = new int[size];
    }

    /// <summary>Runs <paramref name="job"/> in <paramref name="workers"/> shares, the caller taking part, and waits.</summary>
    public void Run(ParallelJob job, int workers)
    {
        workers = Math.Min(workers, _size);
        if (workers <= 1)
        {
            job.Execute(0, 1);
            return;
        }

        lock (_caller)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (!_started)
                Start();
            _job = job;
            _workers = workers;
            _failure = null;
            var epoch = _epoch + 1;
            for (var share = workers; share < _size; share++)
                Volatile.Write(ref _begun[share], epoch);
            Volatile.Write(ref _remaining, workers);
            Volatile.Write(ref _running, 1);
            Interlocked.Increment(ref _epoch);
            WakeParked();

            ExecuteShares(0, epoch);
            WaitWhile(ref _running, 1);
            _job = null;
            _failure?.Throw();
        }
    }

    /// <summary>Whether a job has been split yet: the threads start with the first one that is.</summary>
    public bool HasStarted => _started;

    /// <summary>Whether a thread waits for others to end their shares and would take a part of one.</summary>
    public bool WantsPart
    {
        get
        {
            if (Volatile.Read(ref _idle) == 0 || Volatile.Read(ref _part) is not null || Volatile.Read(ref _running) == 0)
                return false;
            for (var share = 0; share < _size; share++)
            {
                if (!HasBegun(share, Volatile.Read(ref _epoch)))
                    return false;
            }

            return true;
        }
    }

    /// <summary>Leaves a part of a share to the threads that wait, unless another lies there, as the last of what a thread has handed over.</summary>
    public bool TryHandOver(SharePart part, ref SharePart? handed)
    {
        if (Interlocked.CompareExchange(ref _part, part, null) is not null)
        {
            part.EndUse();
            return false;
        }

        part.Before = handed;
        handed = part;
        WakeParked();
        return true;
    }

    /// <summary>Waits until all that a thread has handed over is done; it does itself what nobody has taken.</summary>
    public void Join(SharePart? handed)
    {
        for (var part = handed; part is not null;)
        {
            var before = part.Before;
            if (Interlocked.CompareExchange(ref _part, null, part) == part)
                part.Run();
            else
                WaitWhile(ref part.State, SharePart.Open);
            part.EndUse();
            part = before;
        }
    }

    /// <summary>Ends the threads. The team must be idle.</summary>
    public void Dispose()
    {
        _stopping = true;
        Interlocked.Increment(ref _epoch);
        WakeParked();
    }

    void Start()
    {
        _started = true;
        for (var worker = 1; worker < _size; worker++)
        {
            var self = worker;
            new Thread(() => Work(self)) { IsBackground = true, Name = $"unroll-{self}" }.Start();
        }
    }

    void Work(int worker)
    {
        var seen = 0;
        while (true)
        {
            WaitWhile(ref _epoch, seen);
            seen = Volatile.Read(ref _epoch);
            if (_stopping)
                return;
            ExecuteShares(worker, seen);
        }
    }

    /// <summary>Own share first, then those that nobody begins.</summary>
    void ExecuteShares(int worker, int epoch)
    {
        var start = Stopwatch.GetTimestamp();
        if (TryBegin(worker, epoch))
            ExecuteShare(worker);
        var end = Stopwatch.GetTimestamp();
        var patience = Math.Clamp((end - start) / 4, s_spinTicks / 4, s_yieldTicks);
        for (var share = 0; share < _size; share++)
        {
            while (!HasBegun(share, epoch) && Stopwatch.GetTimestamp() - end < patience)
                Pause(end);
            if (!HasBegun(share, epoch) && TryBegin(share, epoch))
                ExecuteShare(share);
        }
    }

    // A job ends when all its shares have begun and ended, so a share of an older epoch means that this job still runs.
    bool HasBegun(int share, int epoch) => Volatile.Read(ref _begun[share]) - epoch >= 0;

    bool TryBegin(int share, int epoch)
    {
        var begun = Volatile.Read(ref _begun[share]);
        return begun - epoch < 0 && Interlocked.CompareExchange(ref _begun[share], epoch, begun) == begun;
    }

    void ExecuteShare(int share)
    {
        try
        {
            _job!.Execute(share, _workers);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
        }

        if (Interlocked.Decrement(ref _remaining) == 0)
        {
            Interlocked.Exchange(ref _running, 0);
            WakeParked();
        }
    }

    /// <summary>Waits until <paramref name="location"/> is no longer <paramref name="value"/>; does what others hand over meanwhile.</summary>
    void WaitWhile(ref int location, int value)
    {
        var start = Stopwatch.GetTimestamp();
        var isIdle = false;
        while (Volatile.Read(ref location) == value)
        {
            if (isIdle && TryTakePart())
            {
                start = Stopwatch.GetTimestamp();
                continue;
            }

            var waited = Pause(start);
            if (!isIdle && waited > s_idleTicks)
            {
                isIdle = true;
                Interlocked.Increment(ref _idle);
            }

            if (waited > s_yieldTicks)
                Park(ref location, value);
        }

        if (isIdle)
            Interlocked.Decrement(ref _idle);
    }

    /// <summary>Waits a moment; returns how long it was since <paramref name="start"/> before that.</summary>
    static long Pause(long start)
    {
        var waited = Stopwatch.GetTimestamp() - start;
        if (waited <= s_spinTicks)
            Thread.SpinWait(8);
        else if (waited <= s_yieldTicks)
            Thread.Yield();
        return waited;
    }

    /// <summary>Sleeps while <paramref name="location"/> is <paramref name="value"/> and nothing is handed over.</summary>
    void Park(ref int location, int value)
    {
        lock (_gate)
        {
            Interlocked.Increment(ref _parked);
            while (Volatile.Read(ref location) == value && Volatile.Read(ref _part) is null)
                Monitor.Wait(_gate);
            Interlocked.Decrement(ref _parked);
        }
    }

    /// <summary>After an interlocked write of what they wait for, a full fence: a thread either sees it or is seen parked.</summary>
    void WakeParked()
    {
        if (Volatile.Read(ref _parked) == 0)
            return;
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    bool TryTakePart()
    {
        if (Volatile.Read(ref _part) is null)
            return false;

        // No longer idle before the place is free: no share hands over a part that nobody waits for.
        Interlocked.Decrement(ref _idle);
        var part = Interlocked.Exchange(ref _part, null);
        part?.Run();
        if (part is not null)
            WakeParked();
        Interlocked.Increment(ref _idle);
        return part is not null;
    }
}
