namespace Unroll.Data;

/// <summary>Numbered examples that can be laid side by side in a <see cref="SequenceBatch"/>.</summary>
public interface ISequenceSource
{
    /// <summary>The number of examples.</summary>
    int Count { get; }

    /// <summary>The most steps an example has.</summary>
    int MaxSteps { get; }

    /// <summary>I, the features of an input step.</summary>
    int InputSize { get; }

    /// <summary>O, the features of a target step.</summary>
    int TargetSize { get; }

    /// <summary>Sizes <paramref name="batch"/> and fills its rows with the examples <paramref name="indices"/>.</summary>
    void Fill(SequenceBatch batch, ReadOnlySpan<int> indices);
}
