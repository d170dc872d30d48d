using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Dropout between layers.</summary>
sealed class Dropout(DropoutOptions options, int inputSize) : Layer(options, inputSize, inputSize)
{
    public double Rate => ((DropoutOptions)Options).Rate;

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledDropout(this, context, maxSteps, maxBatch);
}

/// <summary>
/// y = x⊙m/(1 − rate) while training. The mask is a function of the pass's noise and the element's place, so it is the
/// same for every split over threads and needs no storage of its own order.
/// </summary>
sealed unsafe class UnrolledDropout : UnrolledLayer
{
    readonly Dropout _layer;
    readonly UnrollContext _context;
    readonly Arena.Region _y, _dY;
    readonly ulong _threshold;
    readonly float _scale;
    bool _training;
    ulong _noise;

    public UnrolledDropout(Dropout layer, UnrollContext context, int maxSteps, int maxBatch)
        : base(layer)
    {
        _layer = layer;
        _context = context;
        var length = (long)maxSteps * maxBatch * layer.OutputSize;
        _y = context.Arena.Reserve(length);
        _dY = context.Arena.Reserve(length);
        _threshold = (ulong)(layer.Rate * (1UL << 32));
        _scale = (float)(1 / (1 - layer.Rate));
    }

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override void PrepareForward(bool training, ulong noise)
    {
        _training = training && _layer.Rate > 0;
        _noise = noise;
    }

    public override void Forward(int t0, int t1, int b0, int b1) => Apply(Input, Output, t0, t1, b0, b1);

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        if (InputGradient != null)
            Apply(OutputGradient, InputGradient, t0, t1, b0, b1);
    }

    void Apply(float* source, float* destination, int t0, int t1, int b0, int b1)
    {
        var width = Layer.OutputSize;
        for (var t = t0; t < t1; t++)
        {
            var start = (((long)t * Batch) + b0) * width;
            var end = (((long)t * Batch) + b1) * width;
            for (var at = start; at < end; at++)
            {
                if (!_training)
                    destination[at] = source[at];
                else
                    destination[at] = CounterNoise.Bits32(_noise, (ulong)at) < _threshold ? 0f : source[at] * _scale;
            }
        }
    }
}
