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
}

/// <summary>
/// A fixed set of threads that run one job at a time. Waiting threads spin for a few microseconds, then park, so that a
/// busy machine is not kept busier.
/// </summary>
sealed class WorkerTeam : IDisposable
{
    const int Spins = 2000;

    readonly object _gate = new();
    readonly object _caller = new();
    readonly int _size;
    bool _started;
    ParallelJob? _job;
    int _workers;
    int _parked;
    volatile int _epoch;
    volatile bool _stopping;
    int _remaining;
    ExceptionDispatchInfo? _failure;

    public WorkerTeam(int size) => _size = size;

    /// <summary>Runs <paramref name="job"/> on <paramref name="workers"/> threads, the caller being one, and waits.</summary>
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
            Volatile.Write(ref _remaining, _size - 1);
            Interlocked.Increment(ref _epoch); // a full fence: a worker either sees it or is seen parked
            if (Volatile.Read(ref _parked) > 0)
            {
                lock (_gate)
                    Monitor.PulseAll(_gate);
            }

            ExecuteShare(0);
            WaitForTeam();
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
            WaitForEpochAfter(seen);
            if (_stopping)
                return;
            seen++;
            ExecuteShare(worker);
            if (Interlocked.Decrement(ref _remaining) == 0)
            {
                lock (_gate)
                    Monitor.PulseAll(_gate);
            }
        }
    }

    void ExecuteShare(int worker)
    {
        if (worker >= _workers)
            return;
        try
        {
            _job!.Execute(worker, _workers);
        }
        catch (Exception exception)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(exception), null);
        }
    }

    void WaitForEpochAfter(int seen)
    {
        for (var spin = 0; spin < Spins; spin++)
        {
            if (_epoch != seen)
                return;
            Thread.SpinWait(4);
        }

        lock (_gate)
        {
            Interlocked.Increment(ref _parked);
            while (_epoch == seen)
                Monitor.Wait(_gate);
            Interlocked.Decrement(ref _parked);
        }
    }

    void WaitForTeam()
    {
        for (var spin = 0; spin < Spins; spin++)
        {
            if (Volatile.Read(ref _remaining) == 0)
                return;
            Thread.SpinWait(4);
        }

        lock (_gate)
        {
            while (Volatile.Read(ref _remaining) != 0)
                Monitor.Wait(_gate);
        }
    }
}
