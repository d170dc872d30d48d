using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Theory;
using Unroll.Training;
using LstmOptions = Unroll.Layers.LstmOptions;

namespace Unroll.Book.Figures;

/// <summary>Training as the figures of the gated cells do it: Adam, a rate that falls to 0 by a cosine, gradients clipped to length 1.</summary>
static class SmallTraining
{
    /// <summary>Trains a fresh model on one thread.</summary>
    /// <param name="options">The model.</param>
    /// <param name="source">What it learns from.</param>
    /// <param name="seed">Draws the initial weights.</param>
    /// <param name="updates">The updates, a multiple of <paramref name="looks"/>.</param>
    /// <param name="batchSize">B.</param>
    /// <param name="rate">The first learning rate.</param>
    /// <param name="loss">What is made small; the mean squared error if null.</param>
    /// <param name="start">The initial weights; PyTorch's if null.</param>
    /// <param name="looks">How often <paramref name="look"/> is called, evenly spaced, the last time at the end.</param>
    /// <param name="look">Looks at the model during training.</param>
    public static SequenceModel Run(
        SequenceModelOptions options, ISequenceSource source, uint seed, int updates, int batchSize, double rate,
        Loss? loss = null, Initialization? start = null, int looks = 1, Action<SequenceModel>? look = null)
    {
        var model = new SequenceModel(options, new Engine(threads: 1));
        var random = new MersenneTwister(seed);
        (start ?? Initialization.PyTorch).Apply(model, random);
        var trainer = new Trainer(model, new Adam(model), loss ?? new Training.MeanSquaredError(), new TrainerOptions
        {
            Epochs = looks,
            StepsPerEpoch = updates / looks,
            BatchSize = batchSize,
            LearningRate = new CosineDecay(rate, updates),
            ScheduleUnit = ScheduleUnit.Step,
            ClipNorm = 1,
        });
        trainer.Fit(source, random, callbacks: look is null ? null : [new ProgressCallback(_ => look(model))]);
        return model;
    }

    /// <summary>The outputs of a model on a batch, [T', B, O].</summary>
    public static float[] Predict(SequenceModel model, SequenceBatch batch) =>
        model.CreatePredictor(batch.Steps, batch.BatchSize).Predict(batch.Inputs, batch.Steps, batch.BatchSize);

    /// <summary>The first layer of a model as its twin in double precision.</summary>
    public static Cell FirstCell(SequenceModel model)
    {
        Cell cell = model.Options.Layers[0] switch
        {
            LstmOptions lstm => new Theory.LstmCell(model.InputSize, lstm.HiddenSize),
            GruOptions gru => new Theory.GruCell(model.InputSize, gru.HiddenSize),
            RnnOptions rnn => new Theory.RnnCell(model.InputSize, rnn.HiddenSize),
            var other => throw new ArgumentException($"Expected a recurrent layer of the usual form first, got {other}.", nameof(model)),
        };
        Copy(ParameterRole.WeightIh, cell.Parameters.WeightIh.Values);
        Copy(ParameterRole.WeightHh, cell.Parameters.WeightHh.Values);
        Copy(ParameterRole.BiasIh, cell.Parameters.BiasIh);
        Copy(ParameterRole.BiasHh, cell.Parameters.BiasHh);
        return cell;

        void Copy(ParameterRole role, double[] destination) =>
            new NamedTensor(role.ToString(), destination).CopyFrom(model.Parameters.ValuesOf(model.Parameters.Find(0, role)));
    }
}
