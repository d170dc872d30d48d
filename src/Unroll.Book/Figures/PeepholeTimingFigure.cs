using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>An exact interval, with and without peepholes: answer each spike of the input with a spike a fixed number of steps later.</summary>
/// <remarks>
/// After the delay the next input spike comes 1 to 11 steps later. H = 2; squared error summed over all steps per spike that
/// is due, on 200 fresh sequences. After Gers, Schraudolph and Schmidhuber (2002), whose tasks measure and generate intervals.
/// </remarks>
public sealed class PeepholeTimingFigure : Figure
{
    const int H = 2;
    const int Delay = 20;
    const int T = 70;
    const int Seeds = 10;
    const int Updates = 4000;
    const int TestRows = 200;
    const double Solved = 0.1;

    /// <inheritdoc/>
    public override string Name => "peephole-timing";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        (data.Values["delay"], data.Values["seeds"]) = (Delay, Seeds);
        var test = Task(seed: 1000).Next(TestRows);
        foreach (var (key, peepholes) in new[] { ("without", false), ("with", true) })
        {
            var errors = new double[Seeds];
            for (var seed = 0; seed < Seeds; seed++)
            {
                var model = SmallTraining.Run(
                    new SequenceModelOptions(1, [new LstmOptions(H) { Peepholes = peepholes }, new LinearOptions(1)]),
                    Task((uint)(100 + seed)), (uint)seed, Updates, batchSize: 16, rate: 0.02,
                    start: new Initialization { ForgetGateBias = 3 });
                errors[seed] = Error(model, test);
            }

            data.Values[$"{key}.median"] = Statistics.Median(errors);
            data.Values[$"{key}.best"] = errors.Min();
            data.Values[$"{key}.worst"] = errors.Max();
            data.Values[$"{key}.solved"] = errors.Count(error => error < Solved);
            data.Series[key] = [.. errors.Order()];
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] rank = [.. Enumerable.Range(1, Seeds).Select(k => (double)k)];
        return new LineChart
        {
            Title = japanese ? $"{Delay} 時刻後ちょうどにスパイクを返す" : $"Answer a spike exactly {Delay} steps later",
            XLabel = japanese ? "シード(誤差の小さい順)" : "Seeds, in the order of their error",
            YLabel = japanese ? "出すべきスパイク一つあたりの二乗誤差" : "Squared error per spike that was due",
            LogY = true,
            XRange = (0, Seeds + 1),
            HorizontalMarkers = [new Marker(1, japanese ? "何も出さない" : "saying nothing")],
            Series =
            [
                new Series(japanese ? "覗き穴結合なし" : "without peepholes", rank, data.Series["without"]) { Style = SeriesStyle.Points, Width = 4 },
                new Series(japanese ? "覗き穴結合あり" : "with peepholes", rank, data.Series["with"]) { Style = SeriesStyle.Points, Width = 4 },
            ],
        };
    }

    static double Error(SequenceModel model, SequenceBatch test)
    {
        var y = SmallTraining.Predict(model, test);
        var (error, due) = (0.0, 0.0);
        for (var at = 0; at < y.Length; at++)
        {
            error += Math.Pow(y[at] - test.Targets[at], 2);
            due += test.Targets[at];
        }

        return error / due;
    }

    static DrawnSequences Task(uint seed) => new(T, 1, 1, new MersenneTwister(seed), static (random, inputs, targets, _) =>
    {
        for (var t = random.NextInterval(Delay / 2); t < T; t += Delay + 1 + random.NextInterval(Delay / 2))
        {
            inputs[t] = 1;
            if (t + Delay < T)
                targets[t + Delay] = 1;
        }
    });
}
