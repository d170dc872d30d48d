using Unroll.Layers;
using Unroll.Models;
using Unroll.Theory;
using FastModel = Unroll.Models.EncoderDecoder;
using TheoryAttention = Unroll.Theory.Attention;
using TheoryEmbedding = Unroll.Theory.Embedding;
using TheoryModel = Unroll.Theory.EncoderDecoder;

namespace Unroll.Tests.Models;

/// <summary>
/// The double-precision twin of an encoder–decoder of recurrent layers, with an embedding, one-hot vectors or numbers
/// before the encoder: same parameters, sources and tokens.
/// </summary>
sealed class EncoderDecoderTwin
{
    readonly FastModel _fast;
    readonly TheoryModel _model;
    readonly TheoryEmbedding? _sourceEmbedding;

    public EncoderDecoderTwin(FastModel fast)
    {
        _fast = fast;
        var options = fast.Options;
        var inputSize = options.InputSize;
        if (options.Encoder[0] is EmbeddingOptions source)
        {
            _sourceEmbedding = new TheoryEmbedding(source.VocabularySize, source.Size);
            inputSize = source.Size;
        }
        else if (options.Encoder[0] is OneHotOptions oneHot)
        {
            inputSize = oneHot.VocabularySize;
        }

        var encoder = Stack(options.Encoder, inputSize);
        var target = options.Decoder[0] is EmbeddingOptions embedding ? new TheoryEmbedding(embedding.VocabularySize, embedding.Size) : null;
        var decoder = Cells(options.Decoder, target?.EmbeddingSize ?? fast.VocabularySize);
        var width = decoder[^1].HiddenSize;
        TheoryAttention? attention = options.Attention switch
        {
            AdditiveAttentionOptions additive => new AdditiveAttention(width, encoder.OutputSize, additive.Size),
            MultiplicativeAttentionOptions => new MultiplicativeAttention(width, encoder.OutputSize),
            _ => null,
        };
        _model = new TheoryModel(
            encoder, target, decoder, new global::Unroll.Theory.Linear(width, options.OutputSize), attention);
        foreach (var parameter in fast.Parameters.All)
        {
            var tensor = TensorOf(parameter, _model.Parameters, _sourceEmbedding?.Parameters);
            var values = fast.Parameters.ValuesOf(parameter);
            for (var i = 0; i < values.Length; i++)
                tensor[i] = values[i];
        }
    }

    /// <summary>The twin itself.</summary>
    public TheoryModel Model => _model;

    /// <summary>The loss is Σ dLogits⊙logits.</summary>
    public (double[] Logits, double[] Weights, Dictionary<string, double[]> Gradients) Run(UnrolledEncoderDecoder unrolled, bool[,] feedback)
    {
        var (S, T, B) = (unrolled.SourceSteps, unrolled.TargetSteps, unrolled.BatchSize);
        var tokens = Table(unrolled.Tokens, T, B);
        var lengths = unrolled.SourceLengths.ToArray();
        var sourceTokens = _fast.Options.Encoder[0] is EmbeddingOptions or OneHotOptions ? Table(unrolled.Source, S, B) : null;
        var x = sourceTokens is null ? new Sequence(S, B, _fast.InputSize, unrolled.Source)
            : _sourceEmbedding is { } embedding ? embedding.Forward(sourceTokens, lengths)
            : global::Unroll.Theory.OneHot.Forward(((OneHotOptions)_fast.Options.Encoder[0]).VocabularySize, sourceTokens, lengths);
        var cache = _model.Forward(x, tokens, feedback, lengths);
        var back = _model.Backward(cache, new Sequence(T, B, _fast.OutputSize, unrolled.OutputGradient));
        var dEmbedding = _sourceEmbedding?.Backward(sourceTokens!, back.DX, lengths);
        var gradients = _fast.Parameters.All.ToDictionary(parameter => parameter.Name, parameter => TensorOf(parameter, back.DParameters, dEmbedding));
        gradients["x"] = back.DX.Values;
        var weights = new List<double>();
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                weights.AddRange(cache.Steps[t, b].Attended?.Weights ?? []);
        }

        return (cache.Logits.Values, [.. weights], gradients);
    }

    double[] TensorOf(Parameter parameter, EncoderDecoderParameters all, EmbeddingParameters? sourceEmbedding)
    {
        var parts = _fast.Structure;
        var layer = parts.All[parameter.LayerIndex];
        if (layer is global::Unroll.Layers.Embedding)
            return (layer == parts.Encoder[0] ? sourceEmbedding : all.Embedding)!.Weight.Values;
        if (layer == parts.Attention)
        {
            return parameter.Role switch
            {
                ParameterRole.WeightQuery => all.Attention!.WeightQuery.Values,
                ParameterRole.WeightKey => all.Attention!.WeightKey.Values,
                ParameterRole.WeightScore => all.Attention!.WeightScore,
                _ => all.Attention!.Bias,
            };
        }

        if (layer.Recurrences.Count > 0)
        {
            var (layers, cells) = parts.Encoder.Contains(layer) ? (parts.Encoder, all.Encoder) : (parts.Decoder, all.Decoder);
            var first = layers.TakeWhile(other => other != layer).Sum(other => other.Recurrences.Count);
            return TheoryTwin.TensorOf(parameter.Role, cells[first + (parameter.Reverse ? 1 : 0)]);
        }

        var map = Array.IndexOf(parts.Bridge.HiddenMaps, layer) is >= 0 and var hidden ? all.Bridge.H[hidden]
            : Array.IndexOf(parts.Bridge.CellMaps, layer) is >= 0 and var cell ? all.Bridge.C[cell]
            : layer == parts.Combine ? all.Combine
            : all.Readout;
        return parameter.Role == ParameterRole.Weight ? map!.Weight.Values : map!.Bias;
    }

    static Stacked Stack(IReadOnlyList<LayerOptions> layers, int inputSize)
    {
        var stack = new List<SequenceLayer>();
        foreach (var options in layers.Where(options => options.Recurrence is not null))
        {
            var cell = TheoryTwin.CellOf(options.Recurrence!, inputSize);
            stack.Add(options is BidirectionalOptions ? new global::Unroll.Theory.Bidirectional(cell, TheoryTwin.CellOf(options.Recurrence!, inputSize)) : new Recurrent(cell));
            inputSize = stack[^1].OutputSize;
        }

        return new Stacked([.. stack]);
    }

    static Cell[] Cells(IReadOnlyList<LayerOptions> layers, int inputSize)
    {
        var cells = new List<Cell>();
        foreach (var options in layers.OfType<RecurrentOptions>())
        {
            cells.Add(TheoryTwin.CellOf(options, inputSize));
            inputSize = options.HiddenSize;
        }

        return [.. cells];
    }

    static int[,] Table(ReadOnlySpan<float> tokens, int T, int B)
    {
        var table = new int[T, B];
        for (var at = 0; at < tokens.Length; at++)
            table[at / B, at % B] = (int)tokens[at];
        return table;
    }
}
