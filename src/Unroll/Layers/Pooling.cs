using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Several poolings over time side by side; the equations stand at <see cref="PoolingOptions"/>.</summary>
sealed class Pooling(PoolingOptions options, int inputSize)
    : Layer(options, inputSize, checked(inputSize * options.Kinds.Count))
{
    public IReadOnlyList<PoolingKind> Kinds => ((PoolingOptions)Options).Kinds;

    public override bool HasOutputAtEveryStep => false;

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledPooling(this, context, keep, maxBatch);
}

/// <summary>[T, B, F] becomes [1, B, kinds·F].</summary>
sealed unsafe class UnrolledPooling : UnrolledLayer
{
    readonly Pooling _layer;
    readonly UnrollContext _context;
    readonly Arena.Region _y, _dY;

    public UnrolledPooling(Pooling layer, UnrollContext context, Keep keep, int maxBatch)
        : base(layer)
    {
        _layer = layer;
        _context = context;
        _y = context.ReserveOutput((long)maxBatch * layer.OutputSize);
        if (keep == Keep.Everything)
            _dY = context.Arena.Reserve((long)maxBatch * layer.OutputSize);
    }

    public override int OutputSteps => 1;

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        if (t1 < Steps)
            return;
        for (var b = b0; b < b1; b++)
        {
            for (var kind = 0; kind < _layer.Kinds.Count; kind++)
            {
                var y = Part(Output, kind, b);
                y.Clear();
                if (LengthOf(b) > 0)
                    Pool(_layer.Kinds[kind], b, y);
            }
        }
    }

    void Pool(PoolingKind kind, int b, Span<float> y)
    {
        var length = LengthOf(b);
        if (kind is PoolingKind.First or PoolingKind.Last)
        {
            Step(Input, kind == PoolingKind.First ? 0 : length - 1, b).CopyTo(y);
            return;
        }

        Step(Input, 0, b).CopyTo(y);
        for (var t = 1; t < length; t++)
        {
            var x = Step(Input, t, b);
            for (var k = 0; k < y.Length; k++)
                y[k] = kind == PoolingKind.Mean ? y[k] + x[k] : y[k] < x[k] || float.IsNaN(x[k]) ? x[k] : y[k];
        }

        for (var k = 0; kind == PoolingKind.Mean && k < y.Length; k++)
            y[k] /= length;
    }

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        if (InputGradient == null || t1 < Steps)
            return;
        for (var b = b0; b < b1; b++)
        {
            for (var t = 0; t < Steps; t++)
                Step(InputGradient, t, b).Clear();
            for (var kind = 0; kind < _layer.Kinds.Count && LengthOf(b) > 0; kind++)
                Spread(_layer.Kinds[kind], b, Part(OutputGradient, kind, b));
        }
    }

    void Spread(PoolingKind kind, int b, ReadOnlySpan<float> dY)
    {
        var length = LengthOf(b);
        for (var k = 0; k < dY.Length; k++)
        {
            switch (kind)
            {
                case PoolingKind.First:
                    Step(InputGradient, 0, b)[k] += dY[k];
                    break;
                case PoolingKind.Last:
                    Step(InputGradient, length - 1, b)[k] += dY[k];
                    break;
                case PoolingKind.Max:
                    Step(InputGradient, LargestStep(b, k), b)[k] += dY[k];
                    break;
                default:
                    for (var t = 0; t < length; t++)
                        Step(InputGradient, t, b)[k] += dY[k] / length;
                    break;
            }
        }
    }

    /// <summary>The first step that has the maximum.</summary>
    int LargestStep(int b, int k)
    {
        var largest = 0;
        for (var t = 1; t < LengthOf(b); t++)
        {
            if (Step(Input, t, b)[k] > Step(Input, largest, b)[k])
                largest = t;
        }

        return largest;
    }

    Span<float> Step(float* array, int t, int b) =>
        new(array + ((((nint)t * Batch) + b) * Layer.InputSize), Layer.InputSize);

    Span<float> Part(float* array, int kind, int b) =>
        new(array + ((nint)b * Layer.OutputSize) + (kind * Layer.InputSize), Layer.InputSize);
}
