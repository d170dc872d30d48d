using System.Runtime.ExceptionServices;

namespace Unroll.Numerics;

/// <summary>What a thread hands over of its share to one that has nothing left to do.</summary>
abstract class SharePart
{
    internal const int Free = 0, Open = 1, Done = 2;

    internal int State;
    ExceptionDispatchInfo? _failure;

    /// <summary>Does the work.</summary>
    protected abstract void Execute();

    /// <summary>What the same thread has handed over before.</summary>
    internal SharePart? Before { get; set; }

    /// <summary>Takes a part that is not in use, to be handed over; null if all are.</summary>
    public static TPart? Unused<TPart>(TPart[] parts)
        where TPart : SharePart
    {
        foreach (var part in parts)
        {
            if (Interlocked.CompareExchange(ref part.State, Open, Free) == Free)
                return part;
        }

        return null;
    }

    /// <summary>Ends its use, once its work is done or handed over to nobody.</summary>
    internal void EndUse()
    {
        var failure = _failure;
        _failure = null;
        Volatile.Write(ref State, Free);
        failure?.Throw();
    }

    internal void Run()
    {
        try
        {
            Execute();
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
        }

        Interlocked.Exchange(ref State, Done);
    }
}
