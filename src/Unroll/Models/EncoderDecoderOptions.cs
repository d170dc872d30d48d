using System.Text.Json.Serialization;
using Unroll.Layers;

namespace Unroll.Models;

/// <summary>The immutable description of an <see cref="EncoderDecoder"/>: what a model file carries as JSON.</summary>
/// <param name="InputSize">I, the features of one step of the source; 1 where the encoder begins with tokens.</param>
/// <param name="Encoder">The layers that read the source, at least one of them recurrent.</param>
/// <param name="Decoder">
/// The layers that write the target: an embedding or one-hot vectors of the tokens that it reads, then recurrent layers,
/// with dropout before or between them.
/// </param>
/// <param name="OutputSize">V, the tokens that it writes, numbers 0 to V − 1; at most as many as it reads.</param>
/// <param name="StartToken">The token that it reads first, one of those that it reads; it may be one that it never writes.</param>
public sealed record EncoderDecoderOptions(
    int InputSize, IReadOnlyList<LayerOptions> Encoder, IReadOnlyList<LayerOptions> Decoder, int OutputSize, int StartToken)
{
    /// <summary>How the decoder looks at the encoder's outputs; not at all by default.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public AttentionOptions? Attention { get; init; }

    /// <summary>Compares the layers one by one.</summary>
    public bool Equals(EncoderDecoderOptions? other) =>
        other is not null && InputSize == other.InputSize && OutputSize == other.OutputSize && StartToken == other.StartToken
        && Attention == other.Attention && Encoder.SequenceEqual(other.Encoder) && Decoder.SequenceEqual(other.Decoder);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(InputSize);
        hash.Add(OutputSize);
        hash.Add(StartToken);
        hash.Add(Attention);
        foreach (var layer in Encoder.Concat(Decoder))
            hash.Add(layer);
        return hash.ToHashCode();
    }
}
