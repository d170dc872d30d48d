using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Dropout between layers.</summary>
sealed class Dropout(DropoutOptions options, int inputSize) : Layer(options, inputSize, inputSize)
{
    public double Rate => options.Rate;

    public bool PerSequence => options.PerSequence;

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledDropout(this, context, maxSteps, maxBatch);
}

/// <summary>y = x⊙m while training, m being a <see cref="DropoutMask"/> [T, B, F], or [B, F] for all steps.</summary>
sealed unsafe class UnrolledDropout : UnrolledLayer
{
    readonly Dropout _layer;
    readonly UnrollContext _context;
    readonly Arena.Region _y, _dY;
    DropoutMask _mask;
    bool _training;

    public UnrolledDropout(Dropout layer, UnrollContext context, int maxSteps, int maxBatch)
        : base(layer)
    {
        _layer = layer;
        _context = context;
        var length = (long)maxSteps * maxBatch * layer.OutputSize;
        _y = context.Arena.Reserve(length);
        _dY = context.Arena.Reserve(length);
    }

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override void PrepareForward(bool training, ulong noise)
    {
        _training = training && _layer.Rate > 0;
        _mask = new DropoutMask(_layer.Rate, noise);
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
            var place = _layer.PerSequence ? (long)b0 * width : start;
            for (var k = 0L; k < (long)(b1 - b0) * width; k++)
                destination[start + k] = _training ? _mask.Apply(source[start + k], place + k) : source[start + k];
        }
    }
}
