using System.CommandLine;
using Unroll.Benchmarks.Commands;

var root = new RootCommand("Measures Unroll against this machine's peak and against other libraries, in turn within one run.");
foreach (var command in new[] { PeakCommand.Create(), KernelsCommand.Create(), CompareCommand.Create(), GrowthCommand.Create(), ReportCommand.Create() })
    root.Subcommands.Add(command);

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    Console.Error.WriteLine($"error: {parsed.Errors[0].Message.ReplaceLineEndings(" ")} See --help.");
    return 2;
}

try
{
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception exception) when (exception is InvalidOperationException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"error: {exception.Message.ReplaceLineEndings(" ")}");
    return 1;
}
