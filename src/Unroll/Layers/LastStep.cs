using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>y = x_T: [T, B, F] becomes [1, B, F].</summary>
sealed class LastStep(LastStepOptions options, int inputSize) : Layer(options, inputSize, inputSize)
{
    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledLastStep(this, context, keep, maxBatch) { LastGradientOnly = keep == Keep.EverythingForLastStep };
}

/// <summary>The last step of each row, and zeros for the gradient of the others.</summary>
sealed unsafe class UnrolledLastStep : UnrolledLayer
{
    readonly UnrollContext _context;
    readonly Arena.Region _y, _dY;

    public UnrolledLastStep(LastStep layer, UnrollContext context, Keep keep, int maxBatch)
        : base(layer)
    {
        _context = context;
        _y = context.ReserveOutput((long)maxBatch * layer.OutputSize);
        if (keep is Keep.Everything or Keep.EverythingForLastStep)
            _dY = context.Arena.Reserve((long)maxBatch * layer.OutputSize);
    }

    public override int OutputSteps => 1;

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        if (t1 == Steps)
            Rows(Input, Steps - 1, b0, b1).CopyTo(Rows(Output, 0, b0, b1));
    }

    /// <summary>Whether the layer below wants the gradient of the last step alone, [1, B, F].</summary>
    public bool LastGradientOnly { get; init; }

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        if (InputGradient == null)
            return;
        if (LastGradientOnly)
        {
            if (t1 == Steps)
                Rows(OutputGradient, 0, b0, b1).CopyTo(Rows(InputGradient, 0, b0, b1));
            return;
        }

        for (var t = t0; t < t1; t++)
        {
            var rows = Rows(InputGradient, t, b0, b1);
            if (t == Steps - 1)
                Rows(OutputGradient, 0, b0, b1).CopyTo(rows);
            else
                rows.Clear();
        }
    }

    Span<float> Rows(float* array, int t, int b0, int b1) =>
        new(array + ((((nint)t * Batch) + b0) * Layer.OutputSize), (b1 - b0) * Layer.OutputSize);
}
