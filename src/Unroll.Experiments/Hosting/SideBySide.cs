using System.Collections.Concurrent;
using Unroll.Training;

namespace Unroll.Experiments.Hosting;

/// <summary>The finished runs of one way to train.</summary>
/// <param name="Way">The way.</param>
/// <param name="Runs">One per seed, in the order of the seeds; at least one.</param>
public sealed record SeedRuns<TWay, TRun>(TWay Way, IReadOnlyList<TRun> Runs)
{
    /// <summary>The seeds whose training diverged, and how; they have no run.</summary>
    public IReadOnlyList<(uint Seed, string How)> Diverged { get; init; } = [];
}

/// <summary>Several ways to train, each on every seed, as many at a time as there are cores.</summary>
public static class SideBySide
{
    /// <summary>Runs them all, the first way first, and shows how far they are.</summary>
    /// <param name="context">The seeds; where progress is told; what stops the runs.</param>
    /// <param name="ways">The ways to train; the first is the one the experiment is about.</param>
    /// <param name="label">What a way is called while it runs.</param>
    /// <param name="run">
    /// Trains one way on one seed, on the calling thread, and tells how far it is: a share of 1 and a few words. Returns null
    /// if it was stopped. A training that diverges costs its own run only.
    /// </param>
    /// <returns>The ways that have a finished run. One that was stopped early still tells what was finished.</returns>
    /// <exception cref="OperationCanceledException">Stopped before any run of the first way had finished.</exception>
    /// <exception cref="TrainingDivergedException">Every run of the first way diverged.</exception>
    public static List<SeedRuns<TWay, TRun>> Run<TWay, TRun>(
        ExperimentContext context, IReadOnlyList<TWay> ways, Func<TWay, string> label, Func<TWay, uint, Action<double, string>, TRun?> run)
        where TRun : class
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(ways);
        ArgumentNullException.ThrowIfNull(label);
        ArgumentNullException.ThrowIfNull(run);
        var seeds = context.SeedList;
        var finished = new TRun?[ways.Count * seeds.Count];
        var diverged = new TrainingDivergedException?[finished.Length];
        var labels = ways.SelectMany(way => seeds.Select(seed => $"{label(way)} seed {seed}")).ToArray();
        ProgressBoard.Show(context.Output, labels, board => Parallel.ForEach(
            Partitioner.Create(Enumerable.Range(0, finished.Length), EnumerablePartitionerOptions.NoBuffering), // in order
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            index =>
            {
                if (context.Cancellation.IsCancellationRequested)
                    return;
                try
                {
                    finished[index] = run(ways[index / seeds.Count], seeds[index % seeds.Count], (share, detail) => board.Report(index, share, detail));
                }
                catch (TrainingDivergedException exception)
                {
                    diverged[index] = exception;
                    board.Report(index, 1, "diverged");
                }
            }));

        var results = ways
            .Select((way, index) => new SeedRuns<TWay, TRun>(way, [.. OfWay(finished, index).OfType<TRun>()])
            {
                Diverged = [.. seeds.Zip(OfWay(diverged, index)).Where(pair => pair.Second is not null).Select(pair => (pair.First, pair.Second!.Message))],
            })
            .ToList();
        if (results[0].Runs.Count == 0)
            throw (Exception?)OfWay(diverged, 0).FirstOrDefault(exception => exception is not null) ?? new OperationCanceledException(context.Cancellation);
        foreach (var result in results)
        {
            foreach (var (seed, how) in result.Diverged)
                context.Output.WriteLine($"{label(result.Way)} seed {seed} has no result: {how}");
        }

        if (context.Cancellation.IsCancellationRequested)
            context.Output.WriteLine("Stopped early; these are the finished runs.");
        return [.. results.Where(result => result.Runs.Count > 0)];

        IEnumerable<T> OfWay<T>(T[] all, int way) => all.Skip(way * seeds.Count).Take(seeds.Count);
    }
}
