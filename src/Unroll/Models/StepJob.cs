using System.Diagnostics;
using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>One step of one layer of a stream: each thread takes a range of the units, where the layer can be split.</summary>
/// <remarks>
/// Threads exchange no more than h and c in a step, so this pays earlier than sharing rows: LSTM, I = H = 128, on two cores
/// of a Zen 4 that share a cache, takes 3.3 µs rather than 5.4, and I = H = 64 1.4 rather than 1.5. But only threads that are
/// still awake are there in time; to wake them takes longer than such a step. So short steps are shared where they follow
/// one another at once.
/// </remarks>
sealed class StepJob : ParallelJob
{
    // From 10 µs on, and from 1.5 µs on at once after the step before.
    const long SmallestParallelFlops = 1_000_000, SmallestFollowingFlops = 150_000;

    static readonly TimeSpan s_atOnce = TimeSpan.FromMicroseconds(WorkerTeam.SpinMicroseconds);

    UnrolledLayer? _layer;
    int _t, _part;
    long _ended;

    /// <summary>Computes step <paramref name="t"/> of all <paramref name="layers"/> if it is worth sharing, or else nothing.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="layers">The layers, from the inputs on.</param>
    /// <param name="t">The step.</param>
    /// <param name="flops">Its operations.</param>
    /// <returns>Whether it is computed.</returns>
    public bool TryRun(Engine engine, ReadOnlySpan<UnrolledLayer> layers, int t, long flops)
    {
        if (engine.Threads == 1 || flops < SmallestFollowingFlops)
            return false;
        if (flops < SmallestParallelFlops && Stopwatch.GetElapsedTime(_ended) > s_atOnce)
            return false;
        foreach (var layer in layers)
            Run(engine, layer, t);
        return true;
    }

    /// <summary>Notes that a step of so many operations, shared or not, has ended.</summary>
    public void End(Engine engine, long flops)
    {
        if (engine.Threads > 1 && flops is >= SmallestFollowingFlops and < SmallestParallelFlops)
            _ended = Stopwatch.GetTimestamp();
    }

    public override void Execute(int worker, int workers) => _layer!.ForwardPart(_t, _part, worker, workers);

    void Run(Engine engine, UnrolledLayer layer, int t)
    {
        (_layer, _t) = (layer, t);
        var parts = layer.FlopsPerStep * layer.Batch < SmallestFollowingFlops ? 0 : layer.StepParts;
        for (_part = 0; _part < parts; _part++)
            engine.Team.Run(this, engine.Threads);
        if (parts == 0)
            layer.Forward(t, t + 1, 0, layer.Batch);
    }
}
