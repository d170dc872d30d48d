using System.Globalization;
using Unroll.Models;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>What a wider beam finds, and what it does to the length of the targets.</summary>
/// <remarks>
/// The model of 16 units without attention of <see cref="ReversalTask"/>, which is too small for the task. The curves are
/// of sources of 8 symbols, the lengths of sources of 12; 400 of each.
/// </remarks>
public sealed class BeamSearchFigure : Figure
{
    const int Hidden = 16;
    const int Tests = 400;
    const int Steps = 8;
    const int LongSteps = 12;

    static readonly int[] s_widths = [1, 2, 4, 8, 16, 32];
    static readonly double[] s_penalties = [0, 0.6, 1];

    /// <inheritdoc/>
    public override string Name => "beam-search";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var model = ReversalTask.Train(Hidden);
        var data = new FigureData();
        var sources = ReversalTask.Sources(Steps, Tests);
        var right = ReversalTask.LogProbabilities(model, sources, Steps, Tests);
        data.Values["log-p.right"] = right.Average();
        var (exact, inBeam, searchErrors) = (new double[s_widths.Length], new double[s_widths.Length], new double[s_widths.Length]);
        for (var w = 0; w < s_widths.Length; w++)
        {
            var written = Write(model, sources, Steps, s_widths[w], 0);
            var logProbability = 0.0;
            for (var b = 0; b < Tests; b++)
            {
                var target = ReversalTask.Target(sources, Steps, Tests, b);
                logProbability += written[b][0].LogProbability / Tests;
                exact[w] += written[b][0].Tokens.SequenceEqual(target) ? 1.0 / Tests : 0;
                inBeam[w] += written[b].Any(each => each.Tokens.SequenceEqual(target)) ? 1.0 / Tests : 0;

                // The right target is likelier than the one that was found: the search missed it, not the model.
                searchErrors[w] += right[b] > written[b][0].LogProbability + 1e-4 ? 1.0 / Tests : 0;
            }

            data.Values[$"log-p.{s_widths[w]}"] = logProbability;
            data.Values[$"exact.{s_widths[w]}"] = exact[w];
            data.Values[$"in-beam.{s_widths[w]}"] = inBeam[w];
            data.Values[$"search-errors.{s_widths[w]}"] = searchErrors[w];
        }

        (data.Series["exact"], data.Series["in-beam"], data.Series["search-errors"]) = (exact, inBeam, searchErrors);
        sources = ReversalTask.Sources(LongSteps, Tests);
        foreach (var width in new[] { 1, 4, 16, 64 })
        {
            foreach (var penalty in s_penalties)
            {
                var written = Write(model, sources, LongSteps, width, penalty);
                data.Values[string.Create(CultureInfo.InvariantCulture, $"length.{width}.{penalty}")] = written.Average(targets => targets[0].Tokens.Count(token => token != ReversalTask.End));
            }
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] positions = [.. s_widths.Select(width => Math.Log2(width))];
        return new LineChart
        {
            Title = japanese ? "ビーム幅と探索の結果(長さ 8、H = 16、注意なし)" : "What a wider beam finds: 8 symbols, H = 16, no attention",
            XLabel = japanese ? "ビーム幅の対数 log2 W" : "log2 of the beam width W",
            YLabel = japanese ? "系列の割合" : "share of the sequences",
            YRange = (-0.03, 1.05),
            Series =
            [
                new Series(japanese ? "正解がビームに残る" : "right one among the W", positions, data.Series["in-beam"]) { Width = 2 },
                new Series(japanese ? "正解が1位(完全一致)" : "right one ranked first", positions, data.Series["exact"]) { Width = 2 },
                new Series(japanese ? "探索の誤り" : "search errors", positions, data.Series["search-errors"]) { Width = 2, Style = SeriesStyle.Dashed },
            ],
        };
    }

    static GeneratedSequence[][] Write(EncoderDecoder model, float[] sources, int n, int width, double penalty)
    {
        var options = new GenerationOptions { MaxSteps = n + 8, EndToken = ReversalTask.End, BeamWidth = width, LengthPenalty = penalty };
        return model.CreateGenerator(options, n, Tests).Generate(sources, n, Tests);
    }
}
