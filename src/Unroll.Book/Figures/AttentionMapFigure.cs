using Unroll.Layers;
using Unroll.Models;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>Where a trained decoder looks while it writes a sequence backwards.</summary>
/// <remarks>
/// The task and the training are those of <see cref="ReversalTask"/>, with H = 32 and additive attention of 16 units. One
/// row per token written, one column per symbol read; each row sums to 1.
/// </remarks>
public sealed class AttentionMapFigure : Figure
{
    static readonly int[] s_source = [2, 0, 5, 4, 1, 0, 3, 7];

    /// <inheritdoc/>
    public override string Name => "attention-map";

    /// <inheritdoc/>
    public override (int Width, int Height) Size => (640, 520);

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var model = ReversalTask.Train(32, new AdditiveAttentionOptions(16));
        var S = s_source.Length;
        float[] source = [.. s_source.Select(symbol => (float)symbol)];
        var options = new GenerationOptions { MaxSteps = S + 4, EndToken = ReversalTask.End };
        var written = model.CreateGenerator(options, S, 1).Generate(source, S, 1)[0][0];
        if (!written.Tokens.SequenceEqual(ReversalTask.Target(source, S, 1, 0)))
            throw new InvalidOperationException($"Expected the sequence backwards, got {string.Join(' ', written.Tokens)}; train longer.");

        var data = new FigureData();
        for (var t = 0; t <= S; t++)
            data.Series[$"row.{t}"] = [.. written.Attention.Slice(t * S, S).ToArray().Select(weight => (double)weight)];
        double[] mirrored = [.. Enumerable.Range(0, S).Select(t => data.Series[$"row.{t}"][S - 1 - t])];
        data.Values["mirrored.least"] = mirrored.Min();
        data.Values["mirrored.mean"] = mirrored.Average();
        data.Values["behind.mean"] = Enumerable.Range(1, S - 1).Average(t => data.Series[$"row.{t}"][S - t]);
        data.Values["log-probability"] = written.LogProbability;
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        var S = s_source.Length;
        var map = new double[S + 1, S];
        for (var t = 0; t <= S; t++)
        {
            for (var s = 0; s < S; s++)
                map[t, s] = Math.Round(data.Series[$"row.{t}"][s], 2);
        }

        string[] letters = [.. s_source.Select(symbol => $"{(char)('A' + symbol)}")];
        return new HeatMap
        {
            Title = japanese ? "逆順に書く復号化器はどこを見るか" : "Where the decoder looks while it writes backwards",
            XLabel = japanese ? "読んだ記号" : "symbols read",
            YLabel = japanese ? "書いた記号" : "symbols written",
            Values = map,
            RowLabels = [.. letters.Reverse(), japanese ? "終" : "end"],
            ColumnLabels = letters,
            ShowValues = true,
            HideZeros = true,
        };
    }
}
