using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// A recurrent layer unrolled: its states and their gradients, and the loop over time, whose steps are those of the
/// derived class. Rows of different lengths and vanished gradients are dealt with here.
/// </summary>
abstract unsafe class UnrolledRecurrent : UnrolledLayer
{
    readonly UnrollContext _context;
    readonly Keep _keep;
    readonly int _h;
    readonly bool _carriesStates;
    readonly StepBuffer _hidden;
    readonly StepBuffer? _cellState;
    readonly Arena.Region _dY, _dH, _dC;

    // Recurrent dropout: m [B, H], m⊙h [T, B, H] and the gradient on it [B, H].
    readonly Arena.Region _mask, _dMasked;
    readonly StepBuffer? _masked;
    UnrolledRecurrent[]? _self;
    readonly RowParts _forwardParts, _backwardParts;

    // Of each row the first step with a gradient: before, it has vanished.
    readonly int[] _firstSteps = [];

    /// <param name="layer">Its parameters.</param>
    /// <param name="context">What it shares with other layers.</param>
    /// <param name="keep">What is kept of a pass.</param>
    /// <param name="maxSteps">T at most.</param>
    /// <param name="maxBatch">B at most.</param>
    /// <param name="recallsHidden">Whether the derived class computes h again where the backward pass needs it, so that the last one is kept alone.</param>
    /// <param name="recallsCells">The same of c; only if it does so of h.</param>
    protected UnrolledRecurrent(
        RecurrentLayer layer, UnrollContext context, Keep keep, int maxSteps, int maxBatch, bool recallsHidden = false, bool recallsCells = false)
        : base(layer)
    {
        (_context, _keep, _h) = (context, keep, layer.OutputSize);
        (RecallsHidden, RecallsCells) = (recallsHidden, recallsCells);
        _forwardParts = new RowParts(this, context.Engine, PassForward);
        _backwardParts = new RowParts(this, context.Engine, PassBackward);
        _carriesStates = recallsHidden || keep is Keep.LastOutput or Keep.TwoSteps;
        var arena = context.Arena;
        if (!ForBackward)
        {
            _hidden = keep == Keep.Outputs
                ? StepBuffer.InRegion(arena, context.ReserveOutput((maxSteps + 1L) * maxBatch * _h), maxSteps, _h)
                : StepBuffer.InTurn(arena, 2, maxBatch, _h);
            _cellState = layer.HasCellState ? StepBuffer.InTurn(arena, 1, maxBatch, _h) : null;
            return;
        }

        _hidden = recallsHidden ? StepBuffer.InTurn(arena, 2, maxBatch, _h) : StepBuffer.ForStates(arena, maxSteps, maxBatch, _h);
        _cellState = !layer.HasCellState ? null : recallsCells ? StepBuffer.InTurn(arena, 1, maxBatch, _h) : StepBuffer.ForStates(arena, maxSteps, maxBatch, _h);
        _dY = arena.Reserve((GradientAtLastStepOnly ? 1L : maxSteps) * maxBatch * _h);
        _dH = arena.Reserve((long)maxBatch * _h);
        _dC = arena.Reserve(layer.HasCellState ? (long)maxBatch * _h : 0);
        _firstSteps = new int[maxBatch];
        if (layer.RecurrentDropout == 0)
            return;
        _mask = arena.Reserve((long)maxBatch * _h);
        _dMasked = arena.Reserve((long)maxBatch * _h);
        _masked = StepBuffer.ForSteps(arena, maxSteps, maxBatch, _h);
    }

    /// <summary>Whether recurrent dropout is on in this pass.</summary>
    protected bool IsMasked
    {
        get;
        private set => Change(ref field, value);
    }

    public override int OutputSteps => HasLastOutputOnly ? 1 : Steps;

    public override float* Output => _hidden.At(HasLastOutputOnly ? Steps - 1 : 0, 0);

    public override float* OutputGradient => At(_dY);

    /// <summary>h [B, H] after step <paramref name="t"/>; that of step −1 is the initial state.</summary>
    public float* HiddenAt(int t) => Hidden(t, 0);

