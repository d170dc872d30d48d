using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// The parameters of a layer-normalised LSTM: W_ih [4H, I], W_hh [4H, H], gains and biases of both products [4H], gain and
/// bias of the cell [H].
/// </summary>
sealed class LayerNormLstm : RecurrentLayer
{
    public LayerNormLstm(LayerNormLstmOptions options, int inputSize, ParameterBuilder parameters)
        : base(options, inputSize)
    {
        var h = options.HiddenSize;
        var rows = 4 * h;
        WeightIh = parameters.Add(ParameterRole.WeightIh, rows, inputSize);
        WeightHh = parameters.Add(ParameterRole.WeightHh, rows, h);
        BiasIh = parameters.Add(ParameterRole.BiasIh, rows);
        BiasHh = parameters.Add(ParameterRole.BiasHh, rows);
        GainIh = parameters.Add(ParameterRole.GainIh, rows);
        GainHh = parameters.Add(ParameterRole.GainHh, rows);
        GainCell = parameters.Add(ParameterRole.GainCell, h);
        BiasCell = parameters.Add(ParameterRole.BiasCell, h);
    }

    public Parameter WeightIh { get; }

    public Parameter WeightHh { get; }

    public Parameter BiasIh { get; }

    public Parameter BiasHh { get; }

    public Parameter GainIh { get; }

    public Parameter GainHh { get; }

    public Parameter GainCell { get; }

    public Parameter BiasCell { get; }

    public override bool HasCellState => true;

    public override PackedWeights CreateWeights(Engine engine) => new LayerNormLstmWeights(this);

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledLayerNormLstm(this, context, (LayerNormLstmWeights)weights!, keep, maxSteps, maxBatch);
}

/// <summary>The weights of a layer-normalised LSTM; the two biases of the gates are added up.</summary>
sealed unsafe class LayerNormLstmWeights(LayerNormLstm layer) : PackedWeights
{
    readonly PackedMatrix _ih = new(layer.InputSize, 4 * layer.OutputSize);
    readonly PackedMatrix _hh = new(layer.OutputSize, 4 * layer.OutputSize);
    readonly AlignedBuffer _gainIh = new(layer.GainIh.Length), _gainHh = new(layer.GainHh.Length), _bias = new(layer.BiasIh.Length);
    readonly AlignedBuffer _gainCell = new(layer.GainCell.Length), _biasCell = new(layer.BiasCell.Length);

    public PackedMatrix Ih => _ih;

    public PackedMatrix Hh => _hh;

    public float* GainIh => _gainIh.Pointer;

    public float* GainHh => _gainHh.Pointer;

    /// <summary>b_ih + b_hh.</summary>
    public float* Bias => _bias.Pointer;

    public float* GainCell => _gainCell.Pointer;

    public float* BiasCell => _biasCell.Pointer;

    public override void Pack(Engine engine, ParameterSet parameters, int worker, int workers)
    {
        _ih.Pack(engine.Kernel, parameters.ValuePointer(layer.WeightIh), transposed: true, worker, workers);
        _hh.Pack(engine.Kernel, parameters.ValuePointer(layer.WeightHh), transposed: true, worker, workers);
        if (worker > 0)
            return;
        parameters.ValuesOf(layer.GainIh).CopyTo(_gainIh.Span);
        parameters.ValuesOf(layer.GainHh).CopyTo(_gainHh.Span);
        parameters.ValuesOf(layer.GainCell).CopyTo(_gainCell.Span);
        parameters.ValuesOf(layer.BiasCell).CopyTo(_biasCell.Span);
        Elements.Add(parameters.ValuePointer(layer.BiasIh), parameters.ValuePointer(layer.BiasHh), Bias, layer.BiasIh.Length);
    }
}

/// <summary>A layer-normalised LSTM over T steps and B rows; the equations stand at <see cref="LayerNormLstmOptions"/>.</summary>
/// <remarks>
/// Backward, with N' the way back through a normalisation (see <see cref="LayerNormalization"/>) and dc collecting from
/// the step after:
/// <code>
/// dnc = dh⊙o⊙(1 − tanh²)   dc += N'(α_c⊙dnc)
/// di = dc⊙g⊙i(1 − i)   df = dc⊙cₜ₋₁⊙f(1 − f)   dg = dc⊙i⊙(1 − g²)   do = dh⊙tanh⊙o(1 − o)
/// dpx = N'(α_ih⊙(di, df, dg, do))   dxₜ = W_ihᵀ·dpx
/// dph = N'(α_hh⊙(di, df, dg, do))   dhₜ₋₁ = W_hhᵀ·dph   dcₜ₋₁ = dc⊙f
/// </code>
/// The normalisations are over whole rows, so a step is two products over all gates and then elementwise work. What goes
/// back leaves dgates in the gates' place and dnc in that of tanh; dpx and dph take the place of the normalised products
/// only with the weight gradients, after the gains' gradients have been taken from them.
/// </remarks>
sealed unsafe class UnrolledLayerNormLstm : UnrolledRecurrent
{
    // Rows that go through a step together: the weights are read once for 11 register tiles of 6 rows.
    const int RowBlock = 66;

