using Unroll.Data;
using Unroll.Experiments.Sine;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;
using Unroll.Training;
using MeanSquaredError = Unroll.Training.MeanSquaredError;

namespace Unroll.Book.Figures;

/// <summary>Training on raw and on standardised data: the same series, moved and stretched.</summary>
/// <remarks>
/// The noisy sine of experiment 1 as it is, times 100, times 0.01, plus 5, and 500 + 100·x. An RNN of 16 units with a linear
/// layer on its last state predicts the value after a window of 25; PyTorch's start, Adam at 0.003, batches of 16, 1,000 updates,
/// median of 5 seeds. The error is relative to the standard deviation of the series.
/// </remarks>
public sealed class ScalingFigure : Figure
{
    const int Seeds = 5;
    const int Epochs = 100;

    static readonly (string Key, double Offset, double Factor, string English, string Japanese)[] s_series =
    [
        ("unit", 0, 1, "x", "x"),
        ("small", 0, 0.01, "0.01 x", "0.01 x"),
        ("moved", 5, 1, "5 + x", "5 + x"),
        ("large", 0, 100, "100 x", "100 x"),
        ("both", 500, 100, "500 + 100 x", "500 + 100 x"),
    ];

    /// <inheritdoc/>
    public override string Name => "scaling";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, offset, factor, _, _) in s_series)
            Add(data, key, offset, factor, standardise: false);
        Add(data, "standardised", 500, 100, standardise: true);
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
            Title = japanese ? "標準化しないデータでの学習" : "Training on data that were not standardised",
            XLabel = japanese ? "更新回数" : "updates",
            YLabel = japanese ? "誤差(データの標準偏差との比)" : "RMSE / standard deviation of the data",
            LogY = true,
            Series =
            [
                .. s_series.Select(series => new Series(japanese ? series.Japanese : series.English, updates, data.Series[series.Key])),
                new Series(japanese ? "500 + 100 x を標準化" : "500 + 100 x, standardised", updates, data.Series["standardised"]) { Style = SeriesStyle.Dashed },
            ],
        };
    }

    static void Add(FigureData data, string key, double offset, double factor, bool standardise)
    {
        double[] series = [.. SineModels.Data.Noisy.Select(x => offset + (factor * x))];
        var scaling = Scaling.Of(series);
        float[] values = [.. series.Select(x => (float)(standardise ? scaling.Apply(x) : x))];
        var unit = standardise ? 1 : scaling.Deviation;
        double[][] errors = [.. Enumerable.Range(1, Seeds).Select(seed => Train(values, (uint)seed).Select(loss => Math.Sqrt(loss) / unit).ToArray())];
        var median = Curves.Median(errors);
        data.Values[$"{key}.100"] = median[9];
        data.Values[$"{key}.1000"] = median[^1];
        data.Series[key] = median;
    }

    static IEnumerable<double> Train(float[] values, uint seed)
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(new SequenceModelOptions(1, [new RnnOptions(16), new LastStepOptions(), new LinearOptions(1)]), engine);
        var random = new MersenneTwister(seed);
        Initialization.PyTorch.Apply(model, random);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = Epochs,
            StepsPerEpoch = 10,
            BatchSize = 16,
            LearningRate = new ConstantRate(0.003),
        });
        return trainer.Fit(new WindowSource(values, SineData.WarmUp), random).Epochs.Select(epoch => epoch.TrainingLoss);
    }
}
