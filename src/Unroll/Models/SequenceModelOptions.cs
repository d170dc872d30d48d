using Unroll.Layers;

namespace Unroll.Models;

/// <summary>The immutable description of a <see cref="SequenceModel"/>: what a model file carries as JSON.</summary>
/// <param name="InputSize">I, the features of one input step, 1 to 16384.</param>
/// <param name="Layers">The layers from input to output, at least one.</param>
public sealed record SequenceModelOptions(int InputSize, IReadOnlyList<LayerOptions> Layers)
{
    /// <summary>Compares the layers one by one.</summary>
    public bool Equals(SequenceModelOptions? other) =>
        other is not null && InputSize == other.InputSize && Layers.SequenceEqual(other.Layers);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(InputSize);
        foreach (var layer in Layers)
            hash.Add(layer);
        return hash.ToHashCode();
    }
}
