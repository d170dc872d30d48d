using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Experiments.Adding;

/// <summary>The data of experiment 3, the adding problem: remember two marked numbers of a long sequence and add them.</summary>
/// <remarks>
/// <code>
/// input at step t   (v_t, m_t):  v_t uniform on [0, 1),  m_t = 1 at the steps p and q, else 0
/// p uniform on 0 … ⌊T/2⌋ − 1,   q uniform on ⌊T/2⌋ … T − 1
/// target            v_p + v_q, once, after the last step
/// </code>
/// Sequences are drawn within <see cref="Fill"/>: v₀ … v_{T−1}, p, q; nothing is stored.
/// Sources: S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997, experiment 4, where numbers are of [−1, 1], the
/// first mark is among the first ten steps, the second among the first T/2, the ends have marks of −1, lengths vary and the
/// target is 0.5 + (v_p + v_q)/4. Q. V. Le, N. Jaitly, G. E. Hinton, "A Simple Way to Initialize Recurrent Networks of
/// Rectified Linear Units", 2015, have numbers of [0, 1], two marks of 1, one length and the plain sum, which is the form
/// here; they do not say where the marks may stand. One in each half is the rule of M. Arjovsky, A. Shah, Y. Bengio,
/// "Unitary Evolution Recurrent Neural Networks", 2016.
/// </remarks>
public sealed class AddingData : ISequenceSource
{
    /// <summary>The mean squared error of always answering 1: the variance of the sum of two numbers uniform on [0, 1), 2 · 1/12.</summary>
    public const double ConstantAnswerError = 1.0 / 6;

    /// <summary>The sequences of a test set if nothing else is asked for.</summary>
    public const int DefaultTestCount = 10_000;

    const int FewestSteps = 2;

    readonly MersenneTwister? _stream;
    readonly uint[] _seeds = [];

    AddingData(int steps, int count, MersenneTwister? stream)
    {
        if (steps < FewestSteps)
            throw new ArgumentOutOfRangeException(nameof(steps), steps, $"Expected at least {FewestSteps} steps, one in each half.");
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        (MaxSteps, Count, _stream) = (steps, count, stream);
    }

    AddingData(int steps, int count, uint seed)
        : this(steps, count, stream: null)
    {
        var random = new MersenneTwister(seed);
        _seeds = new uint[count];
        foreach (ref var each in _seeds.AsSpan())
            each = random.NextUInt32();
    }

    /// <summary>Sequences that never come again: each that is filled in is new, whatever its index.</summary>
    /// <remarks>
    /// Where it is the generator that is also given to <c>Trainer.Fit</c>, a run resumed from a checkpoint sees the same
    /// sequences as one that never stopped.
    /// </remarks>
    /// <param name="steps">T, at least 2.</param>
    /// <param name="random">Draws the sequences.</param>
    /// <param name="perEpoch">How many sequences make an epoch, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below its least.</exception>
    public static AddingData Stream(int steps, MersenneTwister random, int perEpoch)
    {
        ArgumentNullException.ThrowIfNull(random);
        return new AddingData(steps, perEpoch, random);
    }

    /// <summary>Sequences to test on: an index always gives the same one, by a generator of its own.</summary>
    /// <remarks>The seeds of these generators are the first numbers of the generator of <paramref name="seed"/>.</remarks>
    /// <param name="steps">T, at least 2.</param>
    /// <param name="seed">Another than the training's.</param>
    /// <param name="count">How many, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below its least.</exception>
    public static AddingData TestSet(int steps, uint seed, int count = DefaultTestCount) => new(steps, count, seed);

    /// <summary>The first sequence alone.</summary>
    internal SequenceBatch Example()
    {
        var batch = new SequenceBatch(MaxSteps, 1, InputSize, TargetSize);
        Fill(batch, [0]);
        return batch;
    }

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public int MaxSteps { get; }

    /// <summary>2: a number and its mark.</summary>
    public int InputSize => 2;

    /// <summary>1: the sum.</summary>
    public int TargetSize => 1;

    /// <inheritdoc/>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Resize(MaxSteps, indices.Length, targetSteps: 1);
        for (var b = 0; b < indices.Length; b++)
            FillRow(batch, b, _stream ?? new MersenneTwister(_seeds[indices[b]]));
    }

    void FillRow(SequenceBatch batch, int b, MersenneTwister random)
    {
        var (steps, rows) = (MaxSteps, batch.BatchSize);
        var inputs = batch.Inputs;
        for (var t = 0; t < steps; t++)
        {
            var at = 2 * ((t * rows) + b);
            inputs[at] = (float)random.RandomSample();
            inputs[at + 1] = 0;
        }

        var half = steps / 2;
        var p = 2 * ((random.NextInterval(half - 1) * rows) + b);
        var q = 2 * (((half + random.NextInterval(steps - half - 1)) * rows) + b);
        (inputs[p + 1], inputs[q + 1]) = (1, 1);
        batch.Targets[b] = inputs[p] + inputs[q];
    }
}
