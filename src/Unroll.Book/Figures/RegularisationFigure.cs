using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>The error on new data while a model learns few and noisy data by heart, with and without regularisation.</summary>
/// <remarks>
/// A sine of period 25 under uniform noise of ±0.4, 80 values to train on and 320 others to judge by. An LSTM of 32 units with a
/// linear layer on its last state predicts the value after a window of 20; PyTorch's start, Adam(W) at 0.005, batches of 16, 800
/// updates, median of 5 seeds.
/// </remarks>
public sealed class RegularisationFigure : Figure
{
    const int Seeds = 5;
    const int Epochs = 80;
    const int Hidden = 32;
    const int Window = 20;
    const double Noise = 0.4;
    const double Rate = 0.3;

    static readonly (string Key, LayerOptions[] Layers, double WeightDecay, string English, string Japanese)[] s_ways =
    [
        ("none", [new LstmOptions(Hidden)], 0, "none", "なし"),
        ("decay", [new LstmOptions(Hidden)], 1, "weight decay, λ = 1", "重み減衰 λ = 1"),
        ("dropout", [new DropoutOptions(Rate), new LstmOptions(Hidden), new DropoutOptions(Rate)], 0, "dropout 0.3 around the LSTM", "LSTM の前後にドロップアウト 0.3"),
        ("recurrent", [new LstmOptions(Hidden) { RecurrentDropout = 0.5 }], 0, "recurrent dropout 0.5", "再帰ドロップアウト 0.5"),
    ];

    /// <inheritdoc/>
    public override string Name => "regularisation";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, layers, weightDecay, _, _) in s_ways)
        {
            EpochRecord[][] runs = [.. Enumerable.Range(1, Seeds).Select(seed => Train(layers, weightDecay, (uint)seed))];
            double[][] errors = [.. runs.Select(run => run.Select(epoch => Math.Sqrt(epoch.ValidationLoss)).ToArray())];
            var median = Curves.Median(errors);
            data.Values[$"{key}.training"] = Statistics.Median([.. runs.Select(run => Math.Sqrt(run[^1].TrainingLoss))]);
            data.Values[$"{key}.last"] = median[^1];
            data.Values[$"{key}.best"] = Statistics.Median([.. errors.Select(error => error.Min())]);
            data.Series[key] = median;
        }

        data.Values["noise"] = Noise / Math.Sqrt(3);
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] updates = [.. Enumerable.Range(1, Epochs).Select(epoch => 10.0 * epoch)];
        return new LineChart
        {
            Title = japanese ? "学習に使わないデータでの誤差" : "The error on data that were not trained on",
            XLabel = japanese ? "更新回数" : "updates",
            YLabel = japanese ? "二乗平均平方根誤差(中央値)" : "RMSE (median)",
            YRange = (0.2, 0.5),
            Series = [.. s_ways.Select(way => new Series(japanese ? way.Japanese : way.English, updates, data.Series[way.Key]))],
            HorizontalMarkers = [new Marker(data.Values["noise"], japanese ? "雑音" : "noise")],
        };
    }

    static EpochRecord[] Train(LayerOptions[] layers, double weightDecay, uint seed)
    {
        var training = NoisySine.Generate(80, new MersenneTwister(12), 25, Noise);
        var others = NoisySine.Generate(320, new MersenneTwister(99), 25, Noise);
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(new SequenceModelOptions(1, [.. layers, new LastStepOptions(), new LinearOptions(1)]), engine);
        var random = new MersenneTwister(seed);
        Initialization.PyTorch.Apply(model, random);
        var trainer = new Trainer(model, new AdamW(model, weightDecay), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = Epochs,
            StepsPerEpoch = 10,
            BatchSize = 16,
            LearningRate = new ConstantRate(0.005),
        });
        return [.. trainer.Fit(new WindowSource(training, Window), random, new WindowSource(others, Window)).Epochs];
    }
}
