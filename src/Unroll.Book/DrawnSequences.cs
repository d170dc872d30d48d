using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Book;

/// <summary>Draws one sequence of a task: fills its inputs [T, I] and its targets [T, O].</summary>
/// <param name="random">What it draws from.</param>
/// <param name="inputs">[T, I], overwritten.</param>
/// <param name="targets">[T, O], overwritten.</param>
public delegate void SequenceDraw(MersenneTwister random, Span<float> inputs, Span<float> targets);

/// <summary>A task whose sequences are drawn when they are asked for and never come again.</summary>
/// <param name="steps">T.</param>
/// <param name="inputSize">I.</param>
/// <param name="targetSize">O.</param>
/// <param name="random">What the sequences are drawn from.</param>
/// <param name="draw">Draws one.</param>
public sealed class DrawnSequences(int steps, int inputSize, int targetSize, MersenneTwister random, SequenceDraw draw) : ISequenceSource
{
    readonly float[] _inputs = new float[steps * inputSize];
    readonly float[] _targets = new float[steps * targetSize];

    /// <inheritdoc/>
    public int Count => int.MaxValue;

    /// <inheritdoc/>
    public int MaxSteps => steps;

    /// <inheritdoc/>
    public int InputSize => inputSize;

    /// <inheritdoc/>
    public int TargetSize => targetSize;

    /// <summary>A batch of this many new sequences.</summary>
    public SequenceBatch Next(int batchSize)
    {
        var batch = new SequenceBatch(steps, batchSize, inputSize, targetSize);
        Fill(batch, new int[batchSize]);
        return batch;
    }

    /// <summary>Fills the rows with new sequences, whatever their indices.</summary>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Resize(steps, indices.Length, steps);
        for (var b = 0; b < indices.Length; b++)
        {
            draw(random, _inputs, _targets);
            for (var t = 0; t < steps; t++)
            {
                var row = (t * indices.Length) + b;
                _inputs.AsSpan(t * inputSize, inputSize).CopyTo(batch.Inputs[(row * inputSize)..]);
                _targets.AsSpan(t * targetSize, targetSize).CopyTo(batch.Targets[(row * targetSize)..]);
            }
        }
    }
}
