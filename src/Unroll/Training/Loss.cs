using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>A loss: a number to make small, and its gradient with respect to the model's output.</summary>
public abstract class Loss
{
    /// <summary>The loss of <paramref name="output"/> [T', B, O] against <paramref name="batch"/>.</summary>
    /// <param name="output">The model's output.</param>
    /// <param name="batch">Targets or labels, and their weights.</param>
    /// <param name="dOutput">∂loss/∂output [T', B, O], overwritten; may be empty when no gradient is wanted.</param>
    /// <exception cref="ArgumentException">The output does not fit the batch, or every weight is 0.</exception>
    public abstract double Evaluate(ReadOnlySpan<float> output, SequenceBatch batch, Span<float> dOutput);

    /// <summary>The sum of the weights of the targets, which the loss is divided by.</summary>
    private protected static double TotalWeight(SequenceBatch batch)
    {
        var weights = batch.Weights;
        if (weights.IsEmpty)
            return batch.TargetSteps * batch.BatchSize;
        var total = 0.0;
        foreach (var weight in weights)
            total += weight;
        return total > 0 ? total : throw new ArgumentException($"Expected targets with a positive total weight, got {total}.", nameof(batch));
    }

    private protected static ArgumentException Misfit(int expected, int actual, SequenceBatch batch) => new(
        $"Expected {expected} outputs for {batch.TargetSteps} steps of {batch.BatchSize} rows of targets, got {actual}; check the model's output size and whether it ends in its last step.");
}

/// <summary>Mean squared error: Σ w·(y − target)² / (O·Σ w) over steps, rows and features.</summary>
public sealed class MeanSquaredError : Loss
{
    /// <inheritdoc/>
    public override double Evaluate(ReadOnlySpan<float> output, SequenceBatch batch, Span<float> dOutput)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var targets = batch.Targets;
        if (output.Length != targets.Length)
            throw Misfit(targets.Length, output.Length, batch);
        var weights = batch.Weights;
        var scale = 1 / (TotalWeight(batch) * batch.TargetSize);
        var loss = 0.0;
        for (var i = 0; i < targets.Length; i++)
        {
            var weight = weights.IsEmpty ? scale : weights[i / batch.TargetSize] * scale;
            var error = (double)output[i] - targets[i];
            loss += weight * error * error;
            if (!dOutput.IsEmpty)
                dOutput[i] = (float)(2 * weight * error);
        }

        return loss;
    }
}

/// <summary>
/// Softmax cross-entropy on logits: Σ w·(log Σⱼ exp(yⱼ) − y_label) / Σ w, with the largest logit subtracted first so
/// that no exponential overflows.
/// </summary>
public sealed class SoftmaxCrossEntropy : Loss
{
    /// <inheritdoc/>
    public override double Evaluate(ReadOnlySpan<float> output, SequenceBatch batch, Span<float> dOutput)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var labels = batch.Labels;
        var classes = output.Length / labels.Length;
        if (classes < 1 || classes * labels.Length != output.Length)
            throw Misfit(labels.Length, output.Length, batch);
        var weights = batch.Weights;
        var total = TotalWeight(batch);
        var loss = 0.0;
        for (var row = 0; row < labels.Length; row++)
        {
            var label = labels[row];
            if ((uint)label >= (uint)classes)
                throw new ArgumentException($"Expected labels of 0 to {classes - 1}, got {label} in row {row}.", nameof(batch));
            var logits = output.Slice(row * classes, classes);
            var weight = (weights.IsEmpty ? 1.0 : weights[row]) / total;
            loss += weight * CrossEntropy(logits, label, weight, dOutput.IsEmpty ? default : dOutput.Slice(row * classes, classes));
        }

        return loss;
    }

    /// <summary>log Σ exp(y) − y_label of one row; dLogits = weight·(softmax − one-hot).</summary>
    static double CrossEntropy(ReadOnlySpan<float> logits, int label, double weight, Span<float> dLogits)
    {
        var (maximum, sum) = SoftmaxSum.Of(logits);
        for (var j = 0; j < dLogits.Length; j++)
        {
            var probability = Activations.Exp<SimdScalar, float>(logits[j] - maximum) / sum;
            dLogits[j] = (float)(weight * (probability - (j == label ? 1 : 0)));
        }

        return Logarithm.Of(sum) - (logits[label] - (double)maximum);
    }
}
