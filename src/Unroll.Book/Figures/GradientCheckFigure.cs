using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>The relative error of a gradient by finite differences against the size of the step, and that of a wrong gradient.</summary>
/// <remarks>
/// <code>
/// two points:   (L(θ + ε) − L(θ − ε)) / 2ε
/// four points:  (8 (L(θ + ε) − L(θ − ε)) − (L(θ + 2ε) − L(θ − 2ε))) / 12ε
/// error:        ‖analytic − numeric‖∞ / max(‖analytic‖∞, ‖numeric‖∞)   over W_hh
/// </code>
/// Plain RNN, T = 8, I = 3, H = 5, O = 2, mean squared error, parameters and data uniform on ±0.8. The wrong gradient goes back
/// through W_hh in place of W_hhᵀ. The left branches are rounding errors, whose digits hang on the platform's tanh.
/// </remarks>
public sealed class GradientCheckFigure : Figure
{
    const int T = 8, I = 3, H = 5, O = 2;
    const double FirstExponent = -12;
    const int PointsPerDecade = 4;
    const int Points = (11 * PointsPerDecade) + 1;

    /// <inheritdoc/>
    public override string Name => "gradient-check";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var random = new MersenneTwister(1);
        double Uniform() => random.Uniform(-0.8, 0.8);
        var cell = new RnnCell(I, H);
        cell.Parameters.Fill(Uniform);
        var readout = new Linear(H, O);
        readout.Parameters.Fill(Uniform);
        var (x, target) = (Draw(T, I, Uniform), Draw(T, O, Uniform));
        var layer = new Recurrent(cell);

        var cache = layer.Forward(x);
        var dH = readout.Backward(cache.Y, MeanSquaredError.Backward(readout.Forward(cache.Y), target)).DX;
        var right = layer.Backward(cache, dH).DParameters[0].WeightHh.Values;
        var wrong = WithoutTranspose(cell, cache, dH).WeightHh.Values;

        double Loss() => MeanSquaredError.Forward(readout.Forward(layer.Forward(x).Y), target);
        var data = new FigureData();
        double[] exponents = [.. Enumerable.Range(0, Points).Select(k => FirstExponent + ((double)k / PointsPerDecade))];
        var differences = exponents.Select(exponent => Differences(Loss, cell.Parameters.WeightHh.Values, Math.Pow(10, exponent))).ToArray();
        double[] Errors(double[] analytic, Func<(double[] Two, double[] Four), double[]> choose) =>
            [.. differences.Select(difference => GradientCheck.RelativeError(analytic, choose(difference)))];
        data.Series["exponent"] = exponents;
        data.Series["two"] = Errors(right, difference => difference.Two);
        data.Series["four"] = Errors(right, difference => difference.Four);
        data.Series["wrong"] = Errors(wrong, difference => difference.Two);
        foreach (var key in new[] { "two", "four" })
        {
            var best = Array.IndexOf(data.Series[key], data.Series[key].Min());
            data.Values[$"{key}.best"] = data.Series[key][best];
            data.Values[$"{key}.best-epsilon"] = Math.Pow(10, exponents[best]);
            foreach (var decade in new[] { -2, -3, -4, -10 })
                data.Values[$"{key}.{decade}"] = data.Series[key][(int)((decade - FirstExponent) * PointsPerDecade)];
        }

        data.Values["wrong.-5"] = data.Series["wrong"][(int)((-5 - FirstExponent) * PointsPerDecade)];
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        var x = data.Series["exponent"];
        return new LineChart
        {
            Title = japanese ? "差分による勾配の検算:刻み幅と誤差" : "Checking a gradient by differences: step and error",
            XLabel = japanese ? "刻み幅 ε の常用対数" : "log10 of the step ε",
            YLabel = japanese ? "相対誤差" : "relative error",
            LogY = true,
            Series =
            [
                new(japanese ? "正しい勾配、2点" : "right gradient, two points", x, data.Series["two"]),
                new(japanese ? "正しい勾配、4点" : "right gradient, four points", x, data.Series["four"]) { Color = 2 },
                new(japanese ? "転置を忘れた勾配、2点" : "transpose forgotten, two points", x, data.Series["wrong"]) { Color = 1, Style = SeriesStyle.Dashed },
            ],
        };
    }

    static (double[] Two, double[] Four) Differences(Func<double> loss, double[] values, double epsilon)
    {
        var (two, four) = (new double[values.Length], new double[values.Length]);
        for (var k = 0; k < values.Length; k++)
        {
            var theta = values[k];
            double LossAt(double offset)
            {
                values[k] = theta + offset;
                return loss();
            }

            var near = LossAt(epsilon) - LossAt(-epsilon);
            var far = LossAt(2 * epsilon) - LossAt(-2 * epsilon);
            values[k] = theta;
            two[k] = near / (2 * epsilon);
            four[k] = ((8 * near) - far) / (12 * epsilon);
        }

        return (two, four);
    }

    /// <summary>Back-propagation through time with W_hh in place of its transpose.</summary>
    static CellParameters WithoutTranspose(RnnCell cell, RecurrentCache cache, Sequence dH)
    {
        var mistaken = new RnnCell(I, H);
        cell.Parameters.WeightHh.Transposed().Values.CopyTo(mistaken.Parameters.WeightHh.Values, 0);
        var gradients = mistaken.CreateGradients();
        var dState = mistaken.ZeroState();
        for (var t = T - 1; t >= 0; t--)
        {
            for (var j = 0; j < H; j++)
                dState.H[j] += dH[t, 0, j];
            dState = mistaken.Backward(cache.Steps[t, 0]!, dState, new double[I], gradients);
        }

        return gradients;
    }

    static Sequence Draw(int steps, int features, Func<double> next)
    {
        var sequence = new Sequence(steps, 1, features);
        foreach (ref var value in sequence.Values.AsSpan())
            value = next();
        return sequence;
    }
}
