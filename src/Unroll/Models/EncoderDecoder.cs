using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>
/// An encoder reads a source sequence; a decoder, started from its last states, writes a target sequence token by token.
/// </summary>
/// <remarks>
/// <code>
/// k_0 … k_{S−1} = encoder(x)                       its outputs
/// state_{−1}    = bridge(last states of the encoder): copies where the sizes agree, else tanh(W·e + b)
/// h_t           = decoder(token_t, state_{t−1}),   token_0 = the start token
/// h̃_t           = h_t, or with attention tanh(W_c·(c_t, h_t) + b_c),   c_t = attention(h_t, k)
/// logits_t      = W_o·h̃_t + b_o
/// </code>
/// token_t is the target's token before (teacher forcing) or the first of the largest of logits_{t−1} (free running). The
/// attention looks from the state of the same step; the context is not fed to the next one.
/// Cho et al. (EMNLP 2014); Sutskever, Vinyals and Le (NIPS 2014); attention as in Luong, Pham and Manning (EMNLP 2015),
/// equations 5 to 8, there without b_c and b_o.
/// A fresh model has zero parameters: initialise it or load it from a file.
/// </remarks>
public sealed class EncoderDecoder : TrainableModel
{
    const int MaximumInputSize = 16384;

    /// <summary>Builds the layers.</summary>
    /// <param name="options">The layers and sizes.</param>
    /// <param name="engine">What computes; <see cref="Engine.Default"/> if none is given.</param>
    /// <exception cref="ArgumentException">The options describe no such model; the message says why.</exception>
    public EncoderDecoder(EncoderDecoderOptions options, Engine? engine = null)
        : this(new Parts(options), engine)
    {
    }

    EncoderDecoder(Parts parts, Engine? engine)
        : base(engine, parts.All, parts.Parameters)
    {
        Structure = parts;
    }

    /// <summary>The description the model was built from.</summary>
    public EncoderDecoderOptions Options => Structure.Options;

    /// <inheritdoc/>
    public override int InputSize => Options.InputSize;

    /// <summary>V, the tokens that the decoder writes.</summary>
    public override int OutputSize => Options.OutputSize;

    /// <summary>The tokens that the decoder reads, at least V.</summary>
    public int VocabularySize => Structure.VocabularySize;

    internal Parts Structure { get; }

    /// <summary>Makes the activations for up to so many steps of the source and the target, of <paramref name="maxBatch"/> rows.</summary>
    /// <param name="maxSourceSteps">The most steps of a source.</param>
    /// <param name="maxTargetSteps">The most steps of a target.</param>
    /// <param name="maxBatch">The most rows of a pass.</param>
    /// <param name="accumulate">
    /// Whether <see cref="UnrolledEncoderDecoder.Backward"/> adds ∂loss/∂parameters to what <see cref="ParameterSet.Gradients"/>
    /// hold, as for a batch in several passes. Otherwise they take its place, which is faster than
    /// <see cref="ParameterSet.ZeroGradients"/> and adding and takes less memory: from the forward pass to the end of the backward
    /// pass the gradients' memory holds packed weights, so only one such pass over a model's parameters may be under way.
    /// </param>
    /// <remarks>This allocates; passes over the result do not.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1, or the activations do not fit one array.</exception>
    public UnrolledEncoderDecoder Unroll(int maxSourceSteps, int maxTargetSteps, int maxBatch, bool accumulate = true) =>
        new(this, maxSourceSteps, maxTargetSteps, maxBatch, accumulate);

    /// <summary>Prepares to write targets for up to <paramref name="maxBatch"/> sources at a time.</summary>
    /// <remarks>The generator takes the parameters as they are now (see <see cref="TargetGenerator.Refresh"/>).</remarks>
    /// <param name="options">How to search.</param>
    /// <param name="maxSourceSteps">The most steps of a source.</param>
    /// <param name="maxBatch">The most sources.</param>
    /// <exception cref="ArgumentException">An option is out of range or does not fit the model.</exception>
    public TargetGenerator CreateGenerator(GenerationOptions options, int maxSourceSteps, int maxBatch) => new(this, options, maxSourceSteps, maxBatch);

    /// <summary>The number of parameters a model would have.</summary>
    /// <exception cref="ArgumentException">The options describe no model.</exception>
    /// <exception cref="OverflowException">There would be more than an array can hold.</exception>
    internal static int CountParameters(EncoderDecoderOptions options) => new Parts(options).Parameters.Length;

    /// <summary>Layers and parameter counts, one per line.</summary>
    public override string ToString() => string.Join(Environment.NewLine, Layers.Select((layer, index) =>
    {
        var count = Parameters.All.Where(parameter => parameter.LayerIndex == index).Sum(parameter => (long)parameter.Length);
        return $"{Structure.NameOf(index)}({layer.InputSize} => {layer.OutputSize}), {count} parameters";
    }));

