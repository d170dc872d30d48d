using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// The way back of a layer with a cell state of which nothing but the last output is read: each step leaves h in the place of its
/// c, which no earlier step reads, and that of a layer with many weights goes in segments.
/// </summary>
/// <remarks>
/// It takes T·B·H floats less, with segments T·B·2·H, and no longer: what is computed again need not be written and read. A
/// segment has so many rows that its gates, once their gradients are summed, hold the weights that the backward pass reads; until
/// then these lie in the gradients' memory (see <see cref="PlaceWeights"/>).
/// </remarks>
sealed unsafe partial class UnrolledRecurrent<TCell>
{
    // Weights of a layer beyond which a pass saves memory, here and by lending the gradients' (see PlaceWeights): 2 MiB.
    const long ManyWeights = 512 * 1024;

    readonly SegmentStates? _segments;
    readonly Arena.Region _finalCell;
    AlignedBuffer? _ownBack;

    /// <summary>Which layers have but the last h from a forward pass; the bits are the same either way.</summary>
    static bool KeepsLastHiddenOnly(Recurrent<TCell> layer, Keep keep, int maxSteps, int maxBatch) =>
        HasSegments(layer, keep) || (CanRecall(layer, keep) && (long)maxSteps * maxBatch * layer.BiasIh.Length >= FarGateFloats);

    static bool CanRecall(Recurrent<TCell> layer, Keep keep) =>
        keep == Keep.EverythingForLastOutput && layer.HasCellState && layer.WeightPeephole is null && layer.RecurrentDropout == 0;

    /// <summary>Which layers go back in segments: it is the layer that decides, so that a pass's room changes no bit.</summary>
    static bool HasSegments(Recurrent<TCell> layer, Keep keep) =>
        CanRecall(layer, keep) && (long)layer.WeightIh.Length + layer.WeightHh.Length > ManyWeights;

    /// <summary>The rows [B] of a segment's steps whose gates have room for the weights of the backward pass with any kernel.</summary>
    int SegmentRows
    {
        get
        {
            // The first layer's inputs need no gradient, as a rule.
            var columns = Padded(_h) + (_layer.WeightIh.LayerIndex > 0 ? Padded(Layer.InputSize) : 0);
            return columns + (_width % 16 == 0 ? 0 : 1);

            static int Padded(int columns) => (columns + 15) / 16 * 16;
        }
    }

    public override int SegmentSteps => _segments is null ? Steps : Math.Min(_segments.Length, Steps);

    public override void BeginSegment(int t0, int t1) => _segments?.Begin(t0, t1);

    protected override (int Start, int End) SummedSteps => _segments is null ? (0, Steps) : (_segments.Start, _segments.End);

    /// <summary>Whether a segment's gradients are added to those of later steps, or to what there was.</summary>
    bool AddsGradients => _context.AddsGradients || SummedSteps.End < Steps;

    public override bool EndSegment()
    {
        if (_back != _weights.Memory || _weights.OwnsMemory)
            return false;

        // The gradients have taken their memory: the gates that they came from are free.
        var length = InputGradient == null ? _weightIhBack : _weightsBackLength;
        float* gates = Aligned(Gates(_segments!.Start, 0)), end = Gates(_segments.End - 1, Batch);
        _back = gates + length <= end ? gates : (_ownBack ??= new AlignedBuffer(_weightsBackLength)).Pointer;
        return true;
    }

    /// <summary>c of a step that goes back or the one before it; once it has gone back, h.</summary>
    float* Recalled(int t, int b) => _segments is null ? CellState(t, b) : _segments.At(t, b);

