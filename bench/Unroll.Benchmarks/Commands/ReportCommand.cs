using System.CommandLine;
using System.Diagnostics;
using Unroll.Benchmarks.Measuring;
using Unroll.Benchmarks.Reporting;

namespace Unroll.Benchmarks.Commands;

/// <summary><c>report</c>: the whole grid as <c>docs/benchmarks/&lt;cpu&gt;.md</c>.</summary>
static class ReportCommand
{
    public static Command Create()
    {
        var quick = new Option<bool>("--quick") { Description = "A few rows of each kind within two minutes, printed and not written." };
        var command = new Command("report", "Measures everything and writes docs/benchmarks/<cpu>.md.") { quick };
        command.SetAction(parsed =>
        {
            var (output, error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
            var isQuick = parsed.GetValue(quick);
            var clock = Stopwatch.StartNew();
            var results = Results.Measure(isQuick ? Grid.Quick : Grid.Full, what => error.WriteLine($"{clock.Elapsed:mm\\:ss} {what}"));
            using var text = new StringWriter();
            new Report(results, text).Write(clock.Elapsed);
            if (isQuick)
            {
                output.Write(text);
                return;
            }

            var path = Path.Combine(Library.Repository, "docs", "benchmarks", Processor.FileName() + ".md");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text.ToString());
            Bar.WriteAll(output, Bar.Of(results));
            output.WriteLine(path);
            if (results.IsDisturbed)
                error.WriteLine(Report.Warning);
        });
        return command;
    }
}
