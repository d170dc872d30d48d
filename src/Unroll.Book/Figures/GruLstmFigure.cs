using Unroll.Data;
using Unroll.Experiments.Adding;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;

namespace Unroll.Book.Figures;

/// <summary>Both forms of the GRU and two sizes of LSTM on the adding problem: error against updates.</summary>
/// <remarks>T = 40. The second LSTM has about as many parameters as the GRU of 16 units.</remarks>
public sealed class GruLstmFigure : Figure
{
    const int T = 40;
    const int Seeds = 5;
    const int Updates = 1500;
    const int Looks = 30;
    const int TestRows = 500;

    static readonly (string Key, RecurrentOptions Layer)[] s_cells =
    [
        ("gru-after", new GruOptions(16)),
        ("gru-before", new GruOptions(16) { ResetGate = ResetGate.BeforeProduct }),
        ("lstm-16", new LstmOptions(16)),
        ("lstm-14", new LstmOptions(14)),
    ];

    /// <inheritdoc/>
    public override string Name => "gru-lstm";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        (data.Values["steps"], data.Values["seeds"]) = (T, Seeds);
        var test = new SequenceBatch(T, TestRows, 2, 1);
        AddingData.TestSet(T, seed: 1000, TestRows).Fill(test, [.. Enumerable.Range(0, TestRows)]);
        foreach (var (key, layer) in s_cells)
        {
            var curves = new List<double>[Seeds];
            for (var seed = 0; seed < Seeds; seed++)
            {
                var curve = curves[seed] = [];
                var model = SmallTraining.Run(
                    new SequenceModelOptions(2, [layer, new LastStepOptions(), new LinearOptions(1)]),
                    AddingData.Stream(T, new MersenneTwister((uint)(100 + seed)), perEpoch: 1), (uint)seed, Updates, batchSize: 32, rate: 0.01,
                    looks: Looks, look: learning => curve.Add(Error(learning, test)));
                data.Values[$"{key}.parameters"] = model.Parameters.Count;
            }

            double[] last = [.. curves.Select(curve => curve[^1])];
            data.Values[$"{key}.median"] = Statistics.Median(last);
            data.Values[$"{key}.best"] = last.Min();
            data.Values[$"{key}.worst"] = last.Max();

            data.Values[$"{key}.updates"] = Statistics.Median([.. curves.Select(curve => (double)UpdatesUntilLearned(curve))]);
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
            ? new[] { "GRU(積の後)", "GRU(積の前)", "LSTM(H = 16)", "LSTM(H = 14)" }
            : ["GRU, reset after", "GRU, reset before", "LSTM, H = 16", "LSTM, H = 14"];
        return new LineChart
        {
            Title = japanese ? $"加算問題(T = {T})" : $"The adding problem, T = {T}",
            XLabel = japanese ? "更新の回数" : "Updates",
            YLabel = japanese ? "二乗誤差(5 シードの中央値と範囲)" : "Squared error: median, range of 5 seeds",
            LogY = true,
            HorizontalMarkers = [new Marker(AddingData.ConstantAnswerError, japanese ? "いつも 1 と答える" : "always answering 1")],
            Series = [.. s_cells.Select((cell, k) => new Series(names[k], updates, data.Series[cell.Key])
            {
                Lower = data.Series[$"{cell.Key}.min"],
                Upper = data.Series[$"{cell.Key}.max"],
            })],
        };
    }

    /// <summary>The updates until the first look at which the error is below a tenth of that of a constant answer; all of them if there is none.</summary>
    static int UpdatesUntilLearned(List<double> curve)
    {
        var look = curve.FindIndex(error => error < AddingData.ConstantAnswerError / 10);
        return (look < 0 ? Looks : look + 1) * Updates / Looks;
    }

    static double Error(SequenceModel model, SequenceBatch test)
    {
        var y = SmallTraining.Predict(model, test);
        var sum = 0.0;
        for (var b = 0; b < y.Length; b++)
            sum += Math.Pow(y[b] - test.Targets[b], 2);
        return sum / y.Length;
    }
}
