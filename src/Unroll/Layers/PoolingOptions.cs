using System.Text.Json.Serialization;

namespace Unroll.Layers;

/// <summary>How all valid steps of a sequence become one.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PoolingKind>))]
public enum PoolingKind
{
    /// <summary>x₀: where the backward direction of a bidirectional layer has seen everything.</summary>
    First,

    /// <summary>xₙ₋₁: where the forward direction has seen everything.</summary>
    Last,

    /// <summary>Σ xₜ / n.</summary>
    Mean,

    /// <summary>max xₜ, feature by feature; its gradient goes to the first step that has it.</summary>
    Max,
}

/// <summary>Makes one step of all valid steps, by one pooling or several side by side: [T, B, F] becomes [1, B, kinds·F].</summary>
/// <remarks>
/// n is the row's length, T without lengths. A row of length 0 gives 0. For the last step alone, <see cref="LastStepOptions"/>
/// is leaner.
/// </remarks>
public sealed record PoolingOptions : LayerOptions
{
    /// <summary>Describes the layer.</summary>
    /// <param name="kinds">The poolings, in the order of their features.</param>
    /// <exception cref="ArgumentException">There is none, or one that does not exist.</exception>
    [JsonConstructor]
    public PoolingOptions(IReadOnlyList<PoolingKind> kinds)
    {
        ArgumentNullException.ThrowIfNull(kinds);
        if (kinds.Count == 0 || kinds.Any(kind => !Enum.IsDefined(kind)))
            throw new ArgumentException($"Expected at least one pooling of {string.Join(", ", Enum.GetNames<PoolingKind>())}; got [{string.Join(", ", kinds)}].", nameof(kinds));
        Kinds = [.. kinds];
    }

    /// <inheritdoc cref="PoolingOptions(IReadOnlyList{PoolingKind})"/>
    public PoolingOptions(params PoolingKind[] kinds)
        : this((IReadOnlyList<PoolingKind>)kinds)
    {
    }

    /// <summary>The poolings.</summary>
    public IReadOnlyList<PoolingKind> Kinds { get; }

    /// <summary>Whether both describe the same layer.</summary>
    public bool Equals(PoolingOptions? other) => other is not null && Kinds.SequenceEqual(other.Kinds);

    /// <inheritdoc/>
    public override int GetHashCode() => Kinds.Aggregate(17, HashCode.Combine);

    internal override Layer Build(int inputSize, ParameterBuilder parameters) => new Pooling(this, inputSize);
}
