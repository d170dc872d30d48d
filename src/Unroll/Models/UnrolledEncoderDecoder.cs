using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>
/// An encoder–decoder unrolled through time over S steps of a source, T steps of a target and B rows: its inputs,
/// activations, logits and their gradients, in one allocation that every pass reuses.
/// </summary>
/// <remarks>
/// A pass: fill <see cref="Source"/> and <see cref="Tokens"/> (and <see cref="SourceLengths"/>), call <see cref="Forward"/>,
/// read <see cref="Output"/>; to train, fill <see cref="OutputGradient"/> and call <see cref="Backward"/>, which
/// fills <see cref="ParameterSet.Gradients"/> or adds to them. All arrays are time-major. One object serves one thread at a
/// time; the engine's threads work inside a pass.
/// </remarks>
public sealed unsafe class UnrolledEncoderDecoder
{
    readonly EncoderDecoder.Parts _parts;
    readonly UnrollContext _context;
    readonly PackedWeights?[] _weights;
    readonly UnrolledLayer[] _encoder, _decoder, _all;
    readonly UnrolledRecurrent[] _encoderCells, _decoderCells;
    readonly UnrolledStateBridge _bridge;
    readonly UnrolledAttention? _attention;
    readonly Arena.Region _source, _tokens;
    readonly int[] _lengths;
    readonly byte[] _feedback;
    readonly RowJob _forwardJob, _backwardJob;
    readonly LayerJobs _layerJobs;
    InputTrace? _inputTrace;
    AlignedBuffer? _sourceGradient;
    bool _freeRunning;
    bool _forwardDone;

    internal UnrolledEncoderDecoder(EncoderDecoder model, int maxSourceSteps, int maxTargetSteps, int maxBatch, bool accumulate)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSourceSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTargetSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        (Model, MaxSourceSteps, MaxTargetSteps, MaxBatch) = (model, maxSourceSteps, maxTargetSteps, maxBatch);
        _parts = model.Structure;
        _context = new UnrollContext(model.Engine, model.Parameters, accumulate);
        _weights = [.. model.Layers.Select(layer => layer.CreateWeights(model.Engine))];
        _source = _context.Arena.Reserve((long)maxSourceSteps * maxBatch * model.InputSize);
        _tokens = _context.Arena.Reserve((long)maxTargetSteps * maxBatch);
        _lengths = new int[maxBatch];
        _feedback = new byte[checked(maxTargetSteps * maxBatch)];

        // Without attention only the last states of the encoder have a gradient.
        var top = _parts.Attention is null && _parts.Encoder[^1] is RecurrentLayer ? Keep.EverythingForLastStep : Keep.Everything;
        _encoder = [.. _parts.Encoder.Select((layer, index) => Unroll(layer, index == _parts.Encoder.Length - 1 ? top : Keep.Everything, maxSourceSteps))];
        var decoder = _parts.Decoder.Select(layer => Unroll(layer, Keep.Everything, maxTargetSteps)).ToList();
        _encoderCells = [.. _encoder.SelectMany(layer => layer.Recurrences)];
        _decoderCells = [.. decoder.SelectMany(layer => layer.Recurrences)];
        _bridge = new UnrolledStateBridge(_parts.Bridge, _context, _encoderCells, WeightsOf, Keep.Everything, maxBatch);
        if (_parts is { Attention: { } attention, Combine: { } combine })
        {
            _attention = attention.Unroll(_context, (AttentionWeights)WeightsOf(attention)!, Keep.Everything, maxSourceSteps, maxTargetSteps, maxBatch);
            decoder.Add(_attention);
            decoder.Add(Unroll(combine, Keep.Everything, maxTargetSteps));
        }

        decoder.Add(Unroll(_parts.Readout, Keep.Everything, maxTargetSteps));
        _decoder = [.. decoder];
        _all = [.. _encoder, .. _bridge.Maps, .. _decoder];
        _context.Commit();
        _forwardJob = new RowJob(ForwardRows);
        _backwardJob = new RowJob(BackwardRows);
        _layerJobs = new LayerJobs(model, _weights, _all);
        Resize(maxSourceSteps, maxTargetSteps, maxBatch);

