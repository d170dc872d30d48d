using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>
/// A model unrolled through time over T steps and B rows: its input, activations, output and their gradients, in one
/// allocation that every pass reuses.
/// </summary>
/// <remarks>
/// A pass: fill <see cref="Input"/> (and <see cref="InitialState"/>), call <see cref="Forward"/>, read
/// <see cref="Output"/> (and <see cref="CopyFinalState"/>); to train, fill <see cref="OutputGradient"/> and call
/// <see cref="Backward"/>, which fills <see cref="ParameterSet.Gradients"/> or adds to them. All arrays are time-major,
/// [T, B, features]. One object serves one thread at a time; the engine's threads work inside a pass.
/// </remarks>
public sealed unsafe class UnrolledModel
{
    readonly UnrolledLayer[] _layers;
    readonly UnrolledRecurrent[] _recurrent;
    readonly UnrollContext _context;
    readonly PackedWeights?[] _weights;
    readonly Arena.Region _input;
    readonly byte[] _feedback;
    readonly int[] _lengths;
    readonly long _flopsPerStep;
    readonly RowJob _forwardJob, _backwardJob;
    readonly LayerJobs _layerJobs;

    // The layers of a backward job, and the steps of one of them; the others take all.
    (int Bottom, int Top, int At, int Start, int End) _goesBack;
    InputTrace? _inputTrace;
    AlignedBuffer? _inputGradient;
    bool _closedLoop;
    bool _forwardDone;

    internal UnrolledModel(SequenceModel model, int maxSteps, int maxBatch, bool accumulate)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        Model = model;
        MaxSteps = maxSteps;
        MaxBatch = maxBatch;
        _context = new UnrollContext(model.Engine, model.Parameters, accumulate);
        _weights = [.. model.Layers.Select(layer => layer.CreateWeights(model.Engine))];
        _input = _context.Arena.Reserve((long)maxSteps * maxBatch * model.InputSize);
        _layers = new UnrolledLayer[model.Layers.Count];
        var (steps, behindPooling) = (maxSteps, false);
        for (var index = 0; index < _layers.Length; index++)
        {
            // A recurrent layer and the last step after it agree on the gradient of that step alone.
            bool Is<TLayer>(int at) => at >= 0 && at < _layers.Length && model.Layers[at] is TLayer;
            var forLastStep = (Is<RecurrentLayer>(index) && Is<LastStep>(index + 1)) || (Is<LastStep>(index) && Is<RecurrentLayer>(index - 1));
            var keep = forLastStep ? Keep.EverythingForLastOutput : Keep.Everything;
            _layers[index] = model.Layers[index].Unroll(_context, _weights[index], keep, steps, maxBatch);
            _layers[index].IsBehindPooling = behindPooling;
            if (!model.Layers[index].HasOutputAtEveryStep)
                (steps, behindPooling) = (1, true);
        }

