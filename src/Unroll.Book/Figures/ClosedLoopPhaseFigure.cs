using Unroll.Experiments.Baselines;
using Unroll.Experiments.Sine;
using Unroll.Models;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>Phase portraits of three models on their own: the output against the output a quarter of a period before.</summary>
/// <remarks>
/// <code>(y_{t−25}, y_t),   t = 25 … 424 after the warm-up</code>
/// A clean sine of period 100 is the unit circle. The models are those of <see cref="SineModels"/>.
/// </remarks>
public sealed class ClosedLoopPhaseFigure : Figure
{
    const int Quarter = 25;
    const int Steps = 400;
    const int Late = 500;

    static readonly (string Key, Func<SequenceModel> Model, string English, string Japanese)[] s_models =
    [
        ("closed", () => SineModels.ClosedLoop(2), "trained in closed loop", "閉ループで学習"),
        ("one-step", () => SineModels.OneStep(3), "trained on one step", "一歩先の予測で学習"),
        ("brief", () => SineModels.Brief(1), "one step, a third of the updates", "一歩先、更新は3分の1"),
    ];

    /// <inheritdoc/>
    public override string Name => "closed-loop-phase";

    /// <inheritdoc/>
    public override (int Width, int Height) Size => (860, 600);

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, make, _, _) in s_models)
        {
            var model = make();
            var y = Forecaster.ClosedLoop(model, SineModels.Data.Noisy.AsSpan(0, SineData.WarmUp), 3 * Late);
            var late = y.AsSpan(2 * Late);
            data.Values[$"{key}.one-step-error"] = SineModels.OneStepError(model);
            data.Values[$"{key}.late-max"] = late.ToArray().Max();
            data.Values[$"{key}.late-min"] = late.ToArray().Min();
            if (key != "brief")
                data.Values[$"{key}.late-period"] = SineFit.Of(late).Period;
            data.Series[key] = [.. y.Take(Quarter + Steps).Select(value => (double)value)];
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] angle = [.. Enumerable.Range(0, 101).Select(k => 2 * Math.PI * k / 100)];
        return new LineChart
        {
            Title = japanese ? "自走するモデルの位相図" : "Models on their own, in the phase plane",
            XLabel = japanese ? "4分の1周期前の出力 y(t − 25)" : "output a quarter of a period before, y(t − 25)",
            YLabel = japanese ? "出力 y(t)" : "output y(t)",
            XRange = (-1.35, 1.35),
            YRange = (-1.35, 1.35),
            Series =
            [
                new Series(japanese ? "雑音のない正弦波" : "clean sine", [.. angle.Select(Math.Sin)], [.. angle.Select(Math.Cos)]) { Opacity = 0.3, Width = 5 },
                .. s_models.Select((model, index) => new Series(
                    japanese ? model.Japanese : model.English, data.Series[model.Key][..^Quarter], data.Series[model.Key][Quarter..]) { Color = index + 1 }),
            ],
        };
    }
}
