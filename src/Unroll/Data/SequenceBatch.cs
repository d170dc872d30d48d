namespace Unroll.Data;

/// <summary>
/// One mini-batch: inputs [T, B, I], targets [T', B, O] or class labels [T', B], and optionally the weight of each
/// target in the loss, the lengths of the rows, and which inputs are the model's own output. Time-major; allocated once, refilled for every step.
/// </summary>
public sealed class SequenceBatch
{
    readonly float[] _inputs;
    readonly float[] _targets;
    readonly int[] _labels;
    readonly float[] _weights;
    readonly byte[] _feedback;
    readonly int[] _lengths;
    int _carriedSteps;
    bool _hasWeights;
    bool _hasFeedback;
    bool _hasLengths;

    /// <summary>Allocates a batch.</summary>
    /// <param name="maxSteps">The most steps T it holds.</param>
    /// <param name="maxBatch">The most rows B it holds.</param>
    /// <param name="inputSize">I, at least 1.</param>
    /// <param name="targetSize">O, at least 0; 0 when only labels are used.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is below its minimum.</exception>
    public SequenceBatch(int maxSteps, int maxBatch, int inputSize, int targetSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBatch, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(inputSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(targetSize);
        (MaxSteps, MaxBatch, InputSize, TargetSize) = (maxSteps, maxBatch, inputSize, targetSize);
        var rows = checked(maxSteps * maxBatch);
        _inputs = new float[checked(rows * inputSize)];
        _targets = new float[checked(rows * targetSize)];
        _labels = new int[rows];
        _weights = new float[rows];
        _feedback = new byte[rows];
        _lengths = new int[maxBatch];
        Resize(maxSteps, maxBatch, maxSteps);
    }

    /// <summary>The most steps.</summary>
    public int MaxSteps { get; }

    /// <summary>The most rows.</summary>
    public int MaxBatch { get; }

    /// <summary>I, the features of an input step.</summary>
    public int InputSize { get; }

    /// <summary>O, the features of a target step.</summary>
    public int TargetSize { get; }

    /// <summary>T, the steps of the inputs.</summary>
    public int Steps { get; private set; }

    /// <summary>B, the rows.</summary>
    public int BatchSize { get; private set; }

    /// <summary>T', the steps of the targets.</summary>
    public int TargetSteps { get; private set; }

    /// <summary>x [T, B, I].</summary>
    public Span<float> Inputs => _inputs.AsSpan(0, Steps * BatchSize * InputSize);

    /// <summary>Targets [T', B, O].</summary>
    public Span<float> Targets => _targets.AsSpan(0, TargetSteps * BatchSize * TargetSize);

    /// <summary>Class labels [T', B].</summary>
    public Span<int> Labels => _labels.AsSpan(0, TargetSteps * BatchSize);

    /// <summary>
    /// The weight of each target [T', B] in the loss; empty when all count alike. Unless weights were asked for, targets at
    /// padded steps weigh 0.
    /// </summary>
    public Span<float> Weights
    {
        get
        {
            if (!_hasWeights && (!_hasLengths || TargetSteps != Steps))
                return default;
            var weights = _weights.AsSpan(0, TargetSteps * BatchSize);
            for (var i = 0; !_hasWeights && i < weights.Length; i++)
                weights[i] = i / BatchSize < _lengths[i % BatchSize] ? 1f : 0f;
            return weights;
        }
    }

    /// <summary>The valid steps of each row [B], 0 to T; empty when all steps are valid.</summary>
    public Span<int> Lengths => _hasLengths ? _lengths.AsSpan(0, BatchSize) : default;

    /// <summary>
    /// Of windows of streams, the steps after which the windows of the next batch begin, 0 to T: T, unless they overlap.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 0 or above T.</exception>
    public int CarriedSteps
    {
        get => _carriedSteps;
        set => _carriedSteps = value >= 0 && value <= Steps
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"Expected 0 to {Steps}, the steps of this batch.");
    }

    /// <summary>[T, B]: not 0 where the input is the model's own output of the step before; empty for an open loop.</summary>
    public Span<byte> Feedback => _hasFeedback ? _feedback.AsSpan(0, Steps * BatchSize) : default;

    /// <summary>Sets the sizes; weights, feedback and lengths are off until asked for.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is below 1 or above its maximum.</exception>
    public void Resize(int steps, int batchSize, int targetSteps, bool weights = false, bool feedback = false, bool lengths = false)
    {
        CheckSize(steps, MaxSteps, nameof(steps));
        CheckSize(batchSize, MaxBatch, nameof(batchSize));
        CheckSize(targetSteps, MaxSteps, nameof(targetSteps));
        (Steps, BatchSize, TargetSteps, _carriedSteps) = (steps, batchSize, targetSteps, steps);
        (_hasWeights, _hasFeedback, _hasLengths) = (weights, feedback, lengths);
    }

    static void CheckSize(int value, int maximum, string name)
    {
        if (value < 1 || value > maximum)
            throw new ArgumentOutOfRangeException(name, value, $"Expected 1 to {maximum}, the size of this batch.");
    }
}
