using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>y_k = 1 if k = token, else 0: [V].</summary>
sealed class OneHot(OneHotOptions options) : Layer(options, 1, options.VocabularySize)
{
    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledOneHot(this, context, maxSteps, maxBatch);
}

/// <summary>The one-hot vectors of T·B tokens. They have no gradient, so the layer above computes none.</summary>
sealed unsafe class UnrolledOneHot : UnrolledLayer
{
    readonly UnrollContext _context;
    readonly Arena.Region _y;

    public UnrolledOneHot(OneHot layer, UnrollContext context, int maxSteps, int maxBatch)
        : base(layer)
    {
        _context = context;
        _y = context.ReserveOutput((long)maxSteps * maxBatch * layer.OutputSize);
    }

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => null;

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        var size = Layer.OutputSize;
        for (var t = t0; t < t1; t++)
        {
            var first = ((nint)t * Batch) + b0;
            new Span<float>(Output + (first * size), (b1 - b0) * size).Clear();
            for (var b = b0; b < b1; b++)
            {
                var at = ((nint)t * Batch) + b;
                Output[(at * size) + Tokens.At(Input[at], size, t, b)] = 1f;
            }
        }
    }

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        for (var t = t0; t < t1 && InputGradient != null; t++)
            new Span<float>(InputGradient + ((nint)t * Batch) + b0, b1 - b0).Clear();
    }
}