    /// <summary>h before step 0, after a forward pass: in the place of the last step's h but one.</summary>
    float* InitialHidden(int b) => Hidden(Steps, b);

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        // h₋₁ waits where the gradient on h will be.
        var count = (nint)(b1 - b0) * _h * sizeof(float);
        if (RecallsHidden && t0 == 0)
            Buffer.MemoryCopy(Hidden(-1, b0), DH(b0), count, count);
        for (int t = t0, end; t < t1; t = end)
        {
            end = t1;
            if (_segments is not null)
            {
                (var start, end) = _segments.Of(t);
                Buffer.MemoryCopy(CellState(t - 1, b0), _segments.CellBefore(start, b0), count, count);
            }

            base.Forward(t, end, b0, b1);
        }

        if (!RecallsHidden || t1 < Steps)
            return;
        Buffer.MemoryCopy(DH(b0), InitialHidden(b0), count, count);
        for (var b = b0; _segments is null && b < b1; b++)
            new ReadOnlySpan<float>(CellState(LengthOf(b) - 1, b), _h).CopyTo(new Span<float>(FinalCell(b), _h));
    }

    /// <summary>Without segments apart, since h takes the place of c.</summary>
    public override float* FinalCell(int b) => RecallsHidden && _segments is null ? At(_finalCell) + ((nint)b * _h) : base.FinalCell(b);

    public override void Backward(int t0, int t1, int b0, int b1)
    {
        if (_segments is not null)
            RecallCells(t0, t1, b0, b1);
        base.Backward(t0, t1, b0, b1);
        for (var b = b0; RecallsHidden && b < b1; b++)
            RecallHidden(FirstStepOf(b, t0, t1) - 1, b);
    }

    protected override void CopyState(int t, int b, Span<float> hidden, Span<float> cell)
    {
        if (!RecallsHidden || t >= LengthOf(b) - 1)
        {
            base.CopyState(t, b, hidden, cell);
            return;
        }

        if (_segments is not null)
        {
            var (start, end) = _segments.Of(Math.Max(t, 0));
            BeginSegment(start, end);
            RecallCells(start, t + 1, b, b + 1);
        }

        var state = new Span<float>(Recalled(t, b), _h);
        state.CopyTo(cell);
        RecallHidden(t, b);
        state.CopyTo(hidden);
        cell[.._h].CopyTo(state);
    }

    /// <summary>c of steps [t0, t1), the first of them a segment's; 0 at padded steps.</summary>
    void RecallCells(int t0, int t1, int b0, int b1)
    {
        var count = (nint)(b1 - b0) * _h * sizeof(float);
        Buffer.MemoryCopy(_segments!.CellBefore(t0, b0), _segments.At(t0 - 1, b0), count, count);
        for (var t = t0; t < t1; t++)
        {
            for (int row = b0, rows; (rows = ValidRows(t, ref row, b1)) > 0; row += rows)
                Recall(t, row, rows, hidden: false);
            for (var row = b0; Lengths is not null && row < b1; row++)
            {
                if (t >= Lengths[row])
                    new Span<float>(_segments.At(t, row), _h).Clear();
            }
        }
    }

    /// <summary>h of a step in the place of its c, which has been computed.</summary>
    void RecallHidden(int t, int b)
    {
        if (t < 0)
            new ReadOnlySpan<float>(InitialHidden(b), _h).CopyTo(new Span<float>(Recalled(t, b), _h));
        else if (t < LengthOf(b))
            Recall(t, b, 1, hidden: true);
    }

    void Recall(int t, int b, int rows, bool hidden)
    {
        var recall = new RecallAction
        {
            Cell = _cell,
            Step = new CellStep { Rows = rows, H = _h, Gates = Gates(t, b), CPrev = Recalled(t - 1, b), C1 = Recalled(t, b), H1 = Recalled(t, b) },
            Hidden = hidden,
        };
        _context.Engine.Run(ref recall);
    }

    struct RecallAction : IKernelAction
    {
        public TCell Cell;
        public CellStep Step;
        public bool Hidden;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            if (Hidden)
                Cell.RecallHidden<S, V>(Step);
            else
                Cell.RecallCell<S, V>(Step);
        }
    }
}