    /// <summary>c [B, H] after step <paramref name="t"/>; null without a cell state.</summary>
    public float* CellAt(int t) => CellState(t, 0);

    /// <summary>Before backward ∂loss/∂hT, after it ∂loss/∂h0 [B, H].</summary>
    public float* CarriedHidden => At(_dH);

    public float* CarriedCell => _cellState is null ? null : At(_dC);

    /// <summary>Whether h0 is all 0, so that the first step needs no recurrent product.</summary>
    public bool StartsAtZero
    {
        get;
        set => Change(ref field, value);
    }

    /// <summary>Whether ∂loss/∂h0 is wanted.</summary>
    public bool WantsInitialGradient { get; set; }

    public override IReadOnlyList<UnrolledRecurrent> Recurrences => _self ??= [this];

    /// <summary>Whether it is given each row turned round within its length: the backward direction of a bidirectional layer.</summary>
    public bool ReadsTurned { get; set; }

    /// <summary>What records the backward pass's gradients on the states; null when nobody asks for them.</summary>
    public GradientTrace? Trace { get; set; }

    /// <summary>The letters of the gates whose values a forward pass keeps.</summary>
    public abstract ReadOnlySpan<string> GateNames { get; }

    /// <summary>Whether the output gradient is that of each row's last valid step alone, [1, B, H].</summary>
    public bool GradientAtLastStepOnly => _keep is Keep.EverythingForLastStep or Keep.EverythingForLastOutput;

    /// <summary>Whether the outputs before the last one are gone when it is there; that of a row is then carried on behind its last valid step.</summary>
    bool HasLastOutputOnly => _carriesStates && _keep != Keep.TwoSteps;

    /// <summary>Whether a backward pass may come.</summary>
    protected bool ForBackward => _keep.IsForBackward();

    /// <summary>Whether a backward pass computes h again where it needs it.</summary>
    protected bool RecallsHidden { get; }

    /// <summary>Whether it computes c again, too.</summary>
    protected bool RecallsCells { get; }

    /// <summary>The rows that go through a step together, at most.</summary>
    protected abstract int ForwardRows { get; }

    /// <inheritdoc cref="ForwardRows"/>
    protected abstract int BackwardRows { get; }

    /// <summary>The steps whose weight gradients are summed next, all of which have gone back.</summary>
    protected virtual (int Start, int End) SummedSteps => (0, Steps);

    /// <summary>The first of them that any row's gradient has come back to; set before AccumulateGradients.</summary>
    protected int FirstStep { get; private set; }

    /// <summary>h [H] of row <paramref name="b"/> after its last valid step.</summary>
    public float* FinalHidden(int b) => Hidden((_carriesStates ? Steps : LengthOf(b)) - 1, b);

    /// <summary>c [H] of row <paramref name="b"/> after its last valid step; null without a cell state.</summary>
    public virtual float* FinalCell(int b) => CellState(LengthOf(b) - 1, b);

    /// <summary>Copies the states of all rows after their last valid steps.</summary>
    public void CopyFinalState(Span<float> hidden, Span<float> cell) => CopyState(Steps, hidden, cell);

    /// <summary>Copies the states after the first <paramref name="steps"/> steps, or after a row's last valid one if it comes before.</summary>
    public void CopyState(int steps, Span<float> hidden, Span<float> cell)
    {
        for (var b = 0; b < Batch; b++)
            CopyState(Math.Min(steps, LengthOf(b)) - 1, b, hidden[(b * _h)..], _cellState is null ? default : cell[(b * _h)..]);
    }

    /// <summary>Where only the last output is kept it is the state; an empty row has no output, so 0, once its state has been taken.</summary>
    public void ClearLastOutputOfEmptyRows()
    {
        for (var b = 0; _keep == Keep.LastOutput && Lengths is not null && b < Batch; b++)
        {
            if (Lengths[b] == 0)
                new Span<float>(Hidden(Steps - 1, b), _h).Clear();
        }
    }

