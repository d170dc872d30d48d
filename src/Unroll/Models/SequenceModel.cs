using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>A stack of layers that maps a sequence [T, B, I] to a sequence [T, B, O], or to its last step.</summary>
/// <remarks>
/// The model is its options and its parameters. To compute, unroll it over a number of steps and rows
/// (<see cref="Unroll"/>). A fresh model has zero parameters: initialise it or load it from a file.
/// </remarks>
public sealed class SequenceModel : TrainableModel
{
    const int MaximumInputSize = 16384;

    /// <summary>Builds the layers.</summary>
    /// <param name="options">The layers and the input size.</param>
    /// <param name="engine">What computes; <see cref="Engine.Default"/> if none is given.</param>
    /// <exception cref="ArgumentException">There is no layer, or the input size is out of range.</exception>
    public SequenceModel(SequenceModelOptions options, Engine? engine = null)
        : this(options, engine, new ParameterBuilder())
    {
    }

    SequenceModel(SequenceModelOptions options, Engine? engine, ParameterBuilder parameters)
        : base(engine, Build(options, parameters), parameters)
    {
        Options = options;
        Recurrences = [.. Layers.SelectMany(layer => layer.Recurrences)];
        OutputSize = Layers[^1].OutputSize;
        HasOutputAtEveryStep = Layers.All(layer => layer.HasOutputAtEveryStep);
        ReadsForward = Layers.All(layer => layer.ReadsForward);
    }

    /// <summary>The description the model was built from.</summary>
    public SequenceModelOptions Options { get; }

    /// <inheritdoc/>
    public override int InputSize => Options.InputSize;

    /// <inheritdoc/>
    public override int OutputSize { get; }

    /// <summary>Whether every input step has an output (false behind a <see cref="LastStepOptions"/> or <see cref="PoolingOptions"/>).</summary>
    public bool HasOutputAtEveryStep { get; }

    /// <summary>Whether an output depends on no later input, as a stream and a closed loop need it (not with a <see cref="BidirectionalOptions"/>).</summary>
    public bool ReadsForward { get; }

    /// <summary>The recurrent layers in the order of their states.</summary>
    internal IReadOnlyList<RecurrentLayer> Recurrences { get; }

    /// <summary>The number of parameters a model would have.</summary>
    /// <exception cref="ArgumentException">The options describe no model.</exception>
    /// <exception cref="OverflowException">There would be more than an array can hold.</exception>
    internal static int CountParameters(SequenceModelOptions options)
    {
        var builder = new ParameterBuilder();
        Build(options, builder);
        return builder.Length;
    }

    /// <summary>Makes the activations for up to <paramref name="maxSteps"/> steps of <paramref name="maxBatch"/> rows.</summary>
    /// <param name="maxSteps">The most steps of a pass.</param>
    /// <param name="maxBatch">The most rows of a pass.</param>
    /// <param name="accumulate">
    /// Whether <see cref="UnrolledModel.Backward"/> adds ∂loss/∂parameters to what <see cref="ParameterSet.Gradients"/> hold, as
    /// for a batch in several passes. Otherwise they take its place, which is faster than
    /// <see cref="ParameterSet.ZeroGradients"/> and adding and takes less memory: from the forward pass to the end of the backward
    /// pass the gradients' memory holds packed weights, so only one such pass over a model's parameters may be under way.
    /// </param>
    /// <remarks>This allocates; passes over the result do not. Several unrolled models may share one model's parameters.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1, or the activations do not fit one array.</exception>
    public UnrolledModel Unroll(int maxSteps, int maxBatch, bool accumulate = true) => new(this, maxSteps, maxBatch, accumulate);

    /// <summary>Prepares to compute outputs of whole batches of up to <paramref name="maxSteps"/> steps and <paramref name="maxBatch"/> rows.</summary>
    /// <remarks>The predictor takes the parameters as they are now (see <see cref="Predictor.Refresh"/>).</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1, or the activations do not fit one array.</exception>
    public Predictor CreatePredictor(int maxSteps, int maxBatch) => new(this, new InferenceWeights(this), maxSteps, maxBatch);

    /// <summary>Prepares to read <paramref name="batchSize"/> sequences step by step, from a state of 0.</summary>
    /// <remarks>The stream takes the parameters as they are now (see <see cref="StreamingModel.Refresh"/>).</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The batch size is below 1.</exception>
    /// <exception cref="InvalidOperationException">The model reads the whole sequence before its first output.</exception>
    public StreamingModel CreateStream(int batchSize = 1) => !ReadsForward || Layers.Any(layer => layer is Pooling)
        ? throw new InvalidOperationException("Expected a model whose outputs depend on earlier inputs only; a bidirectional or pooling layer needs the whole sequence. Use CreatePredictor.")
        : new(this, new InferenceWeights(this), batchSize);

    /// <summary>A state of <paramref name="batchSize"/> rows, all zero.</summary>
    public ModelState CreateState(int batchSize) => new(this, batchSize);

    /// <summary>Layers and parameter counts, one per line.</summary>
    public override string ToString()
    {
        var width = InputSize;
        var lines = new List<string>();
        foreach (var layer in Layers)
        {
            var count = Parameters.All.Where(p => p.LayerIndex == lines.Count).Sum(p => (long)p.Length);
            lines.Add($"{layer.Options.GetType().Name.Replace("Options", "", StringComparison.Ordinal)}({width} => {layer.OutputSize}), {count} parameters");
            width = layer.OutputSize;
        }

        return string.Join(Environment.NewLine, lines);
    }

    static Layer[] Build(SequenceModelOptions options, ParameterBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.InputSize is < 1 or > MaximumInputSize)
            throw new ArgumentOutOfRangeException(nameof(options), options.InputSize, $"Expected an input size of 1 to {MaximumInputSize}.");
        if (options.Layers.Count == 0)
            throw new ArgumentException("Expected at least one layer, got none.", nameof(options));
        var layers = new Layer[options.Layers.Count];
        var width = options.InputSize;
        for (var index = 0; index < layers.Length; index++)
        {
            builder.LayerIndex = index;
            var layer = options.Layers[index] ?? throw new ArgumentException($"Expected a layer at position {index}, got null.", nameof(options));
            layers[index] = layer.Build(width, builder);
            width = layers[index].OutputSize;
        }

        if (layers[^1] is OneHot)
            throw new ArgumentException("Expected a layer after the one-hot vectors, such as a recurrent one: they have nothing to learn.", nameof(options));
        return layers;
    }
}
