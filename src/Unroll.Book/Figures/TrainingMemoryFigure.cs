using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>The memory of a training pass, by the formula of chapter 10 and as allocated.</summary>
/// <remarks>
/// <code>
/// bytes = 4·(T·B·(G·H + S·H + H) + (T + 1)·B·(H + C·H) + B·(152 + H + C·H) + T·B·I + 2·T·B·O)
/// </code>
/// S = 1 for the GRU, and for the LSTM where T·B·G·H &lt; 2¹⁹.
/// One layer and a linear one at every step; B = 32, I = 28, H = 128, O = 10.
/// </remarks>
public sealed class TrainingMemoryFigure : Figure
{
    const int B = 32;
    const int I = 28;
    const int H = 128;
    const int O = 10;
    const double Mebibyte = 1024 * 1024;

    static readonly int[] s_steps = [25, 50, 100, 150, 200, 250, 300, 350, 400];

    static readonly (string Key, RecurrentOptions Options, int G, Func<int, long> S, int C, string Name)[] s_cells =
    [
        ("rnn", new RnnOptions(H), 1, _ => 0, 0, "RNN"),
        ("gru", new GruOptions(H), 3, _ => 1, 0, "GRU"),
        ("lstm", new LstmOptions(H), 4, T => T * B * 4 * H < 1 << 19 ? 1 : 0, 1, "LSTM"),
    ];

    /// <inheritdoc/>
    public override string Name => "training-memory";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        using var engine = new Engine(threads: 1);
        var largest = 0.0;
        foreach (var (key, options, g, s, c, _) in s_cells)
        {
            var model = new SequenceModel(new SequenceModelOptions(I, [options, new LinearOptions(O)]), engine);
            double[] formula = [.. s_steps.Select(T => 4.0 * (
                ((long)T * B * ((g * H) + (s(T) * H) + H)) + ((T + 1L) * B * (H + (c * H))) + (B * (152 + H + (c * H)))
                + ((long)T * B * I) + (2L * T * B * O)))];
            double[] allocated = [.. s_steps.Select(T => (double)model.Unroll(T, B).ActivationBytes)];
            data.Values[$"{key}.100"] = allocated[Array.IndexOf(s_steps, 100)] / Mebibyte;
            data.Values[$"{key}.400"] = allocated[^1] / Mebibyte;
            data.Values[$"{key}.parameters"] = model.Parameters.Count;
            largest = Math.Max(largest, formula.Zip(allocated, (one, other) => Math.Abs(other - one)).Max());
            data.Series[$"{key}.formula"] = [.. formula.Select(bytes => bytes / Mebibyte)];
            data.Series[$"{key}.allocated"] = [.. allocated.Select(bytes => bytes / Mebibyte)];
        }

        data.Values["largest-difference"] = largest;
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] steps = [.. s_steps.Select(T => (double)T)];
        return new LineChart
        {
            Title = japanese ? "学習の一パスの記憶域(B = 32、H = 128)" : "The memory of a training pass, B = 32, H = 128",
            XLabel = japanese ? "時刻の数 T" : "steps T",
            YLabel = "MiB",
            Series =
            [
                .. s_cells.Select((cell, index) => new Series(japanese ? $"{cell.Name}:式" : $"{cell.Name}, formula", steps, data.Series[$"{cell.Key}.formula"]) { Color = index }),
                .. s_cells.Select((cell, index) => new Series(japanese ? $"{cell.Name}:確保された量" : $"{cell.Name}, allocated", steps, data.Series[$"{cell.Key}.allocated"])
                {
                    Color = index, Style = SeriesStyle.Points, Width = 3,
                }),
            ],
        };
    }
}
