using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>Writes the targets of sources with a trained encoder–decoder: greedy, or by beam search.</summary>
/// <remarks>
/// A beam search follows the W likeliest hypotheses. At each step all their continuations compete by probability; those
/// among the W best that end leave the beam with their place. At the end all are ranked by their score. Of equal ones the
/// better parent, then the smaller token, goes first. Graves, arXiv:1211.3711; Sutskever, Vinyals and Le (NIPS 2014).
/// It holds a copy of the model's weights, packed for the matrix product, taken when it was made or last refreshed, and
/// activations of the source and of one step of the target. One object serves one thread at a time.
/// </remarks>
public sealed unsafe class TargetGenerator
{
    const int MaximumBeamWidth = 4096;
    const double MaximumLengthPenalty = 10;

    readonly PackedWeights?[] _weights;
    readonly UnrollContext _sourceContext, _targetContext;
    readonly UnrolledLayer[] _encoder, _decoder;
    readonly UnrolledRecurrent[] _encoderCells, _decoderCells;
    readonly UnrolledStateBridge _bridge;
    readonly UnrolledAttention? _attention;
    readonly Arena.Region _source, _tokens;
    readonly RowJob _encoderJob, _decoderJob;
    readonly int[] _lengths;
    readonly float[] _cellScratch;
    readonly Beam[] _beams;
    int _sourceSteps, _batch;

    internal TargetGenerator(EncoderDecoder model, GenerationOptions options, int maxSourceSteps, int maxBatch)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSourceSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        Check(options, model);
        (Model, Options, MaxSourceSteps, MaxBatch) = (model, options, maxSourceSteps, maxBatch);
        var parts = model.Structure;
        var rows = checked(maxBatch * options.BeamWidth);
        _weights = [.. model.Layers.Select(layer => layer.CreateWeights(model.Engine))];
        _sourceContext = new UnrollContext(model.Engine, model.Parameters);
        _targetContext = new UnrollContext(model.Engine, model.Parameters);
        _source = _sourceContext.Arena.Reserve((long)maxSourceSteps * maxBatch * model.InputSize);
        _tokens = _targetContext.Arena.Reserve(rows);
        _lengths = new int[maxBatch];

        // The attention reads all outputs of the encoder; without it the last states are enough.
        var top = parts.Attention is null && parts.Encoder[^1] is RecurrentLayer ? Keep.LastOutput : Keep.Outputs;
        _encoder =
        [
            .. parts.Encoder.Where(layer => layer is not Dropout).Select(layer => layer.Unroll(
                _sourceContext, WeightsOf(layer), ReferenceEquals(layer, parts.Encoder[^1]) ? top : Keep.Outputs, maxSourceSteps, maxBatch)),
        ];
        var decoder = parts.Decoder.Where(layer => layer is not Dropout).Select(Unroll).ToList();
        _encoderCells = [.. _encoder.SelectMany(layer => layer.Recurrences)];
        _decoderCells = [.. decoder.SelectMany(layer => layer.Recurrences)];
        _bridge = new UnrolledStateBridge(parts.Bridge, _sourceContext, _encoderCells, WeightsOf, Keep.Outputs, maxBatch);
        if (parts is { Attention: { } attention, Combine: { } combine })
        {
            _attention = attention.Unroll(_targetContext, (AttentionWeights)WeightsOf(attention)!, Keep.Outputs, maxSourceSteps, 1, maxBatch, options.BeamWidth);
            decoder.Add(_attention);
            decoder.Add(Unroll(combine));
        }

        decoder.Add(Unroll(parts.Readout));
        _decoder = [.. decoder];
        _sourceContext.Commit();
        _targetContext.Commit();
        _cellScratch = new float[rows * _decoderCells.Max(cell => cell.Layer.OutputSize)];
        _beams = [.. Enumerable.Range(0, maxBatch).Select(_ => new Beam(options, _attention is null ? 0 : maxSourceSteps))];
        _encoderJob = new RowJob(Encode);
        _decoderJob = new RowJob(Step);
        Refresh();

