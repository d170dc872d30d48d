using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Book;

/// <summary>Draws one sequence of a task: fills its inputs [T, I] and its targets [T, O].</summary>
/// <param name="random">What it draws from.</param>
/// <param name="inputs">[T, I], all 0.</param>
/// <param name="targets">[T, O], all 0.</param>
public delegate void SequenceDraw(MersenneTwister random, Span<float> inputs, Span<float> targets);

/// <summary>The same, with what each step counts in the loss.</summary>
/// <param name="random">What it draws from.</param>
/// <param name="inputs">[T, I], all 0.</param>
/// <param name="targets">[T, O], all 0.</param>
/// <param name="weights">[T], all 1.</param>
public delegate void WeightedSequenceDraw(MersenneTwister random, Span<float> inputs, Span<float> targets, Span<float> weights);

/// <summary>A task whose sequences are drawn when they are asked for and never come again.</summary>
public sealed class DrawnSequences : ISequenceSource
{
    readonly MersenneTwister _random;
    readonly WeightedSequenceDraw _draw;
    readonly float[] _inputs, _targets, _weights;

    /// <summary>A task all of whose steps count alike.</summary>
    /// <param name="steps">T.</param>
    /// <param name="inputSize">I.</param>
    /// <param name="targetSize">O.</param>
    /// <param name="random">What the sequences are drawn from.</param>
    /// <param name="draw">Draws one.</param>
    public DrawnSequences(int steps, int inputSize, int targetSize, MersenneTwister random, SequenceDraw draw)
        : this(steps, inputSize, targetSize, random, (draws, inputs, targets, _) => draw(draws, inputs, targets), weights: [])
    {
    }

    /// <summary>A task whose steps have weights.</summary>
    /// <inheritdoc cref="DrawnSequences(int, int, int, MersenneTwister, SequenceDraw)" path="/param"/>
    public DrawnSequences(int steps, int inputSize, int targetSize, MersenneTwister random, WeightedSequenceDraw draw)
        : this(steps, inputSize, targetSize, random, draw, new float[steps])
    {
    }

    DrawnSequences(int steps, int inputSize, int targetSize, MersenneTwister random, WeightedSequenceDraw draw, float[] weights)
    {
        (MaxSteps, InputSize, TargetSize, _random, _draw) = (steps, inputSize, targetSize, random, draw);
        (_inputs, _targets, _weights) = (new float[steps * inputSize], new float[steps * targetSize], weights);
    }

    /// <inheritdoc/>
    public int Count => int.MaxValue;

    /// <inheritdoc/>
    public int MaxSteps { get; }

    /// <inheritdoc/>
    public int InputSize { get; }

    /// <inheritdoc/>
    public int TargetSize { get; }

    /// <summary>A batch of this many new sequences.</summary>
    public SequenceBatch Next(int batchSize)
    {
        var batch = new SequenceBatch(MaxSteps, batchSize, InputSize, TargetSize);
        Fill(batch, new int[batchSize]);
        return batch;
    }

    /// <summary>Fills the rows with new sequences, whatever their indices.</summary>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Resize(MaxSteps, indices.Length, MaxSteps, weights: _weights.Length > 0);
        for (var b = 0; b < indices.Length; b++)
        {
            _inputs.AsSpan().Clear();
            _targets.AsSpan().Clear();
            _weights.AsSpan().Fill(1f);
            _draw(_random, _inputs, _targets, _weights);
            for (var t = 0; t < MaxSteps; t++)
            {
                var row = (t * indices.Length) + b;
                _inputs.AsSpan(t * InputSize, InputSize).CopyTo(batch.Inputs[(row * InputSize)..]);
                _targets.AsSpan(t * TargetSize, TargetSize).CopyTo(batch.Targets[(row * TargetSize)..]);
                if (_weights.Length > 0)
                    batch.Weights[row] = _weights[t];
            }
        }
    }
}
