using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>What the threads of a training pass share by weights rather than by rows of the batch.</summary>
sealed class LayerJobs
{
    readonly TrainableModel _model;
    readonly PackedWeights?[] _weights;
    readonly UnrolledLayer[] _layers;
    readonly ShareJob _pack, _packBackward, _accumulate, _merge;

    // The layers of a job.
    int _first, _end;

    public LayerJobs(TrainableModel model, PackedWeights?[] weights, UnrolledLayer[] layers)
    {
        (_model, _weights, _layers) = (model, weights, layers);
        _end = layers.Length;
        _pack = new ShareJob(Pack);
        _packBackward = new ShareJob(PackBackward);
        _accumulate = new ShareJob(Accumulate);
        _merge = new ShareJob(Merge);
    }

    /// <summary>Packs the weights for a forward pass of so many operations.</summary>
    public void Pack(long flops) => _pack.Run(_model.Engine, flops);

    /// <summary>Packs the weights for its backward pass.</summary>
    public void PackBackward(long flops) => _packBackward.Run(_model.Engine, flops);

    /// <summary>∂loss/∂parameters, after the backward pass.</summary>
    public void AccumulateGradients(long flops)
    {
        var merges = false;
        for (var index = _first; index < _end; index++)
        {
            _layers[index].PrepareGradients();
            merges |= _layers[index].MergesGradients;
        }

        _accumulate.Run(_model.Engine, flops);
        if (merges)
            _merge.Run(_model.Engine, flops);
    }

    /// <summary>∂loss/∂parameters of one layer from a segment of its steps, after which it goes back through the next.</summary>
    public void EndSegment(int layer, long flops)
    {
        (_first, _end) = (layer, layer + 1);
        AccumulateGradients(flops);
        if (_layers[layer].EndSegment())
            PackBackward(flops);
        (_first, _end) = (0, _layers.Length);
    }

    void Pack(int worker, int workers)
    {
        foreach (var weights in _weights)
            weights?.Pack(_model.Engine, _model.Parameters, worker, workers);
    }

    void PackBackward(int worker, int workers)
    {
        for (var index = _first; index < _end; index++)
            _layers[index].PackBackward(worker, workers);
    }

    void Accumulate(int worker, int workers)
    {
        for (var index = _first; index < _end; index++)
            _layers[index].AccumulateGradients(worker, workers);
    }

    void Merge(int worker, int workers)
    {
        for (var index = _first; index < _end; index++)
            _layers[index].MergeGradients(worker, workers);
    }

    /// <summary>Work of which each thread takes a share in its own way, given its number and that of the threads.</summary>
    sealed class ShareJob(Action<int, int> share) : ParallelJob
    {
        /// <summary>Does the work, as a part of some <paramref name="flops"/> operations in all.</summary>
        public void Run(Engine engine, long flops) => engine.Team.Run(this, RowJob.Workers(engine, flops));

        public override void Execute(int worker, int workers) => share(worker, workers);
    }
}