    /// <summary>
    /// After a forward and before a backward pass, the values [T, B, H] of a gate by its place among <see cref="GateNames"/>,
    /// each row's in its own order of time; at padded steps the destination stays.
    /// </summary>
    public void CopyGate(int gate, Span<float> destination)
    {
        for (var b = 0; b < Batch; b++)
        {
            for (var t = 0; t < LengthOf(b); t++)
                new ReadOnlySpan<float>(Gates(t, b) + (gate * _h), _h).CopyTo(destination[(((TimeOf(t, b) * Batch) + b) * _h)..]);
        }
    }

    /// <summary>The rows that are valid at step <paramref name="t"/>.</summary>
    public int CountValid(int t)
    {
        var count = 0;
        for (var b = 0; b < Batch; b++)
            count += t < LengthOf(b) ? 1 : 0;
        return count;
    }

    /// <summary>The row's own step that is step <paramref name="t"/> here.</summary>
    public int TimeOf(int t, int b) => ReadsTurned ? Turned(t, b) : t;

    public override void Resize(int steps, int batch, float* input)
    {
        base.Resize(steps, batch, input);
        _hidden.Resize(batch);
        _cellState?.Resize(batch);
        _masked?.Resize(batch);
    }

    public override void PrepareForward(bool training, ulong noise)
    {
        IsMasked = training && _masked is not null;
        if (!IsMasked)
            return;
        var mask = new DropoutMask(((RecurrentLayer)Layer).RecurrentDropout, noise);
        for (nint k = 0; k < (nint)Batch * _h; k++)
            At(_mask)[k] = mask.Apply(1f, k);
    }

    public override void PrepareBackward() => Array.Clear(_firstSteps);

    public override void Forward(int t0, int t1, int b0, int b1) => PassForward(t0, t1, b0, b1);

    public override void Backward(int t0, int t1, int b0, int b1) => PassBackward(t0, t1, b0, b1);

    /// <summary>The loop over time alone, which rows that are handed over go on with.</summary>
    void PassForward(int t0, int t1, int b0, int b1)
    {
        SharePart? handed = null;
        var block = BlockOf(b1 - b0, ForwardRows);
        for (var b = b0; b < b1; b += block)
        {
            var end = Math.Min(b + block, b1);
            for (var t = t0; t < t1; t++)
            {
                if (IsMasked)
                    Mask(Hidden(t - 1, b), RecurrentInput(t, b), b, end, adds: false);
                for (int row = b, rows; (rows = ValidRows(t, ref row, end)) > 0; row += rows)
                    ForwardStep(t, row, rows);
                for (var row = b; Lengths is not null && row < end; row++)
                {
                    if (t >= Lengths[row])
                        PadForward(t, row);
                }

                if (_forwardParts.AreWanted)
                    _forwardParts.HandOverRows(ref handed, (t0, t1), (t + 1, t1), b, ref end, ref b1);
            }
        }

        _forwardParts.Join(handed);
    }

    /// <inheritdoc cref="PassForward"/>
    void PassBackward(int t0, int t1, int b0, int b1)
    {
        SharePart? handed = null;
        var block = BlockOf(b1 - b0, BackwardRows);
        for (var b = b0; b < b1; b += block)
        {
            var end = Math.Min(b + block, b1);
            if (GradientAtLastStepOnly && t1 == Steps)
                TakeLastGradient(b, end);
            if (GradientAtLastStepOnly && t1 < Steps && HasVanished(b, end - b))
            {
                LeaveOut(t0, t1, b, end - b);
                continue;
            }

            for (var t = t1 - 1; t >= t0; t--)
            {
                if (IsMasked)
                    new Span<float>(DRecurrentInput(b), (end - b) * _h).Clear();
                for (int row = b, rows; (rows = ValidRows(t, ref row, end)) > 0; row += rows)
                {
                    Trace?.TakeHidden(t, row, rows, DY(t, row), DH(row));
                    BackwardStep(t, row, rows);
                    Trace?.TakeCell(t, row, rows);
                }

                if (IsMasked)
                    Mask(DRecurrentInput(b), DH(b), b, end, adds: true);
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

                if (_backwardParts.AreWanted)
                    _backwardParts.HandOverRows(ref handed, (t0, t1), (t0, t), b, ref end, ref b1);
            }
        }

        _backwardParts.Join(handed);
    }

