using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>What a stream of sequences without a mark between them does to an LSTM with and without forget gate.</summary>
/// <remarks>
/// Streams of strings of the embedded Reber grammar; H = 16. Measured on 64 fresh streams: how often the symbol to be
/// remembered is not the most likely of the outputs, and the mean of |c|. After Gers, Schmidhuber and Cummins (2000).
/// </remarks>
public sealed class ForgetGateFigure : Figure
{
    const int H = 16;
    const int Seeds = 3;
    const int Updates = 3000;
    const int BatchSize = 16;
    const int TrainingWindow = 30;
    const int TestStreams = 64;
    const int TestWindow = 100;
    const int TestWindows = 50;

    /// <inheritdoc/>
    public override string Name => "forget-gate";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        (data.Values["steps"], data.Values["seeds"]) = (TestWindow * TestWindows, Seeds);
        foreach (var (key, forgetGate, single) in new[] { ("single", false, true), ("stream", false, false), ("forget", true, false) })
        {
            var misses = new double[Seeds][];
            var sizes = new double[Seeds][];
            var alone = new double[Seeds];
            for (var seed = 0; seed < Seeds; seed++)
            {
                var random = new MersenneTwister((uint)(100 + seed));
                ISequenceSource source = single ? new SingleReber(random) : new ContinualReber(BatchSize, TrainingWindow, Updates, random);
                var model = SmallTraining.Run(
                    new SequenceModelOptions(source.InputSize, [new LstmOptions(H) { ForgetGate = forgetGate }, new LinearOptions(source.InputSize)]),
                    source, (uint)seed, Updates, BatchSize, rate: 0.01, loss: new SoftmaxCrossEntropy());
                (misses[seed], sizes[seed]) = OnStreams(model);
                alone[seed] = OnSingleStrings(model);
            }

            data.Values[$"{key}.alone"] = Statistics.Median(alone);
            data.Values[$"{key}.early"] = Statistics.Median([.. misses.Select(m => m[0])]);
            data.Values[$"{key}.late"] = Statistics.Median([.. misses.Select(m => m[^1])]);
            data.Values[$"{key}.cell"] = Statistics.Median([.. sizes.Select(s => s[^1])]);
            data.Series[$"{key}.misses"] = Curves.Median(misses);
            data.Series[$"{key}.cell"] = Curves.Median(sizes);
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] symbols = [.. Enumerable.Range(1, TestWindows).Select(window => (double)(window * TestWindow))];
        return new LineChart
        {
            Title = japanese ? "切れ目のない系列の流れの中の記憶セル" : "The cell state on an endless stream of sequences",
            XLabel = japanese ? "流れの先頭からの記号の数" : "Symbols since the stream began",
            YLabel = japanese ? "|c| の平均" : "Mean of |c|",
            LogY = true,
            Series =
            [
                new Series(japanese ? "忘却ゲートなし、一つずつ" : "no forget gate, single strings", symbols, data.Series["single.cell"]),
                new Series(japanese ? "忘却ゲートなし、流れ" : "no forget gate, stream", symbols, data.Series["stream.cell"]),
                new Series(japanese ? "忘却ゲートあり、流れ" : "forget gate, stream", symbols, data.Series["forget.cell"]),
            ],
        };
    }

    /// <summary>Per window of the test streams: the share of marks missed, and the mean |c| at its end.</summary>
    static (double[] Misses, double[] Sizes) OnStreams(SequenceModel model)
    {
        var source = new ContinualReber(TestStreams, TestWindow, TestWindows, new MersenneTwister(1000));
        var batch = new SequenceBatch(TestWindow, TestStreams, source.InputSize, 0);
        var unrolled = model.Unroll(TestWindow, TestStreams);
        var state = model.CreateState(TestStreams);
        var (misses, sizes) = (new double[TestWindows], new double[TestWindows]);
        for (var window = 0; window < TestWindows; window++)
        {
            source.Fill(batch, new int[TestStreams]);
            batch.Inputs.CopyTo(unrolled.Input);
            unrolled.Forward();
            unrolled.CopyFinalState(state);
            unrolled.InitialState.CopyFrom(state);
            misses[window] = Misses(unrolled.Output, batch, source.AsksForMark);
            sizes[window] = state.Cell(0).ToArray().Average(c => Math.Abs(c));
        }

        return (misses, sizes);
    }

    /// <summary>The share of marks missed in single strings, each from a state of 0.</summary>
    static double OnSingleStrings(SequenceModel model)
    {
        const int Rows = 500;
        var source = new SingleReber(new MersenneTwister(1001));
        var batch = new SequenceBatch(source.MaxSteps, Rows, source.InputSize, 0);
        source.Fill(batch, new int[Rows]);
        var y = SmallTraining.Predict(model, batch);
        var asks = new bool[source.MaxSteps * Rows];
        for (var b = 0; b < Rows; b++)
            asks[((batch.Lengths[b] - 2) * Rows) + b] = true;
        return Misses(y, batch, asks);
    }

    static double Misses(ReadOnlySpan<float> y, SequenceBatch batch, bool[] asks)
    {
        var (asked, missed, symbols) = (0, 0, batch.InputSize);
        for (var at = 0; at < asks.Length; at++)
        {
            if (!asks[at])
                continue;
            asked++;
            var outputs = y.Slice(at * symbols, symbols);
            if (outputs.IndexOf(outputs.ToArray().Max()) != batch.Labels[at])
                missed++;
        }

        return (double)missed / asked;
    }
}
