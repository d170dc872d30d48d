using System.Globalization;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>How far the gradient of truncated back-propagation through time is from the full one, against k2.</summary>
/// <remarks>
/// <code>
/// ‖Σ_e G_e − ∂L/∂W_hh‖ / ‖∂L/∂W_hh‖,   k1 = 1
/// </code>
/// Plain RNN, tanh, H = 16, I = 1, T = 100; W_hh normal, scaled to a spectral radius; inputs and W_ih uniform on ±1, no biases;
/// an independent error uniform on ±1 at every unit of every step. Geometric mean over 5 draws.
/// </remarks>
public sealed class TruncationErrorFigure : Figure
{
    const int T = 100, H = 16;
    const int K1 = 1;
    const int Draws = 5;

    static readonly int[] s_k2 = [.. new[] { 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60 }.Where(k2 => k2 >= K1)];
    static readonly double[] s_radii = [0.5, 1, 1.5];

    /// <inheritdoc/>
    public override string Name => "truncation-error";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        data.Series["k2"] = [.. s_k2.Select(k2 => (double)k2)];
        foreach (var radius in s_radii)
        {
            var errors = new double[Draws][];
            for (var draw = 0; draw < Draws; draw++)
                errors[draw] = Errors(radius, new MersenneTwister((uint)draw));
            double[] mean = [.. s_k2.Select((_, n) => Math.Exp(errors.Average(row => Math.Log(row[n]))))];
            data.Series[Key(radius)] = mean;
            foreach (var k2 in s_k2.Intersect([1, 5, 10, 20, 40, 60]))
                data.Values[$"{Key(radius)}.{k2}"] = mean[Array.IndexOf(s_k2, k2)];
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
            Title = japanese ? "打ち切り型BPTTの勾配の誤差(k1 = 1)" : "Error of the truncated gradient (k1 = 1)",
            XLabel = japanese ? "さかのぼる時刻の数 k2" : "steps that the gradient goes back, k2",
            YLabel = japanese ? "全体の勾配からの相対誤差" : "relative distance from the full gradient",
            LogY = true,
            Series = [.. s_radii.Select(radius => new Series(
                (japanese ? "スペクトル半径 " : "spectral radius ") + radius.ToString(CultureInfo.InvariantCulture),
                data.Series["k2"],
                data.Series[Key(radius)]))],
        };
    }

    static string Key(double radius) => string.Create(CultureInfo.InvariantCulture, $"r{radius:0.0}");

    static double[] Errors(double radius, MersenneTwister random)
    {
        var cell = new RnnCell(1, H);
        var start = new Matrix(H, H);
        foreach (ref var value in start.Values.AsSpan())
            value = random.Normal();
        start.Scaled(radius / Spectrum.Radius(start)).Values.CopyTo(cell.Parameters.WeightHh.Values, 0);
        random.Uniform(-1, 1, cell.Parameters.WeightIh.Values);
        var (x, dH) = (new Sequence(T, 1, 1), new Sequence(T, 1, H));
        random.Uniform(-1, 1, x.Values);
        random.Uniform(-1, 1, dH.Values);

        var layer = new Recurrent(cell);
        var full = layer.Backward(layer.Forward(x), dH).DParameters[0].WeightHh.Values;
        return [.. s_k2.Select(k2 => Distance(Truncated(layer, k2, x, dH), full) / Distance(full, new double[full.Length]))];
    }

    static double[] Truncated(Recurrent layer, int k2, Sequence x, Sequence dH)
    {
        var truncated = new TruncatedBptt(layer, K1, k2);
        var sum = layer.Cells[0].CreateGradients();
        for (var start = 0; start < T; start += K1)
        {
            truncated.Forward(new Sequence(K1, 1, x.F, x.Values.AsSpan(start * x.F, K1 * x.F)));
            sum.Add(truncated.Backward(new Sequence(K1, 1, H, dH.Values.AsSpan(start * H, K1 * H))).DParameters[0]);
        }

        return sum.WeightHh.Values;
    }

    static double Distance(double[] one, double[] other) => Math.Sqrt(one.Zip(other, (a, b) => (a - b) * (a - b)).Sum());
}
