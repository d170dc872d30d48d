using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// The states of a pass that goes back segment by segment: c and h of one segment of the steps at a time, computed again from the
/// gates and from c before the segment.
/// </summary>
/// <remarks>
/// Segments are counted from the last step: 50 steps by 16 are [34, 50), [18, 34), [2, 18) and [0, 2). Going back, each step
/// leaves h in the place of c, which no earlier step reads, and the weight gradients of a segment are summed before the next
/// one takes its place.
/// Source: T. Chen et al., Training Deep Nets with Sublinear Memory Cost, arXiv:1604.06174, 2016, section 4 (there, what lies
/// between the segments' ends is computed anew as a whole; here the gates are kept).
/// </remarks>
sealed unsafe class SegmentStates
{
    readonly Arena _arena;
    readonly int _rows, _h;
    readonly Arena.Region _states, _cellsBefore;
    int _steps, _batch;

    /// <param name="arena">Where the memory is taken.</param>
    /// <param name="rows">The rows [B] that the steps of a full segment have together, at least.</param>
    /// <param name="maxSteps">T at most.</param>
    /// <param name="maxBatch">B at most.</param>
    /// <param name="h">H.</param>
    public SegmentStates(Arena arena, int rows, int maxSteps, int maxBatch, int h)
    {
        (_arena, _rows, _h) = (arena, rows, h);
        long states = 0, before = 0;
        for (var batch = 1; batch <= maxBatch; batch++)
        {
            var steps = Math.Min(StepsOf(batch), maxSteps);
            states = Math.Max(states, (steps + 1L) * batch);
            before = Math.Max(before, (maxSteps + steps - 1L) / steps * batch);
        }

        _states = arena.Reserve(states * h);
        _cellsBefore = arena.Reserve(before * h);
    }

    /// <summary>The steps of every segment but the first in time.</summary>
    public int Length => StepsOf(_batch);

    /// <summary>The first step of the segment whose states are here.</summary>
    public int Start { get; private set; }

    /// <summary>Behind its last step.</summary>
    public int End { get; private set; }

    /// <summary>Takes the sizes of the next pass.</summary>
    public void Resize(int steps, int batch) => (_steps, _batch) = (steps, batch);

    /// <summary>The steps of the segment that step <paramref name="t"/> is in.</summary>
    public (int Start, int End) Of(int t)
    {
        var end = _steps - ((_steps - 1 - t) / Length * Length);
        return (Math.Max(0, end - Length), end);
    }

    /// <summary>Makes this the segment whose states are here.</summary>
    public void Begin(int start, int end) => (Start, End) = (start, end);

    /// <summary>c, later h, of a step of the segment, or of the one before it.</summary>
    public float* At(int t, int b) => _arena.Pointer(_states) + ((((nint)(t + 1 - Start) * _batch) + b) * _h);

    /// <summary>c before the segment that begins at <paramref name="start"/>.</summary>
    public float* CellBefore(int start, int b) => _arena.Pointer(_cellsBefore) + ((((nint)((_steps - start - 1) / Length) * _batch) + b) * _h);

    int StepsOf(int batch) => (_rows + batch - 1) / batch;
}
