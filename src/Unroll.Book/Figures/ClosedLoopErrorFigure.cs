using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Experiments.Sine;
using Unroll.Models;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>How far a forecast in closed loop is from the clean sine, against the distance, for two ways of training.</summary>
/// <remarks>Root mean square error over 50 steps; median, least and greatest of 5 seeds of the models of <see cref="SineModels"/>.</remarks>
public sealed class ClosedLoopErrorFigure : Figure
{
    const int Steps = 500;
    const int Window = 50;

    static readonly (string Key, Func<uint, SequenceModel> Model, string English, string Japanese)[] s_ways =
    [
        ("closed", SineModels.ClosedLoop, "trained in closed loop", "閉ループで学習"),
        ("one-step", SineModels.OneStep, "trained on one step", "一歩先の予測で学習"),
    ];

    /// <inheritdoc/>
    public override string Name => "closed-loop-error";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        var target = NoisySine.Clean(Steps, SineData.Period, start: SineData.WarmUp);
        foreach (var (key, make, _, _) in s_ways)
        {
            SequenceModel[] models = [.. Enumerable.Range(1, SineModels.Seeds).Select(seed => make((uint)seed))];
            var forecasts = models.Select(model => Forecaster.ClosedLoop(model, SineModels.Data.Noisy.AsSpan(0, SineData.WarmUp), Steps)).ToArray();
            double[][] errors = [.. forecasts.Select(forecast => Enumerable.Range(0, Steps - Window + 1)
                .Select(start => Statistics.RootMeanSquareError(forecast.AsSpan(start, Window), target.AsSpan(start, Window))).ToArray())];
            double[] overall = [.. forecasts.Select(forecast => Statistics.RootMeanSquareError(forecast, target))];
            data.Values[$"{key}.one-step-error"] = Statistics.Median([.. models.Select(SineModels.OneStepError)]);
            data.Values[$"{key}.first-50"] = Statistics.Median([.. errors.Select(error => error[0])]);
            data.Values[$"{key}.last-50"] = Statistics.Median([.. errors.Select(error => error[^1])]);
            data.Values[$"{key}.all-500"] = Statistics.Median(overall);
            data.Values[$"{key}.all-500.max"] = overall.Max();
            Curves.Add(data, key, errors);
        }

        data.Values["noise"] = 0.05 / Math.Sqrt(3);

        // "The next value is the present one", on the clean wave and on the noisy values.
        var naive = Math.Sqrt(2) * Math.Sin(Math.PI / SineData.Period);
        data.Values["naive.clean"] = naive;
        data.Values["naive.noisy"] = Math.Sqrt((naive * naive) + (2 * 0.05 * 0.05 / 3));
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] distance = [.. Enumerable.Range(Window, Steps - Window + 1).Select(k => (double)k)];
        return new LineChart
        {
            Title = japanese ? "閉ループ予測の誤差と予測の長さ" : "The error of a closed-loop forecast against its length",
            XLabel = japanese ? "最後に与えた値からの時刻数" : "steps since the last given value",
            YLabel = japanese ? "50 時刻の二乗平均平方根誤差" : "RMSE over 50 steps",
            LogY = true,
            Series = [.. s_ways.Select(way => new Series(japanese ? way.Japanese : way.English, distance, data.Series[way.Key])
            {
                Lower = data.Series[$"{way.Key}.min"],
                Upper = data.Series[$"{way.Key}.max"],
            })],
            HorizontalMarkers = [new Marker(data.Values["noise"], japanese ? "データの雑音" : "noise of the data")],
        };
    }
}
