using Unroll.Benchmarks.Measuring;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Reporting;

/// <summary>A figure the project wants to reach, and what it came to.</summary>
/// <param name="What">What is measured.</param>
/// <param name="Needed">The bar; empty for a figure without one.</param>
/// <param name="Measured">The figure.</param>
/// <param name="Where">The row it comes from, if it is the worst of several.</param>
/// <param name="Passed">Whether the bar is reached.</param>
sealed record Bar(string What, string Needed, string Measured, string Where, bool Passed)
{
    public static IReadOnlyList<string> Header { get; } = ["bar", "needed", "measured", "worst at", ""];

    public IReadOnlyList<string> Cells => [What, Needed, Measured, Where, Needed.Length == 0 ? "" : Passed ? "PASS" : "MISS"];

    /// <summary>Prints them to a console.</summary>
    public static void WriteAll(TextWriter output, IEnumerable<Bar> bars) => TextTable.Write(output, Header, [.. bars.Select(bar => bar.Cells)]);

    /// <summary>Every bar that the results have rows for.</summary>
    public static IReadOnlyList<Bar> Of(Results results)
    {
        var bars = new List<Bar>();
        foreach (var threads in new[] { 1, 2 })
        {
            var on = threads == 1 ? "1 thread" : "2 threads";
            // The peak of two cores is no measure where two threads have one.
            var lstm = results.LargeTraining
                .Where(row => row.Cell == "lstm" && (threads == 1 || row.Cores.Place != CorePlace.Same))
                .ToLookup(row => (IsLarge: row.Shape.H >= 256, IsShared: results.IsShared(row, threads)));
            foreach (var isLarge in new[] { false, true })
            {
                var what = $"LSTM training, {(isLarge ? "H ≥ 256" : "H = 128")}, share of the FMA peak, {on}";
                AtLeast(what, isLarge ? 0.85 : 0.75, lstm[(isLarge, IsShared: false)], row => row.ShareOfPeak(threads), Text.Percent);
                AtLeast($"{what}, shared cores", null, lstm[(isLarge, IsShared: true)], row => row.ShareOfPeak(threads), Text.Percent);
                AtLeast($"{what}, shared cores, shortest passes", null, lstm[(isLarge, IsShared: true)].Select(results.LongerOf), row => row.ShortestShareOfPeak(threads), Text.Percent);
            }

            Mean($"training over TorchSharp, {on}", 3, results.Training, row => row.TimesFasterThanPeers(threads));
            if (results.Training.All(row => row.Tuned(threads) is not null))
                Mean($"training over TorchSharp on tcmalloc, {on}", null, results.Training, row => row.Unroll(threads).TimesFasterThan(row.Tuned(threads)!));
            AtLeast($"training over TorchSharp, {on}, every row", 1.2, results.Training, row => row.TimesFasterThanPeers(threads), Text.Ratio);
            AtLeast($"training {Grid.Small} over TorchSharp, {on}", 5, results.Training.Where(row => row.Shape == Grid.Small), row => row.TimesFasterThanPeers(threads), Text.Ratio);
            Mean($"inference over the faster peer, {on}", 1.5, results.Inference, row => row.TimesFasterThanPeers(threads));
            AtLeast($"inference over the faster peer, {on}, every row", 1, results.Inference, row => row.TimesFasterThanPeers(threads), Text.Ratio);
            AtLeast($"streaming over ONNX Runtime, H ≤ 128, {on}", 3, results.Streaming.Where(row => row.Shape.H <= 128), row => OverOnnxRuntime(row, threads), Text.Ratio);
            AtLeast($"streaming over ONNX Runtime, H = 512, {on}", 1.2, results.Streaming.Where(row => row.Shape.H == 512), row => OverOnnxRuntime(row, threads), Text.Ratio);
            AtMost($"training memory, share of TorchSharp's, {on}", 1.0 / 3, results.Training, row => row.Place, row => row.ShareOfMemory(threads), Text.Percent);
        }

        var own = results.LargeTraining.Where(row => !results.IsShared(row, 1) && !results.IsShared(row, 2)).ToArray();
        var shared = results.LargeTraining.Except(own).ToArray();
        AtLeast("training, 2 threads over 1, B ≥ 32 and H ≥ 128, cores near each other", 1.8, own.Where(row => row.Cores.Place == CorePlace.Near), row => row.SpeedUp, Text.Ratio);
        AtLeast("training, 2 threads over 1, B ≥ 32 and H ≥ 128, cores apart", 1.8, own.Where(row => row.Cores.Place == CorePlace.Apart), row => row.SpeedUp, Text.Ratio);
        AtLeast("training, 2 threads over 1, B ≥ 32 and H ≥ 128, shared cores", null, shared, row => row.SpeedUp, Text.Ratio);
        AtLeast("training, 2 threads over 1, B ≥ 32 and H ≥ 128, shared cores, shortest passes", null, shared.Select(results.LongerOf), row => row.ShortestSpeedUp, Text.Ratio);
        AtMost("training beside a busy process, time of 2 threads over 1", 1.2, results.Neighbours, row => $"{row.Cell} {row.Shape}", row => row.Slowdown, Text.Ratio);
        AtMost(
            "training, loss on the last step, time over a loss on every step", 1, results.Losses,
            row => $"{row.Cell} {row.LastStep.Entry.Configuration.Shape}", row => row.EveryStep.TimesFasterThan(row.LastStep), Text.Ratio);
        return bars;

        void Mean(string what, double? needed, IReadOnlyList<Row> rows, Func<Row, double> value)
        {
            var mean = Math.Exp(rows.Average(row => Math.Log(value(row))));
            bars.Add(new Bar($"{what}, geometric mean", needed is { } bar ? $"≥ {Text.Ratio(bar)}" : "", Text.Ratio(mean), "", mean >= needed));
        }

        void AtLeast(string what, double? needed, IEnumerable<Row> rows, Func<Row, double> value, Func<double, string> text)
        {
            if (rows.MinBy(value) is { } worst)
                bars.Add(new Bar(what, needed is { } bar ? $"≥ {text(bar)}" : "", text(value(worst)), worst.Place, value(worst) >= needed));
        }

        void AtMost<T>(string what, double needed, IEnumerable<T> rows, Func<T, string> place, Func<T, double> value, Func<double, string> text)
        {
            var worst = rows.MaxBy(value)!;
            bars.Add(new Bar(what, $"≤ {text(needed)}", text(value(worst)), place(worst), value(worst) <= needed));
        }
    }

    static double OverOnnxRuntime(Row row, int threads) => row.Unroll(threads).TimesFasterThan(row.Peer(Library.OnnxRuntime, threads));
}
