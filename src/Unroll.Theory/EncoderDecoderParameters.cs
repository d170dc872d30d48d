namespace Unroll.Theory;

/// <summary>All parameters of an <see cref="EncoderDecoder"/>, part by part, or their gradients.</summary>
public sealed class EncoderDecoderParameters : TensorGroup
{
    /// <summary>The parameters of the encoder's cells.</summary>
    public required IReadOnlyList<CellParameters> Encoder { get; init; }

    /// <summary>The parameters of the bridge between the states.</summary>
    public required StateBridgeParameters Bridge { get; init; }

    /// <summary>The vectors of the tokens that the decoder reads; null with one-hot inputs.</summary>
    public required EmbeddingParameters? Embedding { get; init; }

    /// <summary>The parameters of the decoder's cells, bottom layer first.</summary>
    public required IReadOnlyList<CellParameters> Decoder { get; init; }

    /// <summary>The parameters of the score; null without attention.</summary>
    public required AttentionParameters? Attention { get; init; }

    /// <summary>W_c and b_c, which combine context and state; null without attention.</summary>
    public required LinearParameters? Combine { get; init; }

    /// <summary>W_o and b_o, which make the logits.</summary>
    public required LinearParameters Readout { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors =>
    [
        .. Encoder.SelectMany((cell, k) => Prefixed($"encoder[{k}].", cell)),
        .. Prefixed("bridge.", Bridge),
        .. Prefixed("embedding.", Embedding),
        .. Decoder.SelectMany((cell, k) => Prefixed($"decoder[{k}].", cell)),
        .. Prefixed("attention.", Attention),
        .. Prefixed("combine.", Combine),
        .. Prefixed("readout.", Readout),
    ];
}
