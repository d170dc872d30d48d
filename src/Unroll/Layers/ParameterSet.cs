using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>What a parameter does in its layer.</summary>
public enum ParameterRole
{
    /// <summary>Input to hidden weights [G·H, I].</summary>
    WeightIh,

    /// <summary>Hidden to hidden weights [G·H, H].</summary>
    WeightHh,

    /// <summary>Bias of the input product [G·H].</summary>
    BiasIh,

    /// <summary>Bias of the hidden product [G·H].</summary>
    BiasHh,

    /// <summary>Peephole weights [P·H], the gates that exist in the order i f o.</summary>
    WeightPeephole,

    /// <summary>Weights of a linear layer [O, I].</summary>
    Weight,

    /// <summary>Bias of a linear layer [O], or of an additive attention's score [A].</summary>
    Bias,

    /// <summary>Gain of the normalised input product [G·H].</summary>
    GainIh,

    /// <summary>Gain of the normalised hidden product [G·H].</summary>
    GainHh,

    /// <summary>Gain of the normalised cell [H].</summary>
    GainCell,

    /// <summary>Bias of the normalised cell [H].</summary>
    BiasCell,

    /// <summary>The vectors of an embedding's tokens [V, E].</summary>
    WeightEmbedding,

    /// <summary>What an attention's score multiplies its queries with [A, Q].</summary>
    WeightQuery,

    /// <summary>What an attention's score multiplies its keys with [A, K].</summary>
    WeightKey,

    /// <summary>The output weights of an additive attention's score [A].</summary>
    WeightScore,
}

/// <summary>One named tensor: a view into the model's buffer of parameters.</summary>
/// <param name="LayerIndex">The layer, from 0, in the order of the model's options.</param>
/// <param name="Role">What it does there.</param>
/// <param name="Shape">Its shape, row-major.</param>
/// <param name="Offset">Its first element in the buffer.</param>
public sealed record Parameter(int LayerIndex, ParameterRole Role, IReadOnlyList<int> Shape, int Offset)
{
    /// <summary>The number of elements.</summary>
    public int Length { get; } = Shape.Aggregate(1, (length, size) => length * size);

    /// <summary>Whether it belongs to the backward direction of a bidirectional layer.</summary>
    public bool Reverse { get; init; }

    /// <summary>Layer index and role, such as <c>0.WeightIh</c> or <c>0.WeightIhReverse</c>.</summary>
    public string Name => $"{LayerIndex}.{Role}{(Reverse ? "Reverse" : "")}";
}

/// <summary>
/// All parameters of a model in one contiguous, 64-byte aligned buffer, and a buffer of gradients that mirrors it, so
/// that clearing, clipping, updating and saving are one pass each.
/// </summary>
public sealed unsafe class ParameterSet
{
    readonly AlignedBuffer _values;
    readonly AlignedBuffer _gradients;
    readonly Parameter[] _all;

    internal ParameterSet(ParameterBuilder builder)
    {
        _all = [.. builder.Parameters];
        _values = new AlignedBuffer(builder.Length);
        _gradients = new AlignedBuffer(builder.Length);
    }

    /// <summary>The tensors in buffer order.</summary>
    public IReadOnlyList<Parameter> All => _all;

    /// <summary>The number of trainable numbers.</summary>
    public int Count => _values.Length;

    /// <summary>Every parameter, flat.</summary>
    public Span<float> Values => _values.Span;

    /// <summary>∂loss/∂parameter, flat; a backward pass fills it or adds to it.</summary>
    public Span<float> Gradients => _gradients.Span;

    internal Memory<float> ValuesMemory => _values.Memory;

    /// <summary>The values of one tensor.</summary>
    public Span<float> ValuesOf(Parameter parameter) => Values.Slice(parameter.Offset, parameter.Length);

    /// <summary>The gradient of one tensor.</summary>
    public Span<float> GradientOf(Parameter parameter) => Gradients.Slice(parameter.Offset, parameter.Length);

    /// <summary>The tensor of a layer by its role.</summary>
    /// <exception cref="ArgumentException">The layer has no such tensor.</exception>
    public Parameter Find(int layerIndex, ParameterRole role, bool reverse = false)
    {
        foreach (var parameter in _all)
        {
            if (parameter.LayerIndex == layerIndex && parameter.Role == role && parameter.Reverse == reverse)
                return parameter;
        }

        throw new ArgumentException($"No parameter '{layerIndex}.{role}{(reverse ? "Reverse" : "")}'; the model has {string.Join(", ", _all.Select(p => p.Name))}.");
    }

    /// <summary>Sets every gradient to 0.</summary>
    public void ZeroGradients() => Gradients.Clear();

    internal float* ValuePointer(Parameter parameter) => _values.Pointer + parameter.Offset;

    internal float* GradientPointer(Parameter parameter) => _gradients.Pointer + parameter.Offset;

    internal float* ValuesPointer => _values.Pointer;

    internal float* GradientsPointer => _gradients.Pointer;
}

/// <summary>Collects the tensors of a model while its layers are built.</summary>
sealed class ParameterBuilder
{
    readonly List<Parameter> _parameters = [];

    public IReadOnlyList<Parameter> Parameters => _parameters;

    public int LayerIndex { get; set; }

    /// <summary>Whether the tensors that follow belong to a backward direction.</summary>
    public bool Reverse { get; set; }

    public int Length { get; private set; }

    public Parameter Add(ParameterRole role, params int[] shape)
    {
        var parameter = new Parameter(LayerIndex, role, shape, Length) { Reverse = Reverse };
        Length = checked(Length + parameter.Length);
        _parameters.Add(parameter);
        return parameter;
    }
}
