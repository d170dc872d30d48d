using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks.Measuring;

/// <summary>Training on one core and on two, while another process keeps one core busy and while none does.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="Shape">The sizes.</param>
/// <param name="Alone">1 and 2 threads on a quiet machine.</param>
/// <param name="Beside">1 and 2 threads beside the busy process.</param>
sealed record Neighbour(string Cell, Shape Shape, IReadOnlyList<Outcome> Alone, IReadOnlyList<Outcome> Beside)
{
    /// <summary>Longer than any comparison; the process is ended before.</summary>
    const double BusySeconds = 600;

    /// <summary>How much longer 2 threads take than 1, both beside the busy process.</summary>
    public double Slowdown => 1 / Beside[1].TimesFasterThan(Beside[0]);

    public static Neighbour Measure(string cell, Shape shape, Effort effort)
    {
        var configuration = new Configuration("train", cell, shape, 1);
        Entry[] entries = [new(Library.Unroll, configuration), new(Library.Unroll, configuration with { Threads = 2 })];
        var alone = Comparison.Run(entries, effort);
        using var busy = new ContenderProcess(new Entry(Library.Unroll, configuration with { Mode = Configuration.PeakMode }));
        busy.WaitUntilReady();
        busy.Start(BusySeconds);
        return new Neighbour(cell, shape, alone, Comparison.Run(entries, effort with { Patience = 0 }));
    }
}
