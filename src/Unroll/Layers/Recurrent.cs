using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>A recurrent layer as the model sees it, whatever its cell.</summary>
abstract class RecurrentLayer(RecurrentOptions options, int inputSize)
    : Layer(options, inputSize, options.HiddenSize)
{
    public abstract bool HasCellState { get; }

    public override IReadOnlyList<RecurrentLayer> Recurrences => [this];
}

/// <summary>A recurrent layer unrolled: where its states and their gradients lie.</summary>
abstract unsafe class UnrolledRecurrent(Layer layer, Keep keep) : UnrolledLayer(layer)
{
    /// <summary>h [B, H] after step <paramref name="t"/>; that of step −1 is the initial state.</summary>
    public abstract float* HiddenAt(int t);

    /// <summary>c [B, H] after step <paramref name="t"/>; null without a cell state.</summary>
    public abstract float* CellAt(int t);

    /// <summary>Before backward ∂loss/∂hT, after it ∂loss/∂h0 [B, H].</summary>
    public abstract float* CarriedHidden { get; }

    public abstract float* CarriedCell { get; }

    /// <summary>Whether h0 is all 0, so that the first step needs no recurrent product.</summary>
    public bool StartsAtZero { get; set; }

    /// <summary>Whether ∂loss/∂h0 is wanted.</summary>
    public bool WantsInitialGradient { get; set; }

    public override IReadOnlyList<UnrolledRecurrent> Recurrences => _self ??= [this];

    UnrolledRecurrent[]? _self;

    /// <summary>h [H] of row <paramref name="b"/> after its last valid step.</summary>
    public abstract float* FinalHidden(int b);

    /// <summary>c [H] of row <paramref name="b"/> after its last valid step; null without a cell state.</summary>
    public abstract float* FinalCell(int b);

    /// <summary>Where only the last output is kept it is the state; an empty row has no output, so 0, once its state has been taken.</summary>
    public abstract void ClearLastOutputOfEmptyRows();

    /// <summary>Copies the states of all rows after their last valid steps.</summary>
    public void CopyFinalState(Span<float> hidden, Span<float> cell)
    {
        var h = Layer.OutputSize;
        for (var b = 0; b < Batch; b++)
        {
            new ReadOnlySpan<float>(FinalHidden(b), h).CopyTo(hidden[(b * h)..]);
            if (FinalCell(b) != null)
                new ReadOnlySpan<float>(FinalCell(b), h).CopyTo(cell[(b * h)..]);
        }
    }

