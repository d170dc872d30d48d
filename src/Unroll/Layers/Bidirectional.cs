using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The two directions of a bidirectional layer.</summary>
sealed class Bidirectional : Layer
{
    public Bidirectional(BidirectionalOptions options, int inputSize, ParameterBuilder parameters)
        : base(options, inputSize, options.Cell.HiddenSize * (options.Merge == BidirectionalMerge.Concat ? 2 : 1))
    {
        ForwardDirection = (RecurrentLayer)options.Cell.Build(inputSize, parameters);
        parameters.Reverse = true;
        BackwardDirection = (RecurrentLayer)options.Cell.Build(inputSize, parameters);
        parameters.Reverse = false;
        Recurrences = [ForwardDirection, BackwardDirection];
    }

    public RecurrentLayer ForwardDirection { get; }

    public RecurrentLayer BackwardDirection { get; }

    public BidirectionalMerge Merge => ((BidirectionalOptions)Options).Merge;

    public override bool ReadsForward => false;

    public override IReadOnlyList<RecurrentLayer> Recurrences { get; }

    public override PackedWeights CreateWeights(Engine engine) =>
        new BidirectionalWeights(ForwardDirection.CreateWeights(engine)!, BackwardDirection.CreateWeights(engine)!);

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledBidirectional(this, context, (BidirectionalWeights)weights!, keep, maxSteps, maxBatch);
}

/// <summary>The weights of both directions.</summary>
sealed class BidirectionalWeights(PackedWeights forward, PackedWeights backward) : PackedWeights
{
    public PackedWeights Forward => forward;

    public PackedWeights Backward => backward;

    public override void Pack(Engine engine, ParameterSet parameters, int worker, int workers)
    {
        forward.Pack(engine, parameters, worker, workers);
        backward.Pack(engine, parameters, worker, workers);
    }
}

/// <summary>
/// Both directions as ordinary recurrent layers: the backward one reads a copy of the inputs in which each row is turned
/// round within its length, so that padding stays behind the valid steps.
/// </summary>
sealed unsafe class UnrolledBidirectional : UnrolledLayer
{
    readonly Bidirectional _layer;
    readonly UnrollContext _context;
    readonly UnrolledRecurrent _forward, _backward;
    readonly Arena.Region _turned, _dTurned, _y, _dY;

    public UnrolledBidirectional(
        Bidirectional layer, UnrollContext context, BidirectionalWeights weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer)
    {
        _layer = layer;
        _context = context;
        var rows = (long)maxSteps * maxBatch;
        _y = context.ReserveOutput(rows * layer.OutputSize);

        context.SharesOutputs = false;
        _forward = (UnrolledRecurrent)layer.ForwardDirection.Unroll(context, weights.Forward, keep, maxSteps, maxBatch);
        _backward = (UnrolledRecurrent)layer.BackwardDirection.Unroll(context, weights.Backward, keep, maxSteps, maxBatch);
        context.SharesOutputs = true;
        _backward.ReadsTurned = true;
        Recurrences = [_forward, _backward];
        _turned = context.Arena.Reserve(rows * layer.InputSize);
        if (keep != Keep.Everything)
            return;
        _dTurned = context.Arena.Reserve(rows * layer.InputSize);
        _dY = context.Arena.Reserve(rows * layer.OutputSize);
    }

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override IReadOnlyList<UnrolledRecurrent> Recurrences { get; }

    public override long FlopsPerStep => _forward.FlopsPerStep + _backward.FlopsPerStep;

    public override int[]? Lengths
    {
        get => base.Lengths;
        set => base.Lengths = _forward.Lengths = _backward.Lengths = value;
    }

    public override void Resize(int steps, int batch, float* input)
    {
        base.Resize(steps, batch, input);
        _forward.Resize(steps, batch, input);
        _backward.Resize(steps, batch, _context.Arena.Pointer(_turned));
    }

    public override void PrepareForward(bool training, ulong noise)
    {
        // The directions draw different masks.
        _forward.PrepareForward(training, noise);
        _backward.PrepareForward(training, ~noise);
    }

    public override void PrepareBackward()
    {
        _forward.InputGradient = InputGradient;
        _backward.InputGradient = InputGradient == null ? null : _context.Arena.Pointer(_dTurned);
        _forward.PrepareBackward();
        _backward.PrepareBackward();
    }

