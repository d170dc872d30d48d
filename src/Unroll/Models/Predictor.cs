using Unroll.Layers;

namespace Unroll.Models;

/// <summary>Computes a model's outputs for whole batches, keeping nothing for a backward pass.</summary>
/// <remarks>
/// It holds a copy of the model's weights, packed for the matrix product, taken when it was made or last refreshed. Its
/// memory is that of the input and two outputs of the widest layer, [T, B, ·]; where a recurrent layer is followed by
/// <see cref="LastStepOptions"/>, that layer takes [B, H] only. A prediction allocates nothing. One object serves one
/// thread at a time; <see cref="Clone"/> makes another with the same weights.
/// </remarks>
public sealed class Predictor
{
    readonly InferenceWeights _weights;
    readonly InferencePass _pass;

    internal Predictor(SequenceModel model, InferenceWeights weights, int maxSteps, int maxBatch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        (Model, MaxSteps, MaxBatch) = (model, maxSteps, maxBatch);
        _weights = weights;
        _pass = new InferencePass(model, weights, stream: false, maxSteps, maxBatch);
    }

    /// <summary>The model.</summary>
    public SequenceModel Model { get; }

    /// <summary>The most steps of a batch.</summary>
    public int MaxSteps { get; }

    /// <summary>The most rows of a batch.</summary>
    public int MaxBatch { get; }

    /// <summary>Bytes of the input and the activations.</summary>
    public long ActivationBytes => _pass.Bytes;

    /// <summary>Computes the outputs of a batch.</summary>
    /// <param name="input">x [T, B, I].</param>
    /// <param name="steps">T, 1 to <see cref="MaxSteps"/>.</param>
    /// <param name="batchSize">B, 1 to <see cref="MaxBatch"/>.</param>
    /// <param name="output">y [T', B, O], overwritten; T' is T, or 1 where the model keeps its last step.</param>
    /// <param name="initialState">The state before the first step; all 0 if null.</param>
    /// <param name="finalState">Takes the state after each row's last valid step, if given; may be the same object.</param>
    /// <param name="lengths">Empty when all steps are valid; otherwise the valid steps of each row [B], 0 to T (see <see cref="UnrolledModel.Forward"/>).</param>
    /// <exception cref="ArgumentOutOfRangeException">T or B is out of range.</exception>
    /// <exception cref="ArgumentException">A span has another length, or a state other shapes or too few rows, or the lengths do not fit.</exception>
    public unsafe void Predict(
        ReadOnlySpan<float> input, int steps, int batchSize, Span<float> output,
        ModelState? initialState = null, ModelState? finalState = null, ReadOnlySpan<int> lengths = default)
    {
        Sizes.Check(steps, MaxSteps, nameof(steps));
        Sizes.Check(batchSize, MaxBatch, nameof(batchSize));
        Sizes.CheckLength(input.Length, steps * batchSize * Model.InputSize, "inputs [T, B, I]", nameof(input));
        Sizes.CheckLength(output.Length, (Model.HasOutputAtEveryStep ? steps : 1) * batchSize * Model.OutputSize, "outputs [T', B, O]", nameof(output));
        initialState?.CheckFits(Model, batchSize, nameof(initialState));
        finalState?.CheckFits(Model, batchSize, nameof(finalState));
        fixed (float* x = input)
        {
            if (lengths.IsEmpty && _pass.HasLayers)
            {
                // Where it lies: a copy would be made by one thread, and half of it fetched from there by the other.
                _pass.Resize(steps, batchSize, x);
            }
            else
            {
                _pass.Resize(steps, batchSize);
                input.CopyTo(_pass.Input(0));
                if (!lengths.IsEmpty)
                {
                    Sizes.CheckLengths(lengths, steps, batchSize, nameof(lengths));
                    Sizes.ClearPadding(_pass.Input(0), lengths, Model.InputSize);
                }
            }

            _pass.Forward(initialState, finalState, lengths);
            _pass.Output(0).CopyTo(output);
        }
    }

    /// <summary>Computes the outputs of a batch into a new array.</summary>
    /// <inheritdoc cref="Predict(ReadOnlySpan{float}, int, int, Span{float}, ModelState?, ModelState?, ReadOnlySpan{int})"/>
    public float[] Predict(ReadOnlySpan<float> input, int steps, int batchSize)
    {
        Sizes.Check(steps, MaxSteps, nameof(steps));
        Sizes.Check(batchSize, MaxBatch, nameof(batchSize));
        var output = new float[(Model.HasOutputAtEveryStep ? steps : 1) * batchSize * Model.OutputSize];
        Predict(input, steps, batchSize, output);
        return output;
    }

    /// <summary>Takes the model's present parameters, after training has changed them. Clones take them too.</summary>
    public void Refresh() => _weights.Refresh();

    /// <summary>Another predictor of the same sizes with the same weights in memory, for another thread.</summary>
    public Predictor Clone() => new(Model, _weights, MaxSteps, MaxBatch);
}
