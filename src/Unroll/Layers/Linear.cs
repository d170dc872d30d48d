using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>y = φ(W·x + b) at every step: W [O, I], b [O].</summary>
sealed class Linear : Layer
{
    public Linear(LinearOptions options, int inputSize, ParameterBuilder parameters)
        : base(options, inputSize, options.OutputSize)
    {
        Weight = parameters.Add(ParameterRole.Weight, options.OutputSize, inputSize);
        Bias = parameters.Add(ParameterRole.Bias, options.OutputSize);
    }

    public Parameter Weight { get; }

    public Parameter Bias { get; }

    public Nonlinearity? Activation => ((LinearOptions)Options).Activation;

    public override PackedWeights CreateWeights(Engine engine) => new LinearWeights(this);

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledLinear(this, context, (LinearWeights)weights!, keep, maxSteps, maxBatch);
}

/// <summary>A linear layer over T·B rows.</summary>
sealed unsafe class UnrolledLinear : UnrolledLayer
{
    // Rows of a turn, for which its weights are read once, and its operations, 0.1 ms.
    const int TurnRows = 252;
    const long TurnFlops = 8_000_000;

    readonly Linear _layer;
    readonly UnrollContext _context;
    readonly Arena.Region _y, _dY;
    readonly LinearWeights _weights;
    readonly PackedMatrix? _weightBack;
    readonly RowParts _forwardParts, _backwardParts;

    public UnrolledLinear(Linear layer, UnrollContext context, LinearWeights weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer)
    {
        _layer = layer;
        _context = context;
        _weights = weights;
        _forwardParts = new RowParts(this, context.Engine, Forward);
        _backwardParts = new RowParts(this, context.Engine, Backward);
        var length = (long)maxSteps * maxBatch * layer.OutputSize;
        _y = context.ReserveOutput(length);
        if (keep != Keep.Everything)
            return;
        _dY = context.Arena.Reserve(length);
        _weightBack = new PackedMatrix(layer.OutputSize, layer.InputSize);
        context.Tall.Reserve(layer.OutputSize, layer.InputSize, 1);
    }

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override long FlopsPerStep => 2L * Layer.InputSize * Layer.OutputSize;

    public override void PackBackward(int worker, int workers) =>
        _weightBack!.Pack(_context.Engine.Kernel, _context.Parameters.ValuePointer(_layer.Weight), transposed: false, worker, workers);

    public override void Forward(int t0, int t1, int b0, int b1) => InTurns(_forwardParts, backward: false, t0, t1, b0, b1);

    public override void Backward(int t0, int t1, int b0, int b1) => InTurns(_backwardParts, backward: true, t0, t1, b0, b1);

    /// <summary>A pass in turns of some steps, between which those that are left may be handed over.</summary>
    void InTurns(RowParts parts, bool backward, int t0, int t1, int b0, int b1)
    {
        var rows = b1 - b0;
        var steps = (int)Math.Max(TurnRows / rows, TurnFlops / (FlopsPerStep * rows)) + 1;
        SharePart? handed = null;
        for (int t = t0, end; t < t1; t = end)
        {
            end = (int)Math.Min((long)t + steps, t1);
            if (backward)
                BackwardSteps(t, end, b0, b1);
            else
                ForwardSteps(t, end, b0, b1);
            if (parts.AreWanted)
                parts.HandOverSteps(ref handed, end, ref t1, b0, b1);
        }

        parts.Join(handed);
    }

    void ForwardSteps(int t0, int t1, int b0, int b1)
    {
        int inputs = Layer.InputSize, outputs = Layer.OutputSize;
        _context.Engine.Multiply(new GemmProblem
        {
            Blocks = t1 - t0,
            ABlock = (nint)Batch * inputs,
            CBlock = (nint)Batch * outputs,
            M = b1 - b0,
            N = outputs,
            K = inputs,
            A = Input + (((nint)t0 * Batch) + b0) * inputs,
            ARow = inputs,
            B = _weights.Weight,
            C = Output + (((nint)t0 * Batch) + b0) * outputs,
            CRow = outputs,
            Start = TileStart.Bias,
            Bias = _weights.Bias,
        });
        Activate(t0, t1, b0, b1, backward: false);
    }

    void BackwardSteps(int t0, int t1, int b0, int b1)
    {
        Activate(t0, t1, b0, b1, backward: true);
        if (InputGradient == null)
            return;
        int inputs = Layer.InputSize, outputs = Layer.OutputSize;
        _context.Engine.Multiply(new GemmProblem
        {
            Blocks = t1 - t0,
            ABlock = (nint)Batch * outputs,
            CBlock = (nint)Batch * inputs,
            M = b1 - b0,
            N = inputs,
            K = outputs,
            A = OutputGradient + (((nint)t0 * Batch) + b0) * outputs,
            ARow = outputs,
            B = _weightBack!.Pointer,
            C = InputGradient + (((nint)t0 * Batch) + b0) * inputs,
            CRow = inputs,
        });
    }

    /// <summary>y = φ(a) in a's place; backward dA = dY⊙φ'(a) in dY's place.</summary>
    void Activate(int t0, int t1, int b0, int b1, bool backward)
    {
        if (_layer.Activation is not { } activation)
            return;
        var length = (nint)(b1 - b0) * Layer.OutputSize;
        for (var t = t0; t < t1; t++)
        {
            var at = (((nint)t * Batch) + b0) * Layer.OutputSize;
            var pass = new ActivationPass { Relu = activation == Nonlinearity.Relu, Y = Output + at, DY = backward ? OutputGradient + at : null, Length = length };
            _context.Engine.Run(ref pass);
        }
    }

    public override void AccumulateGradients(int worker, int workers)
    {
        var pass = new GradientPass { Owner = this, Worker = worker, Workers = workers };
        _context.Engine.Run(ref pass);
    }

    struct ActivationPass : IKernelAction
    {
        public bool Relu;
        public float* Y, DY;
        public nint Length;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            var zero = S.Broadcast(0f);
            for (nint i = 0; i < Length; i += S.Count)
            {
                var n = (int)Math.Min(S.Count, Length - i);
                var y = Lanes<S, V>.Load(Y + i, n);
                if (DY == null)
                {
                    Lanes<S, V>.Store(Y + i, Relu ? S.SelectLess(y, zero, zero, y) : Activations.Tanh<S, V>(y), n);
                    continue;
                }

                var dY = Lanes<S, V>.Load(DY + i, n);
                Lanes<S, V>.Store(DY + i, Relu ? CellGradient.Flush<S, V>(S.SelectLess(zero, y, dY, zero)) : CellGradient.Tanh<S, V>(dY, y), n);
            }
        }
    }

    struct GradientPass : IKernelAction
    {
        public UnrolledLinear Owner;
        public int Worker, Workers;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            var (layer, context) = (Owner._layer, Owner._context);
            var (start, end) = TallProduct.Share(layer.OutputSize, Worker, Workers);
            ReadOnlySpan<TallColumns> columns =
            [
                TallColumns.Matrix(Owner.Input, layer.InputSize, context.Parameters.GradientPointer(layer.Weight), context.AddsGradients),
                TallColumns.Bias(context.One, context.Parameters.GradientPointer(layer.Bias), context.AddsGradients),
            ];
            context.Tall.Accumulate<S, V>(
                new TallProblem(TallRows.First(Owner.Steps * Owner.Batch), Owner.OutputGradient, layer.OutputSize, columns), start, end, Worker);
        }
    }
}
