using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>What the start of an LSTM's forget gates leaves of a gradient, against the distance, before any training.</summary>
/// <remarks>
/// <code>‖∂L/∂c_{T−d}‖ / ‖∂L/∂c_T‖,   d = 0 … 400,   ∂L/∂c_T random</code>
/// H = 32, I = 1, inputs uniform on [−1, 1), weights uniform on ±1/√H; the gates' biases are b_f = 0, 1, 3 or those of the
/// chrono start for T_max = 400, all other biases 0. Geometric mean over 10 draws.
/// </remarks>
public sealed class MemoryStartFigure : Figure
{
    const int H = 32;
    const int Distance = 400;
    const int Draws = 10;

    static readonly (string Key, double? Bias, string English, string Japanese)[] s_starts =
    [
        ("bias0", 0, "b_f = 0", "b_f = 0"),
        ("bias1", 1, "b_f = 1", "b_f = 1"),
        ("bias3", 3, "b_f = 3", "b_f = 3"),
        ("chrono", null, "chrono start, T_max = 400", "クロノ初期化、T_max = 400"),
    ];

    /// <inheritdoc/>
    public override string Name => "memory-start";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, bias, _, _) in s_starts)
        {
            double[][] norms = [.. Enumerable.Range(1, Draws).Select(draw => Norms(bias, new MersenneTwister((uint)draw)))];

            // What is below the smallest double would have no logarithm.
            double[] mean = [.. Enumerable.Range(0, Distance + 1).Select(d => Math.Exp(norms.Average(n => Math.Log(Math.Max(n[d], 1e-300)))))];
            foreach (var d in new[] { 10, 100, 400 })
                data.Values[$"{key}.{d}"] = mean[d];
            data.Values[$"{key}.half"] = Array.FindIndex(mean, value => value < 0.5);
            data.Series[key] = mean;
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        const double Least = 1e-12;
        return new LineChart
        {
            Title = japanese ? "忘却ゲートの初期値と、残る勾配" : "The start of the forget gates, and the gradient that is left",
            XLabel = japanese ? "さかのぼる時刻の数 d" : "steps back in time, d",
            YLabel = japanese ? "‖∂L/∂c(T−d)‖ の比" : "‖∂L/∂c(T−d)‖, relative",
            LogY = true,
            YRange = (Least, 3),
            Series = [.. s_starts.Select(start =>
            {
                double[] shown = [.. data.Series[start.Key].TakeWhile(value => value > Least)];
                return new Series(japanese ? start.Japanese : start.English, [.. Enumerable.Range(0, shown.Length).Select(d => (double)d)], shown);
            })],
        };
    }

    static double[] Norms(double? forgetBias, MersenneTwister random)
    {
        var cell = new LstmCell(1, H);
        var bound = InitialWeights.PyTorchBound(H);
        foreach (var matrix in new[] { cell.Parameters.WeightIh, cell.Parameters.WeightHh })
        {
            for (var k = 0; k < matrix.Values.Length; k++)
                matrix.Values[k] = random.Uniform(-bound, bound);
        }

        // Blocks i f g o.
        for (var j = 0; j < H; j++)
        {
            cell.Parameters.BiasIh[H + j] = forgetBias ?? InitialWeights.ChronoBias(1 + random.Uniform(1, Distance - 1));
            if (forgetBias is null)
                cell.Parameters.BiasIh[j] = -cell.Parameters.BiasIh[H + j];
        }

        var steps = new CellCache[2 * Distance];
        var state = cell.ZeroState();
        for (var t = 0; t < steps.Length; t++)
        {
            steps[t] = cell.Forward([random.Uniform(-1, 1)], state);
            state = steps[t].State;
        }

        var dState = cell.ZeroState();
        for (var j = 0; j < H; j++)
            dState.C[j] = random.Uniform(-1, 1);
        var unused = cell.CreateGradients();
        var norms = new double[Distance + 1];
        for (var d = 0; d <= Distance; d++)
        {
            norms[d] = Math.Sqrt(dState.C.Sum(value => value * value));
            dState = cell.Backward(steps[^(d + 1)], dState, new double[1], unused);
        }

        return [.. norms.Select(norm => norm / norms[0])];
    }
}
