using System.CommandLine;
using System.Globalization;
using Unroll.Benchmarks.Measuring;
using Unroll.Benchmarks.Protocol;
using Unroll.Benchmarks.Reporting;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Commands;

/// <summary><c>compare MODE CELL B,T,I,H</c>: one shape on every library that has the mode.</summary>
static class CompareCommand
{
    public static Command Create()
    {
        var mode = OneOf("MODE", "train, grad, train-every, infer or stream.", Configuration.Modes);
        var cell = OneOf("CELL", "rnn, lstm or gru.", Configuration.Cells);
        var shape = new Argument<Shape>("B,T,I,H")
        {
            Description = "Batch, steps, inputs, hidden units.",
            CustomParser = result =>
            {
                try
                {
                    return Shape.Parse(result.Tokens[0].Value);
                }
                catch (FormatException exception)
                {
                    result.AddError(exception.Message);
                    return default;
                }
            },
        };
        var most = Math.Max(2, Environment.ProcessorCount);
        var threads = new Option<int>("--threads")
        {
            Description = "Threads that compute; 1 and 2 if left out.",
            HelpName = "N",
            CustomParser = result =>
            {
                if (int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= 1 && count <= most)
                    return count;
                result.AddError($"Option '--threads' expects a whole number from 1 to {most}, got '{result.Tokens[0].Value}'.");
                return default;
            },
        };
        var command = new Command("compare", "Runs one shape on every library, in turn, and prints the ratios.") { mode, cell, shape, threads };
        command.SetAction(parsed =>
        {
            int[] counts = parsed.GetValue(threads) is > 0 and var count ? [count] : [1, 2];
            var entries = Grid.Contenders(parsed.GetValue(mode)!, parsed.GetValue(cell)!, parsed.GetValue(shape), counts);
            Write(parsed.InvocationConfiguration.Output, Comparison.Run(entries, Effort.Full), counts);
        });
        return command;
    }

    static void Write(TextWriter output, IReadOnlyList<Outcome> outcomes, IReadOnlyList<int> threads)
    {
        var rows = new List<string[]>();
        foreach (var count in threads)
        {
            var unroll = outcomes.Fastest(Library.Unroll, count)!;
            var peak = outcomes.Peak(count)!;
            foreach (var outcome in outcomes.Where(outcome => outcome.Entry.Configuration.Threads == count && outcome != peak))
            {
                rows.Add(
                [
                    outcome.Name, $"{count}", Text.Milliseconds(outcome.Seconds), Text.Spread(outcome), $"{outcome.Gflops:F1}",
                    Text.Percent(outcome.TimesFasterThan(peak)), outcome == unroll ? "" : Text.Ratio(unroll.TimesFasterThan(outcome)), Text.MiB(outcome.PeakBytes),
                ]);
            }

            rows.Add(["FMA peak", $"{count}", "", Text.Spread(peak), $"{peak.Gflops:F1}", "", "", ""]);
        }

        TextTable.Write(output, ["", "threads", "ms/step", "±", "GFLOP/s", "of peak", "Unroll faster by", "peak RSS"], rows);
    }

    static Argument<string> OneOf(string name, string description, IReadOnlyList<string> words)
    {
        var argument = new Argument<string>(name) { Description = description };
        argument.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !words.Contains(result.Tokens[0].Value))
                result.AddError($"Expected {name} to be one of {string.Join(", ", words)}, got '{result.Tokens[0].Value}'.");
        });
        return argument;
    }
}