        UnrolledLayer Unroll(Layer layer, Keep keep, int steps) => layer.Unroll(_context, WeightsOf(layer), keep, steps, maxBatch);
    }

    /// <summary>The model whose parameters are used.</summary>
    public EncoderDecoder Model { get; }

    /// <summary>The most steps of a source.</summary>
    public int MaxSourceSteps { get; }

    /// <summary>The most steps of a target.</summary>
    public int MaxTargetSteps { get; }

    /// <summary>The most rows.</summary>
    public int MaxBatch { get; }

    /// <summary>S, the steps of the next pass's sources.</summary>
    public int SourceSteps { get; private set; }

    /// <summary>T, the steps of the next pass's targets.</summary>
    public int TargetSteps { get; private set; }

    /// <summary>B, the rows of the next pass.</summary>
    public int BatchSize { get; private set; }

    /// <summary>Bytes of all activations and their gradients; those of the source are allocated when they are first asked for.</summary>
    public long ActivationBytes => _context.Arena.Bytes + (_sourceGradient?.Bytes ?? 0);

    /// <summary>x [S, B, I], to be filled before a forward pass.</summary>
    public Span<float> Source => _context.Arena.Span(_source)[..(SourceSteps * BatchSize * Model.InputSize)];

    /// <summary>
    /// The valid steps of each source [B], 0 to S; S after <see cref="Resize"/>. What lies behind is padding, which is set to
    /// 0 in <see cref="Source"/>, is not read and not attended to, and changes nothing.
    /// </summary>
    public Span<int> SourceLengths => _lengths.AsSpan(0, BatchSize);

    /// <summary>The tokens that the decoder reads, as whole numbers [T, B]; to be filled before a forward pass.</summary>
    public Span<float> Tokens => _context.Arena.Span(_tokens)[..(TargetSteps * BatchSize)];

    /// <summary>The logits [T, B, V] of the last forward pass.</summary>
    public ReadOnlySpan<float> Output => _context.Arena.Span(_decoder[^1].Output, TargetSteps * BatchSize * Model.OutputSize);

    /// <summary>∂loss/∂logits [T, B, V], to be filled before a backward pass, which may overwrite it.</summary>
    public Span<float> OutputGradient => _context.Arena.Span(_decoder[^1].OutputGradient, TargetSteps * BatchSize * Model.OutputSize);

    /// <summary>∂loss/∂x [S, B, I] after a backward pass that was asked for it; empty before the first.</summary>
    public ReadOnlySpan<float> SourceGradient => _sourceGradient is null ? default : _sourceGradient.Span[..(SourceSteps * BatchSize * Model.InputSize)];

    /// <summary>The weights [T, B, S] that the attention gave the steps of the source; empty without attention.</summary>
    public ReadOnlySpan<float> AttentionWeights =>
        _attention is null ? default : _context.Arena.Span(_attention.Weights, TargetSteps * BatchSize * SourceSteps);

    /// <summary>The encoder's layers.</summary>
    internal IReadOnlyList<UnrolledLayer> EncoderLayers => _encoder;

    /// <summary>The decoder's layers, and what follows them.</summary>
    internal IReadOnlyList<UnrolledLayer> DecoderLayers => _decoder;

    /// <summary>What the next backward passes leave of the gradient on the source, if they are asked for it.</summary>
    internal InputTrace TraceInputs() => _inputTrace = new InputTrace(_encoder[0]);

    /// <summary>Teacher forcing: each step reads the target's token [T, B] before it; the first one the start token.</summary>
    internal void ForceTokens(ReadOnlySpan<int> labels)
    {
        Tokens[..BatchSize].Fill(Model.Options.StartToken);
        for (var at = BatchSize; at < labels.Length; at++)
            Tokens[at] = labels[at - BatchSize];
    }

    /// <summary>Sets S, T and B of the next passes; every source is S steps long.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1 or above its maximum.</exception>
    public void Resize(int sourceSteps, int targetSteps, int batchSize)
    {
        Sizes.Check(sourceSteps, MaxSourceSteps, nameof(sourceSteps));
        Sizes.Check(targetSteps, MaxTargetSteps, nameof(targetSteps));
        Sizes.Check(batchSize, MaxBatch, nameof(batchSize));
        (SourceSteps, TargetSteps, BatchSize) = (sourceSteps, targetSteps, batchSize);
        _forwardDone = false;
        Resize(_encoder, sourceSteps, _context.Arena.Pointer(_source));
        Resize(_decoder, targetSteps, _context.Arena.Pointer(_tokens));
        _bridge.Resize(batchSize);
        SourceLengths.Fill(sourceSteps);

        void Resize(UnrolledLayer[] layers, int steps, float* input)
        {
            foreach (var layer in layers)
            {
                layer.Resize(steps, batchSize, input);
                input = layer.Output;
            }
        }
    }

    /// <summary>Computes <see cref="Output"/> from <see cref="Source"/> and <see cref="Tokens"/>.</summary>
    /// <param name="training">Whether dropout is on.</param>
    /// <param name="feedback">
    /// Empty for teacher forcing. Otherwise [T, B]: where it is not 0, the token of that step and row is the first of the
    /// largest logits of the step before (and is written to <see cref="Tokens"/>). No gradient goes through that choice.
    /// </param>
    /// <param name="noise">The seed of this pass's dropout masks.</param>
    /// <exception cref="ArgumentException">
    /// A token is not one of those that are read, a length is out of range, or the mask has another length or asks for
    /// feedback at the first step.
    /// </exception>
    public void Forward(bool training = false, ReadOnlySpan<byte> feedback = default, ulong noise = 0)
    {
        _forwardDone = false;
        TakeFeedback(feedback);
        TakeLengths();
        for (var index = 0; index < _all.Length; index++)
            _all[index].PrepareForward(training, noise ^ ((ulong)index << 56));
        foreach (var cell in _encoderCells)
        {
            FirstRows(cell.HiddenAt(-1), cell).Clear();
            if (cell.CellAt(-1) != null)
                FirstRows(cell.CellAt(-1), cell).Clear();
            cell.StartsAtZero = true;
        }

        _attention?.SetSource(_encoder[^1].Output, _encoder[^1].OutputGradient, SourceSteps, SourceLengths);
        _layerJobs.Pack(Flops());
        _forwardJob.Run(Model.Engine, BatchSize, Flops());
        _forwardDone = true;
        GC.KeepAlive(this);
    }

    /// <summary>
    /// Back-propagation through the target's steps, the attention, the bridge and the source's steps: ∂loss/∂parameters, in
    /// <see cref="ParameterSet.Gradients"/>, from <see cref="OutputGradient"/>.
    /// </summary>
    /// <param name="sourceGradient">Whether <see cref="SourceGradient"/> is wanted too.</param>
    /// <exception cref="InvalidOperationException">No forward pass came before, or its activations are used up.</exception>
    public void Backward(bool sourceGradient = false)
    {
        BackwardThroughTime(sourceGradient);
        _layerJobs.AccumulateGradients(Flops());
        GC.KeepAlive(this);
    }

    /// <summary>The backward pass without the gradients of the parameters.</summary>
    internal void BackwardThroughTime(bool sourceGradient)
    {
        if (!_forwardDone)
            throw new InvalidOperationException("Expected a forward pass before each backward pass; call Forward first.");
        _forwardDone = false;
        if (sourceGradient)
            _sourceGradient ??= new AlignedBuffer((long)MaxSourceSteps * MaxBatch * Model.InputSize);
        UnrolledLayer.ChainGradients(_encoder, sourceGradient ? _sourceGradient!.Pointer : null, _inputTrace);
        UnrolledLayer.ChainGradients(_decoder, null, null);
        foreach (var layer in _all)
            layer.PrepareBackward();
        foreach (var cell in _encoderCells)
            cell.WantsInitialGradient = false;
        foreach (var cell in _decoderCells)
            cell.WantsInitialGradient = true;
        _layerJobs.PackBackward(Flops());
        _backwardJob.Run(Model.Engine, BatchSize, Flops());
        GC.KeepAlive(this);
    }

    PackedWeights? WeightsOf(Layer layer) => _weights[IndexOf(Model.Layers, layer)];

    static int IndexOf(IReadOnlyList<Layer> layers, Layer layer)
    {
        var index = 0;
        while (!ReferenceEquals(layers[index], layer))
            index++;
        return index;
    }

    long Flops()
    {
        long source = 0, target = 0;
        foreach (var layer in _encoder)
            source += layer.FlopsPerStep;
        foreach (var layer in _decoder)
            target += layer.FlopsPerStep;
        return ((source * SourceSteps) + (target * TargetSteps)) * BatchSize;
    }

    void TakeFeedback(ReadOnlySpan<byte> feedback)
    {
        _freeRunning = feedback.ContainsAnyExcept((byte)0);
        if (feedback.IsEmpty)
            return;
        if (feedback.Length != TargetSteps * BatchSize)
            throw new ArgumentException($"Expected a feedback mask of T·B = {TargetSteps}·{BatchSize} values, got {feedback.Length}.", nameof(feedback));
        if (feedback[..BatchSize].ContainsAnyExcept((byte)0))
            throw new ArgumentException("Expected a token at the first step: no output precedes it that could be fed back.", nameof(feedback));
        feedback.CopyTo(_feedback);
    }

    void TakeLengths()
    {
        Sizes.CheckLengths(SourceLengths, SourceSteps, BatchSize, "source");
        Sizes.ClearPadding(Source, SourceLengths, Model.InputSize);
        var lengths = SourceLengths.ContainsAnyExcept(SourceSteps) ? _lengths : null;
        foreach (var layer in _encoder)
            layer.Lengths = lengths;
    }

    void ForwardRows(int b0, int b1)
    {
        foreach (var layer in _encoder)
            layer.Forward(0, SourceSteps, b0, b1);
        _bridge.Forward(b0, b1);
        for (var cell = 0; cell < _decoderCells.Length; cell++)
        {
            var layer = _decoderCells[cell];
            var h = layer.Layer.OutputSize;
            for (var b = b0; b < b1; b++)
            {
                new ReadOnlySpan<float>(_bridge.Hidden(cell, b), h).CopyTo(new Span<float>(layer.HiddenAt(-1) + ((nint)b * h), h));
                if (layer.CellAt(-1) != null)
                    new ReadOnlySpan<float>(_bridge.State(cell, b), h).CopyTo(new Span<float>(layer.CellAt(-1) + ((nint)b * h), h));
            }
        }

        _attention?.ReadKeys(b0, b1);
        if (!_freeRunning)
        {
            foreach (var layer in _decoder)
                layer.Forward(0, TargetSteps, b0, b1);
            return;
        }

        var tokens = _context.Arena.Pointer(_tokens);
        for (var t = 0; t < TargetSteps; t++)
        {
            for (var b = b0; b < b1; b++)
            {
                var at = (t * BatchSize) + b;
                if (_feedback[at] != 0)
                    tokens[at] = ArgMax(at - BatchSize);
            }

            foreach (var layer in _decoder)
                layer.Forward(t, t + 1, b0, b1);
        }
    }

    /// <summary>The first token with the largest logit of a row of [T, B].</summary>
    int ArgMax(int at)
    {
        var logits = _decoder[^1].Output + ((nint)at * Model.OutputSize);
        var best = 0;
        for (var token = 1; token < Model.OutputSize; token++)
        {
            if (logits[token] > logits[best])
                best = token;
        }

        return best;
    }

    void BackwardRows(int b0, int b1)
    {
        foreach (var cell in _decoderCells)
        {
            Rows(cell.CarriedHidden, cell, b0, b1).Clear();
            if (cell.CarriedCell != null)
                Rows(cell.CarriedCell, cell, b0, b1).Clear();
        }

        // A token that was fed back is a constant: the steps need not take turns.
        for (var index = _decoder.Length - 1; index >= 0; index--)
            _decoder[index].Backward(0, TargetSteps, b0, b1);
        var top = _encoder[^1];
        if (_attention is not null)
        {
            _attention.BackwardKeys(b0, b1);
        }
        else
        {
            var steps = top is UnrolledRecurrent { GradientAtLastStepOnly: true } ? 1 : SourceSteps;
            for (var s = 0; s < steps; s++)
                Rows(top.OutputGradient + ((nint)s * BatchSize * top.Layer.OutputSize), top, b0, b1).Clear();
        }

        _bridge.Backward(_decoderCells, b0, b1);
        for (var index = _encoder.Length - 1; index >= 0; index--)
            _encoder[index].Backward(0, SourceSteps, b0, b1);
    }

    static Span<float> Rows(float* array, UnrolledLayer layer, int b0, int b1) =>
        new(array + ((nint)b0 * layer.Layer.OutputSize), (b1 - b0) * layer.Layer.OutputSize);

    Span<float> FirstRows(float* array, UnrolledLayer layer) => Rows(array, layer, 0, BatchSize);
}
