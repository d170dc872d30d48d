using System.Text.Json.Serialization;

namespace Unroll.Layers;

/// <summary>How the outputs of the two directions become one.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BidirectionalMerge>))]
public enum BidirectionalMerge
{
    /// <summary>(h→, h←): 2H features. Each direction's outputs are one half.</summary>
    Concat,

    /// <summary>h→ + h←.</summary>
    Sum,

    /// <summary>(h→ + h←) / 2.</summary>
    Average,

    /// <summary>h→ ⊙ h←.</summary>
    Product,
}

/// <summary>Two recurrent layers of the same kind over the same inputs, one in each direction of time.</summary>
/// <remarks>
/// <code>
/// h→ₜ = cell→(xₜ, h→ₜ₋₁)   t = 0 … n − 1
/// h←ₜ = cell←(xₜ, h←ₜ₊₁)   t = n − 1 … 0
/// yₜ  = merge(h→ₜ, h←ₜ)
/// </code>
/// n is the row's length: the backward direction starts at each row's own end. Each direction has its own parameters; the
/// backward ones have <see cref="Parameter.Reverse"/>. The layer has two states, forward and backward. Schuster and
/// Paliwal, Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing 45 (1997).
/// </remarks>
public sealed record BidirectionalOptions : LayerOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="cell">The recurrent layer of each direction.</param>
    public BidirectionalOptions(RecurrentOptions cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        Cell = cell;
    }

    /// <summary>The recurrent layer of each direction.</summary>
    public RecurrentOptions Cell { get; }

    /// <summary>How the outputs become one; concatenated by default.</summary>
    public BidirectionalMerge Merge { get; init; }

    internal override RecurrentOptions Recurrence => Cell;

    internal override Layer Build(int inputSize, ParameterBuilder parameters) => new Bidirectional(this, inputSize, parameters);
}