        UnrolledLayer Unroll(Layer layer) => layer.Unroll(_targetContext, WeightsOf(layer), Keep.Outputs, 1, rows);
    }

    /// <summary>The model.</summary>
    public EncoderDecoder Model { get; }

    /// <summary>How it searches.</summary>
    public GenerationOptions Options { get; }

    /// <summary>The most steps of a source.</summary>
    public int MaxSourceSteps { get; }

    /// <summary>The most sources at a time.</summary>
    public int MaxBatch { get; }

    /// <summary>Takes the model's present parameters, after training has changed them.</summary>
    public void Refresh()
    {
        foreach (var weights in _weights)
            weights?.Pack(Model.Engine, Model.Parameters);
        GC.KeepAlive(this);
    }

    /// <summary>Writes the targets of a batch of sources.</summary>
    /// <param name="source">x [S, B, I].</param>
    /// <param name="steps">S, 1 to <see cref="MaxSourceSteps"/>.</param>
    /// <param name="batchSize">B, 1 to <see cref="MaxBatch"/>.</param>
    /// <param name="lengths">The valid steps of each source [B], 0 to S; all S if empty.</param>
    /// <returns>For each source up to W targets, the best first.</returns>
    /// <exception cref="ArgumentException">A size or a length is out of range, or a token is not one of the source's.</exception>
    public GeneratedSequence[][] Generate(ReadOnlySpan<float> source, int steps, int batchSize, ReadOnlySpan<int> lengths = default)
    {
        Sizes.Check(steps, MaxSourceSteps, nameof(steps));
        Sizes.Check(batchSize, MaxBatch, nameof(batchSize));
        Sizes.CheckLength(source.Length, steps * batchSize * Model.InputSize, "inputs [S, B, I]", nameof(source));
        TakeLengths(lengths, steps, batchSize);
        (_sourceSteps, _batch) = (steps, batchSize);
        Resize(_encoder, steps, batchSize, _sourceContext.Arena.Pointer(_source));
        Resize(_decoder, 1, batchSize * Options.BeamWidth, _targetContext.Arena.Pointer(_tokens));
        _bridge.Resize(batchSize);
        source.CopyTo(_sourceContext.Arena.Span(_source));
        Sizes.ClearPadding(_sourceContext.Arena.Span(_source)[..source.Length], _lengths.AsSpan(0, batchSize), Model.InputSize);
        foreach (var cell in _encoderCells)
        {
            new Span<float>(cell.HiddenAt(-1), batchSize * cell.Layer.OutputSize).Clear();
            if (cell.CellAt(-1) != null)
                new Span<float>(cell.CellAt(-1), batchSize * cell.Layer.OutputSize).Clear();
            cell.StartsAtZero = true;
        }

        _attention?.SetSource(_encoder[^1].Output, null, steps, _lengths.AsSpan(0, batchSize));
        _encoderJob.Run(Model.Engine, batchSize, Flops(_encoder) * steps * batchSize);
        foreach (var beam in _beams.AsSpan(0, batchSize))
            beam.Start();
        _targetContext.Arena.Span(_tokens).Fill(Model.Options.StartToken);
        for (var step = 0; step < Options.MaxSteps && AnyLive(); step++)
        {
            _decoderJob.Run(Model.Engine, batchSize * Options.BeamWidth, Flops(_decoder) * batchSize * Options.BeamWidth);
            for (var b = 0; b < batchSize; b++)
            {
                _beams[b].Advance(
                    new ReadOnlySpan<float>(_decoder[^1].Output + ((nint)b * Options.BeamWidth * Model.OutputSize), Options.BeamWidth * Model.OutputSize),
                    _attention is null ? default : new ReadOnlySpan<float>(_attention.Weights + ((nint)b * Options.BeamWidth * steps), Options.BeamWidth * steps));
            }

            TakeHypotheses();
        }

        GC.KeepAlive(this);
        return [.. _beams.Take(batchSize).Select(beam => beam.Ranked())];
    }

    static void Check(GenerationOptions options, EncoderDecoder model)
    {
        if (options.MaxSteps < 1)
            throw new ArgumentOutOfRangeException(nameof(options), options.MaxSteps, "Expected targets of at least 1 token.");
        if (options.BeamWidth is < 1 or > MaximumBeamWidth)
            throw new ArgumentOutOfRangeException(nameof(options), options.BeamWidth, $"Expected a beam width of 1 to {MaximumBeamWidth}.");
        if (options.EndToken is { } end && (end < 0 || end >= model.OutputSize))
            throw new ArgumentOutOfRangeException(nameof(options), end, $"Expected an end token of 0 to {model.OutputSize - 1}, one that the decoder writes, or none.");
        if (!(options.LengthPenalty >= 0 && options.LengthPenalty <= MaximumLengthPenalty))
            throw new ArgumentOutOfRangeException(nameof(options), options.LengthPenalty, $"Expected a length penalty of 0 to {MaximumLengthPenalty}.");
    }

    void TakeLengths(ReadOnlySpan<int> lengths, int steps, int batchSize)
    {
        if (lengths.IsEmpty)
        {
            Array.Fill(_lengths, steps);
        }
        else
        {
            Sizes.CheckLengths(lengths, steps, batchSize, nameof(lengths));
            lengths.CopyTo(_lengths);
        }

        foreach (var layer in _encoder)
            layer.Lengths = lengths.IsEmpty ? null : _lengths;
    }

    static void Resize(UnrolledLayer[] layers, int steps, int batch, float* input)
    {
        foreach (var layer in layers)
        {
            layer.Resize(steps, batch, input);
            input = layer.Output;
        }
    }

    static long Flops(UnrolledLayer[] layers) => layers.Sum(layer => layer.FlopsPerStep);

    PackedWeights? WeightsOf(Layer layer)
    {
        var index = 0;
        while (!ReferenceEquals(Model.Layers[index], layer))
            index++;
        return _weights[index];
    }

    bool AnyLive() => _beams.Take(_batch).Any(beam => beam.Live > 0);

    void Encode(int b0, int b1)
    {
        foreach (var layer in _encoder)
            layer.Forward(0, _sourceSteps, b0, b1);
        _bridge.Forward(b0, b1);
        _attention?.ReadKeys(b0, b1);
        for (var cell = 0; cell < _decoderCells.Length; cell++)
        {
            var layer = _decoderCells[cell];
            for (var b = b0; b < b1; b++)
            {
                for (var row = b * Options.BeamWidth; row < (b + 1) * Options.BeamWidth; row++)
                {
                    Row(_bridge.Hidden(cell, b), layer, 0).CopyTo(Row(layer.HiddenAt(-1), layer, row));
                    if (layer.CellAt(-1) != null)
                        Row(_bridge.State(cell, b), layer, 0).CopyTo(Row(layer.CellAt(-1), layer, row));
                }
            }
        }
    }

    void Step(int row0, int row1)
    {
        foreach (var layer in _decoder)
            layer.Forward(0, 1, row0, row1);
    }

    /// <summary>Gives each hypothesis its last token and its parent's state.</summary>
    void TakeHypotheses()
    {
        var width = Options.BeamWidth;
        var tokens = _targetContext.Arena.Span(_tokens);
        for (var b = 0; b < _batch; b++)
        {
            for (var slot = 0; slot < _beams[b].Live; slot++)
                tokens[(b * width) + slot] = _beams[b].Token(slot);
        }

        foreach (var layer in _decoderCells)
        {
            // h before and after a step have places of their own, c has one.
            var size = layer.Layer.OutputSize;
            if (layer.CellAt(0) != null)
                new ReadOnlySpan<float>(layer.CellAt(0), _batch * width * size).CopyTo(_cellScratch);
            for (var b = 0; b < _batch; b++)
            {
                for (var slot = 0; slot < _beams[b].Live; slot++)
                {
                    var (row, parent) = ((b * width) + slot, (b * width) + _beams[b].Parent(slot));
                    Row(layer.HiddenAt(0), layer, parent).CopyTo(Row(layer.HiddenAt(-1), layer, row));
                    if (layer.CellAt(0) != null)
                        _cellScratch.AsSpan(parent * size, size).CopyTo(Row(layer.CellAt(-1), layer, row));
                }
            }
        }
    }

    static Span<float> Row(float* array, UnrolledLayer layer, int row) => new(array + ((nint)row * layer.Layer.OutputSize), layer.Layer.OutputSize);
}