    public override void PrepareGradients()
    {
        // The weight gradients begin at the earliest step that any row has come back to.
        var (start, end) = SummedSteps;
        FirstStep = end;
        for (var b = 0; b < Batch; b++)
            FirstStep = Math.Min(FirstStep, FirstStepOf(b, start, end));
        for (var b = 0; b < Batch; b++)
        {
            var first = FirstStepOf(b, start, end);
            for (var t = FirstStep; t < first; t++)
                ClearGradient(t, b);
        }
    }

    /// <summary>The first of the steps [<paramref name="start"/>, <paramref name="end"/>) that a row's gradient has come back to, else <paramref name="end"/>.</summary>
    protected int FirstStepOf(int b, int start, int end) => Math.Clamp(_firstSteps[b], start, end);

    /// <summary>Copies the state of a row after step <paramref name="t"/>, −1 or more, which is its last valid one at most.</summary>
    protected virtual void CopyState(int t, int b, Span<float> hidden, Span<float> cell)
    {
        var isLast = t == LengthOf(b) - 1;
        new ReadOnlySpan<float>(isLast ? FinalHidden(b) : Hidden(t, b), _h).CopyTo(hidden);
        if (_cellState is not null)
            new ReadOnlySpan<float>(isLast ? FinalCell(b) : CellState(t, b), _h).CopyTo(cell);
    }

    /// <summary>Forgets what the steps of the last pass were made of: the next one's differ.</summary>
    protected virtual void ForgetPlans()
    {
    }

    /// <summary>h and c of step <paramref name="t"/> for rows [b, b + rows), which are valid there.</summary>
    protected abstract void ForwardStep(int t, int b, int rows);

    /// <summary>
    /// From <see cref="DY"/>, <see cref="DH"/> and <see cref="DC"/> of step <paramref name="t"/> to those of the step before,
    /// the input gradient, and what AccumulateGradients needs.
    /// </summary>
    protected abstract void BackwardStep(int t, int b, int rows);

    /// <summary>Makes a row's step add nothing in AccumulateGradients.</summary>
    protected abstract void ClearGradient(int t, int b);

    /// <summary>The gates' values [G·H] of a row after forward, their gradients after backward.</summary>
    protected abstract float* Gates(int t, int b);

    /// <summary>Where a backward step leaves ∂loss/∂c for <see cref="Trace"/>; null when nobody asks for it.</summary>
    protected float* DCTrace(int b) => Trace is null ? null : Trace.CellGradient(b);

    protected float* At(Arena.Region region) => _context.Arena.Pointer(region);

    protected float* Value(Parameter parameter) => _context.Parameters.ValuePointer(parameter);

    protected float* Gradient(Parameter parameter) => _context.Parameters.GradientPointer(parameter);

    protected float* Hidden(int t, int b) => _hidden.At(t, b);

    protected float* CellState(int t, int b) => _cellState is null ? null : _cellState.At(t, b);

    /// <summary>
    /// ∂loss/∂h of step <paramref name="t"/> from the layer above, from row <paramref name="b"/> on; that of the last step
    /// alone has been taken already, and 0 is left of it.
    /// </summary>
    protected float* DY(int t, int b) => At(_dY) + RowOffset(GradientAtLastStepOnly ? 0 : t, b, _h);

    /// <summary>∂loss/∂h that is carried through time.</summary>
    protected float* DH(int b) => At(_dH) + ((nint)b * _h);

    /// <summary>∂loss/∂c that is carried through time.</summary>
    protected float* DC(int b) => At(_dC) + ((nint)b * _h);

    /// <summary>hₜ₋₁ as W_hh reads it: masked under recurrent dropout.</summary>
    protected float* RecurrentInput(int t, int b) => IsMasked ? _masked!.At(t, b) : Hidden(t - 1, b);

