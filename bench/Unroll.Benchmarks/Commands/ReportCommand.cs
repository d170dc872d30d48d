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
            var isQuick = parsed.GetValue(quick);
            var clock = Stopwatch.StartNew();
            var results = Results.Measure(isQuick ? Grid.Quick : Grid.Full, what => Console.Error.WriteLine($"{clock.Elapsed:mm\\:ss} {what}"));
            using var text = new StringWriter();
            new Report(results, text).Write(clock.Elapsed);
            if (isQuick)
            {
                Console.Out.Write(text);
                return;
            }

            var path = Path.Combine(Library.Repository, "docs", "benchmarks", Processor.FileName() + ".md");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text.ToString());
            Bar.WriteAll(Console.Out, Bar.Of(results));
            Console.WriteLine(path);
        });
        return command;
    }
}
