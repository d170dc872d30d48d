using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>A recurrent layer as the model sees it, whatever its cell.</summary>
abstract class RecurrentLayer(RecurrentOptions options, int inputSize)
    : Layer(options, inputSize, options.HiddenSize)
{
    public abstract bool HasCellState { get; }
}

/// <summary>A recurrent layer unrolled: where its states and their gradients lie.</summary>
abstract unsafe class UnrolledRecurrent(Layer layer) : UnrolledLayer(layer)
{
    /// <summary>h0, hT [B, H] and their gradients; c likewise, null without a cell state.</summary>
    public abstract float* InitialHidden { get; }

    public abstract float* InitialCell { get; }

    public abstract float* FinalHidden { get; }

    public abstract float* FinalCell { get; }

    /// <summary>Before backward ∂loss/∂hT, after it ∂loss/∂h0 [B, H].</summary>
    public abstract float* CarriedHidden { get; }

    public abstract float* CarriedCell { get; }
}

/// <summary>The parameters of a recurrent layer: W_ih [G·H, I], W_hh [G·H, H], b_ih, b_hh [G·H], p [P·H].</summary>
sealed class Recurrent<TCell> : RecurrentLayer
    where TCell : struct, ICell
{
    public Recurrent(RecurrentOptions options, TCell cell, int inputSize, ParameterBuilder parameters)
        : base(options, inputSize)
    {
        Cell = cell;
        var h = options.HiddenSize;
        var rows = checked(cell.GateCount * h);
        WeightIh = parameters.Add(ParameterRole.WeightIh, rows, inputSize);
        WeightHh = parameters.Add(ParameterRole.WeightHh, rows, h);
        BiasIh = parameters.Add(ParameterRole.BiasIh, rows);
        BiasHh = parameters.Add(ParameterRole.BiasHh, rows);
        if (cell.PeepholeCount > 0)
            WeightPeephole = parameters.Add(ParameterRole.WeightPeephole, cell.PeepholeCount * h);
    }

    public TCell Cell { get; }

    public Parameter WeightIh { get; }

    public Parameter WeightHh { get; }

    public Parameter BiasIh { get; }

    public Parameter BiasHh { get; }

    public Parameter? WeightPeephole { get; }

    public override bool HasCellState => Cell.HasCellState;

    public override UnrolledLayer Unroll(UnrollContext context, int maxSteps, int maxBatch) =>
        new UnrolledRecurrent<TCell>(this, context, maxSteps, maxBatch);
}

