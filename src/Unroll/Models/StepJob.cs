using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>One step of one layer of a stream: each thread takes a range of the units, where the layer can be split.</summary>
sealed class StepJob : ParallelJob
{
    // From 10 µs on. Threads exchange no more than h and c in a step, so this pays earlier than sharing rows.
    const long SmallestParallelFlops = 1_000_000;

    UnrolledLayer? _layer;
    int _t, _part;

    /// <summary>Whether a step of so many operations is worth sharing.</summary>
    public static bool IsWorthSharing(Engine engine, long flops) => engine.Threads > 1 && flops >= SmallestParallelFlops;

    /// <summary>Computes step <paramref name="t"/> for all rows.</summary>
    public void Run(Engine engine, UnrolledLayer layer, int t)
    {
        (_layer, _t) = (layer, t);
        var parts = IsWorthSharing(engine, layer.FlopsPerStep * layer.Batch) ? layer.StepParts : 0;
        for (_part = 0; _part < parts; _part++)
            engine.Team.Run(this, engine.Threads);
        if (parts == 0)
            layer.Forward(t, t + 1, 0, layer.Batch);
    }

    public override void Execute(int worker, int workers) => _layer!.ForwardPart(_t, _part, worker, workers);
}
