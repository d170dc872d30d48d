// README example: the lines between the markers stand in README.md and README.ja.md too.
using Unroll.Data;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Documentation;

static class ReadmeExample
{
    public static (TrainingHistory History, float[] Forecast, SequenceModel Loaded, float Next) Run()
    {
        // <readme>
        // Your series: one number per step, scaled to about unit size.
        float[] series = NoisySine.Generate(251, new MersenneTwister(12));

        // One LSTM layer of 32 units and a linear readout. Everything random comes from one generator.
        var random = new MersenneTwister(1);
        var model = new SequenceModel(new(1, [new LstmOptions(32), new LinearOptions(1)]));
        Initialization.OrthogonalRecurrence.Apply(model, random);

        // Train as it will be used: 25 values are given, the next 100 are the model's own output.
        var examples = new ClosedLoopSource(series, warmUp: 25, maxHorizon: 100);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = 40,
            StepsPerEpoch = 10,
            BatchSize = 8,
            LearningRate = new CosineDecay(0.01, length: 40),
            ClipNorm = 1,
        });
        var history = trainer.Fit(examples, random);

        // Continue the series by 50 steps, save the model and load it again.
        float[] forecast = Forecaster.ClosedLoop(model, series, horizon: 50);
        ModelFile.Save("sine.safetensors", model);
        var loaded = ModelFile.Load("sine.safetensors");

        // In service: values one by one as they come, the state kept inside, no memory allocated.
        var stream = loaded.CreateStream();
        var next = new float[1];
        foreach (var value in series)
            stream.Step([value], next);
        // </readme>
        return (history, forecast, loaded, next[0]);
    }
}
