using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>The loss that four optimizers reach in 400 updates, against the learning rate (see <see cref="OptimizerRuns"/>).</summary>
public sealed class OptimizerRatesFigure : Figure
{
    /// <inheritdoc/>
    public override string Name => "optimizer-rates";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, rates, losses) in OptimizerRuns.All)
        {
            double[] final = [.. losses.Select(loss => loss[^1])];
            data.Values[$"{key}.best"] = final.Min();
            data.Values[$"{key}.worst"] = final.Max();
            data.Series[$"{key}.rates"] = rates;
            data.Series[key] = final;
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        return new LineChart
        {
            Title = japanese ? "学習率への感度" : "How much the learning rate matters",
            XLabel = japanese ? "学習率の常用対数 log₁₀ η" : "logarithm of the learning rate, log₁₀ η",
            YLabel = japanese ? "400 回の更新後の学習損失(中央値)" : "training loss after 400 updates (median)",
            LogY = true,
            Series = [.. (japanese ? OptimizersFigure.s_japanese : OptimizersFigure.s_english).Select(name =>
                new Series(name.Value, [.. data.Series[$"{name.Key}.rates"].Select(Math.Log10)], data.Series[name.Key]))],
        };
    }
}
