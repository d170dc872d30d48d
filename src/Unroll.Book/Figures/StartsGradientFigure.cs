using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>How much of a gradient is left after d steps back in time, for four starts of W_hh of a plain RNN.</summary>
/// <remarks>
/// <code>
/// ‖∂L/∂h_{T−d}‖ / ‖∂L/∂h_T‖,   d = 0 … 100,   ∂L/∂h_T random
/// </code>
/// H = 32, I = 8, x_t uniform on [−1, 1), W_ih uniform on ±1/√H, no biases. W_hh uniform on ±1/√H; normal with deviation 1/√H;
/// orthogonal; the identity with relu. 100 steps before the first that is looked at. Geometric mean over 10 draws.
/// </remarks>
public sealed class StartsGradientFigure : Figure
{
    const int H = 32, I = 8;
    const int Distance = 100;
    const int Draws = 10;

    static readonly (string Key, RnnActivation Activation, Func<MersenneTwister, Matrix> Start)[] s_starts =
    [
        ("uniform", RnnActivation.Tanh, random => Fill(() => random.Uniform(-1 / Math.Sqrt(H), 1 / Math.Sqrt(H)))),
        ("normal", RnnActivation.Tanh, random => Fill(() => random.Normal() / Math.Sqrt(H))),
        ("orthogonal", RnnActivation.Tanh, random => InitialWeights.Orthonormal(Fill(random.Normal))),
        ("identity", RnnActivation.Relu, _ => Matrix.Identity(H)),
    ];

    /// <inheritdoc/>
    public override string Name => "starts-gradient";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, activation, start) in s_starts)
        {
            var (norms, radii, stretches) = (new double[Draws][], new double[Draws], new double[Draws]);
            for (var draw = 0; draw < Draws; draw++)
            {
                var random = new MersenneTwister((uint)draw);
                var cell = new RnnCell(I, H, activation);
                start(random).Values.CopyTo(cell.Parameters.WeightHh.Values, 0);
                random.Uniform(-1 / Math.Sqrt(H), 1 / Math.Sqrt(H), cell.Parameters.WeightIh.Values);
                radii[draw] = Spectrum.Radius(cell.Parameters.WeightHh);
                stretches[draw] = Spectrum.Norm(cell.Parameters.WeightHh);
                norms[draw] = Norms(cell, random);
            }

            double[] mean = [.. Enumerable.Range(0, Distance + 1).Select(d => Math.Exp(norms.Average(n => Math.Log(n[d]))))];
            foreach (var d in new[] { 10, 50, 100 })
                data.Values[$"{key}.{d}"] = mean[d];
            data.Values[$"{key}.radius"] = radii.Average();
            data.Values[$"{key}.norm"] = stretches.Average();
            data.Series[key] = mean;
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] distance = [.. Enumerable.Range(0, Distance + 1).Select(d => (double)d)];
        var names = japanese
            ? new Dictionary<string, string> { ["uniform"] = "一様乱数、tanh", ["normal"] = "正規乱数、tanh", ["orthogonal"] = "直交行列、tanh", ["identity"] = "単位行列、ReLU" }
            : new Dictionary<string, string> { ["uniform"] = "uniform, tanh", ["normal"] = "normal, tanh", ["orthogonal"] = "orthogonal, tanh", ["identity"] = "identity, ReLU" };
        return new LineChart
        {
            Title = japanese ? "W_hh の初期値と、時間をさかのぼる勾配" : "The start of W_hh and the gradient on its way back in time",
            XLabel = japanese ? "さかのぼる時刻の数 d" : "Steps back in time, d",
            YLabel = japanese ? "‖∂L/∂h(T−d)‖ の比" : "‖∂L/∂h(T−d)‖, relative",
            LogY = true,
            Series = [.. s_starts.Select(start => new Series(names[start.Key], distance, data.Series[start.Key]))],
        };
    }

    static Matrix Fill(Func<double> next)
    {
        var matrix = new Matrix(H, H);
        foreach (ref var value in matrix.Values.AsSpan())
            value = next();
        return matrix;
    }

    static double[] Norms(RnnCell cell, MersenneTwister random)
    {
        const int T = 2 * Distance;
        var steps = new CellCache[T];
        var state = cell.ZeroState();
        var x = new double[I];
        for (var t = 0; t < T; t++)
        {
            random.Uniform(-1, 1, x);
            steps[t] = cell.Forward(x, state);
            state = steps[t].State;
        }

        var dState = cell.ZeroState();
        random.Uniform(-1, 1, dState.H);
        var norms = new double[Distance + 1];
        for (var d = 0; d <= Distance; d++)
        {
            norms[d] = Math.Sqrt(dState.H.Sum(value => value * value));
            dState = cell.Backward(steps[T - 1 - d], dState, new double[I], cell.CreateGradients());
        }

        return [.. norms.Select(norm => norm / norms[0])];
    }
}
