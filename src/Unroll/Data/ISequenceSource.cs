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

    /// <summary>
    /// 0 where examples have nothing to do with each other. Otherwise they are the windows of this many sequences side by
    /// side: example i + Streams goes on where example i ended, or after its first
    /// <see cref="SequenceBatch.CarriedSteps"/> steps. The trainer then takes Streams examples at a time in their order,
    /// and each begins in the state that the one before it has reached there; the first begin in a state of 0.
    /// </summary>
    int Streams => 0;

    /// <summary>Sizes <paramref name="batch"/> and fills its rows with the examples <paramref name="indices"/>.</summary>
    void Fill(SequenceBatch batch, ReadOnlySpan<int> indices);
}
