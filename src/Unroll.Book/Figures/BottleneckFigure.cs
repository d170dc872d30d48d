using Unroll.Layers;
using Unroll.Models;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>How many sequences of n symbols an encoder–decoder writes backwards without a mistake, with and without attention.</summary>
/// <remarks>The task and the training are those of <see cref="ReversalTask"/>. 500 fresh sequences of each length, greedy.</remarks>
public sealed class BottleneckFigure : Figure
{
    const int LongestTest = 16;
    const int Tests = 500;

    static readonly (string Key, int Hidden, AttentionOptions? Attention)[] s_models =
    [
        ("none-16", 16, null),
        ("none-32", 32, null),
        ("none-64", 64, null),
        ("multiplicative-32", 32, new MultiplicativeAttentionOptions()),
        ("additive-32", 32, new AdditiveAttentionOptions(16)),
    ];

    /// <inheritdoc/>
    public override string Name => "bottleneck";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, hidden, attention) in s_models)
        {
            var model = ReversalTask.Train(hidden, attention);
            double[] right = [.. Lengths().Select(n => ExactMatch(model, n))];
            data.Values[$"parameters.{key}"] = model.Parameters.Count;
            foreach (var n in new[] { 4, 6, 8, 10, 12, 14 })
                data.Values[$"exact.{key}.{n}"] = right[n - 1];
            data.Series[key] = right;
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] lengths = [.. Lengths().Select(n => (double)n)];
        return new LineChart
        {
            Title = japanese ? "系列を逆順に書く課題の完全一致率" : "Sequences written backwards without a mistake",
            XLabel = japanese ? "系列の長さ n" : "length n of the sequence",
            YLabel = japanese ? "完全一致率" : "share without a mistake",
            YRange = (-0.03, 1.05),
            VerticalMarkers = [new Marker(ReversalTask.Longest, japanese ? "学習時の最大の長さ" : "longest in training")],
            Series = [.. s_models.Select(model => new Series(Caption(model.Hidden, model.Attention, japanese), lengths, data.Series[model.Key])
            {
                Width = 2,
                Style = model.Attention is AdditiveAttentionOptions ? SeriesStyle.Dashed : SeriesStyle.Line,
            })],
        };
    }

    static string Caption(int hidden, AttentionOptions? attention, bool japanese) => attention switch
    {
        null => japanese ? $"H = {hidden}、注意なし" : $"H = {hidden}, no attention",
        AdditiveAttentionOptions => japanese ? $"H = {hidden}、加法注意" : $"H = {hidden}, additive attention",
        _ => japanese ? $"H = {hidden}、乗法注意" : $"H = {hidden}, multiplicative attention",
    };

    static IEnumerable<int> Lengths() => Enumerable.Range(1, LongestTest);

    static double ExactMatch(EncoderDecoder model, int n)
    {
        var sources = ReversalTask.Sources(n, Tests);
        var options = new GenerationOptions { MaxSteps = LongestTest + 4, EndToken = ReversalTask.End };
        var written = model.CreateGenerator(options, n, Tests).Generate(sources, n, Tests);
        return Enumerable.Range(0, Tests).Count(b => written[b][0].Tokens.SequenceEqual(ReversalTask.Target(sources, n, Tests, b))) / (double)Tests;
    }
}
