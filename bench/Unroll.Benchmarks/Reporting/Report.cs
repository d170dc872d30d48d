using System.Reflection;
using System.Runtime.InteropServices;
using Unroll.Benchmarks.Commands;
using Unroll.Benchmarks.Measuring;
using Unroll.Experiments.Hosting;
using Unroll.Numerics;

namespace Unroll.Benchmarks.Reporting;

/// <summary>The page of one machine.</summary>
sealed class Report(Results results, TextWriter output)
{
    /// <summary>What is said of a run on a busy machine.</summary>
    public const string Warning = "Other processes disturbed this run: its figures are no good. Repeat it on a machine that does nothing else.";

    /// <summary>Writes the page.</summary>
    /// <param name="duration">How long the measurements took.</param>
    public void Write(TimeSpan duration)
    {
        var machine = Machine.Measure();
        output.WriteLine($"# Benchmarks: {machine.Cpu}");
        output.WriteLine();
        WriteTable(
            ["", ""],
            [
                ["processor", $"{machine.Cpu} ({Processor.FileName()}), {machine.Cores} cores, {RuntimeInformation.ProcessArchitecture}"],
                ["system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}"],
                ["Unroll", $"{typeof(Engine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion}, kernel {machine.Kernel}"],
                ["peers", string.Join(", ", results.Training.Concat(results.Inference).SelectMany(row => row.Outcomes).Where(outcome => outcome.Entry.Library != Library.Unroll).Select(outcome => $"{outcome.Entry.Library.Name} {outcome.Version}").Distinct())],
                ["disturbed", $"{results.Rounds.Disturbed} of {results.Rounds.All} rounds had other processes on more than {Comparison.Disturbing} of a core; * marks where most had"],
                ["distance", $"a word from one core to the other and back took {results.Distances.Median:F0} ns ({results.Distances.Min:F0} to {results.Distances.Max:F0}) before the 2-thread rounds; below {CorePair.NearestApart} the two share a cache"],
                ["cores", $"two threads of multiply-adds alone did {results.CoreCounts.Median:F2} times the work of one ({results.CoreCounts.Min:F2} to {results.CoreCounts.Max:F2}) before those rounds; rows with a median below {CorePair.FewestOfTwo} are marked as one core, and their shares of the peak and gains are left out of the bars"],
                ["width", $"before and after Unroll's rounds a thread began {results.Widths.Median:F1} operations a cycle ({results.Widths.Min:F1} to {results.Widths.Max:F1}); what is missing from the most went to another guest's thread on the same core. Rows that had less than {Text.Percent(CoreWidth.LeastOfOwn)} of it are marked as shared, and the bars on the peak and on the gain of a second thread leave them out: multiply-adds alone hardly feel it"],
                ["measured", $"{DateTime.UtcNow:yyyy-MM-dd}, in {duration.TotalMinutes:F0} minutes"],
            ]);
        output.WriteLine("All contenders of a row ran in turn, several rounds in one run. Times are medians over rounds, ± is half the distance");
        output.WriteLine("from the fastest round to the slowest. Ratios are taken within a round, then their median: 2.00× is twice as fast.");
        output.WriteLine("Of several ways to use a library the fastest is shown. How each side was set up: [bench/README.md](../../bench/README.md).");
        output.WriteLine("Letters: B batch, T steps, I inputs, H hidden units.");
        output.WriteLine();

        Section("Bars", results.IsDisturbed ? Warning : null);
        WriteTable(Bar.Header, [.. Bar.Of(results).Select(bar => bar.Cells)]);
        Section("FMA peak");
        WriteTable(PeakCommand.Header, PeakCommand.Rows());
        foreach (var threads in new[] { 1, 2 })
            WriteTraining(threads);
        WriteLonger();
        WriteSequences("Inference", "The last hidden state of a batch of sequences.", results.Inference, "ms", Text.Milliseconds);
        WriteSequences("Streaming", "One step of one sequence, the state carried on; I = H.", results.Streaming, "µs", Text.Microseconds);
        WriteMemory();
        WriteGradients();
        Section("Growth", $"A training step on one core; {GrowthTable.Legend}. Exponent p of time ∝ sizeᵖ, by least squares over 8 sizes on log-log axes.");
        WriteTable(GrowthTable.Header, GrowthTable.Rows(results.Growth));
        WriteLosses();
        WriteNeighbours();
        Section("To reproduce");
        output.WriteLine("```sh");
        output.WriteLine("dotnet run -c Release --project bench/Unroll.Benchmarks -- report");
        output.WriteLine("```");
    }

