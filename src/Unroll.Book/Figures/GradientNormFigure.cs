using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>How much of a gradient is left after d steps back in time, for untrained cells.</summary>
/// <remarks>
/// <code>
/// ‖∂L/∂h_{T−d}‖ / ‖∂L/∂h_T‖,   d = 0 … 100,   ∂L/∂h_T random of length 1
/// </code>
/// H = 32, I = 1, x_t uniform on [−1, 1), all parameters uniform on ±1/√H as PyTorch draws them. Geometric mean, least
/// and greatest over 10 draws of parameters and inputs.
/// </remarks>
public sealed class GradientNormFigure : Figure
{
    const int H = 32;
    const int Distance = 100;
    const int Draws = 10;

    static readonly (string Key, Func<Cell> Create, double ForgetBias)[] s_cells =
    [
        ("rnn", () => new RnnCell(1, H), 0),
        ("lstm", () => new LstmCell(1, H), 0),
        ("lstm-forget", () => new LstmCell(1, H), 3),
        ("gru", () => new GruCell(1, H), 0),
    ];

    /// <inheritdoc/>
    public override string Name => "gradient-norm";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, create, forgetBias) in s_cells)
        {
            var norms = new double[Draws][];
            for (var draw = 0; draw < Draws; draw++)
                norms[draw] = Norms(create(), forgetBias, new MersenneTwister((uint)draw));
            double[] mean = [.. Steps().Select(d => Math.Exp(norms.Average(n => Math.Log(n[d]))))];
            foreach (var d in new[] { 1, 10, 20, 50, 100 })
                data.Values[$"{key}.{d}"] = mean[d];
            data.Series[key] = mean;
            data.Series[$"{key}.min"] = [.. Steps().Select(d => norms.Min(n => n[d]))];
            data.Series[$"{key}.max"] = [.. Steps().Select(d => norms.Max(n => n[d]))];
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] distance = [.. Steps().Select(d => (double)d)];
        var names = japanese
            ? new Dictionary<string, string> { ["rnn"] = "RNN", ["lstm"] = "LSTM", ["lstm-forget"] = "LSTM(忘却バイアス 3)", ["gru"] = "GRU" }
            : new Dictionary<string, string> { ["rnn"] = "RNN", ["lstm"] = "LSTM", ["lstm-forget"] = "LSTM, forget bias 3", ["gru"] = "GRU" };
        return new LineChart
        {
            Title = japanese ? "時間をさかのぼる勾配の大きさ(学習前)" : "The gradient on its way back in time, before training",
            XLabel = japanese ? "さかのぼる時刻の数 d" : "Steps back in time, d",
            YLabel = japanese ? "‖∂L/∂h(T−d)‖ の比" : "‖∂L/∂h(T−d)‖, relative",
            LogY = true,
            Series = [.. s_cells.Select(cell => new Series(names[cell.Key], distance, data.Series[cell.Key])
            {
                Lower = data.Series[$"{cell.Key}.min"],
                Upper = data.Series[$"{cell.Key}.max"],
            })],
        };
    }

    static IEnumerable<int> Steps() => Enumerable.Range(0, Distance + 1);

    static double[] Norms(Cell cell, double forgetBias, MersenneTwister random)
    {
        var bound = 1 / Math.Sqrt(H);
        cell.Parameters.Fill(() => random.Uniform(-bound, bound));
        if (cell is LstmCell)
            Array.Fill(cell.Parameters.BiasIh, forgetBias, H, H); // blocks i f g o

        // The first steps only bring the state to where it settles.
        const int T = 2 * Distance;
        var steps = new CellCache[T];
        var state = cell.ZeroState();
        for (var t = 0; t < T; t++)
        {
            steps[t] = cell.Forward([random.Uniform(-1, 1)], state);
            state = steps[t].State;
        }

        var dState = cell.ZeroState();
        for (var j = 0; j < H; j++)
            dState.H[j] = random.Uniform(-1, 1);
        var norms = new double[Distance + 1];
        for (var d = 0; d <= Distance; d++)
        {
            norms[d] = Math.Sqrt(dState.H.Sum(value => value * value));
            dState = cell.Backward(steps[T - 1 - d], dState, new double[1], cell.CreateGradients());
        }

        return [.. norms.Select(norm => norm / norms[0])];
    }
}
