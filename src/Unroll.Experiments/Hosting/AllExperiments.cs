using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Unroll.Plots;

namespace Unroll.Experiments.Hosting;

/// <summary>Runs every numbered experiment of a folder in a process of its own and writes a page that leads to their reports.</summary>
/// <param name="folder">The folder of the programs.</param>
public sealed class AllExperiments(string folder)
{
    /// <summary>Runs them.</summary>
    /// <param name="args">The command line: <c>--quick</c>, <c>--out DIR</c>.</param>
    /// <returns>0 when all ended well; 1 when one failed; 2 when the command line is wrong.</returns>
    public int Run(string[] args)
    {
        var quick = new Option<bool>("--quick") { Description = "A few seconds each." };
        var results = new Option<string>("--out") { Description = "The folder for the results.", HelpName = "DIR", DefaultValueFactory = _ => "results" };
        var root = new RootCommand("Runs all experiments and writes a page that leads to their reports.") { quick, results };
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            Console.Error.WriteLine($"error: {parsed.Errors[0].Message} See --help.");
            return 2;
        }

        if (parsed.Action is not null)
            return parsed.Invoke();
        try
        {
            return RunAll(OutputFolder.Prepare(parsed.GetValue(results)!), parsed.GetValue(quick));
        }
        catch (IOException exception)
        {
            Console.Error.WriteLine($"error: {exception.Message}");
            return 1;
        }
    }

    int RunAll(string results, bool quick)
    {
        var programs = Directory.EnumerateFiles(folder, "*.cs").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])).Order(StringComparer.Ordinal).ToArray();
        if (programs.Length == 0)
            throw new IOException($"Expected programs such as 1-sine-rnn.cs in '{folder}', found none; run this from a checkout.");
        var clock = Stopwatch.GetTimestamp();
        var rows = new List<IReadOnlyList<string>>();
        var links = new List<(string, string)>();
        var failed = 0;
        foreach (var program in programs)
        {
            var name = Path.GetFileNameWithoutExtension(program);
            Console.WriteLine($"== {name}");
            var start = Stopwatch.GetTimestamp();
            var exitCode = RunOne(program, Path.Combine(results, name), quick);
            var seconds = $"{Stopwatch.GetElapsedTime(start).TotalSeconds:F0}";
            if (exitCode == 0)
            {
                rows.Add([name, .. MainMetric(Path.Combine(results, name, "metrics.json")), seconds]);
                links.Add((name, $"{name}/report.html"));
            }
            else
            {
                failed++;
                rows.Add([name, $"failed with exit code {exitCode}", "", seconds]);
            }

            Console.WriteLine();
        }

        string[] header = ["experiment", "metric", "median", "seconds"];
        TextTable.Write(Console.Out, header, rows);
        var page = Path.Combine(results, "index.html");
        new HtmlReport("Experiments", $"{programs.Length} programs in {Stopwatch.GetElapsedTime(clock).TotalMinutes:F1} minutes, start and compilation included.")
            .Table(header, rows)
            .Section("Reports")
            .Links(links)
            .Save(page);
        Console.WriteLine();
        Console.WriteLine($"Wrote {page} in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F0} s.");
        return failed == 0 ? 0 : 1;
    }

    static int RunOne(string program, string results, bool quick)
    {
        var start = new ProcessStartInfo("dotnet", ["run", "-c", "Release", program, "--", "--out", results, .. quick ? ["--quick"] : Array.Empty<string>()]);
        using var process = Process.Start(start) ?? throw new IOException($"'dotnet run {program}' could not be started.");
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>The name of an experiment's first metric, and its median over the seeds.</summary>
    static string[] MainMetric(string path)
    {
        var summary = JsonNode.Parse(File.ReadAllText(path))!["summary"]!.AsObject().First();
        return [summary.Key, summary.Value!["median"]?.GetValue<double>().ToString("0.####", CultureInfo.InvariantCulture) ?? "–"];
    }
}
