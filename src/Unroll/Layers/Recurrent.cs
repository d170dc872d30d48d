using System.Runtime.InteropServices;
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
    // does; LSTM 32,60,32,128 (3.9 MB) 7 % for both. 32,28,28,128 (1.8 MB) would be up to 1 % slower. Up to there an LSTM keeps
    // tanh(c) for the backward pass; beyond, writing and reading it takes as long as the function.
    const int FarGateFloats = 512 * 1024;

    // Weights of a phase from which on, with 16 registers, a single row's steps read them by turns forwards and backwards, 32 KiB:
    // smaller ones stay in the nearest cache. On a Zen 2 core a stream of LSTM H = 32 takes 7 % less for it, H = 128 2 to 3 %,
    // H = 512 3 %; batches of 10 rows and more gained nothing.
    const long TurningFloats = 8 * 1024;

    // Notes of a training pass, half a kilobyte each, and operations of a step up to which they are kept: RNN 10,25,1,50 trains 2.6 %
    // faster for them on a Zen 2 core, GRU 1.9 %, LSTM 1.1 %; a longer step hides what they save.
    const int MostPlans = 128, MostPlannedFlops = 1_000_000;

    // A row of pre-activations has the floats of the widest group, up to 128 with 256 bits, and more that its padding may
    // overwrite or an activation of four vectors reads. Up to 16 rows have room for several groups, 8 KiB in all.
    const int LargestRow = 128 + 24, PreActivationFloats = 2048;

    // Two pages between the pre-activations of one thread's rows and the next one's: a processor fetches ahead beyond what is
    // read, here what the other thread writes. On two distant cores LSTM 32,100,64,256 predicts 6 % faster with one page than with
    // none; with the second one LSTM 32,28,28,128 1 to 2 % faster on near ones, GRU 1 %.
    const int ThreadGap = 2048;

    readonly Recurrent<TCell> _layer;
    readonly UnrollContext _context;
    readonly TCell _cell;
    readonly int _h, _width, _preActivationRow;

    // Groups of each phase that have room in a row of pre-activations.
    readonly int[] _together;

    // What the steps are made of, noted when each is taken first: a stream's two read the same places for ever, those of a small
    // training in every pass.
    readonly List<GroupsStep>[]? _plans;

    readonly RecurrentWeights<TCell> _weights;
    readonly AlignedBuffer? _partialGradients;
    readonly Arena.Region _preActivations, _dSaved;
    readonly StepBuffer? _gates, _saved;

    // Where each product's W_hh and W_ih lie as the backward pass reads them, from _back on, and the floats of all.
    readonly nint[] _weightHhBack = [];
    readonly nint _weightIhBack, _weightsBackLength;

    // At first the forward pass's memory.
    float* _back;

    public UnrolledRecurrent(
        Recurrent<TCell> layer, UnrollContext context, RecurrentWeights<TCell> weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer, context, keep, maxSteps, maxBatch, KeepsLastHiddenOnly(layer, keep, maxSteps, maxBatch), HasSegments(layer, keep))
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
            _plans = keep == Keep.TwoSteps ? [[], []] : null;
            _gates = phases > 1 ? StepBuffer.InTurn(arena, 1, maxBatch, _width) : null;
            _saved = phases > 1 ? StepBuffer.InTurn(arena, 1, maxBatch, _h) : null;
            return;
        }

        var plans = (long)maxSteps * Enumerable.Range(0, phases).Sum(phase => weights.Of(phase).Panels.Groups);
        if (plans <= MostPlans && FlopsPerStep * maxBatch <= MostPlannedFlops)
            _plans = [.. Enumerable.Range(0, maxSteps).Select(_ => new List<GroupsStep>())];
        _gates = StepBuffer.ForSteps(arena, maxSteps, maxBatch, _width);
        if (RecallsCells)
            _segments = new SegmentStates(arena, SegmentRows, maxSteps, maxBatch, _h);
        _finalCell = arena.Reserve(RecallsHidden && _segments is null ? (long)maxBatch * _h : 0);
        var isNear = (long)maxSteps * maxBatch * _width < FarGateFloats && _segments is null;
        _saved = _cell.Saves == Saving.Always || (_cell.Saves == Saving.IfNear && isNear) ? StepBuffer.ForSteps(arena, maxSteps, maxBatch, _h) : null;
        context.Tall.Reserve(_width, _h, layer.InputSize, 1, 1);
        context.Tall.Reserve(_width, layer.InputSize, 1, 1);

        var products = _cell.Products;
        _weightHhBack = new nint[products.Length];
        nint length = 0;
        for (var p = 0; p < products.Length; p++)
        {
            _weightHhBack[p] = length;
            length += (nint)PackedMatrix.Length(products[p].GateCount * _h, _h);
            if (products[p].Operand == ProductOperand.Saved)
                _dSaved = arena.Reserve((long)maxBatch * _h);
            if (products[p].Gradient == ProductGradient.Gates)
                continue;

            // Its weight gradients are two products; the last panel of [h|1] may be wider than any of [h|x|1|1] that is mixed.
            context.Tall.Reserve(products[p].GateCount * _h, _h, 1);
            context.Tall.Reserve(products[p].GateCount * _h, layer.InputSize, 1);
        }

        _weightIhBack = length;
        _weightsBackLength = length + (nint)PackedMatrix.Length(_width, layer.InputSize);
        PlaceWeights();
        if (GradientPartsOf(maxSteps, maxBatch) > 1)
            _partialGradients = new AlignedBuffer(WeightCount);
    }

    /// <summary>The weights and biases.</summary>
    long WeightCount => (long)_width * (_h + Layer.InputSize + 2);

    /// <summary>
    /// Takes memory for the packed weights: if they are many, that of the gradients, which lie one behind the other, where nothing
    /// in them is needed until they are computed and the padding fits.
    /// </summary>
    /// <remarks>
    /// What another thread has read takes time to write: on two distant Zen 2 cores LSTM 32,28,28,128 would train 2 % slower.
    /// </remarks>
    void PlaceWeights()
    {
        var gradients = Gradient(_layer.WeightIh);
        var aligned = Aligned(gradients);
        if (_context.AddsGradients || WeightCount <= ManyWeights || aligned + Math.Max(_weightsBackLength, _weights.Length) > gradients + WeightCount)
            _weights.Allocate(_weightsBackLength);
        else
            _weights.Place(aligned);
    }

    /// <summary>The first whole cache line from there on.</summary>
    static float* Aligned(float* memory) => (float*)(((nuint)memory + 63) & ~(nuint)63);

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
        _segments?.Resize(steps, batch);
        ForgetPlans();
    }

    protected override void ForgetPlans()
    {
        foreach (var plan in _plans ?? [])
            plan.Clear();
    }

    public override void PrepareBackward()
    {
        base.PrepareBackward();
        _back = _weights.Memory;
        _segments?.Begin(Steps - SegmentSteps, Steps);
    }

    public override void PackBackward(int worker, int workers)
    {
        if (InputGradient != null)
            Pack(Value(_layer.WeightIh), Layer.InputSize, _width, _weightIhBack);
        var products = _cell.Products;
        for (var p = 0; p < products.Length; p++)
            Pack(Value(_layer.WeightHh) + (RowOf(products[p]) * _h), _h, products[p].GateCount * _h, _weightHhBack[p]);

        void Pack(float* source, int columns, int rows, nint at) =>
            PackedMatrix.Pack(_context.Engine.Kernel, source, columns, transposed: false, rows, columns, _back + at, worker, workers);
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
        // From the end: the last group may be the largest, so its worker has one less where they are uneven.
        var groups = _weights.Of(part).Panels.Groups;
        var (first, end) = ParallelJob.Share(groups, workers - 1 - worker, workers);
        var step = new PartAction { Owner = this, T = t, Part = part, First = groups - end, End = groups - first, Worker = worker };
        _context.Engine.Run(ref step);
    }

    void ForwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        var plan = rows == Batch ? _plans?[t] : null;
        if (plan is { Count: > 0 })
        {
            foreach (ref readonly var groups in CollectionsMarshal.AsSpan(plan))
                ForwardGroups<S, V>(groups);
            return;
        }

        for (var phase = 0; phase < _cell.Phases.Length; phase++)
            ForwardPanels<S, V>(t, b, rows, phase, 0, _weights.Of(phase).Panels.Groups, worker: 0, plan);
    }

    /// <summary>A phase of a step for the units of groups [<paramref name="first"/>, <paramref name="end"/>), noted in the plan if there is one.</summary>
    void ForwardPanels<S, V>(int t, int b, int rows, int phase, int first, int end, int worker, List<GroupsStep>? plan)
        where S : struct, ISimd<V>
        where V : struct
    {
        // 0·W adds nothing: the same bits with less work.
        var recurs = t > 0 || !StartsAtZero;
        var part = _cell.Phases[phase];
        var weights = _weights.Of(phase);
        var panels = weights.Panels;
        var backwards = S.Registers == 16 && rows == 1 && t % 2 == 1 && panels.Length >= TurningFloats;
        var operand = part.Operand == ProductOperand.PreviousHidden ? RecurrentInput(t, b) : Saved(t, b);
        GroupsStep groups = default;
        groups.Phase = phase;
        SetStep(ref groups.Step, t, b, rows, first * panels.UnitsPerGroup, worker);
        var preActivations = groups.Step.PreActivations;
        for (int at = first, group; first < end; at = group)
        {
            // Few rows take several full groups together: one product, and the cell's steps overlap in time.
            var full = backwards && end > panels.FullGroups ? 0 : Math.Min(end, panels.FullGroups) - first;
            var count = Math.Max(1, Math.Min(_together[phase], full));
            group = backwards ? end -= count : first;
            first += backwards ? 0 : count;
            groups.Step.Advance((group - at) * panels.UnitsPerGroup);
            var units = panels.Units(group);
            groups.Count = count;
            groups.Step.GroupUnits = units;
            groups.Step.GroupStride = weights.Stride(group);
            groups.Step.Units = rows == 1 ? count * units : units;

            ref var product = ref groups.Product;
            SetInputs(ref product, t, b, rows, count, panels.Width(group), weights.Stride(group), preActivations, backwards);
            product.B = panels.Weights(group);
            product.BRows = panels.Depth;
            product.IsFar = panels.Length >= Gemm.FarFloats;
            product.Bias = panels.Bias(group);
            if (weights.Inputs is { } inputs)
            {
                SetInputs(ref groups.Inputs, t, b, rows, count, panels.Width(group), weights.Stride(group), preActivations, backwards);
                groups.Inputs.B = inputs.Weights(group);
                groups.Inputs.Bias = inputs.Bias(group);
                groups.ApartBias = weights.ApartBias + (group * panels.UnitsPerGroup);
                product.K = 0;
                product.C = preActivations + units;
                product.Start = TileStart.Destination;
            }

            product.K2 = recurs ? _h : 0;
            product.A2 = operand;
            product.A2Row = _h;
            plan?.Add(groups);
            ForwardGroups<S, V>(groups);
        }
    }

    /// <summary>The product of the inputs with <paramref name="count"/> groups of so many columns.</summary>
    /// <remarks>Field by field: a copy would read what has just been written, before it is in the cache.</remarks>
    void SetInputs(ref GemmProblem product, int t, int b, int rows, int count, int columns, int stride, float* preActivations, bool backwards)
    {
        product.Blocks = 1;
        product.M = rows;
        product.N = columns;
        product.Groups = count;
        product.CGroup = stride;
        product.Backwards = backwards;
        product.K = Layer.InputSize;
        product.A = Input + RowOffset(t, b, Layer.InputSize);
        product.ARow = Layer.InputSize;
        product.C = preActivations;
        product.CRow = _preActivationRow;
        product.Start = TileStart.Bias;
    }

    /// <summary>The products of some groups, and the cell's step on them.</summary>
    void ForwardGroups<S, V>(in GroupsStep groups)
        where S : struct, ISimd<V>
        where V : struct
    {
        int rows = groups.Step.Rows, units = groups.Step.GroupUnits;
        nint stride = groups.Step.GroupStride;
        if (groups.ApartBias != null)
        {
            Gemm.Multiply<S, V>(groups.Inputs);
            var apart = groups.Inputs.C + (_cell.Phases[groups.Phase].GateCount * units);
            for (var k = 0; k < groups.Count; k++)
                FillRows<S, V>(apart + (k * stride), rows, groups.ApartBias + (k * units), units);
        }

        if (groups.Product.K + groups.Product.K2 > 0)
            Gemm.Multiply<S, V>(groups.Product);

        // A single row goes through all groups at once.
        if (rows == 1 || groups.Count == 1)
        {
            ForwardUnits<S, V>(groups.Step, groups.Phase);
            return;
        }

        var step = groups.Step;
        for (var k = 0; k < groups.Count; k++)
        {
            ForwardUnits<S, V>(step, groups.Phase);
            step.Advance(units);
            step.PreActivations += stride;
        }
    }

    void ForwardUnits<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct
    {
        // The units that are left may fit a vector of half the width.
        if (S.Count == 16 && step.GroupUnits <= Simd256.Count)
            _cell.Forward<Simd256, Vector256<float>>(step, phase);
        else
            _cell.Forward<S, V>(step, phase);
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
        CellStep step = default;
        SetStep(ref step, t, b, rows, 0, worker: 0);
        if (RecallsHidden)
        {
            step.CPrev = Recalled(t - 1, b);
            step.C1 = Recalled(t, b);
            step.HAgain = step.C1;
        }

        step.Units = _h;
        step.DY = DY(t, b);
        step.DH = DH(b);
        step.DHMasked = DRecurrentInput(b);
        step.DC = DC(b);
        step.DCTrace = DCTrace(b);
        step.DSaved = At(_dSaved) + ((nint)b * _h);
        var products = _cell.Products;
        for (var p = products.Length - 1; p >= 0; p--)
        {
            BackwardUnits<S, V>(step, p);
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
                B = _back + _weightHhBack[p],
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
            B = _back + _weightIhBack,
            C = InputGradient + RowOffset(t, b, Layer.InputSize),
            CRow = Layer.InputSize,
        });
    }

    /// <summary>The cell's step back for the units that fill vectors, and then for those that are left.</summary>
    void BackwardUnits<S, V>(in CellStep step, int product)
        where S : struct, ISimd<V>
        where V : struct
    {
        int rest = _h % S.Count, whole = _h - rest;
        if (whole > 0)
            _cell.Backward<S, V, C16>(step, product, 0, whole);
        switch (rest)
        {
            case 0: break;
            case 2: _cell.Backward<S, V, C2>(step, product, whole, _h); break;
            case 4: _cell.Backward<S, V, C4>(step, product, whole, _h); break;
            default: _cell.Backward<S, V, C0>(step, product, whole, _h); break;
        }
    }

    GradientRows GradientOf(RecurrentProduct product, float* gates, float* saved) =>
        product.Gradient == ProductGradient.Gates
            ? new GradientRows { Pointer = gates + RowOf(product), Stride = _width }
            : new GradientRows { Pointer = saved, Stride = _h };

    /// <summary>A step's arrays without the gradients.</summary>
    void SetStep(ref CellStep step, int t, int b, int rows, int unit, int worker)
    {
        float* gates = Gates(t, b), saved = Saved(t, b), peephole = _weights.Peephole;
        step.Rows = rows;
        step.H = _h;
        step.IsFar = ForBackward && (long)Steps * Batch * _width >= FarGateFloats;
        step.PreActivations = At(_preActivations) + ((((nint)worker * Batch) + b) * _preActivationRow)
            + ((nint)ParallelJob.OwnerOf(b, Batch, _context.Engine.Threads) * ThreadGap);
        step.PreActivationRow = _preActivationRow;
        step.Gates = gates == null ? null : gates + unit;
        step.HPrev = Hidden(t - 1, b) + unit;
        step.HMasked = RecurrentInput(t, b) + unit;
        step.H1 = Hidden(t, b) + unit;
        step.CPrev = CellState(t - 1, b) + unit;
        step.C1 = CellState(t, b) + unit;
        step.Saved = saved == null ? null : saved + unit;
        step.Peephole = peephole + unit;
    }

    /// <summary>Some groups of a phase of a step: their products, and the cell's step on them.</summary>
    struct GroupsStep
    {
        public int Phase, Count;

        /// <summary>Where the last gate's products stay apart, that of the inputs; then b_hh of that gate, else null.</summary>
        public GemmProblem Inputs;
        public float* ApartBias;

        public GemmProblem Product;

        /// <summary>Of the first group or, where there is one row, of all.</summary>
        public CellStep Step;
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
            where V : struct => Owner.ForwardPanels<S, V>(T, 0, Owner.Batch, Part, First, End, Worker, plan: null);
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
