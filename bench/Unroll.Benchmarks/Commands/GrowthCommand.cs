using System.CommandLine;
using Unroll.Benchmarks.Measuring;
using Unroll.Benchmarks.Protocol;
using Unroll.Benchmarks.Reporting;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Commands;

/// <summary><c>growth</c>: the time of a training step against H, T and B.</summary>
static class GrowthCommand
{
    public static Command Create()
    {
        var command = new Command("growth", "Measures how a training step's time grows with H, T and B, each over two decades, on one core.");
        command.SetAction(parsed =>
        {
            var curves = Configuration.Cells.SelectMany(cell => Results.MeasureGrowth(cell, Effort.Short, parsed.InvocationConfiguration.Error.WriteLine)).ToArray();
            TextTable.Write(parsed.InvocationConfiguration.Output, GrowthTable.Header, GrowthTable.Rows(curves));
        });
        return command;
    }
}