/// <summary>The time loop: products and cell steps over T steps, forward and back.</summary>
/// <remarks>
/// Forward projects the inputs of all its steps in one product, then goes through time with a block of rows small
/// enough for the cache. Backward leaves the gates' gradients in the gates' place; the weight gradients are then three
/// products over all T·B rows.
/// </remarks>
sealed unsafe class UnrolledRecurrent<TCell> : UnrolledRecurrent
    where TCell : struct, ICell
{
    // Ten register tiles of 6 rows: the weights of a step are read once per block, its scratch stays in L2.
    const int RowBlock = 60;

    readonly Recurrent<TCell> _layer;
    readonly UnrollContext _context;
    readonly TCell _cell;
    readonly int _h, _width;

    readonly Arena.Region _gates, _recurrent, _hidden, _cellState, _saved, _dY, _dH, _dC, _dSaved;
    readonly PackedMatrix _weightIh;
    readonly PackedMatrix _weightIhBack;
    readonly PackedMatrix[] _weightHh;
    readonly PackedMatrix[] _weightHhBack;

    public UnrolledRecurrent(Recurrent<TCell> layer, UnrollContext context, int maxSteps, int maxBatch)
        : base(layer)
    {
        _layer = layer;
        _context = context;
        _cell = layer.Cell;
        _h = layer.OutputSize;
        _width = _cell.GateCount * _h;

        var arena = context.Arena;
        long rows = (long)maxSteps * maxBatch;
        long states = rows + maxBatch;
        _gates = arena.Reserve(rows * _width);
        _recurrent = arena.Reserve((long)maxBatch * _width);
        _hidden = arena.Reserve(states * _h);
        _cellState = arena.Reserve(_cell.HasCellState ? states * _h : 0);
        _saved = arena.Reserve(_cell.HasSaved ? rows * _h : 0);
        _dY = arena.Reserve(rows * _h);
        _dH = arena.Reserve((long)maxBatch * _h);
        _dC = arena.Reserve(_cell.HasCellState ? (long)maxBatch * _h : 0);
        _dSaved = arena.Reserve((long)maxBatch * _h);

        _weightIh = new PackedMatrix(layer.InputSize, _width);
        _weightIhBack = new PackedMatrix(_width, layer.InputSize);
        var products = _cell.Products;
        _weightHh = new PackedMatrix[products.Length];
        _weightHhBack = new PackedMatrix[products.Length];
        for (var p = 0; p < products.Length; p++)
        {
            _weightHh[p] = new PackedMatrix(_h, products[p].GateCount * _h);
            _weightHhBack[p] = new PackedMatrix(products[p].GateCount * _h, _h);
        }
    }

    float* At(Arena.Region region) => _context.Arena.Pointer(region);

    nint StateStride => (nint)Batch * _h;

    nint GateStride => (nint)Batch * _width;

    // Slot 0 holds the initial state, slot t + 1 the state after step t.
    float* Hidden(int t) => At(_hidden) + (t + 1) * StateStride;

    float* CellState(int t) => _cell.HasCellState ? At(_cellState) + (t + 1) * StateStride : null;

    float* Gates => At(_gates);

    public override float* Output => Hidden(0);

    public override float* OutputGradient => At(_dY);

    public override float* InitialHidden => Hidden(-1);

    public override float* InitialCell => CellState(-1);

    public override float* FinalHidden => Hidden(Steps - 1);

    public override float* FinalCell => CellState(Steps - 1);

    public override float* CarriedHidden => At(_dH);

    public override float* CarriedCell => _cell.HasCellState ? At(_dC) : null;

    public override long FlopsPerStep => 2L * _width * (_h + Layer.InputSize);

    public override void PrepareForward(bool training, ulong noise)
    {
        var kernel = _context.Engine.Kernel;
        _weightIh.Pack(kernel, Value(_layer.WeightIh), transposed: true);
        var products = _cell.Products;
        for (var p = 0; p < products.Length; p++)
            _weightHh[p].Pack(kernel, Value(_layer.WeightHh) + RowOf(products[p]) * _h, transposed: true);
    }

    public override void PrepareBackward()
    {
        var kernel = _context.Engine.Kernel;
        if (InputGradient != null)
            _weightIhBack.Pack(kernel, Value(_layer.WeightIh), transposed: false);
        var products = _cell.Products;
        for (var p = 0; p < products.Length; p++)
            _weightHhBack[p].Pack(kernel, Value(_layer.WeightHh) + RowOf(products[p]) * _h, transposed: false);
    }

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        var pass = new ForwardPass { Owner = this, T0 = t0, T1 = t1, B0 = b0, B1 = b1 };
        _context.Engine.Run(ref pass);
    }

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        var pass = new BackwardPass { Owner = this, T0 = t0, T1 = t1, B0 = b0, B1 = b1 };
        _context.Engine.Run(ref pass);
    }

    public override void AccumulateGradients(int worker, int workers)
    {
        var (engine, rows) = (_context.Engine, Steps * Batch);
        WeightGradient.Accumulate(
            engine, worker, workers, rows, Gates, _width, _width,
            Input, Layer.InputSize, Gradient(_layer.WeightIh), Gradient(_layer.BiasIh));
        foreach (var product in _cell.Products)
        {
            var gradient = GradientOf(product, Gates, At(_saved));
            var operand = product.Operand == ProductOperand.PreviousHidden ? Hidden(-1) : At(_saved);
            WeightGradient.Accumulate(
                engine, worker, workers, rows, gradient.Pointer, gradient.Stride, product.GateCount * _h,
                operand, _h, Gradient(_layer.WeightHh) + RowOf(product) * _h, Gradient(_layer.BiasHh) + RowOf(product));
        }

        if (_layer.WeightPeephole is not null && worker == 0)
        {
            var pass = new PeepholePass { Owner = this };
            engine.Run(ref pass);
        }
    }

    float* Value(Parameter parameter) => _context.Parameters.ValuePointer(parameter);

    float* Gradient(Parameter parameter) => _context.Parameters.GradientPointer(parameter);

    nint RowOf(RecurrentProduct product) => (nint)product.FirstGate * _h;

    void Forward<S, V>(int t0, int t1, int b0, int b1)
        where S : struct, ISimd<V>
        where V : struct
    {
        // gates[t] = b_ih + x[t]·W_ihᵀ for all steps of these rows
        Gemm.Multiply<S, V>(new GemmProblem
        {
            Blocks = t1 - t0,
            ABlock = (nint)Batch * Layer.InputSize,
            CBlock = GateStride,
            M = b1 - b0,
            N = _width,
            K = Layer.InputSize,
            A = Input + RowOffset(t0, b0, Layer.InputSize),
            ARow = Layer.InputSize,
            B = _weightIh.Pointer,
            C = Gates + RowOffset(t0, b0, _width),
            CRow = _width,
            Start = TileStart.Bias,
            Bias = Value(_layer.BiasIh),
        });

        for (var b = b0; b < b1; b += RowBlock)
        {
            var rows = Math.Min(RowBlock, b1 - b);
            for (var t = t0; t < t1; t++)
                ForwardStep<S, V>(t, b, rows);
        }
    }

    void ForwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        var step = Step(t, b, rows);
        var products = _cell.Products;
        for (var p = 0; p < products.Length; p++)
        {
            var product = products[p];
            Gemm.Multiply<S, V>(new GemmProblem
            {
                M = rows,
                N = product.GateCount * _h,
                K = _h,
                A = product.Operand == ProductOperand.PreviousHidden ? step.HPrev : step.Saved,
                ARow = _h,
                B = _weightHh[p].Pointer,
                C = step.Recurrent + RowOf(product),
                CRow = _width,
                Start = TileStart.Bias,
                Bias = Value(_layer.BiasHh) + RowOf(product),
            });
            _cell.Forward<S, V>(step, p);
        }
    }

    void Backward<S, V>(int t0, int t1, int b0, int b1)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var b = b0; b < b1; b += RowBlock)
        {
            var rows = Math.Min(RowBlock, b1 - b);
            for (var t = t1 - 1; t >= t0; t--)
                BackwardStep<S, V>(t, b, rows);
        }

        if (InputGradient == null)
            return;

        // dX[t] = dGates[t]·W_ih
        Gemm.Multiply<S, V>(new GemmProblem
        {
            Blocks = t1 - t0,
            ABlock = GateStride,
            CBlock = (nint)Batch * Layer.InputSize,
            M = b1 - b0,
            N = Layer.InputSize,
            K = _width,
            A = Gates + RowOffset(t0, b0, _width),
            ARow = _width,
            B = _weightIhBack.Pointer,
            C = InputGradient + RowOffset(t0, b0, Layer.InputSize),
            CRow = Layer.InputSize,
        });
    }

    void BackwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        var step = Step(t, b, rows);
        var products = _cell.Products;
        for (var p = products.Length - 1; p >= 0; p--)
        {
            _cell.Backward<S, V>(step, p);
            var product = products[p];
            var toHidden = product.Operand == ProductOperand.PreviousHidden;
            var gradient = GradientOf(product, step.Gates, step.Saved);
            Gemm.Multiply<S, V>(new GemmProblem
            {
                M = rows,
                N = _h,
                K = product.GateCount * _h,
                A = gradient.Pointer,
                ARow = gradient.Stride,
                B = _weightHhBack[p].Pointer,
                C = toHidden ? step.DH : step.DSaved,
                CRow = _h,
                Start = toHidden ? TileStart.Destination : TileStart.Zero,
            });
        }
    }

    GradientRows GradientOf(RecurrentProduct product, float* gates, float* saved) =>
        product.Gradient == ProductGradient.Gates
            ? new GradientRows { Pointer = gates + RowOf(product), Stride = _width }
            : new GradientRows { Pointer = saved, Stride = _h };

    CellStep Step(int t, int b, int rows) => new()
    {
        Rows = rows,
        H = _h,
        Gates = Gates + RowOffset(t, b, _width),
        Recurrent = At(_recurrent) + (nint)b * _width,
        HPrev = Hidden(t - 1) + (nint)b * _h,
        H1 = Hidden(t) + (nint)b * _h,
        CPrev = CellState(t - 1) + (nint)b * _h,
        C1 = CellState(t) + (nint)b * _h,
        Saved = At(_saved) + RowOffset(t, b, _h),
        Peephole = _layer.WeightPeephole is { } peephole ? Value(peephole) : null,
        DY = At(_dY) + RowOffset(t, b, _h),
        DH = At(_dH) + (nint)b * _h,
        DC = At(_dC) + (nint)b * _h,
        DSaved = At(_dSaved) + (nint)b * _h,
    };

    nint RowOffset(int t, int b, int width) => ((nint)t * Batch + b) * width;

    /// <summary>dp[j] += Σ over t and b of dGate[t, b, j]·c[t, b, j], in rising order of t·B + b.</summary>
    void PeepholeGradient<S, V>(float* dPeephole)
        where S : struct, ISimd<V>
        where V : struct
    {
        var rows = (nint)Steps * Batch;
        for (var block = 0; block < _cell.PeepholeCount; block++)
        {
            var (gate, current) = _cell.Peephole(block);
            for (var j = 0; j < _h; j += S.Count)
            {
                var n = _h - j;
                var dGate = Gates + (nint)gate * _h + j;
                var c = CellState(current ? 0 : -1) + j;
                var sum = Lanes<S, V>.Load(dPeephole + (block * _h) + j, n);
                for (nint row = 0; row < rows; row++)
                {
                    sum = S.Fma(Lanes<S, V>.Load(dGate, n), Lanes<S, V>.Load(c, n), sum);
                    dGate += _width;
                    c += _h;
                }

                Lanes<S, V>.Store(dPeephole + (block * _h) + j, sum, n);
            }
        }
    }

    ref struct GradientRows
    {
        public float* Pointer;
        public int Stride;
    }

    struct ForwardPass : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int T0, T1, B0, B1;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.Forward<S, V>(T0, T1, B0, B1);
    }

    struct BackwardPass : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int T0, T1, B0, B1;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.Backward<S, V>(T0, T1, B0, B1);
    }

    struct PeepholePass : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.PeepholeGradient<S, V>(Owner.Gradient(Owner._layer.WeightPeephole!));
    }
}