    /// <summary>Whether the output gradient is that of each row's last valid step alone, [1, B, H].</summary>
    public bool GradientAtLastStepOnly { get; } = keep == Keep.EverythingForLastStep;
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

/// <summary>The time loop: products and cell steps over T steps, forward and back.</summary>
/// <remarks>
/// Forward goes through time with a block of rows: for a few units at a time, the product [x | h]·[W_ih | W_hh]ᵀ of all
/// their gates, then the cell's step on it. Backward leaves the gates' gradients in the gates' place; the weight
/// gradients are then products over all T·B rows.
/// </remarks>
sealed unsafe class UnrolledRecurrent<TCell> : UnrolledRecurrent
    where TCell : struct, ICell
{
    // Rows that go through a step together: 21 register tiles of 6 rows. The weights of a step are read once per block, and
    // its pre-activations (64 floats a row) stay in the first-level cache.
    const int RowBlock = 126;

    // Backward, a block's gates of one step should stay in the second-level cache.
    const int BackwardBlockFloats = 128 * 1024;

    // A panel of 64 floats, 16 more that its padding may overwrite.
    const int PreActivationRow = 80;

    readonly Recurrent<TCell> _layer;
    readonly UnrollContext _context;
    readonly TCell _cell;
    readonly int _h, _width;

    readonly RecurrentWeights<TCell> _weights;
    readonly Keep _keep;
    readonly Arena.Region _preActivations, _dY, _dH, _dC, _dSaved, _zeros;
    readonly StepBuffer _hidden;
    readonly StepBuffer? _cellState, _gates, _saved;
    PackedMatrix? _weightIhBack;
    readonly PackedMatrix[] _weightHhBack = [];

    // Of each row the first step with a gradient, and the first of all rows: before, it has vanished.
    readonly int[] _firstSteps = [];
    int _firstStep;

    public UnrolledRecurrent(
        Recurrent<TCell> layer, UnrollContext context, RecurrentWeights<TCell> weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer, keep)
    {
        _layer = layer;
        _context = context;
        _weights = weights;
        _keep = keep;
        _cell = layer.Cell;
        _h = layer.OutputSize;
        _width = _cell.GateCount * _h;

        var arena = context.Arena;
        var phases = _cell.Phases.Length;
        _preActivations = arena.Reserve((long)maxBatch * PreActivationRow);
        if (keep is not (Keep.Everything or Keep.EverythingForLastStep))
        {
            _hidden = keep == Keep.Outputs
                ? StepBuffer.InRegion(arena, context.ReserveOutput((maxSteps + 1L) * maxBatch * _h), maxSteps, _h)
                : StepBuffer.InTurn(arena, 2, maxBatch, _h);
            _cellState = _cell.HasCellState ? StepBuffer.InTurn(arena, 1, maxBatch, _h) : null;
            _gates = phases > 1 ? StepBuffer.InTurn(arena, 1, maxBatch, _width) : null;
            _saved = phases > 1 ? StepBuffer.InTurn(arena, 1, maxBatch, _h) : null;
            return;
        }

        _hidden = StepBuffer.ForStates(arena, maxSteps, maxBatch, _h);
        _cellState = _cell.HasCellState ? StepBuffer.ForStates(arena, maxSteps, maxBatch, _h) : null;
        _gates = StepBuffer.ForSteps(arena, maxSteps, maxBatch, _width);
        _saved = _cell.HasSaved ? StepBuffer.ForSteps(arena, maxSteps, maxBatch, _h) : null;
        _dY = arena.Reserve((GradientAtLastStepOnly ? 1L : maxSteps) * maxBatch * _h);
        _dH = arena.Reserve((long)maxBatch * _h);
        _dC = arena.Reserve(_cell.HasCellState ? (long)maxBatch * _h : 0);
        _dSaved = arena.Reserve((long)maxBatch * _h);
        _zeros = arena.Reserve((long)maxBatch * _h);
        context.ReserveTallScratch(layer.InputSize + _h + 2);
        _firstSteps = new int[maxBatch];

        var products = _cell.Products;
        _weightHhBack = new PackedMatrix[products.Length];
        for (var p = 0; p < products.Length; p++)
            _weightHhBack[p] = new PackedMatrix(products[p].GateCount * _h, _h);
    }

    float* At(Arena.Region region) => _context.Arena.Pointer(region);

    float* CellState(int t, int b) => _cellState is null ? null : _cellState.At(t, b);

    float* Gates(int t, int b) => _gates is null ? null : _gates.At(t, b);

    float* Saved(int t, int b) => _saved is null ? null : _saved.At(t, b);

    public override int OutputSteps => _keep == Keep.LastOutput ? 1 : Steps;

    public override float* Output => _hidden.At(_keep == Keep.LastOutput ? Steps - 1 : 0, 0);

    public override float* OutputGradient => At(_dY);

    public override float* FinalHidden(int b) => _hidden.At((_keep is Keep.LastOutput or Keep.TwoSteps ? Steps : LengthOf(b)) - 1, b);

    public override float* FinalCell(int b) => CellState(LengthOf(b) - 1, b);

    public override void ClearLastOutputOfEmptyRows()
    {
        for (var b = 0; _keep == Keep.LastOutput && Lengths is not null && b < Batch; b++)
        {
            if (Lengths[b] == 0)
                new Span<float>(FinalHidden(b), _h).Clear();
        }
    }

    public override float* HiddenAt(int t) => _hidden.At(t, 0);

    public override float* CellAt(int t) => CellState(t, 0);

    public override float* CarriedHidden => At(_dH);

    public override float* CarriedCell => _cell.HasCellState ? At(_dC) : null;

    public override long FlopsPerStep => 2L * _width * (_h + Layer.InputSize);

    public override void Resize(int steps, int batch, float* input)
    {
        base.Resize(steps, batch, input);
        _hidden.Resize(batch);
        _cellState?.Resize(batch);
        _gates?.Resize(batch);
        _saved?.Resize(batch);
    }

    public override void PrepareBackward()
    {
        Array.Clear(_firstSteps);
        var kernel = _context.Engine.Kernel;
        // Made when first asked for: the lowest layer's inputs seldom need a gradient.
        if (InputGradient != null)
            (_weightIhBack ??= new PackedMatrix(_width, Layer.InputSize)).Pack(kernel, Value(_layer.WeightIh), transposed: false);
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
        var pass = new GradientPass { Owner = this, Worker = worker, Workers = workers };
        _context.Engine.Run(ref pass);
    }

    float* Value(Parameter parameter) => _context.Parameters.ValuePointer(parameter);

    float* Gradient(Parameter parameter) => _context.Parameters.GradientPointer(parameter);

    nint RowOf(RecurrentProduct product) => (nint)product.FirstGate * _h;

    /// <summary>Equal blocks of at most <paramref name="most"/> rows, in whole register tiles.</summary>
    static int BlockOf(int rows, int most)
    {
        const int Tile = 6;
        var blocks = (rows + most - 1) / most;
        return (((rows + blocks - 1) / blocks) + Tile - 1) / Tile * Tile;
    }

    void Forward<S, V>(int t0, int t1, int b0, int b1)
        where S : struct, ISimd<V>
        where V : struct
    {
        var block = BlockOf(b1 - b0, RowBlock);
        for (var b = b0; b < b1; b += block)
        {
            var end = Math.Min(b + block, b1);
            for (var t = t0; t < t1; t++)
            {
                for (int row = b, rows; (rows = ValidRows(t, ref row, end)) > 0; row += rows)
                    ForwardStep<S, V>(t, row, rows);
                for (var row = b; Lengths is not null && row < end; row++)
                {
                    if (t >= Lengths[row])
                        PadForward(t, row);
                }
            }
        }
    }

    /// <summary>The next rows in [<paramref name="row"/>, end) that lie side by side and are valid at step t; 0 if there are none.</summary>
    int ValidRows(int t, ref int row, int end)
    {
        if (Lengths is not { } lengths)
            return end - row;
        while (row < end && t >= lengths[row])
            row++;
        var rows = 0;
        while (row + rows < end && t < lengths[row + rows])
            rows++;
        return rows;
    }

    /// <summary>A padded step: its output is 0; where states take turns, the state is carried on.</summary>
    void PadForward(int t, int b)
    {
        var h = new Span<float>(_hidden.At(t, b), _h);
        if (_keep == Keep.LastOutput)
            new ReadOnlySpan<float>(_hidden.At(t - 1, b), _h).CopyTo(h);
        else
            h.Clear();
        if (_keep is Keep.Everything or Keep.EverythingForLastStep && _cellState is not null)
            new Span<float>(CellState(t, b), _h).Clear();
    }

    void ForwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        // 0·W adds nothing: the same bits with less work.
        var recurs = t > 0 || !StartsAtZero;
        var phases = _cell.Phases;
        for (var p = 0; p < phases.Length; p++)
        {
            var weights = _weights.Of(p);
            var panels = weights.Panels;
            var operand = phases[p].Operand == ProductOperand.PreviousHidden ? _hidden.At(t - 1, b) : Saved(t, b);
            for (var panel = 0; panel < panels.Count; panel++)
            {
                var unit = panel * panels.UnitsPerPanel;
                var step = Step(t, b, rows, unit, panels.Units(panel));
                var product = new GemmProblem
                {
                    M = rows,
                    N = panels.Width(panel),
                    K = Layer.InputSize,
                    A = Input + RowOffset(t, b, Layer.InputSize),
                    ARow = Layer.InputSize,
                    C = step.PreActivations,
                    CRow = PreActivationRow,
                    Start = TileStart.Bias,
                };
                if (weights.Inputs is { } inputs)
                {
                    product.B = inputs.Weights(panel);
                    product.Bias = inputs.Bias(panel);
                    Gemm.Multiply<S, V>(product);

                    FillRows<S, V>(step.PreActivations + (phases[p].GateCount * step.Units), rows, weights.ApartBias + unit, step.Units);
                    product.K = 0;
                    product.C += step.Units;
                    product.Start = TileStart.Destination;
                }

                if (weights.Inputs is null || recurs)
                {
                    product.K2 = recurs ? _h : 0;
                    product.A2 = operand;
                    product.A2Row = _h;
                    product.B = panels.Weights(panel);
                    product.Bias = panels.Bias(panel);
                    Gemm.Multiply<S, V>(product);
                }

                _cell.Forward<S, V>(step, p);
            }
        }
    }

