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
/// processor holds up nobody for long, and on a quiet one a thread that has just woken still finds its work. Waiting
/// threads spin for some microseconds, then offer their processor to others, then park.
/// </remarks>
sealed class WorkerTeam : IDisposable
{
    /// <summary>How long a thread that waits for work spins; after so long it may not be there at once.</summary>
    /// <remarks>The serial parts between the phases of a training step take some microseconds; waking a parked thread takes about 50.</remarks>
    public const int SpinMicroseconds = 20;

    static readonly long s_spinTicks = Stopwatch.Frequency / 1_000_000 * SpinMicroseconds;
    static readonly long s_yieldTicks = Stopwatch.Frequency / 1_000_000 * 200;

    readonly object _gate = new();
    readonly object _caller = new();
    readonly int _size;

    // Of each share the last epoch whose job has it begun: whoever raises it to the present one owns the share.
    readonly int[] _begun;
    bool _started;
    ParallelJob? _job;
    int _workers;
    int _parked;
    volatile int _epoch;
    volatile bool _stopping;
    int _remaining;
    ExceptionDispatchInfo? _failure;

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
            Interlocked.Increment(ref _epoch); // a full fence: a worker either sees it or is seen parked
            if (Volatile.Read(ref _parked) > 0)
            {
                lock (_gate)
                    Monitor.PulseAll(_gate);
            }

            ExecuteShares(0, epoch);
            WaitForShares();
            _job = null;
            _failure?.Throw();
        }
    }

    /// <summary>Whether a job has been split yet: the threads start with the first one that is.</summary>
    public bool HasStarted => _started;

    /// <summary>Ends the threads. The team must be idle.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Interlocked.Increment(ref _epoch);
            Monitor.PulseAll(_gate);
        }
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
            seen = WaitForEpochAfter(seen);
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
            lock (_gate)
                Monitor.PulseAll(_gate);
        }
    }

    int WaitForEpochAfter(int seen)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var epoch = _epoch;
            if (epoch != seen)
                return epoch;
            if (!Pause(start))
                break;
        }

        lock (_gate)
        {
            Interlocked.Increment(ref _parked);
            while (_epoch == seen)
                Monitor.Wait(_gate);
            Interlocked.Decrement(ref _parked);
            return _epoch;
        }
    }

    void WaitForShares()
    {
        var start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _remaining) != 0)
        {
            if (Pause(start))
                continue;
            lock (_gate)
            {
                while (Volatile.Read(ref _remaining) != 0)
                    Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>Waits a moment; false when it is time to park.</summary>
    static bool Pause(long start)
    {
        var waited = Stopwatch.GetTimestamp() - start;
        if (waited > s_yieldTicks)
            return false;
        if (waited > s_spinTicks)
            Thread.Yield();
        else
            Thread.SpinWait(8);
        return true;
    }
}
