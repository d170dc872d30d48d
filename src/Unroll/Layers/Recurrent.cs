using System.Runtime.Intrinsics;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>A recurrent layer as the model sees it, whatever its cell.</summary>
abstract class RecurrentLayer(RecurrentOptions options, int inputSize)
    : Layer(options, inputSize, options.HiddenSize)
{
    public double RecurrentDropout => options.RecurrentDropout;

    public abstract bool HasCellState { get; }

    public override IReadOnlyList<RecurrentLayer> Recurrences => [this];
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

    public override PackedWeights CreateWeights(Engine engine) => new RecurrentWeights<TCell>(this, engine.Kernel);

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledRecurrent<TCell>(this, context, (RecurrentWeights<TCell>)weights!, keep, maxSteps, maxBatch);
}

/// <summary>The steps of a cell, forward and back: products and the cell's own step.</summary>
/// <remarks>
/// Forward, a block of rows goes through time: for a few units at a time, the product [x | h]·[W_ih | W_hh]ᵀ of all
/// their gates, then the cell's step on it. Backward leaves the gates' gradients in the gates' place; the weight
/// gradients are then products over all T·B rows.
/// </remarks>
sealed unsafe partial class UnrolledRecurrent<TCell> : UnrolledRecurrent
    where TCell : struct, ICell
{
    // Rows that go through a step together: 21 register tiles of 6 rows. The weights of a step are read once per block, and
    // its pre-activations (64 floats a row, 96 with 16 registers) stay in the nearest caches.
    const int RowBlock = 126;

    // Backward, a block's gates of one step should stay in the second-level cache.
    const int BackwardBlockFloats = 128 * 1024;

    // Gates of a pass from which on 16 registers fetch ahead what a step will read and write of them, 2 MiB. On a Zen 2 core
    // LSTM 200,250,2,100 trains 12 % faster for what the forward step fetches, GRU 10 %, and 4 and 3 % for what the backward step
    // does; LSTM 32,60,32,128 (3.9 MB) 7 % for both. 32,28,28,128 (1.8 MB) would be up to 1 % slower.
    const int FarGateFloats = 512 * 1024;

    // A row of pre-activations has the floats of the widest group, up to 128 with 256 bits, and more that its padding may
    // overwrite or an activation of four vectors reads. Fewer than 32 rows have room for several groups, 8 KiB in all.
    const int LargestRow = 128 + 24, PreActivationFloats = 2048;

    // A page between the pre-activations of one thread's rows and the next one's: a processor fetches ahead beyond what is
    // read, here what the other thread writes. LSTM 32,100,64,256 predicts 6 % faster for it on two distant cores.
    const int ThreadGap = 1024;

    readonly Recurrent<TCell> _layer;
    readonly UnrollContext _context;
    readonly TCell _cell;
    readonly int _h, _width, _preActivationRow;

    // Groups of each phase that have room in a row of pre-activations.
    readonly int[] _together;

    readonly RecurrentWeights<TCell> _weights;
    readonly AlignedBuffer? _partialGradients;
    readonly Arena.Region _preActivations, _dSaved;
    readonly StepBuffer? _gates, _saved;

    // Where W_ih and each product's W_hh lie as the backward pass reads them, in the forward pass's memory.
    readonly nint _weightIhBack;
    readonly nint[] _weightHhBack = [];

    public UnrolledRecurrent(
        Recurrent<TCell> layer, UnrollContext context, RecurrentWeights<TCell> weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer, context, keep, maxSteps, maxBatch)
    {
        _layer = layer;
        _context = context;
        _weights = weights;
        _cell = layer.Cell;
        _h = layer.OutputSize;
        _width = _cell.GateCount * _h;

        var arena = context.Arena;
        var phases = _cell.Phases.Length;
        int[] strides = [.. Enumerable.Range(0, phases).Select(phase => weights.Of(phase).Stride(0))];
        var (widest, last) = (strides.Max(), Enumerable.Range(0, phases).Max(phase => weights.Of(phase).LastStride));
        var padding = KernelLanes.Of(context.Engine.Kernel) == 16 ? 16 : 24;
        var most = Math.Clamp(PreActivationFloats / widest / maxBatch, 1, weights.MostGroups);
        _preActivationRow = Math.Max(most * widest, last) + padding;
        _together = [.. strides.Select(stride => context.Engine.Kernel == KernelKind.Naive ? 1 : most * widest / stride)];

        // Equal for every kernel, whose rows may be shorter.
        var threads = context.Engine.Threads;
        var preActivations = (long)maxBatch * Math.Max(_preActivationRow, LargestRow);
        _preActivations = arena.Reserve((preActivations * (keep == Keep.TwoSteps ? threads : 1)) + ((threads - 1L) * ThreadGap));
        if (!ForBackward)
        {
            _gates = phases > 1 ? StepBuffer.InTurn(arena, 1, maxBatch, _width) : null;
            _saved = phases > 1 ? StepBuffer.InTurn(arena, 1, maxBatch, _h) : null;
            return;
        }

        _gates = StepBuffer.ForSteps(arena, maxSteps, maxBatch, _width);
        _saved = _cell.HasSaved ? StepBuffer.ForSteps(arena, maxSteps, maxBatch, _h) : null;
        _dSaved = arena.Reserve((long)maxBatch * _h);
        context.ReserveTallScratch(_width, _h, 1, layer.InputSize, 1);
        context.ReserveTallScratch(_width, 1, layer.InputSize, 1);

        var products = _cell.Products;
        _weightHhBack = new nint[products.Length];
        nint length = 0;
        for (var p = 0; p < products.Length; p++)
        {
            _weightHhBack[p] = length;
            length += (nint)PackedMatrix.Length(products[p].GateCount * _h, _h);
        }

        _weightIhBack = length;
        length += (nint)PackedMatrix.Length(_width, layer.InputSize);
        _weights.Allocate(Math.Max(length, PartialGradientsLength));
        if (context.Engine.Threads > 1 && GradientPartsOf(maxSteps, maxBatch) > 1 && PartialGradientsLength <= MostPartialFloats)
            _partialGradients = new AlignedBuffer(PartialGradientsLength);
    }

    public override ReadOnlySpan<string> GateNames => _cell.GateNames;

    protected override float* Gates(int t, int b) => _gates is null ? null : _gates.At(t, b);

    float* Saved(int t, int b) => _saved is null ? null : _saved.At(t, b);

    protected override int ForwardRows => RowBlock;

    protected override int BackwardRows => Math.Clamp(BackwardBlockFloats / _width, 66, RowBlock);

    public override long FlopsPerStep => 2L * _width * (_h + Layer.InputSize);

    public override void Resize(int steps, int batch, float* input)
    {
        base.Resize(steps, batch, input);
        _gates?.Resize(batch);
        _saved?.Resize(batch);
    }

    public override void PackBackward(int worker, int workers)
    {
        if (InputGradient != null)
            Pack(Value(_layer.WeightIh), Layer.InputSize, _width, _weightIhBack);
        var products = _cell.Products;
        for (var p = 0; p < products.Length; p++)
            Pack(Value(_layer.WeightHh) + (RowOf(products[p]) * _h), _h, products[p].GateCount * _h, _weightHhBack[p]);

        void Pack(float* source, int columns, int rows, nint at) =>
            PackedMatrix.Pack(_context.Engine.Kernel, source, columns, transposed: false, rows, columns, _weights.Memory + at, worker, workers);
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

    nint RowOf(RecurrentProduct product) => (nint)product.FirstGate * _h;

    /// <summary>A part is a phase: the cell may read in it what the phase before has left for all units.</summary>
    public override int StepParts => _cell.Phases.Length;

    public override void ForwardPart(int t, int part, int worker, int workers)
    {
        var (first, end) = ParallelJob.Share(_weights.Of(part).Panels.Groups, worker, workers);
        var step = new PartAction { Owner = this, T = t, Part = part, First = first, End = end, Worker = worker };
        _context.Engine.Run(ref step);
    }

    void ForwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var phase = 0; phase < _cell.Phases.Length; phase++)
            ForwardPanels<S, V>(t, b, rows, phase, 0, _weights.Of(phase).Panels.Groups, worker: 0);
    }

    /// <summary>A phase of a step for the units of groups [<paramref name="first"/>, <paramref name="end"/>).</summary>
    void ForwardPanels<S, V>(int t, int b, int rows, int phase, int first, int end, int worker)
        where S : struct, ISimd<V>
        where V : struct
    {
        // 0·W adds nothing: the same bits with less work.
        var recurs = t > 0 || !StartsAtZero;
        var part = _cell.Phases[phase];
        var weights = _weights.Of(phase);
        var panels = weights.Panels;
        var operand = part.Operand == ProductOperand.PreviousHidden ? RecurrentInput(t, b) : Saved(t, b);
        var step = Step(t, b, rows, first * panels.UnitsPerGroup, worker);
        var preActivations = step.PreActivations;
        for (int group = first, count; group < end; group += count)
        {
            var (units, width) = (panels.Units(group), panels.Width(group));
            var stride = weights.Stride(group);

            if (group > first)
                step.Advance();

            // Few rows take several full groups together: one product, and the cell's steps overlap in time.
            count = Math.Max(1, Math.Min(_together[phase], Math.Min(end, panels.FullGroups) - group));

            // Field by field: an initializer writes a copy first, whose fields are read back before they are in the cache.
            var product = new GemmProblem();
            product.M = rows;
            product.N = count * width;
            product.GroupColumns = width;
            product.CGroup = stride;
            product.K = Layer.InputSize;
            product.A = Input + RowOffset(t, b, Layer.InputSize);
            product.ARow = Layer.InputSize;
            product.C = preActivations;
            product.CRow = step.PreActivationRow;
            product.Start = TileStart.Bias;
            if (weights.Inputs is { } inputs)
            {
                product.B = inputs.Weights(group);
                product.Bias = inputs.Bias(group);
                Gemm.Multiply<S, V>(product);

                for (var k = 0; k < count; k++)
                {
                    var unit = (group + k) * panels.UnitsPerGroup;
                    FillRows<S, V>(preActivations + (k * stride) + (part.GateCount * units), rows, weights.ApartBias + unit, units);
                }

                product.K = 0;
                product.C += units;
                product.Start = TileStart.Destination;
            }

            if (weights.Inputs is null || recurs)
            {
                product.K2 = recurs ? _h : 0;
                product.A2 = operand;
                product.A2Row = _h;
                product.B = panels.Weights(group);
                product.BRows = panels.Depth;
                product.IsFar = panels.Length >= Gemm.FarFloats;
                product.Bias = panels.Bias(group);
                Gemm.Multiply<S, V>(product);
            }

            // A single row goes through all groups at once.
            step.PreActivations = preActivations;
            step.GroupUnits = units;
            step.GroupStride = stride;
            step.Units = rows == 1 ? count * units : units;
            for (var done = step.Units; ; done += step.Units)
            {
                // The units that are left may fit a vector of half the width.
                if (S.Count == 16 && units <= Simd256.Count)
                    _cell.Forward<Simd256, Vector256<float>>(step, phase);
                else
                    _cell.Forward<S, V>(step, phase);
                if (done == count * units)
                    break;
                step.Advance();
                step.PreActivations += stride;
            }
        }
    }

    void FillRows<S, V>(float* destination, int rows, float* values, int count)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var j = 0; j < count; j += S.Count)
        {
            var value = Lanes<S, V>.Load(values + j, count - j);
            for (var row = 0; row < rows; row++)
                Lanes<S, V>.Store(destination + j + (row * _preActivationRow), value, count - j);
        }
    }

    protected override void ClearGradient(int t, int b)
    {
        new Span<float>(Gates(t, b), _width).Clear();
        if (_saved is not null)
            new Span<float>(Saved(t, b), _h).Clear();
    }

    void BackwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        var step = Step(t, b, rows, 0, worker: 0) with
        {
            Units = _h,
            DY = DY(t, b),
            DH = DH(b),
            DHMasked = DRecurrentInput(b),
            DC = DC(b),
            DCTrace = DCTrace(b),
            DSaved = At(_dSaved) + ((nint)b * _h),
        };
        var products = _cell.Products;
        for (var p = products.Length - 1; p >= 0; p--)
        {
            _cell.Backward<S, V>(step, p);
            var product = products[p];
            var toHidden = product.Operand == ProductOperand.PreviousHidden;
            if (t == 0 && toHidden && !WantsInitialGradient)
                continue;
            var gradient = GradientOf(product, step.Gates, step.Saved);
            Gemm.Multiply<S, V>(new GemmProblem
            {
                M = rows,
                N = _h,
                K = product.GateCount * _h,
                A = gradient.Pointer,
                ARow = gradient.Stride,
                B = _weights.Memory + _weightHhBack[p],
                C = toHidden ? step.DHMasked : step.DSaved,
                CRow = _h,
                Start = toHidden ? TileStart.Destination : TileStart.Zero,
            });
        }

        if (InputGradient == null)
            return;

        // dX = dGates·W_ih
        Gemm.Multiply<S, V>(new GemmProblem
        {
            M = rows,
            N = Layer.InputSize,
            K = _width,
            A = step.Gates,
            ARow = _width,
            B = _weights.Memory + _weightIhBack,
            C = InputGradient + RowOffset(t, b, Layer.InputSize),
            CRow = Layer.InputSize,
        });
    }

    GradientRows GradientOf(RecurrentProduct product, float* gates, float* saved) =>
        product.Gradient == ProductGradient.Gates
            ? new GradientRows { Pointer = gates + RowOf(product), Stride = _width }
            : new GradientRows { Pointer = saved, Stride = _h };

    /// <summary>A step's arrays without the gradients.</summary>
    CellStep Step(int t, int b, int rows, int unit, int worker)
    {
        float* gates = Gates(t, b), saved = Saved(t, b), peephole = _weights.Peephole;
        return new()
        {
            Rows = rows,
            H = _h,
            IsFar = ForBackward && (long)Steps * Batch * _width >= FarGateFloats,
            PreActivations = At(_preActivations) + ((((nint)worker * Batch) + b) * _preActivationRow)
                + ((nint)ParallelJob.OwnerOf(b, Batch, _context.Engine.Threads) * ThreadGap),
            PreActivationRow = _preActivationRow,
            Gates = gates == null ? null : gates + unit,
            HPrev = Hidden(t - 1, b) + unit,
            HMasked = RecurrentInput(t, b) + unit,
            H1 = Hidden(t, b) + unit,
            CPrev = CellState(t - 1, b) + unit,
            C1 = CellState(t, b) + unit,
            Saved = saved == null ? null : saved + unit,
            Peephole = peephole + unit,
        };
    }

    ref struct GradientRows
    {
        public float* Pointer;
        public int Stride;
    }

    struct ForwardAction : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int T, B, Rows;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.ForwardStep<S, V>(T, B, Rows);
    }

    struct PartAction : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int T, Part, First, End, Worker;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.ForwardPanels<S, V>(T, 0, Owner.Batch, Part, First, End, Worker);
    }

    struct BackwardAction : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int T, B, Rows;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.BackwardStep<S, V>(T, B, Rows);
    }
}
