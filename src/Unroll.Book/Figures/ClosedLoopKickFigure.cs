using Unroll.Experiments.Sine;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>What a closed loop does with a disturbance: the shape of the wave comes back, its phase does not.</summary>
/// <remarks>
/// <code>
/// h_{t+1} = tanh(M h_t + v),   M = W_hh + W_ih W,   v = W_ih b + b_ih + b_hh
/// δ_{t+1} = J_t δ_t,   J_t = diag(1 − h_{t+1}²) M
/// </code>
/// A model of <see cref="SineModels"/> runs on its own; after 2,000 steps the value that is fed back is held at 0 for 20
/// steps. The multipliers are the growth of a small disturbance in 100 steps along its strongest two directions, the mean over
/// 10,000 steps with the directions kept orthogonal (Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15, 1980).
/// </remarks>
public sealed class ClosedLoopKickFigure : Figure
{
    const int Settle = 2000;
    const int Held = 20;
    const int Shown = 260;
    const int Later = 1000;
    const int Period = SineData.Period;
    const uint Seed = 2;

    /// <inheritdoc/>
    public override string Name => "closed-loop-kick";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        var model = SineModels.ClosedLoop(Seed);
        var free = Run(model, held: 0);
        var kicked = Run(model, Held);

        data.Values["delay"] = Delay(free, kicked, Settle + Later);
        data.Values["delay-later"] = Delay(free, kicked, Settle + (2 * Later));
        data.Values["peak-before"] = free[(Settle - Period)..Settle].Max();
        data.Values["peak-later"] = kicked[(Settle + Later)..(Settle + Later + Period)].Max();
        for (var seed = 1u; seed <= 3; seed++)
        {
            var multipliers = Multipliers(SineModels.ClosedLoop(seed));
            data.Values[$"multiplier.{seed}.first"] = multipliers[0];
            data.Values[$"multiplier.{seed}.second"] = multipliers[1];
        }

        data.Series["free"] = free[(Settle - 60)..(Settle - 60 + Shown)];
        data.Series["kicked"] = kicked[(Settle - 60)..(Settle - 60 + Shown)];
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] t = [.. Enumerable.Range(-60, Shown).Select(k => (double)k)];
        return new LineChart
        {
            Title = japanese ? "乱されたあと:波形は戻り、位相は戻らない" : "After a disturbance the wave comes back, its phase does not",
            XLabel = japanese ? "乱してからの時刻数" : "steps since the disturbance",
            YLabel = japanese ? "出力 y" : "output y",
            Series =
            [
                new Series(japanese ? "乱さない場合" : "undisturbed", t, data.Series["free"]) { Style = SeriesStyle.Dashed },
                new Series(japanese ? "入力を 20 時刻のあいだ 0 にした場合" : "input held at 0 for 20 steps", t, data.Series["kicked"]),
            ],
            VerticalMarkers = [new Marker(0, ""), new Marker(Held, "")],
        };
    }

    static double[] Run(SequenceModel model, int held)
    {
        var stream = model.CreateStream();
        var y = new float[1];
        for (var t = 0; t < SineData.WarmUp; t++)
            stream.Step(SineModels.Data.Noisy.AsSpan(t, 1), y);
        var outputs = new double[Settle + (3 * Later)];
        for (var t = 0; t < outputs.Length; t++)
        {
            outputs[t] = y[0];
            float[] input = [t >= Settle && t < Settle + held ? 0f : y[0]];
            stream.Step(input, y);
        }

        return outputs;
    }

    /// <summary>By how much the rising zero crossings of one wave come after those of another, from minus half a period to half a period.</summary>
    static double Delay(double[] free, double[] kicked, int from)
    {
        var delay = Crossing(kicked, from) - Crossing(free, from);
        return delay - (Period * Math.Round(delay / Period));
    }

    /// <summary>The time of the first rising zero crossing from step <paramref name="from"/> on.</summary>
    static double Crossing(double[] y, int from)
    {
        var t = Enumerable.Range(from, y.Length - from - 1).First(t => y[t] < 0 && y[t + 1] >= 0);
        return t + (y[t] / (y[t] - y[t + 1]));
    }

    static double[] Multipliers(SequenceModel model)
    {
        const int Steps = 10_000;
        const int H = SineModels.Hidden;
        double[] recurrent = Weights(0, ParameterRole.WeightHh), input = Weights(0, ParameterRole.WeightIh), output = Weights(1, ParameterRole.Weight);
        double[] bias = [.. Weights(0, ParameterRole.BiasIh).Zip(Weights(0, ParameterRole.BiasHh), (one, other) => one + other)];
        var outputBias = Weights(1, ParameterRole.Bias)[0];

        var h = new double[H];
        h[0] = 0.5;
        var random = new MersenneTwister(1);
        double[][] directions = [[.. Enumerable.Range(0, H).Select(_ => random.Normal())], [.. Enumerable.Range(0, H).Select(_ => random.Normal())]];
        var growth = new double[2];
        for (var t = -Settle; t < Steps; t++)
        {
            h = [.. Through(h).Select((a, j) => Math.Tanh(a + bias[j] + (input[j] * outputBias)))];
            for (var d = 0; d < 2; d++)
            {
                var next = Through(directions[d]);
                for (var j = 0; j < H; j++)
                    next[j] *= 1 - (h[j] * h[j]);
                for (var earlier = 0; earlier < d; earlier++)
                {
                    var along = Dot(next, directions[earlier]);
                    for (var j = 0; j < H; j++)
                        next[j] -= along * directions[earlier][j];
                }

                var norm = Math.Sqrt(Dot(next, next));
                directions[d] = [.. next.Select(value => value / norm)];
                if (t >= 0)
                    growth[d] += Math.Log(norm);
            }
        }

        return [.. growth.Select(sum => Math.Exp(sum * Period / Steps))];

        double[] Weights(int layer, ParameterRole role) =>
            [.. model.Parameters.ValuesOf(model.Parameters.Find(layer, role)).ToArray().Select(value => (double)value)];

        // M v
        double[] Through(double[] v)
        {
            var y = Dot(output, v);
            return [.. Enumerable.Range(0, H).Select(j => Dot(recurrent.AsSpan(j * H, H), v) + (input[j] * y))];
        }
    }

    static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var sum = 0.0;
        for (var k = 0; k < x.Length; k++)
            sum += x[k] * y[k];
        return sum;
    }
}
