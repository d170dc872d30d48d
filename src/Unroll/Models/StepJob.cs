using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>One step of one layer of a stream: each thread takes a range of the units, where the layer can be split.</summary>
sealed class StepJob : ParallelJob
{
    UnrolledLayer? _layer;
    int _t, _part;

    /// <summary>Computes step <paramref name="t"/> for all rows.</summary>
    public void Run(Engine engine, UnrolledLayer layer, int t)
    {
        (_layer, _t) = (layer, t);
        var workers = RowJob.Workers(engine, layer.FlopsPerStep * layer.Batch);
        var parts = workers > 1 ? layer.StepParts : 0;
        for (_part = 0; _part < parts; _part++)
            engine.Team.Run(this, workers);
        if (parts == 0)
            layer.Forward(t, t + 1, 0, layer.Batch);
    }

    public override void Execute(int worker, int workers) => _layer!.ForwardPart(_t, _part, worker, workers);
}
