using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>Operations per byte of one step of an LSTM, against the rows that share its weights.</summary>
/// <remarks>
/// <code>
/// 2·B·G·H·(I + H) operations over 4·(G·H·(I + H) + B·(I + H) + B·G·H) bytes,   I = H, G = 4
/// </code>
/// Every operand is counted once: weights, inputs and states in, gates out.
/// </remarks>
public sealed class ArithmeticIntensityFigure : Figure
{
    const int G = 4;

    static readonly int[] s_hidden = [32, 128, 512];
    static readonly double[] s_rows = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 126];

    /// <inheritdoc/>
    public override string Name => "arithmetic-intensity";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var H in s_hidden)
        {
            data.Values[$"h{H}.rows1"] = Intensity(1, H);
            data.Values[$"h{H}.rows126"] = Intensity(126, H);
            data.Series[$"h{H}"] = [.. s_rows.Select(rows => Intensity(rows, H))];
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
            Title = japanese ? "LSTM の一時刻の演算強度" : "Operations per byte of one step of an LSTM",
            XLabel = japanese ? "重みを共有する行の数" : "rows that share the weights",
            YLabel = japanese ? "演算 / バイト" : "operations per byte",
            LogY = true,
            Series = [.. s_hidden.Select(H => new Series($"I = H = {H}", s_rows, data.Series[$"h{H}"]))],
        };
    }

    static double Intensity(double rows, double H) =>
        2 * rows * G * H * (2 * H) / (4 * ((G * H * 2 * H) + (rows * 2 * H) + (rows * G * H)));
}
