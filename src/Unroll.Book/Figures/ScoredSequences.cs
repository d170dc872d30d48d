using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Book.Figures;

/// <summary>Sequences that never come again and of which some steps count: each row of a batch is drawn when it is filled.</summary>
/// <param name="random">Draws the sequences.</param>
abstract class ScoredSequences(MersenneTwister random) : ISequenceSource
{
    /// <summary>Any number: with steps per epoch given, an epoch is not counted in examples.</summary>
    public int Count => 1 << 20;

    public abstract int MaxSteps { get; }

    public abstract int InputSize { get; }

    public int TargetSize => 1;

    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        batch.Resize(MaxSteps, indices.Length, MaxSteps, weights: true);
        batch.Inputs.Clear();
        batch.Targets.Clear();
        batch.Weights.Fill(1f);
        for (var b = 0; b < indices.Length; b++)
            FillRow(batch, b, random);
    }

    /// <summary>A batch of sequences by a seed of its own.</summary>
    public static SequenceBatch Test<TSource>(Func<MersenneTwister, TSource> create, uint seed, int rows)
        where TSource : ScoredSequences
    {
        var source = create(new MersenneTwister(seed));
        var batch = new SequenceBatch(source.MaxSteps, rows, source.InputSize, source.TargetSize);
        source.Fill(batch, new int[rows]);
        return batch;
    }

    /// <summary>Fills row b of a batch whose inputs and targets are 0 and whose weights are 1.</summary>
    protected abstract void FillRow(SequenceBatch batch, int b, MersenneTwister random);
}
