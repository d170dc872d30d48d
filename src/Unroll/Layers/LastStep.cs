using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>y = x of each row's last valid step, 0 for an empty row: [T, B, F] becomes [1, B, F].</summary>
sealed class LastStep(LastStepOptions options, int inputSize) : Layer(options, inputSize, inputSize)
{
    public override bool HasOutputAtEveryStep => false;

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledLastStep(this, context, keep, maxBatch);
}

/// <summary>The last step of each row, and zeros for the gradient of the others.</summary>
sealed unsafe class UnrolledLastStep : UnrolledLayer
{
    readonly UnrollContext _context;
    readonly Arena.Region _y, _dY;

    // Whether the layer below wants the gradient of each row's last valid step alone, [1, B, F], which then is this one's.
    readonly bool _sharesGradient;

    public UnrolledLastStep(LastStep layer, UnrollContext context, Keep keep, int maxBatch)
        : base(layer)
    {
        _context = context;
        _y = context.ReserveOutput((long)maxBatch * layer.OutputSize);
        _sharesGradient = keep == Keep.EverythingForLastOutput;
        if (keep == Keep.Everything)
            _dY = context.Arena.Reserve((long)maxBatch * layer.OutputSize);
    }

    public override int OutputSteps => 1;

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _sharesGradient ? InputGradient : _context.Arena.Pointer(_dY);

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        if (t1 < Steps)
            return;
        for (var b = b0; b < b1; b++)
        {
            // The layer below may have made one step of all already.
            if (LengthOf(b) > 0)
                Row(Input, Math.Min(LengthOf(b), Steps) - 1, b).CopyTo(Row(Output, 0, b));
            else
                Row(Output, 0, b).Clear();
        }
    }

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        if (InputGradient == null || _sharesGradient)
            return;
        for (var b = b0; b < b1; b++)
        {
            for (var t = t0; t < t1; t++)
            {
                if (t == LengthOf(b) - 1)
                    Row(OutputGradient, 0, b).CopyTo(Row(InputGradient, t, b));
                else
                    Row(InputGradient, t, b).Clear();
            }
        }
    }

    Span<float> Row(float* array, int t, int b) =>
        new(array + ((((nint)t * Batch) + b) * Layer.OutputSize), Layer.OutputSize);
}
