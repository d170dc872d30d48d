using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// A layer's weights as its forward pass reads them: packed for the matrix product, a snapshot of the parameters. Passes
/// that do not change them may share one.
/// </summary>
abstract class PackedWeights
{
    /// <summary>Takes one worker's share of the present parameters.</summary>
    public abstract void Pack(Engine engine, ParameterSet parameters, int worker = 0, int workers = 1);
}

/// <summary>The weights of a recurrent layer, phase by phase.</summary>
sealed unsafe class RecurrentWeights<TCell> : PackedWeights
    where TCell : struct, ICell
{
    readonly Recurrent<TCell> _layer;
    readonly Phase[] _phases;
    readonly AlignedBuffer _peephole;
    AlignedBuffer? _own;

    public RecurrentWeights(Recurrent<TCell> layer, KernelKind kernel)
    {
        _layer = layer;
        _peephole = new AlignedBuffer(layer.WeightPeephole?.Length ?? 0);
        var phases = layer.Cell.Phases;
        _phases = new Phase[phases.Length];
        for (var p = 0; p < phases.Length; p++)
            _phases[p] = new Phase(phases[p], kernel, layer.InputSize, layer.OutputSize);
    }

    /// <summary>
    /// Memory of the panels, which a backward pass may overwrite with the weights as it reads them: the next forward pass
    /// packs anew.
    /// </summary>
    public float* Memory { get; private set; }

    /// <summary>Whether that belongs to nobody else.</summary>
    public bool OwnsMemory => _own is not null;

    /// <summary>Floats of the panels.</summary>
    public long Length => _phases.Sum(phase => phase.Length);

    /// <summary>Takes <see cref="Memory"/> of its own, at least so many floats.</summary>
    public void Allocate(long length = 0)
    {
        _own = new AlignedBuffer(Math.Max(length, Length));
        Place(_own.Pointer);
    }

    /// <summary>Takes <see cref="Memory"/> that belongs to another: <see cref="Length"/> floats, 64-byte aligned.</summary>
    public void Place(float* memory)
    {
        Memory = memory;
        foreach (var phase in _phases)
            memory = phase.Place(memory);
    }

    /// <summary>p [P·H], or nothing.</summary>
    public float* Peephole => _peephole.Pointer;

    public Phase Of(int phase) => _phases[phase];

    /// <summary>The groups of the phase that has the most.</summary>
    public int MostGroups => _phases.Max(phase => phase.Panels.Groups);

    public override void Pack(Engine engine, ParameterSet parameters, int worker, int workers)
    {
        float* weightIh = parameters.ValuePointer(_layer.WeightIh), weightHh = parameters.ValuePointer(_layer.WeightHh);
        float* biasIh = parameters.ValuePointer(_layer.BiasIh), biasHh = parameters.ValuePointer(_layer.BiasHh);
        // A training pass, which alone has several workers, has allocated already.
        if (Memory == null)
            Allocate();
        foreach (var phase in _phases)
            phase.Pack(weightIh, weightHh, biasIh, biasHh, worker, workers);
        if (_layer.WeightPeephole is { } peephole && worker == 0)
            parameters.ValuesOf(peephole).CopyTo(_peephole.Span);
    }

    /// <summary>
    /// [W_ih | W_hh] of one phase with the sum of both biases. Where the last gate's products stay apart, W_ih alone in
    /// <see cref="Inputs"/>, that gate first, and W_hh in <see cref="Panels"/>, that gate last, its b_hh in
    /// <see cref="ApartBias"/>.
    /// </summary>
    public sealed class Phase
    {
        readonly int _inputSize, _hiddenSize, _apart;
        readonly AlignedBuffer _apartBias;

        public Phase(ForwardPhase phase, KernelKind kernel, int inputSize, int hiddenSize)
        {
            (_inputSize, _hiddenSize) = (inputSize, hiddenSize);
            int[] gates = [.. Enumerable.Range(phase.FirstGate, phase.GateCount)];
            _apart = phase.LastApart ? gates[^1] : -1;
            Inputs = phase.LastApart ? new GatePanels(kernel, hiddenSize, inputSize, [gates[^1], .. gates[..^1]]) : null;
            Panels = new GatePanels(kernel, hiddenSize, (phase.LastApart ? 0 : inputSize) + hiddenSize, gates);
            _apartBias = new AlignedBuffer(phase.LastApart ? hiddenSize : 0);
        }

        public GatePanels Panels { get; }

        public GatePanels? Inputs { get; }

        public float* ApartBias => _apartBias.Pointer;

        /// <summary>Floats from a group's pre-activations to the next one's: those of its gates, and a second of the one that is apart.</summary>
        public int Stride(int group) => Panels.Width(group) + (Inputs is null ? 0 : Panels.Units(group));

        /// <summary>That of the last group, which may hold more units than the others.</summary>
        public int LastStride => Stride(Panels.Groups - 1);

        /// <summary>Floats of the panels, in whole cache lines.</summary>
        public long Length => InLines(Panels) + InLines(Inputs);

        /// <summary>Takes memory for the panels; returns what lies behind it.</summary>
        public float* Place(float* memory)
        {
            Panels.Place(memory);
            Inputs?.Place(memory + InLines(Panels));
            return memory + Length;
        }

        static long InLines(GatePanels? panels) => ((panels?.Length ?? 0) + 15) / 16 * 16;

        public void Pack(float* weightIh, float* weightHh, float* biasIh, float* biasHh, int worker, int workers)
        {
            (Inputs ?? Panels).Pack(weightIh, _inputSize, 0, worker, workers);
            Panels.Pack(weightHh, _hiddenSize, Inputs is null ? _inputSize : 0, worker, workers);
            if (worker > 0)
                return;
            (Inputs ?? Panels).PackBias(biasIh, biasHh, except: _apart);
            if (Inputs is not null)
                new ReadOnlySpan<float>(biasHh + ((nint)_apart * _hiddenSize), _hiddenSize).CopyTo(_apartBias.Span);
        }
    }
}