    public override void PackBackward(int worker, int workers)
    {
        _forward.PackBackward(worker, workers);
        _backward.PackBackward(worker, workers);
    }

    public override void PrepareGradients()
    {
        _forward.PrepareGradients();
        _backward.PrepareGradients();
    }

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        int inputs = Layer.InputSize, h = _forward.Layer.OutputSize;
        for (var b = b0; b < b1; b++)
        {
            for (var t = t0; t < t1; t++)
                Row(Input, Turned(t, b), b, inputs).CopyTo(Row(_context.Arena.Pointer(_turned), t, b, inputs));
        }

        _forward.Forward(t0, t1, b0, b1);
        _backward.Forward(t0, t1, b0, b1);
        for (var b = b0; b < b1; b++)
        {
            for (var t = t0; t < t1; t++)
            {
                var x = Row(_forward.Output, t, b, h);
                Merge(x, Row(_backward.Output, Turned(t, b), b, h), Row(Output, t, b, Layer.OutputSize));
            }
        }
    }

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        int inputs = Layer.InputSize, h = _forward.Layer.OutputSize;
        for (var b = b0; b < b1; b++)
        {
            for (var t = t0; t < t1; t++)
            {
                var turned = Turned(t, b);
                Part(
                    Row(OutputGradient, t, b, Layer.OutputSize),
                    Row(_forward.Output, t, b, h), Row(_backward.Output, turned, b, h),
                    Row(_forward.OutputGradient, t, b, h), Row(_backward.OutputGradient, turned, b, h));
            }
        }

        _forward.Backward(t0, t1, b0, b1);
        _backward.Backward(t0, t1, b0, b1);
        for (var b = b0; InputGradient != null && b < b1; b++)
        {
            for (var t = t0; t < t1; t++)
            {
                var dX = Row(InputGradient, t, b, inputs);
                var dTurned = Row(_context.Arena.Pointer(_dTurned), Turned(t, b), b, inputs);
                for (var k = 0; k < inputs; k++)
                    dX[k] += dTurned[k];
            }
        }
    }

    public override void AccumulateGradients(int worker, int workers)
    {
        _forward.AccumulateGradients(worker, workers);
        _backward.AccumulateGradients(worker, workers);
    }

    public override bool MergesGradients => _forward.MergesGradients;

    public override void MergeGradients(int worker, int workers)
    {
        _forward.MergeGradients(worker, workers);
        _backward.MergeGradients(worker, workers);
    }

    Span<float> Row(float* array, int t, int b, int width) => new(array + ((((nint)t * Batch) + b) * width), width);

    void Merge(ReadOnlySpan<float> forward, ReadOnlySpan<float> backward, Span<float> y)
    {
        var h = forward.Length;
        switch (_layer.Merge)
        {
            case BidirectionalMerge.Concat:
                forward.CopyTo(y);
                backward.CopyTo(y[h..]);
                break;
            case BidirectionalMerge.Product:
                for (var j = 0; j < h; j++)
                    y[j] = forward[j] * backward[j];
                break;
            default:
                var scale = _layer.Merge == BidirectionalMerge.Average ? 0.5f : 1f;
                for (var j = 0; j < h; j++)
                    y[j] = scale * (forward[j] + backward[j]);
                break;
        }
    }

    /// <summary>The gradients of both directions from that of their merge.</summary>
    void Part(
        ReadOnlySpan<float> dY, ReadOnlySpan<float> forward, ReadOnlySpan<float> backward, Span<float> dForward, Span<float> dBackward)
    {
        var h = forward.Length;
        switch (_layer.Merge)
        {
            case BidirectionalMerge.Concat:
                dY[..h].CopyTo(dForward);
                dY[h..].CopyTo(dBackward);
                break;
            case BidirectionalMerge.Product:
                for (var j = 0; j < h; j++)
                    (dForward[j], dBackward[j]) = (dY[j] * backward[j], dY[j] * forward[j]);
                break;
            default:
                var scale = _layer.Merge == BidirectionalMerge.Average ? 0.5f : 1f;
                for (var j = 0; j < h; j++)
                    dForward[j] = dBackward[j] = scale * dY[j];
                break;
        }
    }
}
