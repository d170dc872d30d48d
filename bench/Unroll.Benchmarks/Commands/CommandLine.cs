using System.CommandLine;

namespace Unroll.Benchmarks.Commands;

/// <summary>The verbs of the benchmarks.</summary>
/// <remarks>Exit code 0: done. 1: something failed while running. 2: the command line is wrong.</remarks>
static class CommandLine
{
    /// <summary>Parses and runs.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        var root = new RootCommand("Measures Unroll against this machine's peak and against other libraries, in turn within one run.");
        foreach (var command in new[] { PeakCommand.Create(), KernelsCommand.Create(), CompareCommand.Create(), GrowthCommand.Create(), ReportCommand.Create() })
            root.Subcommands.Add(command);
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            // An unknown verb is also a missing one; the word itself says more.
            var mistake = parsed.Errors.FirstOrDefault(known => parsed.UnmatchedTokens.Any(known.Message.Contains)) ?? parsed.Errors[0];
            error.WriteLine($"error: {mistake.Message.ReplaceLineEndings(" ")} See --help.");
            return 2;
        }

        try
        {
            return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (Exception exception) when (exception is InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"error: {exception.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }
}