    void WriteTraining(int threads)
    {
        Section(
            threads == 1 ? "Training, 1 thread" : "Training, 2 threads",
            "Forward, mean squared error of a dense layer on the last state, backward, Adam. *On tcmalloc*: TorchSharp in a process started with another memory allocator, for what that is worth; the bars speak of TorchSharp as it comes.");
        var version = results.Training[0].Unroll(threads).Version;
        WriteTable(
            ["cell", "B,T,I,H", $"Unroll {version}, ms", "±", "of peak", "peer", "ms", "±", "Unroll is", "on tcmalloc, ms", "±", "Unroll is", .. Cores(threads, () => ["over 1 thread", "cores, ns"])],
            [
                .. results.Training.Select(row =>
                {
                    var (unroll, torch, tuned) = (row.Unroll(threads), row.Peer(Library.TorchSharp, threads), row.Tuned(threads));
                    return (IReadOnlyList<string>)
                    [
                        row.Cell, $"{row.Shape}", Text.Milliseconds(unroll.Seconds), Text.Spread(unroll), $"{Text.Percent(row.ShareOfPeak(threads))}{(results.IsShared(row, threads) ? ", shared" : "")}",
                        torch.Name, Text.Milliseconds(torch.Seconds), Text.Spread(torch), Text.Ratio(unroll.TimesFasterThan(torch)),
                        .. tuned is null ? ["", "", ""] : new[] { Text.Milliseconds(tuned.Seconds), Text.Spread(tuned), Text.Ratio(unroll.TimesFasterThan(tuned)) },
                        .. Cores(threads, () => [Text.Ratio(row.SpeedUp), Place(row.Cores)]),
                    ];
                }),
            ]);
    }

    void WriteLonger()
    {
        if (results.Longer.Count == 0)
            return;
        Section(
            "Training on shared cores",
            "The rows above that are marked as shared and that the bars on the peak and on a second thread mean, for longer and without the peers. The shortest forward pass, backward pass and update of all rounds make up a step as it is while others are away; its share is that of the highest peak.");
        WriteTable(
            ["cell", "B,T,I,H", "1 thread, ms", "shortest", "of peak", "shortest", "2 threads, ms", "shortest", "of peak", "shortest", "over 1 thread", "shortest"],
            [
                .. results.Longer.Select(row => (IReadOnlyList<string>)
                [
                    row.Cell, $"{row.Shape}", .. Cells(row, 1), .. Cells(row, 2), Text.Ratio(row.SpeedUp), Text.Ratio(row.ShortestSpeedUp),
                ]),
            ]);

        static string[] Cells(Row row, int threads)
        {
            var unroll = row.Unroll(threads);
            return [Text.Milliseconds(unroll.Seconds), Text.Milliseconds(unroll.ShortestSeconds), Text.Percent(row.ShareOfPeak(threads)), Text.Percent(row.ShortestShareOfPeak(threads))];
        }
    }

    void WriteSequences(string title, string text, IReadOnlyList<Row> rows, string unit, Func<double, string> time)
    {
        foreach (var threads in new[] { 1, 2 })
        {
            Section(threads == 1 ? $"{title}, 1 thread" : $"{title}, 2 threads", text);
            WriteTable(
                ["cell", "B,T,I,H", $"Unroll {rows[0].Unroll(threads).Version}, {unit}", "±", "peer", unit, "±", "Unroll is", "peer", unit, "±", "Unroll is", .. Cores(threads, () => ["cores, ns"])],
                [
                    .. rows.Select(row =>
                    {
                        var unroll = row.Unroll(threads);
                        return (IReadOnlyList<string>)
                        [
                            row.Cell, $"{row.Shape}", time(unroll.Seconds), Text.Spread(unroll),
                            .. PeerCells(row.Peer(Library.TorchSharp, threads)), .. PeerCells(row.Peer(Library.OnnxRuntime, threads)),
                            .. Cores(threads, () => [Place(row.Cores)]),
                        ];

                        string[] PeerCells(Outcome peer) => [peer.Name, time(peer.Seconds), Text.Spread(peer), Text.Ratio(unroll.TimesFasterThan(peer))];
                    }),
                ]);
        }
    }