    static readonly string[] s_gateNames = ["i", "f", "g", "o"];

    readonly LayerNormLstm _layer;
    readonly UnrollContext _context;
    readonly LayerNormLstmWeights _weights;
    readonly int _h, _width;
    readonly StepBuffer _gates, _productX, _productH, _normC, _tanhC, _norms;
    readonly Arena.Region _dProduct;
    PackedMatrix? _weightIhBack;
    readonly PackedMatrix? _weightHhBack;

    public UnrolledLayerNormLstm(
        LayerNormLstm layer, UnrollContext context, LayerNormLstmWeights weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer, context, keep, maxSteps, maxBatch)
    {
        (_layer, _context, _weights) = (layer, context, weights);
        _h = layer.OutputSize;
        _width = 4 * _h;
        _gates = Buffer(_width);
        _productX = Buffer(_width);
        _productH = Buffer(_width);
        _normC = Buffer(_h);
        _tanhC = Buffer(_h);
        _norms = Buffer(Norms.Size);
        if (!ForBackward)
            return;

        _dProduct = context.Arena.Reserve((long)maxBatch * _width);
        _weightHhBack = new PackedMatrix(_width, _h);
        context.Tall.Reserve(_width, Math.Max(layer.InputSize, _h));

        StepBuffer Buffer(int width) => ForBackward
            ? StepBuffer.ForSteps(context.Arena, maxSteps, maxBatch, width)
            : StepBuffer.InTurn(context.Arena, 1, maxBatch, width);
    }

    public override ReadOnlySpan<string> GateNames => s_gateNames;

    protected override int ForwardRows => RowBlock;

    protected override int BackwardRows => RowBlock;

    public override long FlopsPerStep => 2L * _width * (_h + Layer.InputSize);

    public override void Resize(int steps, int batch, float* input)
    {
        base.Resize(steps, batch, input);
        foreach (var buffer in (ReadOnlySpan<StepBuffer>)[_gates, _productX, _productH, _normC, _tanhC, _norms])
            buffer.Resize(batch);
    }

    public override void PrepareBackward()
    {
        base.PrepareBackward();
        if (InputGradient != null)
            _weightIhBack ??= new PackedMatrix(_width, Layer.InputSize);
    }

    public override void PackBackward(int worker, int workers)
    {
        var kernel = _context.Engine.Kernel;
        if (InputGradient != null)
            _weightIhBack!.Pack(kernel, Value(_layer.WeightIh), transposed: false, worker, workers);
        _weightHhBack!.Pack(kernel, Value(_layer.WeightHh), transposed: false, worker, workers);
    }

    protected override void ForwardStep(int t, int b, int rows)
    {
        var step = new ForwardAction { Owner = this, T = t, B = b, Rows = rows };
        _context.Engine.Run(ref step);
    }

    protected override void BackwardStep(int t, int b, int rows)
    {
        var step = new BackwardAction { Owner = this, T = t, B = b, Rows = rows };
        _context.Engine.Run(ref step);
    }

    protected override void ClearGradient(int t, int b)
    {
        foreach (var buffer in (ReadOnlySpan<StepBuffer>)[_gates, _productX, _productH, _normC, _tanhC, _norms])
            new Span<float>(buffer.At(t, b), buffer.Width).Clear();
    }

    public override void AccumulateGradients(int worker, int workers)
    {
        var pass = new GradientPass { Owner = this, Worker = worker, Workers = workers };
        _context.Engine.Run(ref pass);
    }

    protected override float* Gates(int t, int b) => _gates.At(t, b);

    Norms* NormsAt(int t, int b) => (Norms*)_norms.At(t, b);