    static void FillRows<S, V>(float* destination, int rows, float* values, int count)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var j = 0; j < count; j += S.Count)
        {
            var value = Lanes<S, V>.Load(values + j, count - j);
            for (var row = 0; row < rows; row++)
                Lanes<S, V>.Store(destination + j + (row * PreActivationRow), value, count - j);
        }
    }

    void Backward<S, V>(int t0, int t1, int b0, int b1)
        where S : struct, ISimd<V>
        where V : struct
    {
        var block = BlockOf(b1 - b0, Math.Clamp(BackwardBlockFloats / _width, 66, RowBlock));
        for (var b = b0; b < b1; b += block)
        {
            var end = Math.Min(b + block, b1);
            if (GradientAtLastStepOnly)
                TakeLastGradient(b, end);
            for (var t = t1 - 1; t >= t0; t--)
            {
                for (int row = b, rows; (rows = ValidRows(t, ref row, end)) > 0; row += rows)
                    BackwardStep<S, V>(t, row, rows);
                for (var row = b; Lengths is not null && row < end; row++)
                {
                    if (t >= Lengths[row])
                        PadBackward(t, row);
                }

                if (GradientAtLastStepOnly && t > t0 && HasVanished(b, end - b))
                {
                    LeaveOut(t0, t, b, end - b);
                    break;
                }
            }
        }
    }

    /// <summary>dh += dY: a row's gradient stays at its last valid step until the pass comes there.</summary>
    void TakeLastGradient(int b0, int b1)
    {
        for (var b = b0; b < b1; b++)
        {
            float* dH = At(_dH) + ((nint)b * _h), dY = At(_dY) + ((nint)b * _h);
            for (var j = 0; j < _h && LengthOf(b) > 0; j++)
                dH[j] += dY[j];
        }
    }

    /// <summary>A padded step: no gradient comes from it, and what is carried passes by.</summary>
    void PadBackward(int t, int b)
    {
        ClearGradient(t, b);
        if (InputGradient != null)
            new Span<float>(InputGradient + RowOffset(t, b, Layer.InputSize), Layer.InputSize).Clear();
    }

    void ClearGradient(int t, int b)
    {
        new Span<float>(Gates(t, b), _width).Clear();
        if (_saved is not null)
            new Span<float>(Saved(t, b), _h).Clear();
    }

    /// <summary>Whether nothing is left to carry to the step before.</summary>
    bool HasVanished(int b, int rows)
    {
        var (start, length) = ((nint)b * _h, rows * _h);
        return !new ReadOnlySpan<float>(At(_dH) + start, length).ContainsAnyExcept(0f)
            && (!_cell.HasCellState || !new ReadOnlySpan<float>(At(_dC) + start, length).ContainsAnyExcept(0f));
    }

    /// <summary>Notes that the gradients of steps [t0, t1) are 0, which is the sum they would have come to.</summary>
    void LeaveOut(int t0, int t1, int b, int rows)
    {
        _firstSteps.AsSpan(b, rows).Fill(t1);
        for (var t = t0; t < t1 && InputGradient != null; t++)
            new Span<float>(InputGradient + RowOffset(t, b, Layer.InputSize), rows * Layer.InputSize).Clear();
    }

    public override void PrepareGradients()
    {
        // The weight gradients begin at the earliest step that any row has come back to.
        var firstSteps = _firstSteps.AsSpan(0, Batch);
        _firstStep = firstSteps[0];
        foreach (var step in firstSteps)
            _firstStep = Math.Min(_firstStep, step);
        for (var b = 0; b < Batch; b++)
        {
            for (var t = _firstStep; t < firstSteps[b]; t++)
                ClearGradient(t, b);
        }
    }

    void BackwardStep<S, V>(int t, int b, int rows)
        where S : struct, ISimd<V>
        where V : struct
    {
        var step = Step(t, b, rows, 0, _h);
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
                B = _weightHhBack[p].Pointer,
                C = toHidden ? step.DH : step.DSaved,
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
            B = _weightIhBack!.Pointer,
            C = InputGradient + RowOffset(t, b, Layer.InputSize),
            CRow = Layer.InputSize,
        });
    }

    /// <summary>dW_ih, dW_hh, db_ih and db_hh: for each product, one pass over its gradient for all of them.</summary>
    void AccumulateGradients<S, V>(int worker, int workers)
        where S : struct, ISimd<V>
        where V : struct
    {
        var one = _context.One;
        Span<TallColumns> columns = stackalloc TallColumns[4];
        foreach (var product in _cell.Products)
        {
            var row = RowOf(product);
            columns[0] = new TallColumns
            {
                Source = product.Operand == ProductOperand.PreviousHidden ? _hidden.At(_firstStep - 1, 0) : Saved(_firstStep, 0),
                SourceRow = _h,
                Width = _h,
                Destination = Gradient(_layer.WeightHh) + (row * _h),
                DestinationRow = _h,
            };
            columns[1] = new TallColumns { Source = one, Width = 1, Destination = Gradient(_layer.BiasHh) + row, DestinationRow = 1 };
            columns[2] = new TallColumns
            {
                Source = Input + RowOffset(_firstStep, 0, Layer.InputSize),
                SourceRow = Layer.InputSize,
                Width = Layer.InputSize,
                Destination = Gradient(_layer.WeightIh) + (row * Layer.InputSize),
                DestinationRow = Layer.InputSize,
            };
            columns[3] = new TallColumns { Source = one, Width = 1, Destination = Gradient(_layer.BiasIh) + row, DestinationRow = 1 };

            var gates = new GradientRows { Pointer = Gates(_firstStep, 0) + row, Stride = _width };
            var range = TallProduct.Share(product.GateCount * _h, worker, workers);
            if (product.Gradient == ProductGradient.Gates)
            {
                Accumulate<S, V>(gates, range, columns, worker, recurrent: true);
            }
            else
            {
                var saved = new GradientRows { Pointer = Saved(_firstStep, 0), Stride = _h };
                Accumulate<S, V>(saved, range, columns[..2], worker, recurrent: true);
                Accumulate<S, V>(gates, range, columns[2..], worker, recurrent: false);
            }
        }

        if (_layer.WeightPeephole is { } peephole && worker == 0)
            PeepholeGradient<S, V>(Gradient(peephole));
    }

    /// <summary>
    /// A tall product over all rows from the first step with a gradient. <paramref name="recurrent"/> columns begin with
    /// hₜ₋₁ or what comes of it, which are left out of step 0 where they are 0.
    /// </summary>
    void Accumulate<S, V>(GradientRows gradient, (int Start, int End) range, Span<TallColumns> columns, int worker, bool recurrent)
        where S : struct, ISimd<V>
        where V : struct
    {
        var scratch = _context.TallScratch(worker);
        var count = (Steps - _firstStep) * Batch;
        if (recurrent && StartsAtZero && _firstStep == 0)
        {
            TallProduct.Accumulate<S, V>(Batch, gradient.Pointer, gradient.Stride, range.Start, range.End, columns[1..], scratch);
            foreach (ref var group in columns)
                group.Source += Batch * group.SourceRow;
            gradient.Pointer += (nint)Batch * gradient.Stride;
            count -= Batch;
        }

        TallProduct.Accumulate<S, V>(count, gradient.Pointer, gradient.Stride, range.Start, range.End, columns, scratch);
    }

    GradientRows GradientOf(RecurrentProduct product, float* gates, float* saved) =>
        product.Gradient == ProductGradient.Gates
            ? new GradientRows { Pointer = gates + RowOf(product), Stride = _width }
            : new GradientRows { Pointer = saved, Stride = _h };

    CellStep Step(int t, int b, int rows, int unit, int units)
    {
        var state = ((nint)b * _h) + unit;
        float* gates = Gates(t, b), saved = Saved(t, b), peephole = _weights.Peephole;
        return new()
        {
            Rows = rows,
            Units = units,
            H = _h,
            PreActivations = At(_preActivations) + ((nint)b * PreActivationRow),
            PreActivationRow = PreActivationRow,
            Gates = gates == null ? null : gates + unit,
            HPrev = _hidden.At(t - 1, b) + unit,
            H1 = _hidden.At(t, b) + unit,
            CPrev = CellState(t - 1, b) + unit,
            C1 = CellState(t, b) + unit,
            Saved = saved == null ? null : saved + unit,
            Peephole = peephole + unit,
            DY = GradientAtLastStepOnly ? At(_zeros) + state : At(_dY) + RowOffset(t, b, _h) + unit,
            DH = At(_dH) + state,
            DC = At(_dC) + state,
            DSaved = At(_dSaved) + state,
        };
    }

    nint RowOffset(int t, int b, int width) => ((nint)t * Batch + b) * width;

    /// <summary>dp[j] += Σ over t and b of dGate[t, b, j]·c[t, b, j], in rising order of t·B + b.</summary>
    void PeepholeGradient<S, V>(float* dPeephole)
        where S : struct, ISimd<V>
        where V : struct
    {
        var rows = (nint)(Steps - _firstStep) * Batch;
        for (var block = 0; block < _cell.PeepholeCount; block++)
        {
            var (gate, current) = _cell.Peephole(block);
            for (var j = 0; j < _h; j += S.Count)
            {
                var n = _h - j;
                var dGate = Gates(_firstStep, 0) + (nint)gate * _h + j;
                var c = CellState(current ? _firstStep : _firstStep - 1, 0) + j;
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

    struct GradientPass : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int Worker, Workers;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.AccumulateGradients<S, V>(Worker, Workers);
    }
}