        _context.Commit();
        UnrolledLayer.ChainGradients(_layers, inputGradient: null, trace: null);
        _recurrent = [.. _layers.SelectMany(layer => layer.Recurrences)];
        _lengths = new int[maxBatch];
        _feedback = new byte[checked(maxSteps * maxBatch)];
        InitialState = model.CreateState(maxBatch);
        InitialStateGradient = model.CreateState(maxBatch);
        FinalStateGradient = model.CreateState(maxBatch);
        _flopsPerStep = _layers.Sum(layer => layer.FlopsPerStep);
        _forwardJob = new RowJob(ForwardRows);
        _backwardJob = new RowJob(BackwardRows);
        _layerJobs = new LayerJobs(model, _weights, _layers);
        Resize(maxSteps, maxBatch);
    }

    /// <summary>The model whose parameters are used.</summary>
    public SequenceModel Model { get; }

    /// <summary>The most steps a pass may have.</summary>
    public int MaxSteps { get; }

    /// <summary>The most rows a pass may have.</summary>
    public int MaxBatch { get; }

    /// <summary>T, the steps of the next pass.</summary>
    public int Steps { get; private set; }

    /// <summary>B, the rows of the next pass.</summary>
    public int BatchSize { get; private set; }

    /// <summary>The steps of the output: T, or 1 where only the last step is kept.</summary>
    public int OutputSteps => _layers[^1].OutputSteps;

    /// <summary>Bytes of all activations and their gradients; those of the input are allocated when they are first asked for.</summary>
    public long ActivationBytes => _context.Arena.Bytes + (_inputGradient?.Bytes ?? 0);

    /// <summary>x [T, B, I], to be filled before a forward pass.</summary>
    public Span<float> Input => _context.Arena.Span(_input)[..(Steps * BatchSize * Model.InputSize)];

    /// <summary>y [T', B, O] of the last forward pass.</summary>
    public ReadOnlySpan<float> Output => _context.Arena.Span(_layers[^1].Output, OutputSteps * BatchSize * Model.OutputSize);

    /// <summary>∂loss/∂y [T', B, O], to be filled before a backward pass, which may overwrite it.</summary>
    public Span<float> OutputGradient => _context.Arena.Span(_layers[^1].OutputGradient, OutputSteps * BatchSize * Model.OutputSize);

    /// <summary>∂loss/∂x [T, B, I] after a backward pass that was asked for it; empty before the first.</summary>
    public ReadOnlySpan<float> InputGradient => _inputGradient is null ? default : _inputGradient.Span[..(Steps * BatchSize * Model.InputSize)];

    /// <summary>The state before the first step; its first B rows are read by every forward pass. Zero at first.</summary>
    public ModelState InitialState { get; }

    /// <summary>∂loss/∂(state after the last step), read by every backward pass. Zero at first.</summary>
    public ModelState FinalStateGradient { get; }

    /// <summary>∂loss/∂(state before the first step) after a backward pass that was asked for it.</summary>
    public ModelState InitialStateGradient { get; }

    /// <summary>Operations of a forward pass.</summary>
    long Flops => _flopsPerStep * Steps * BatchSize;

    /// <summary>The layers, in the order of the model's.</summary>
    internal IReadOnlyList<UnrolledLayer> Layers => _layers;

    /// <summary>What the next backward passes leave of the gradient on the inputs, if they are asked for it.</summary>
    internal InputTrace TraceInputs() => _inputTrace = new InputTrace(_layers[0]);

    /// <summary>Sets T and B of the next passes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1 or above its maximum.</exception>
    public void Resize(int steps, int batchSize)
    {
        Sizes.Check(steps, MaxSteps, nameof(steps));
        Sizes.Check(batchSize, MaxBatch, nameof(batchSize));
        Steps = steps;
        BatchSize = batchSize;
        _forwardDone = false;
        var input = _context.Arena.Pointer(_input);
        foreach (var layer in _layers)
        {
            layer.Resize(steps, batchSize, input);
            input = layer.Output;
            steps = layer.OutputSteps;
        }
    }

    /// <summary>Computes <see cref="Output"/> from <see cref="Input"/> and <see cref="InitialState"/>.</summary>
    /// <param name="training">Whether dropout is on.</param>
    /// <param name="feedback">
    /// Empty for an open loop. Otherwise [T, B]: where it is not 0, the input of that step and row is the model's own
    /// output of the step before (and is written to <see cref="Input"/>): a closed loop, or scheduled sampling when mixed.
    /// </param>
    /// <param name="noise">The seed of this pass's dropout masks.</param>
    /// <param name="lengths">
    /// Empty when all steps are valid. Otherwise the number of valid steps of each row [B], 0 to T, in any order (a batch
    /// sorted by falling length is fastest): what lies behind is padding, which is set to 0 in <see cref="Input"/> and
    /// changes no state, output or gradient of the valid steps. Recurrent outputs at padded steps are 0.
    /// </param>
    /// <exception cref="ArgumentException">
    /// The mask has another length, asks for feedback at the first step, or the model cannot be fed back: it needs
    /// outputs at every step, as many as inputs, and no layer that reads the whole sequence. Or the lengths do not fit.
    /// </exception>
    public void Forward(bool training = false, ReadOnlySpan<byte> feedback = default, ulong noise = 0, ReadOnlySpan<int> lengths = default)
    {
        TakeFeedback(feedback);
        TakeLengths(lengths);
        for (var index = 0; index < _layers.Length; index++)
            _layers[index].PrepareForward(training, noise ^ ((ulong)index << 56));

        for (var index = 0; index < _recurrent.Length; index++)
        {
            var layer = _recurrent[index];
            CopyRows(InitialState.Hidden(index), layer.HiddenAt(-1), layer);
            CopyRows(InitialState.Cell(index), layer.CellAt(-1), layer);
            layer.StartsAtZero = !InitialState.Hidden(index)[..(BatchSize * layer.Layer.OutputSize)].ContainsAnyExcept(0f);
        }

        _layerJobs.Pack(Flops);
        _forwardJob.Run(Model.Engine, BatchSize, Flops);
        _forwardDone = true;
        GC.KeepAlive(this);
    }

    /// <summary>
    /// Back-propagation through time: ∂loss/∂parameters, in <see cref="ParameterSet.Gradients"/>, from
    /// <see cref="OutputGradient"/> and <see cref="FinalStateGradient"/>.
    /// </summary>
    /// <param name="inputGradient">Whether <see cref="InputGradient"/> is wanted too.</param>
    /// <param name="initialStateGradient">Whether <see cref="InitialStateGradient"/> is wanted too.</param>
    /// <remarks>In a closed loop the gradient runs through the fed-back outputs as well.</remarks>
    /// <exception cref="InvalidOperationException">No forward pass came before, or its activations are used up.</exception>
    public void Backward(bool inputGradient = false, bool initialStateGradient = false)
    {
        BackwardThroughTime(inputGradient, initialStateGradient, parameterGradients: true);
        _layerJobs.AccumulateGradients(Flops);
        GC.KeepAlive(this);
    }

    /// <summary>
    /// The backward pass without the gradients of the parameters; if they are to follow, those of the segments of which it
    /// leaves nothing.
    /// </summary>
    internal void BackwardThroughTime(bool inputGradient, bool initialStateGradient, bool parameterGradients = false)
    {
        if (!_forwardDone)
            throw new InvalidOperationException("Expected a forward pass before each backward pass; call Forward first.");
        _forwardDone = false;
        if (inputGradient || _closedLoop)
            _inputGradient ??= new AlignedBuffer((long)MaxSteps * MaxBatch * Model.InputSize);
        UnrolledLayer.ChainGradients(_layers, inputGradient || _closedLoop ? _inputGradient!.Pointer : null, _inputTrace);
        foreach (var layer in _layers)
            layer.PrepareBackward();

        for (var index = 0; index < _recurrent.Length; index++)
        {
            var layer = _recurrent[index];
            CopyRows(FinalStateGradient.Hidden(index), layer.CarriedHidden, layer);
            CopyRows(FinalStateGradient.Cell(index), layer.CarriedCell, layer);
            layer.WantsInitialGradient = initialStateGradient;
        }

        _layerJobs.PackBackward(Flops);
        GoBack(parameterGradients);
        for (var index = 0; initialStateGradient && index < _recurrent.Length; index++)
        {
            var layer = _recurrent[index];
            CopyRows(layer.CarriedHidden, InitialStateGradient.Hidden(index), layer);
            CopyRows(layer.CarriedCell, InitialStateGradient.Cell(index), layer);
        }

        GC.KeepAlive(this);
    }

    /// <summary>Copies the state after the last step of the last forward pass into the first rows of <paramref name="destination"/>.</summary>
    /// <exception cref="ArgumentException">The state has fewer rows than the pass.</exception>
    public void CopyFinalState(ModelState destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (destination.BatchSize < BatchSize)
            throw new ArgumentException($"Expected a state of at least {BatchSize} rows, got {destination.BatchSize}.", nameof(destination));
        CopyState(Steps, destination);
    }

    /// <summary>Copies the state after the first <paramref name="steps"/> steps of the last forward pass.</summary>
    internal void CopyState(int steps, ModelState destination)
    {
        for (var index = 0; index < _recurrent.Length; index++)
            _recurrent[index].CopyState(steps, destination.Hidden(index), destination.Cell(index));
        GC.KeepAlive(this);
    }

    /// <summary>The first B rows of a state into a layer's array, where the cell has that state.</summary>
    void CopyRows(Span<float> state, float* array, UnrolledRecurrent layer)
    {
        if (array != null)
            state[..(BatchSize * layer.Layer.OutputSize)].CopyTo(new Span<float>(array, BatchSize * layer.Layer.OutputSize));
    }

    void CopyRows(float* array, Span<float> state, UnrolledRecurrent layer)
    {
        if (array != null)
            new Span<float>(array, BatchSize * layer.Layer.OutputSize).CopyTo(state);
    }

    void TakeFeedback(ReadOnlySpan<byte> feedback)
    {
        _closedLoop = !feedback.IsEmpty;
        if (!_closedLoop)
            return;
        if (feedback.Length != Steps * BatchSize)
            throw new ArgumentException($"Expected a feedback mask of T·B = {Steps}·{BatchSize} values, got {feedback.Length}.", nameof(feedback));
        if (feedback[..BatchSize].ContainsAnyExcept((byte)0))
            throw new ArgumentException("Expected an input at the first step: no output precedes it that could be fed back.", nameof(feedback));
        if (Model.OutputSize != Model.InputSize || !Model.HasOutputAtEveryStep || !Model.ReadsForward)
        {
            throw new ArgumentException(
                $"Expected a model with an output at every step and as many outputs as inputs to feed back; it has {Model.InputSize} inputs and {Model.OutputSize} outputs"
                + (!Model.HasOutputAtEveryStep ? " for the whole sequence only." : Model.ReadsForward ? "." : ", and reads the whole sequence before its first output."),
                nameof(feedback));
        }

        feedback.CopyTo(_feedback);
    }

    void TakeLengths(ReadOnlySpan<int> lengths)
    {
        if (!lengths.IsEmpty)
        {
            Sizes.CheckLengths(lengths, Steps, BatchSize, nameof(lengths));
            lengths.CopyTo(_lengths);
            Sizes.ClearPadding(Input, lengths, Model.InputSize);
        }

        // Behind a layer that makes one step of all, every row has one.
        foreach (var layer in _layers)
            layer.Lengths = lengths.IsEmpty || layer.IsBehindPooling ? null : _lengths;
    }

    void ForwardRows(int b0, int b1)
    {
        if (!_closedLoop)
        {
            foreach (var layer in _layers)
                layer.Forward(0, layer.Steps, b0, b1);
            return;
        }

        var features = Model.InputSize;
        var input = _context.Arena.Pointer(_input);
        var output = _layers[^1].Output;
        for (var t = 0; t < Steps; t++)
        {
            for (var b = b0; b < b1; b++)
            {
                if (_feedback[(t * BatchSize) + b] != 0)
                    Row(output, t - 1, b).CopyTo(Row(input, t, b));
            }

            foreach (var layer in _layers)
                layer.Forward(t, t + 1, b0, b1);
        }

        Span<float> Row(float* array, int t, int b) => new(array + ((((nint)t * BatchSize) + b) * features), features);
    }

    /// <summary>All layers at once, or, where one has segments, those above with its last segment and those below with its first.</summary>
    void GoBack(bool parameterGradients)
    {
        // Above a layer with segments there is a single step: no other has any.
        var at = _layers.Length - 1;
        while (at > 0 && _layers[at].SegmentSteps == _layers[at].Steps)
            at--;
        var layer = _layers[at];
        var top = _layers.Length;
        for (var t1 = layer.Steps; t1 > 0; t1 -= layer.SegmentSteps)
        {
            var t0 = Math.Max(0, t1 - layer.SegmentSteps);
            layer.BeginSegment(t0, t1);
            _goesBack = (t0 > 0 ? at : 0, top, at, t0, t1);
            _backwardJob.Run(Model.Engine, BatchSize, Flops);
            if (t0 > 0 && parameterGradients)
                _layerJobs.EndSegment(at, Flops);
            top = at + 1;
        }
    }

    void BackwardRows(int b0, int b1)
    {
        if (!_closedLoop)
        {
            var (bottom, top, at, t0, t1) = _goesBack;
            for (var index = top - 1; index >= bottom; index--)
            {
                var layer = _layers[index];
                layer.Backward(index == at ? t0 : 0, index == at ? t1 : layer.Steps, b0, b1);
            }

            return;
        }

        for (var t = Steps - 1; t >= 0; t--)
        {
            for (var index = _layers.Length - 1; index >= 0; index--)
                _layers[index].Backward(t, t + 1, b0, b1);
            for (var b = b0; b < b1; b++)
            {
                if (_feedback[(t * BatchSize) + b] != 0)
                    FeedGradientBack(t, b);
            }
        }
    }

    /// <summary>dY[t − 1] += dX[t], and the unused outside input of that step has no gradient.</summary>
    void FeedGradientBack(int t, int b)
    {
        var features = Model.InputSize;
        var at = (((nint)t * BatchSize) + b) * features;
        var dX = _inputGradient!.Pointer + at;
        var dY = _layers[^1].OutputGradient + at - ((nint)BatchSize * features);
        for (var feature = 0; feature < features; feature++)
        {
            dY[feature] += dX[feature];
            dX[feature] = 0f;
        }
    }
}