    /// <summary>The layers of a model by their part in it.</summary>
    internal sealed class Parts
    {
        readonly List<Layer> _all = [];
        readonly List<string> _names = [];

        public Parts(EncoderDecoderOptions options)
        {
            ArgumentNullException.ThrowIfNull(options);
            Check(options);
            Options = options;
            Encoder = BuildAll("encoder", options.Encoder, options.InputSize);
            if (!Encoder.All(layer => layer.HasOutputAtEveryStep))
                throw new ArgumentException("Expected an encoder with an output at every step; leave out what makes one step of all.", nameof(options));
            Decoder = BuildAll("decoder", options.Decoder, 1);
            VocabularySize = Decoder[0].OutputSize;
            if (options.Decoder[0] is EmbeddingOptions embedding)
                VocabularySize = embedding.VocabularySize;
            if (options.OutputSize < 1 || options.OutputSize > VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(options), options.OutputSize, $"Expected an output size of 1 to {VocabularySize}, the tokens that the decoder reads.");
            if (options.StartToken < 0 || options.StartToken >= VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(options), options.StartToken, $"Expected a start token of 0 to {VocabularySize - 1}, one that the decoder reads.");
            Bridge = new StateBridge(
                [.. Encoder.SelectMany(layer => layer.Recurrences)], [.. Decoder.SelectMany(layer => layer.Recurrences)], (map, inputs) => (Linear)Build("bridge", map, inputs));
            var width = Decoder[^1].OutputSize;
            if (options.Attention is { } attention)
            {
                Attention = Add("attention", () => attention.Build(width, Encoder[^1].OutputSize, Parameters));
                Combine = (Linear)Build("combine", new LinearOptions(width) { Activation = Nonlinearity.Tanh }, Attention.OutputSize);
            }

            Readout = (Linear)Build("readout", new LinearOptions(options.OutputSize), width);
        }

        public EncoderDecoderOptions Options { get; }

        public ParameterBuilder Parameters { get; } = new();

        public IReadOnlyList<Layer> All => _all;

        public int VocabularySize { get; }

        public Layer[] Encoder { get; }

        public Layer[] Decoder { get; }

        public StateBridge Bridge { get; }

        public Attention? Attention { get; }

        public Linear? Combine { get; }

        public Linear Readout { get; }

        /// <summary>What a layer is to the model, such as <c>encoder Lstm</c>.</summary>
        public string NameOf(int index) => _names[index];

        static void Check(EncoderDecoderOptions options)
        {
            if (options.InputSize is < 1 or > MaximumInputSize)
                throw new ArgumentOutOfRangeException(nameof(options), options.InputSize, $"Expected an input size of 1 to {MaximumInputSize}.");
            if (options.Encoder.Concat(options.Decoder).Any(layer => layer is null))
                throw new ArgumentException("Expected layers in encoder and decoder, got null.", nameof(options));
            if (!options.Encoder.Any(layer => layer.Recurrence is not null))
                throw new ArgumentException("Expected at least one recurrent layer in the encoder, got none.", nameof(options));
            if (options.Decoder.Count == 0 || options.Decoder[0] is not (EmbeddingOptions or OneHotOptions))
                throw new ArgumentException("Expected a decoder that begins with an embedding or one-hot vectors of its tokens.", nameof(options));
            if (options.Decoder.Skip(1).FirstOrDefault(layer => layer is not (RecurrentOptions or DropoutOptions)) is { } foreign)
                throw new ArgumentException($"Expected recurrent layers, and dropout between them, after the tokens of the decoder; got {foreign.GetType().Name}.", nameof(options));
            if (!options.Decoder.Any(layer => layer is RecurrentOptions))
                throw new ArgumentException("Expected at least one recurrent layer in the decoder, got none.", nameof(options));
        }

        Layer[] BuildAll(string part, IReadOnlyList<LayerOptions> options, int width)
        {
            var layers = new Layer[options.Count];
            for (var index = 0; index < layers.Length; index++)
            {
                layers[index] = Build(part, options[index], width);
                width = layers[index].OutputSize;
            }

            return layers;
        }

        Layer Build(string part, LayerOptions options, int width) =>
            Add($"{part} {options.GetType().Name.Replace("Options", "", StringComparison.Ordinal)}", () => options.Build(width, Parameters));

        TLayer Add<TLayer>(string name, Func<TLayer> build)
            where TLayer : Layer
        {
            Parameters.LayerIndex = _all.Count;
            var layer = build();
            _all.Add(layer);
            _names.Add(name);
            return layer;
        }
    }
}
