using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>The trainings that the figures of the optimizers share.</summary>
/// <remarks>
/// An LSTM of 16 units with a linear layer on its last state predicts the value after a window of 25 of the noisy sine of
/// experiment 1; PyTorch's start, 400 updates on batches of 16 windows, a constant rate, no clipping, 5 seeds.
/// </remarks>
static class OptimizerRuns
{
    const int Epochs = 40;
    const int StepsPerEpoch = 10;
    const int Seeds = 5;

    // What diverged is shown at this loss.
    const double Diverged = 10;

    static readonly Lazy<IReadOnlyList<(string Key, double[] Rates, double[][] Losses)>> s_all = new(() => [.. Optimizers.Select(optimizer =>
        (optimizer.Key, optimizer.Rates, optimizer.Rates.Select(rate => MedianLoss(optimizer.Make, rate)).ToArray()))]);

    static readonly (string Key, double[] Rates, Func<SequenceModel, Optimizer> Make)[] s_optimizers =
    [
        ("sgd", [0.01, 0.03, 0.1, 0.3, 1], model => new Sgd(model)),
        ("momentum", [0.003, 0.01, 0.03, 0.1, 0.3], model => new Sgd(model, 0.9)),
        ("rmsprop", [0.0003, 0.001, 0.003, 0.01, 0.03], model => new RmsProp(model)),
        ("adam", [0.001, 0.003, 0.01, 0.03, 0.1], model => new Adam(model)),
    ];

    public static IReadOnlyList<(string Key, double[] Rates, Func<SequenceModel, Optimizer> Make)> Optimizers => s_optimizers;

    /// <summary>Of each optimizer and rate the median training loss of every epoch of 10 updates.</summary>
    public static IReadOnlyList<(string Key, double[] Rates, double[][] Losses)> All => s_all.Value;

    static double[] MedianLoss(Func<SequenceModel, Optimizer> make, double rate) =>
        Curves.Median([.. Enumerable.Range(1, Seeds).Select(seed => Loss(make, rate, (uint)seed))]);

    static double[] Loss(Func<SequenceModel, Optimizer> make, double rate, uint seed)
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(new SequenceModelOptions(1, [new LstmOptions(16), new LastStepOptions(), new LinearOptions(1)]), engine);
        var random = new MersenneTwister(seed);
        Initialization.PyTorch.Apply(model, random);
        var trainer = new Trainer(model, make(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = Epochs,
            StepsPerEpoch = StepsPerEpoch,
            BatchSize = 16,
            LearningRate = new ConstantRate(rate),
        });
        try
        {
            var history = trainer.Fit(new WindowSource(SineModels.Data.Noisy, 25), random);
            return [.. history.Epochs.Select(epoch => Math.Min(epoch.TrainingLoss, Diverged))];
        }
        catch (TrainingDivergedException)
        {
            return [.. Enumerable.Repeat(Diverged, Epochs)];
        }
    }
}
