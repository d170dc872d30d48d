using Unroll.Benchmarks.Protocol;
using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Benchmarks.Peers;

/// <summary>The steps of every mode, in parts; the only place of the benchmarks that trains or runs a model of Unroll.</summary>
static class UnrollSteps
{
    const double LearningRate = 1e-3;

    public static Action[] Build(Configuration configuration) => configuration.Mode switch
    {
        "train" => Train(configuration, lastStep: true, optimise: true),
        "grad" => Train(configuration, lastStep: true, optimise: false),
        "train-every" => Train(configuration, lastStep: false, optimise: true),
        "infer" => [Infer(configuration)],
        _ => [Stream(configuration)],
    };

    static Action[] Train(Configuration configuration, bool lastStep, bool optimise)
    {
        var shape = configuration.Shape;
        var random = new MersenneTwister(1);
        var model = Model(configuration, random, lastStep ? [new LastStepOptions(), new LinearOptions(1)] : [new LinearOptions(1)]);
        var unrolled = model.Unroll(shape.T, shape.B, accumulate: false);
        var batch = new SequenceBatch(shape.T, shape.B, shape.I, targetSize: 1);
        batch.Resize(shape.T, shape.B, unrolled.OutputSteps);
        Draw(unrolled.Input, random);
        Draw(batch.Targets, random);
        var loss = new MeanSquaredError();
        var adam = new Adam(model);
        Action forward = () =>
        {
            unrolled.Forward(training: true);
            loss.Evaluate(unrolled.Output, batch, unrolled.OutputGradient);
        };
        Action backward = () => unrolled.Backward();
        return optimise ? [forward, backward, () => adam.Step(LearningRate)] : [forward, backward];
    }

    static Action Infer(Configuration configuration)
    {
        var shape = configuration.Shape;
        var random = new MersenneTwister(1);
        var predictor = Model(configuration, random, [new LastStepOptions()]).CreatePredictor(shape.T, shape.B);
        float[] input = new float[shape.T * shape.B * shape.I], output = new float[shape.B * shape.H];
        Draw(input, random);
        return () => predictor.Predict(input, shape.T, shape.B, output);
    }

    static Action Stream(Configuration configuration)
    {
        var shape = configuration.Shape;
        var random = new MersenneTwister(1);
        var stream = Model(configuration, random, []).CreateStream();
        float[] input = new float[shape.I], output = new float[shape.H];
        Draw(input, random);
        return () => stream.Step(input, output);
    }

    static SequenceModel Model(Configuration configuration, MersenneTwister random, IReadOnlyList<LayerOptions> head)
    {
        var hidden = configuration.Shape.H;
        LayerOptions cell = configuration.Cell switch
        {
            "rnn" => new RnnOptions(hidden),
            "gru" => new GruOptions(hidden),
            _ => new LstmOptions(hidden),
        };
        var model = new SequenceModel(new SequenceModelOptions(configuration.Shape.I, [cell, .. head]), new Engine(configuration.Threads));
        Initialization.PyTorch.Apply(model, random);
        return model;
    }

    static void Draw(Span<float> values, MersenneTwister random)
    {
        foreach (ref var value in values)
            value = (float)random.Uniform(-1, 1);
    }
}