    /// <summary>The gradient on <see cref="RecurrentInput"/>, to be added to: <see cref="DH"/> unless masked.</summary>
    protected float* DRecurrentInput(int b) => IsMasked ? At(_dMasked) + ((nint)b * _h) : DH(b);

    protected nint RowOffset(int t, int b, int width) => (((nint)t * Batch) + b) * width;

    void Change(ref bool condition, bool value)
    {
        if (condition == value)
            return;
        condition = value;
        ForgetPlans();
    }

    /// <summary>Equal blocks of at most <paramref name="most"/> rows, in whole register tiles.</summary>
    static int BlockOf(int rows, int most)
    {
        const int Tile = 6;
        if (rows <= most)
            return most;
        var blocks = (rows + most - 1) / most;
        return (((rows + blocks - 1) / blocks) + Tile - 1) / Tile * Tile;
    }

    /// <summary>destination = m⊙source of rows [b, end), or what it was and that.</summary>
    void Mask(float* source, float* destination, int b, int end, bool adds)
    {
        var action = new MaskAction { M = At(_mask) + ((nint)b * _h), Source = source, Destination = destination, Count = (end - b) * _h, Adds = adds };
        _context.Engine.Run(ref action);
    }

    /// <summary>The next rows in [<paramref name="row"/>, end) that lie side by side and are valid at step t; 0 if there are none.</summary>
    protected int ValidRows(int t, ref int row, int end)
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
        var h = new Span<float>(Hidden(t, b), _h);
        if (HasLastOutputOnly)
            new ReadOnlySpan<float>(Hidden(t - 1, b), _h).CopyTo(h);
        else
            h.Clear();
        if (ForBackward && !RecallsCells && _cellState is not null)
            new Span<float>(CellState(t, b), _h).Clear();
    }

    /// <summary>dh += dY: a row's gradient stays at its last valid step until the pass comes there.</summary>
    void TakeLastGradient(int b0, int b1)
    {
        for (var b = b0; b < b1; b++)
        {
            float* dH = DH(b), dY = At(_dY) + ((nint)b * _h);
            if (LengthOf(b) > 0)
                Elements.Add(dH, dY, dH, _h);
            new Span<float>(dY, _h).Clear();
        }
    }

    /// <summary>A padded step: no gradient comes from it, and what is carried passes by.</summary>
    void PadBackward(int t, int b)
    {
        ClearGradient(t, b);
        if (InputGradient != null)
            new Span<float>(InputGradient + RowOffset(t, b, Layer.InputSize), Layer.InputSize).Clear();
    }

    /// <summary>Whether nothing is left to carry to the step before.</summary>
    bool HasVanished(int b, int rows) =>
        !new ReadOnlySpan<float>(DH(b), rows * _h).ContainsAnyExcept(0f)
        && (_cellState is null || !new ReadOnlySpan<float>(DC(b), rows * _h).ContainsAnyExcept(0f));

    /// <summary>Notes that the gradients of steps [t0, t1) are 0, which is the sum they would have come to.</summary>
    void LeaveOut(int t0, int t1, int b, int rows)
    {
        _firstSteps.AsSpan(b, rows).Fill(t1);
        for (var t = t0; t < t1 && InputGradient != null; t++)
            new Span<float>(InputGradient + RowOffset(t, b, Layer.InputSize), rows * Layer.InputSize).Clear();
    }

    struct MaskAction : IKernelAction
    {
        public float* M, Source, Destination;
        public int Count;
        public bool Adds;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            for (var k = 0; k < Count; k += S.Count)
            {
                var n = Count - k;
                var (m, x) = (Lanes<S, V>.Load(M + k, n), Lanes<S, V>.Load(Source + k, n));
                Lanes<S, V>.Store(Destination + k, Adds ? S.Fma(m, x, Lanes<S, V>.Load(Destination + k, n)) : S.Multiply(m, x), n);
            }
        }
    }
}
