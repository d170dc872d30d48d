using Unroll.Data;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>Passes of one model over one source: what the trainer asks of a model of either kind.</summary>
abstract class TrainingPass(ISequenceSource source, int batchSize)
{
    public SequenceBatch Batch { get; } = new(source.MaxSteps, batchSize, source.InputSize, source.TargetSize);

    public static TrainingPass Of(TrainableModel model, Loss loss, ISequenceSource source, int batchSize) => model switch
    {
        EncoderDecoder encoderDecoder => new TargetPass(encoderDecoder, loss, source, batchSize),
        _ => new SequencePass((SequenceModel)model, loss, source, batchSize),
    };

    /// <summary>The state that a source of streams carries from step to step.</summary>
    public virtual ModelState CarriedState => throw new NotSupportedException("Only a sequence model carries a state.");

    /// <summary>Whether the state is carried, and whether this step begins the streams anew.</summary>
    protected (bool Carried, bool Anew) State { get; private set; }

    /// <summary>The loss of some examples; fills the output gradient when <paramref name="training"/>.</summary>
    public double Forward(ReadOnlySpan<int> indices, bool training, ulong noise, double teacherForcing)
    {
        source.Fill(Batch, indices);
        State = (source.Streams > 0, indices[0] == 0);
        return Forward(training, noise, teacherForcing);
    }

    public abstract void Backward();

    protected abstract double Forward(bool training, ulong noise, double teacherForcing);
}

/// <summary>Passes of a sequence model.</summary>
sealed class SequencePass(SequenceModel model, Loss loss, ISequenceSource source, int batchSize) : TrainingPass(source, batchSize)
{
    readonly UnrolledModel _unrolled = model.Unroll(source.MaxSteps, batchSize, accumulate: false);

    public override ModelState CarriedState => _unrolled.InitialState;

    public override void Backward() => _unrolled.Backward();

    protected override double Forward(bool training, ulong noise, double teacherForcing)
    {
        _unrolled.Resize(Batch.Steps, Batch.BatchSize);
        Batch.Inputs.CopyTo(_unrolled.Input);
        if (State is { Carried: true, Anew: true })
            CarriedState.Clear();
        _unrolled.Forward(training, Batch.Feedback, noise, Batch.Lengths);
        if (State.Carried)
            _unrolled.CopyState(Batch.CarriedSteps, CarriedState);
        return loss.Evaluate(_unrolled.Output, Batch, training ? _unrolled.OutputGradient : default);
    }
}

/// <summary>Passes of an encoder–decoder: the inputs are the source, the labels the target.</summary>
sealed class TargetPass(EncoderDecoder model, Loss loss, ISequenceSource source, int batchSize) : TrainingPass(source, batchSize)
{
    // No layer's dropout has this number.
    const ulong FeedbackNoise = 0xFFUL << 56;

    readonly UnrolledEncoderDecoder _unrolled = model.Unroll(source.MaxSteps, source.MaxSteps, batchSize, accumulate: false);
    readonly byte[] _feedback = new byte[checked(source.MaxSteps * batchSize)];

    public override void Backward() => _unrolled.Backward();

    protected override double Forward(bool training, ulong noise, double teacherForcing)
    {
        if (!Batch.Feedback.IsEmpty)
            throw new ArgumentException("Expected examples without feedback for an encoder–decoder; set the share of teacher forcing in the trainer's options.");
        if (!(teacherForcing >= 0 && teacherForcing <= 1))
            throw new ArgumentException($"Expected a share of teacher forcing of 0 to 1, got {teacherForcing}.");
        _unrolled.Resize(Batch.Steps, Batch.TargetSteps, Batch.BatchSize);
        Batch.Inputs.CopyTo(_unrolled.Source);
        if (!Batch.Lengths.IsEmpty)
            Batch.Lengths.CopyTo(_unrolled.SourceLengths);
        _unrolled.ForceTokens(Batch.Labels);
        _unrolled.Forward(training, Feedback(noise, teacherForcing), noise);
        return loss.Evaluate(_unrolled.Output, Batch, training ? _unrolled.OutputGradient : default);
    }

    /// <summary>[T, B]: each token from the second on is the decoder's own with the rest of the probability.</summary>
    ReadOnlySpan<byte> Feedback(ulong noise, double teacherForcing)
    {
        if (teacherForcing == 1)
            return default;
        var threshold = (ulong)(teacherForcing * (1UL << 32));
        var feedback = _feedback.AsSpan(0, Batch.TargetSteps * Batch.BatchSize);
        feedback[..Batch.BatchSize].Clear();
        for (var at = Batch.BatchSize; at < feedback.Length; at++)
            feedback[at] = CounterNoise.Bits32(noise ^ FeedbackNoise, (ulong)at) < threshold ? (byte)0 : (byte)1;
        return feedback;
    }
}