    /// <summary>Cells that only 2 threads have.</summary>
    static string[] Cores(int threads, Func<string[]> cells) => threads == 2 ? cells() : [];

    static string Place(CorePair cores) => $"{cores.Distance:F0}{(cores.Place == CorePlace.Same ? ", one core" : "")}";

    void WriteMemory()
    {
        Section("Memory", "Peak resident memory of a training process (VmHWM), the .NET runtime included.");
        WriteTable(
            ["cell", "B,T,I,H", "Unroll, 1 thread", "TorchSharp", "share", "Unroll, 2 threads", "TorchSharp", "share"],
            [
                .. results.Training.Select(row => (IReadOnlyList<string>)[row.Cell, $"{row.Shape}", .. Cells(row, 1), .. Cells(row, 2)]),
            ]);

        static string[] Cells(Row row, int threads) =>
            [Text.MiB(row.Unroll(threads).PeakBytes), Text.MiB(row.TorchSharpBytes(threads)), Text.Percent(row.ShareOfMemory(threads))];
    }

    void WriteGradients()
    {
        Section("Training without the optimizer, 1 thread", "TorchSharp's Adam is managed code that calls some ten tensor operations per parameter; without it only the native layer remains.");
        WriteTable(
            ["cell", "B,T,I,H", "Unroll, ms", "±", "peer", "ms", "±", "Unroll is"],
            [
                .. results.Gradients.Select(row =>
                {
                    var (unroll, torch) = (row.Unroll(1), row.Peer(Library.TorchSharp, 1));
                    return (IReadOnlyList<string>)
                    [
                        row.Cell, $"{row.Shape}", Text.Milliseconds(unroll.Seconds), Text.Spread(unroll),
                        torch.Name, Text.Milliseconds(torch.Seconds), Text.Spread(torch), Text.Ratio(unroll.TimesFasterThan(torch)),
                    ];
                }),
            ]);
    }

    void WriteLosses()
    {
        Section("Vanishing gradients, 1 thread", "With the loss on the last step only, the gradients of early steps sink below the smallest normal number. TorchSharp is slowed by that unless the processor flushes such numbers to 0.");
        WriteTable(
            ["cell", "B,T,I,H", "Unroll, last step, ms", "every step, ms", "last over every", "TorchSharp, last step, ms", "flush-denormal, ms"],
            [
                .. results.Losses.Select(row =>
                {
                    var shape = row.LastStep.Entry.Configuration.Shape;
                    return (IReadOnlyList<string>)
                    [
                        row.Cell, $"{shape}", Text.Milliseconds(row.LastStep.Seconds), Text.Milliseconds(row.EveryStep.Seconds),
                        Text.Ratio(row.EveryStep.TimesFasterThan(row.LastStep)), Torch("default"), Torch("flush-denormal"),
                    ];

                    string Torch(string variant) => results.Training
                        .Where(other => other.Cell == row.Cell && other.Shape == shape).SelectMany(other => other.Outcomes)
                        .Where(outcome => outcome.Entry.Library == Library.TorchSharp && outcome.Entry.Configuration is { Threads: 1 } configuration && configuration.Variant == variant)
                        .Select(outcome => Text.Milliseconds(outcome.Seconds)).FirstOrDefault("");
                }),
            ]);
    }

    void WriteNeighbours()
    {
        Section("A busy neighbour", "Training while another process keeps one core busy.");
        WriteTable(
            ["cell", "B,T,I,H", "alone: 1 thread, ms", "2 threads, ms", "beside it: 1 thread, ms", "2 threads, ms", "2 over 1"],
            [
                .. results.Neighbours.Select(row => (IReadOnlyList<string>)
                [
                    row.Cell, $"{row.Shape}", .. row.Alone.Concat(row.Beside).Select(outcome => Text.Milliseconds(outcome.Seconds)), Text.Ratio(row.Slowdown),
                ]),
            ]);
    }

    void Section(string title, string? text = null)
    {
        output.WriteLine($"## {title}");
        output.WriteLine();
        if (text is null)
            return;
        output.WriteLine(text);
        output.WriteLine();
    }

    void WriteTable(IReadOnlyList<string> header, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        WriteRow(header);
        WriteRow([.. header.Select(_ => "---")]);
        foreach (var row in rows)
            WriteRow(row);
        output.WriteLine();

        void WriteRow(IReadOnlyList<string> cells) => output.WriteLine($"| {string.Join(" | ", cells)} |");
    }
}
