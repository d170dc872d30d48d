using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>The training loss of four optimizers, each with its best rate (see <see cref="OptimizerRuns"/>).</summary>
public sealed class OptimizersFigure : Figure
{
    internal static readonly Dictionary<string, string> s_english = new()
    {
        ["sgd"] = "SGD",
        ["momentum"] = "SGD with momentum",
        ["rmsprop"] = "RMSProp",
        ["adam"] = "Adam",
    };

    internal static readonly Dictionary<string, string> s_japanese = new()
    {
        ["sgd"] = "SGD",
        ["momentum"] = "SGD(モーメンタム付き)",
        ["rmsprop"] = "RMSProp",
        ["adam"] = "Adam",
    };

    /// <inheritdoc/>
    public override string Name => "optimizers";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, rates, losses) in OptimizerRuns.All)
        {
            var best = Enumerable.Range(0, rates.Length).MinBy(k => losses[k][^1]);
            data.Values[$"{key}.rate"] = rates[best];
            data.Values[$"{key}.100"] = losses[best][9];
            data.Values[$"{key}.200"] = losses[best][19];
            data.Values[$"{key}.400"] = losses[best][^1];
            data.Series[key] = losses[best];
        }

        data.Values["noise"] = 0.05 * 0.05 / 3;
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        var names = japanese ? s_japanese : s_english;
        return new LineChart
        {
            Title = japanese ? "それぞれ最良の学習率での最適化法" : "Optimizers, each with its best learning rate",
            XLabel = japanese ? "更新回数" : "updates",
            YLabel = japanese ? "学習損失(中央値)" : "training loss (median)",
            LogY = true,
            Series = [.. names.Select(name => new Series(name.Value, [.. Enumerable.Range(1, data.Series[name.Key].Length).Select(epoch => 10.0 * epoch)], data.Series[name.Key]))],
            HorizontalMarkers = [new Marker(data.Values["noise"], japanese ? "雑音の分散" : "variance of the noise")],
        };
    }
}
