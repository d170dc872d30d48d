using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;

namespace Unroll.Training;

/// <summary>A pass of one model over batches of fixed sizes, whose layers can be looked into. Dropout is off.</summary>
abstract class MicroscopePass(int inputSteps, int outputSteps)
{
    /// <summary>T, the steps of the inputs.</summary>
    public int InputSteps { get; } = inputSteps;

    /// <summary>T', the steps of the outputs.</summary>
    public int OutputSteps { get; } = outputSteps;

    public abstract ReadOnlySpan<float> Output { get; }

    public abstract Span<float> OutputGradient { get; }

    /// <summary>The gradient on the inputs after a backward pass.</summary>
    public abstract InputTrace Inputs { get; }

    /// <summary>The layers with the part of the model that they are in and their place in it.</summary>
    public abstract IEnumerable<(string Part, int Index, UnrolledLayer Layer)> Layers { get; }

    /// <exception cref="ArgumentException">The batch does not fit the model.</exception>
    public static MicroscopePass Of(TrainableModel model, SequenceBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.InputSize != model.InputSize)
            throw new ArgumentException($"Expected a batch of {model.InputSize} input features, got {batch.InputSize}; make it for this model.", nameof(batch));
        return model is EncoderDecoder encoderDecoder
            ? new TargetPass(encoderDecoder, batch)
            : new SequencePass((SequenceModel)model, batch);
    }

    /// <summary>The forward pass over a batch of these sizes.</summary>
    public abstract void Forward(SequenceBatch batch);

    /// <summary>Back-propagation through time; the gradients of the parameters are left alone.</summary>
    public abstract void Backward();

    /// <summary>Whether the output at step <paramref name="t"/> of a row of some length can depend on its input at step <paramref name="s"/>.</summary>
    public abstract bool AreValid(int t, int s, int length);

    sealed class SequencePass : MicroscopePass
    {
        readonly UnrolledModel _unrolled;

        public SequencePass(SequenceModel model, SequenceBatch batch)
            : base(batch.Steps, model.HasOutputAtEveryStep ? batch.Steps : 1)
        {
            _unrolled = model.Unroll(batch.Steps, batch.BatchSize);
            Inputs = _unrolled.TraceInputs();
        }

        public override ReadOnlySpan<float> Output => _unrolled.Output;

        public override Span<float> OutputGradient => _unrolled.OutputGradient;

        public override InputTrace Inputs { get; }

        public override IEnumerable<(string Part, int Index, UnrolledLayer Layer)> Layers =>
            _unrolled.Layers.Select((layer, index) => ("", index, layer));

        public override void Forward(SequenceBatch batch)
        {
            batch.Inputs.CopyTo(_unrolled.Input);
            _unrolled.Forward(feedback: batch.Feedback, lengths: batch.Lengths);
        }

        public override void Backward() => _unrolled.BackwardThroughTime(inputGradient: true, initialStateGradient: false);

        public override bool AreValid(int t, int s, int length) => s < length && (t < length || !_unrolled.Model.HasOutputAtEveryStep);
    }

    sealed class TargetPass : MicroscopePass
    {
        readonly UnrolledEncoderDecoder _unrolled;

        public TargetPass(EncoderDecoder model, SequenceBatch batch)
            : base(batch.Steps, batch.TargetSteps)
        {
            _unrolled = model.Unroll(batch.Steps, batch.TargetSteps, batch.BatchSize);
            Inputs = _unrolled.TraceInputs();
        }

        public override ReadOnlySpan<float> Output => _unrolled.Output;

        public override Span<float> OutputGradient => _unrolled.OutputGradient;

        public override InputTrace Inputs { get; }

        public override IEnumerable<(string Part, int Index, UnrolledLayer Layer)> Layers =>
            _unrolled.EncoderLayers.Select((layer, index) => ("encoder ", index, layer))
                .Concat(_unrolled.DecoderLayers.Select((layer, index) => ("decoder ", index, layer)));

        public override void Forward(SequenceBatch batch)
        {
            batch.Inputs.CopyTo(_unrolled.Source);
            if (!batch.Lengths.IsEmpty)
                batch.Lengths.CopyTo(_unrolled.SourceLengths);
            _unrolled.ForceTokens(batch.Labels);
            _unrolled.Forward(feedback: batch.Feedback);
        }

        public override void Backward() => _unrolled.BackwardThroughTime(sourceGradient: true);

        public override bool AreValid(int t, int s, int length) => s < length;
    }
}
