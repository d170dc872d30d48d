using Unroll.Layers;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>A training in which a gradient explodes, with clipping by global norm and without.</summary>
/// <remarks>
/// <see cref="FirstInputTask"/> with T = 50, an RNN of 32 tanh units, W_hh orthogonal times <see cref="Scale"/>, gradient descent, one seed;
/// both runs see the same sequences.
/// </remarks>
public sealed class ClippingFigure : Figure
{
    const int Updates = 600;
    const int Last = 50;
    const float Scale = 1.2f;
    const double Maximum = 1;

    /// <inheritdoc/>
    public override string Name => "clipping";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, clip) in new (string, double?)[] { ("plain", null), ("clipped", Maximum) })
        {
            var (losses, norms) = new FirstInputTask
            {
                Steps = 50,
                Layer = new RnnOptions(32),
                Start = Initialization.OrthogonalRecurrence,
                RecurrentScale = Scale,
                Optimizer = model => new Sgd(model),
                LearningRate = 0.02,
                Clip = clip,
            }.Train(Updates, seed: 1);
            var steepest = Array.IndexOf(norms, norms.Max());
            data.Values[$"{key}.norm.max"] = norms[steepest];
            data.Values[$"{key}.norm.max-update"] = steepest + 1;
            data.Values[$"{key}.norm.median"] = norms.Order().ElementAt(Updates / 2);
            data.Values[$"{key}.loss.before"] = losses[steepest];
            data.Values[$"{key}.loss.after"] = losses[Math.Min(steepest + 1, Updates - 1)];
            data.Values[$"{key}.loss.max"] = losses.Max();
            data.Values[$"{key}.loss.last"] = losses[^Last..].Average();
            data.Values[$"{key}.share-clipped"] = (double)norms.Count(norm => norm > Maximum) / Updates;
            data.Series[$"{key}.loss"] = losses;
            data.Series[$"{key}.norm"] = norms;
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] update = [.. Enumerable.Range(1, Updates).Select(k => (double)k)];
        return new LineChart
        {
            Title = japanese ? "勾配が爆発する学習:クリップなしとあり" : "A training whose gradient explodes, with clipping and without",
            XLabel = japanese ? "更新の回数" : "update",
            YLabel = japanese ? "損失" : "loss",
            LogY = true,
            Series =
            [
                new(japanese ? "クリップなし" : "not clipped", update, data.Series["plain.loss"]) { Color = 1 },
                new(japanese ? "大域ノルム 1 でクリップ" : "clipped at global norm 1", update, data.Series["clipped.loss"]) { Color = 0 },
            ],
        };
    }
}