/// <summary>The weights of a linear layer.</summary>
sealed unsafe class LinearWeights(Linear layer) : PackedWeights
{
    readonly PackedMatrix _weight = new(layer.InputSize, layer.OutputSize);
    readonly AlignedBuffer _bias = new(layer.OutputSize);

    public float* Weight => _weight.Pointer;

    public float* Bias => _bias.Pointer;

    public override void Pack(Engine engine, ParameterSet parameters, int worker, int workers)
    {
        _weight.Pack(engine.Kernel, parameters.ValuePointer(layer.Weight), transposed: true, worker, workers);
        if (worker == 0)
            parameters.ValuesOf(layer.Bias).CopyTo(_bias.Span);
    }
}

/// <summary>The vectors of an embedding's tokens.</summary>
sealed unsafe class EmbeddingWeights(Embedding layer) : PackedWeights
{
    readonly AlignedBuffer _vectors = new(layer.Weight.Length);

    public float* Vectors => _vectors.Pointer;

    public override void Pack(Engine engine, ParameterSet parameters, int worker, int workers)
    {
        var (start, end) = ParallelJob.Share(layer.Weight.Length, worker, workers);
        parameters.ValuesOf(layer.Weight)[start..end].CopyTo(_vectors.Span[start..end]);
    }
}

/// <summary>The weights of an attention: W_k and, where the score is additive, W_q, b and v.</summary>
sealed unsafe class AttentionWeights(Attention layer) : PackedWeights
{
    readonly PackedMatrix _key = new(layer.KeySize, layer.ScoreSize);
    readonly PackedMatrix? _query = layer.WeightQuery is null ? null : new(layer.InputSize, layer.ScoreSize);
    readonly AlignedBuffer _bias = new(layer.Bias?.Length ?? 0);
    readonly AlignedBuffer _score = new(layer.WeightScore?.Length ?? 0);

    public float* Key => _key.Pointer;

    public float* Query => _query!.Pointer;

    public float* Bias => _bias.Pointer;

    public float* Score => _score.Pointer;

    public override void Pack(Engine engine, ParameterSet parameters, int worker, int workers)
    {
        _key.Pack(engine.Kernel, parameters.ValuePointer(layer.WeightKey), transposed: true, worker, workers);
        if (layer is not { WeightQuery: { } query, Bias: { } bias, WeightScore: { } score })
            return;
        _query!.Pack(engine.Kernel, parameters.ValuePointer(query), transposed: true, worker, workers);
        if (worker > 0)
            return;
        parameters.ValuesOf(bias).CopyTo(_bias.Span);
        parameters.ValuesOf(score).CopyTo(_score.Span);
    }
}
