using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>What the input and the output weight conflict cost: keep one number, ignore the others, deliver it when asked.</summary>
/// <remarks>
/// Each step has a number of [−1, 1); one of the first four is marked "store", one of the second half "release". The target
/// there is the stored number, elsewhere 0. Cells of H = 4 without forget gate: bare, with input gate, with output gate,
/// with both. The release weighs 5 in the loss, another step 1.
/// </remarks>
public sealed class WeightConflictFigure : Figure
{
    const int H = 4;
    const int T = 20;
    const int Seeds = 10;
    const int Updates = 3000;
    const int Looks = 30;
    const int TestRows = 500;
    const int Features = 3;
    const int LastStore = 3;
    const float ReleaseWeight = 5;

    static readonly (string Key, bool InputGate, bool OutputGate)[] s_cells =
        [("bare", false, false), ("input", true, false), ("output", false, true), ("both", true, true)];

    /// <inheritdoc/>
    public override string Name => "weight-conflict";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        (data.Values["steps"], data.Values["seeds"]) = (T, Seeds);
        var test = Task(seed: 1000).Next(TestRows);
        foreach (var (key, inputGate, outputGate) in s_cells)
        {
            var cell = new LstmOptions(H) { InputGate = inputGate, ForgetGate = false, OutputGate = outputGate };
            var curves = new List<double>[Seeds];
            var silent = new double[Seeds];
            for (var seed = 0; seed < Seeds; seed++)
            {
                var curve = curves[seed] = [];
                SmallTraining.Run(
                    new SequenceModelOptions(Features, [cell, new LinearOptions(1)]), Task((uint)(100 + seed)),
                    (uint)seed, Updates, batchSize: 32, rate: 0.01, looks: Looks, look: model =>
                    {
                        (var release, silent[seed]) = Errors(model, test);
                        curve.Add(release);
                    });
            }

            double[] last = [.. curves.Select(curve => curve[^1])];
            data.Values[$"{key}.release"] = Statistics.Median(last);
            data.Values[$"{key}.best"] = last.Min();
            data.Values[$"{key}.worst"] = last.Max();
            data.Values[$"{key}.silent"] = Statistics.Median(silent);
            data.Values[$"{key}.solved"] = last.Count(error => error < 0.01);
            Curves.Add(data, key, curves);
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] updates = [.. Enumerable.Range(1, Looks).Select(look => (double)(look * Updates / Looks))];
        var names = japanese
            ? new[] { "ゲートなし", "入力ゲート", "出力ゲート", "両方" }
            : ["no gate", "input gate", "output gate", "both gates"];
        return new LineChart
        {
            Title = japanese ? "一つの数を覚えて、求められたら出す" : "Keep one number and deliver it when asked",
            XLabel = japanese ? "更新の回数" : "Updates",
            YLabel = japanese ? "出すときの二乗誤差(10 シードの中央値と範囲)" : "Squared error at the release: median, range of 10 seeds",
            LogY = true,
            HorizontalMarkers = [new Marker(1.0 / 3, japanese ? "いつも 0 と答える" : "always answering 0")],
            Series = [.. s_cells.Select((cell, k) => new Series(names[k], updates, data.Series[cell.Key])
            {
                Lower = data.Series[$"{cell.Key}.min"],
                Upper = data.Series[$"{cell.Key}.max"],
            })],
        };
    }

    /// <summary>The mean squared errors at the release and elsewhere.</summary>
    static (double Release, double Silent) Errors(SequenceModel model, SequenceBatch test)
    {
        var y = SmallTraining.Predict(model, test);
        var (release, silent) = (0.0, 0.0);
        for (var at = 0; at < y.Length; at++)
        {
            var error = Math.Pow(y[at] - test.Targets[at], 2);
            if (test.Weights[at] == ReleaseWeight)
                release += error;
            else
                silent += error;
        }

        return (release / TestRows, silent / (y.Length - TestRows));
    }

    static DrawnSequences Task(uint seed) => new(T, Features, 1, new MersenneTwister(seed), static (random, inputs, targets, weights) =>
    {
        var store = random.NextInterval(LastStore);
        var release = (T / 2) + random.NextInterval((T / 2) - 1);
        for (var t = 0; t < T; t++)
            inputs[Features * t] = (float)random.Uniform(-1, 1);
        inputs[(Features * store) + 1] = 1;
        inputs[(Features * release) + 2] = 1;
        targets[release] = inputs[Features * store];
        weights[release] = ReleaseWeight;
    });
}