    void ForwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        Multiply<S, V>(Input + RowOffset(t, b, Layer.InputSize), _weights.Ih, _productX.At(t, b), rows);
        if (t > 0 || !StartsAtZero)
            Multiply<S, V>(RecurrentInput(t, b), _weights.Hh, _productH.At(t, b), rows);
        else
            new Span<float>(_productH.At(t, b), rows * _width).Clear();
        for (var row = b; row < b + rows; row++)
            ForwardRow<S, V>(t, row);
    }

    static void Multiply<S, V>(float* x, PackedMatrix weights, float* y, int rows, TileStart start = TileStart.Zero)
        where S : struct, ISimd<V>
        where V : struct => Gemm.Multiply<S, V>(new GemmProblem
        {
            M = rows,
            N = weights.N,
            K = weights.K,
            A = x,
            ARow = weights.K,
            B = weights.Pointer,
            C = y,
            CRow = weights.N,
            Start = start,
        });

    [MethodImpl(Kernel.Compilation)]
    void ForwardRow<S, V>(int t, int b)
        where S : struct, ISimd<V>
        where V : struct
    {
        var h = _h;
        var norms = NormsAt(t, b);
        float* productX = _productX.At(t, b), productH = _productH.At(t, b), gates = _gates.At(t, b);
        float* cPrev = CellState(t - 1, b), c1 = CellState(t, b);
        LayerNormalization.Forward<S, V>(productX, productX, _width, &norms->X);
        LayerNormalization.Forward<S, V>(productH, productH, _width, &norms->H);
        for (var j = 0; j < h; j += S.Count)
        {
            var n = h - j;
            var i = PreActivation<S, V>(productX, productH, j, n);
            var f = PreActivation<S, V>(productX, productH, h + j, n);
            var g = PreActivation<S, V>(productX, productH, (2 * h) + j, n);
            var o = PreActivation<S, V>(productX, productH, (3 * h) + j, n);
            Activations.Four<S, V, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.TanhFunction, Activations.SigmoidFunction>(
                ref i, ref f, ref g, ref o);
            var c = S.Fma(f, Lanes<S, V>.Load(cPrev + j, n), S.Multiply(i, g));
            Lanes<S, V>.Store(gates + j, i, n);
            Lanes<S, V>.Store(gates + h + j, f, n);
            Lanes<S, V>.Store(gates + (2 * h) + j, g, n);
            Lanes<S, V>.Store(gates + (3 * h) + j, o, n);
            Lanes<S, V>.Store(c1 + j, c, n);
        }

        float* normC = _normC.At(t, b), tanh = _tanhC.At(t, b), h1 = Hidden(t, b);
        LayerNormalization.Forward<S, V>(c1, normC, h, &norms->C);
        for (var j = 0; j < h; j += S.Count)
        {
            var n = h - j;
            var a = S.Fma(Lanes<S, V>.Load(_weights.GainCell + j, n), Lanes<S, V>.Load(normC + j, n), Lanes<S, V>.Load(_weights.BiasCell + j, n));
            var tanhC = Activations.Tanh<S, V>(a);
            Lanes<S, V>.Store(tanh + j, tanhC, n);
            Lanes<S, V>.Store(h1 + j, S.Multiply(Lanes<S, V>.Load(gates + (3 * h) + j, n), tanhC), n);
        }
    }

    /// <summary>α_ih⊙N(W_ih·x) + α_hh⊙N(W_hh·h) + (b_ih + b_hh) of the gate units from <paramref name="k"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    V PreActivation<S, V>(float* normX, float* normH, int k, int n)
        where S : struct, ISimd<V>
        where V : struct
    {
        var a = S.Fma(Lanes<S, V>.Load(_weights.GainHh + k, n), Lanes<S, V>.Load(normH + k, n), Lanes<S, V>.Load(_weights.Bias + k, n));
        return S.Fma(Lanes<S, V>.Load(_weights.GainIh + k, n), Lanes<S, V>.Load(normX + k, n), a);
    }

    void BackwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        var dProduct = At(_dProduct) + ((nint)b * _width);
        for (var row = 0; row < rows; row++)
        {
            var scratch = dProduct + ((nint)row * _width);
            BackwardRow<S, V>(t, b + row, scratch);
            LayerNormalization.Backward<S, V>(
                _gates.At(t, b + row), _weights.GainIh, _productX.At(t, b + row), scratch, _width, &NormsAt(t, b + row)->X);
        }

        if (InputGradient != null)
            Multiply<S, V>(dProduct, _weightIhBack!, InputGradient + RowOffset(t, b, Layer.InputSize), rows);
        for (var row = 0; row < rows; row++)
        {
            LayerNormalization.Backward<S, V>(
                _gates.At(t, b + row), _weights.GainHh, _productH.At(t, b + row), dProduct + ((nint)row * _width), _width, &NormsAt(t, b + row)->H);
        }

        if (t > 0 || WantsInitialGradient)
            Multiply<S, V>(dProduct, _weightHhBack!, DRecurrentInput(b), rows, TileStart.Destination);
    }

    /// <summary>dnc, the gates' gradients and dcₜ₋₁ of a row; <paramref name="scratch"/> holds H floats.</summary>
    [MethodImpl(Kernel.Compilation)]
    void BackwardRow<S, V>(int t, int b, float* scratch)
        where S : struct, ISimd<V>
        where V : struct
    {
        var one = S.Broadcast(1f);
        var h = _h;
        float* gates = _gates.At(t, b), tanh = _tanhC.At(t, b), cPrev = CellState(t - 1, b);
        float* dY = DY(t, b), dHNext = DH(b), dCNext = DC(b), dCTrace = DCTrace(b);
        for (var j = 0; j < h; j += S.Count)
        {
            var n = h - j;
            var dH = S.Add(Lanes<S, V>.Load(dY + j, n), Lanes<S, V>.Load(dHNext + j, n));
            var o = Lanes<S, V>.Load(gates + (3 * h) + j, n);
            var tanhC = Lanes<S, V>.Load(tanh + j, n);
            Lanes<S, V>.Store(gates + (3 * h) + j, CellGradient.Sigmoid<S, V>(S.Multiply(dH, tanhC), o), n);
            Lanes<S, V>.Store(tanh + j, CellGradient.Tanh<S, V>(S.Multiply(dH, o), tanhC), n);
            Lanes<S, V>.Store(dHNext + j, S.Broadcast(0f), n);
        }

        LayerNormalization.Backward<S, V>(tanh, _weights.GainCell, _normC.At(t, b), scratch, h, &NormsAt(t, b)->C);
        for (var j = 0; j < h; j += S.Count)
        {
            var n = h - j;
            var dC = S.Add(Lanes<S, V>.Load(dCNext + j, n), Lanes<S, V>.Load(scratch + j, n));
            if (dCTrace != null)
                Lanes<S, V>.Store(dCTrace + j, dC, n);
            var i = Lanes<S, V>.Load(gates + j, n);
            var f = Lanes<S, V>.Load(gates + h + j, n);
            var g = Lanes<S, V>.Load(gates + (2 * h) + j, n);
            Lanes<S, V>.Store(gates + j, CellGradient.Sigmoid<S, V>(S.Multiply(dC, g), i), n);
            Lanes<S, V>.Store(gates + h + j, CellGradient.Sigmoid<S, V>(S.Multiply(dC, Lanes<S, V>.Load(cPrev + j, n)), f), n);
            Lanes<S, V>.Store(gates + (2 * h) + j, CellGradient.Tanh<S, V>(S.Multiply(dC, i), g), n);
            Lanes<S, V>.Store(dCNext + j, CellGradient.Flush<S, V>(S.Multiply(dC, f)), n);
        }
    }

    /// <summary>One share of the units: gains and biases, then the weights of both products.</summary>
    void AccumulateGradients<S, V>(int worker, int workers)
        where S : struct, ISimd<V>
        where V : struct
    {
        var (first, last) = (FirstStep * Batch, Steps * Batch);
        var cell = TallProduct.Share(_h, worker, workers);
        var (start, end) = TallProduct.Share(_width, worker, workers);
        if (!_context.AddsGradients)
        {
            Clear(cell.Start, cell.End, _layer.GainCell, _layer.BiasCell);
            Clear(start, end, _layer.GainIh, _layer.GainHh, _layer.BiasIh, _layer.BiasHh);
        }

        for (var row = first; row < last; row++)
            AccumulateCell<S, V>(row, cell.Start, cell.End);

        for (var row = first; row < last; row++)
            AccumulateGates<S, V>(row, start, end);
        AccumulateWeights<S, V>(Input + RowOffset(FirstStep, 0, Layer.InputSize), Layer.InputSize, _layer.WeightIh, _productX, start, end, worker);
        AccumulateWeights<S, V>(RecurrentInput(FirstStep, 0), _h, _layer.WeightHh, _productH, start, end, worker);
    }

    void Clear(int start, int end, params ReadOnlySpan<Parameter> parameters)
    {
        foreach (var parameter in parameters)
            new Span<float>(Gradient(parameter) + start, end - start).Clear();
    }

    /// <summary>dα_c += dnc⊙N(c), db_c += dnc of one of the T·B rows.</summary>
    [MethodImpl(Kernel.Compilation)]
    void AccumulateCell<S, V>(int row, int start, int end)
        where S : struct, ISimd<V>
        where V : struct
    {
        float* dNormC = _tanhC.At(0, row), normC = _normC.At(0, row);
        float* dGain = Gradient(_layer.GainCell), dBias = Gradient(_layer.BiasCell);
        for (var j = start; j < end; j += S.Count)
        {
            var n = end - j;
            var dY = Lanes<S, V>.Load(dNormC + j, n);
            Lanes<S, V>.Store(dGain + j, S.Fma(dY, Lanes<S, V>.Load(normC + j, n), Lanes<S, V>.Load(dGain + j, n)), n);
            Lanes<S, V>.Store(dBias + j, S.Add(dY, Lanes<S, V>.Load(dBias + j, n)), n);
        }
    }

    /// <summary>The gains and biases of both products by one of the T·B rows, in which dpx and dph replace N(W·x) and N(W·h).</summary>
    [MethodImpl(Kernel.Compilation)]
    void AccumulateGates<S, V>(int row, int start, int end)
        where S : struct, ISimd<V>
        where V : struct
    {
        float* dGates = _gates.At(0, row), productX = _productX.At(0, row), productH = _productH.At(0, row);
        float* dGainIh = Gradient(_layer.GainIh), dGainHh = Gradient(_layer.GainHh);
        float* dBiasIh = Gradient(_layer.BiasIh), dBiasHh = Gradient(_layer.BiasHh);
        var norms = NormsAt(0, row);
        var backX = new LayerNormalization.Gradient<S, V>(norms->X);
        var backH = new LayerNormalization.Gradient<S, V>(norms->H);
        for (var k = start; k < end; k += S.Count)
        {
            var n = end - k;
            var dY = Lanes<S, V>.Load(dGates + k, n);
            var normX = Lanes<S, V>.Load(productX + k, n);
            var normH = Lanes<S, V>.Load(productH + k, n);
            Lanes<S, V>.Store(dGainIh + k, S.Fma(dY, normX, Lanes<S, V>.Load(dGainIh + k, n)), n);
            Lanes<S, V>.Store(dGainHh + k, S.Fma(dY, normH, Lanes<S, V>.Load(dGainHh + k, n)), n);
            Lanes<S, V>.Store(dBiasIh + k, S.Add(dY, Lanes<S, V>.Load(dBiasIh + k, n)), n);
            Lanes<S, V>.Store(dBiasHh + k, S.Add(dY, Lanes<S, V>.Load(dBiasHh + k, n)), n);
            Lanes<S, V>.Store(productX + k, backX.Of(S.Multiply(Lanes<S, V>.Load(_weights.GainIh + k, n), dY), normX), n);
            Lanes<S, V>.Store(productH + k, backH.Of(S.Multiply(Lanes<S, V>.Load(_weights.GainHh + k, n), dY), normH), n);
        }
    }

    /// <summary>dW = dpᵀ·x over all T·B rows from the first with a gradient, or what it was and that.</summary>
    void AccumulateWeights<S, V>(float* source, int columns, Parameter weight, StepBuffer dProduct, int start, int end, int worker)
        where S : struct, ISimd<V>
        where V : struct
    {
        var inputs = TallColumns.Matrix(source, columns, Gradient(weight), _context.AddsGradients);
        _context.Tall.Accumulate<S, V>(
            new TallProblem(TallRows.First((Steps - FirstStep) * Batch), dProduct.At(FirstStep, 0), _width, new ReadOnlySpan<TallColumns>(in inputs)), start, end, worker);
    }

    /// <summary>The three normalisations of a row.</summary>
    struct Norms
    {
        public const int Size = 3 * RowNorm.Size;

        public RowNorm X, H, C;
    }

    struct ForwardAction : IKernelAction
    {
        public UnrolledLayerNormLstm Owner;
        public int T, B, Rows;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.ForwardStep<S, V>(T, B, Rows);
    }

    struct BackwardAction : IKernelAction
    {
        public UnrolledLayerNormLstm Owner;
        public int T, B, Rows;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.BackwardStep<S, V>(T, B, Rows);
    }

    struct GradientPass : IKernelAction
    {
        public UnrolledLayerNormLstm Owner;
        public int Worker, Workers;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.AccumulateGradients<S, V>(Worker, Workers);
    }
}
