using Unroll.Benchmarks.Protocol;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Measuring;

/// <summary>How long a comparison takes.</summary>
/// <param name="Rounds">Turns of each contender.</param>
/// <param name="WindowSeconds">The length of a turn.</param>
/// <param name="WarmUpSeconds">The length of the turn before the first, which is not counted.</param>
/// <param name="Patience">How often a turn that other processes disturbed is taken again.</param>
sealed record Effort(int Rounds, double WindowSeconds, double WarmUpSeconds, int Patience)
{
    public static Effort Full { get; } = new(5, 0.3, 0.7, 1);

    /// <summary>Long enough that a core others come to and leave is left alone for some steps.</summary>
    public static Effort Long { get; } = new(10, 0.7, 0.7, 1);

    public static Effort Short { get; } = new(3, 0.1, 0.3, 1);
}

/// <summary>What a contender did over all rounds.</summary>
/// <param name="Entry">The contender.</param>
/// <param name="Version">The library's version.</param>
sealed record Outcome(Entry Entry, string Version)
{
    public List<Window> Rounds { get; } = [];

    /// <summary>The cores just before each round with several threads.</summary>
    public List<CorePair> Cores { get; } = [];

    /// <summary>What <see cref="CoreWidth"/> found before and after each of Unroll's rounds.</summary>
    public List<double> Widths { get; } = [];

    /// <summary>Rounds in which other processes had more than <see cref="Comparison.Disturbing"/> of a core.</summary>
    public int DisturbedRounds { get; set; }

    /// <summary>Seconds per step: the median over rounds of each round's median.</summary>
    public double Seconds => Statistics.Median([.. Rounds.Select(round => round.Seconds)]);

    /// <summary>Half the distance between the slowest and the fastest round, relative to the median.</summary>
    public double Spread => (Rounds.Max(round => round.Seconds) - Rounds.Min(round => round.Seconds)) / 2 / Seconds;

    /// <summary>Seconds of the shortest passes and update together: the best of all rounds.</summary>
    public double ShortestSeconds => Rounds.Min(round => round.Best);

    /// <summary>10⁹ floating-point operations a second.</summary>
    public double Gflops => Entry.Configuration.Flops / Seconds / 1e9;

    /// <summary>The same in <see cref="ShortestSeconds"/>.</summary>
    public double MostGflops => Entry.Configuration.Flops / ShortestSeconds / 1e9;

    /// <summary>The most memory the process held.</summary>
    public long PeakBytes => Rounds.Max(round => round.PeakBytes);

    /// <summary>Library, version and, where there are several, the way it was used.</summary>
    public string Name => $"{Entry.Library.Name} {Version}"
        + (Entry.Configuration.Variant == Configuration.DefaultVariant ? "" : $" {Entry.Configuration.Variant}");

    /// <summary>How many times faster than <paramref name="other"/>, per floating-point operation: the median over rounds of the ratio within a round.</summary>
    public double TimesFasterThan(Outcome other)
    {
        var work = Entry.Configuration.Flops / other.Entry.Configuration.Flops;
        return work * Statistics.Median([.. Rounds.Zip(other.Rounds, (mine, its) => its.Seconds / mine.Seconds)]);
    }
}

/// <summary>Finding an outcome among those of one comparison.</summary>
static class Outcomes
{
    /// <summary>The ways a library was used with so many threads, not on another allocator.</summary>
    public static IEnumerable<Outcome> Of(this IEnumerable<Outcome> outcomes, Library library, int threads) => outcomes
        .Where(outcome => outcome.Entry is { IsPeak: false, IsTuned: false } entry && entry.Library == library && entry.Configuration.Threads == threads);

    /// <summary>The fastest of them; null if there are none.</summary>
    public static Outcome? Fastest(this IEnumerable<Outcome> outcomes, Library library, int threads) =>
        outcomes.Of(library, threads).MinBy(outcome => outcome.Seconds);

    /// <summary>The machine's peak with so many threads; null if it was not measured.</summary>
    public static Outcome? Peak(this IEnumerable<Outcome> outcomes, int threads) => outcomes
        .FirstOrDefault(outcome => outcome.Entry.IsPeak && outcome.Entry.Configuration.Threads == threads);
}

/// <summary>Runs contenders in turn: A, B, C, A, B, C, …, so that what disturbs the machine disturbs all of them.</summary>
static class Comparison
{
    /// <summary>Cores of other processes that disturb a measurement.</summary>
    public const double Disturbing = 0.2;

    // libtorch's OpenMP threads spin for some milliseconds after their last work.
    const int SettleMilliseconds = 20;

    // A way of using a library that is this much slower than another one after some rounds sits the others out.
    const double HopelesslySlower = 1.25;
    const int RoundsBeforeJudging = 2;

    // The peak is steady and needs no long windows.
    const double PeakWindowSeconds = 0.1;

    /// <summary>Runs every entry as a process of its own, all loaded at once, each measured alone.</summary>
    /// <exception cref="InvalidOperationException">A program does not build or ended.</exception>
    public static IReadOnlyList<Outcome> Run(IReadOnlyList<Entry> entries, Effort effort)
    {
        foreach (var library in entries.Select(entry => entry.Library).Distinct())
            library.Build();
        var processes = new List<ContenderProcess>();
        try
        {
            processes.AddRange(entries.Select(entry => new ContenderProcess(entry)));
            var outcomes = processes.Select((process, index) => new Outcome(entries[index], process.WaitUntilReady().Version)).ToArray();
            for (var round = -1; round < effort.Rounds; round++)
            {
                for (var index = 0; index < outcomes.Length; index++)
                {
                    if (round >= RoundsBeforeJudging && IsHopeless(outcomes[index], outcomes))
                        continue;
                    var isPeak = entries[index].IsPeak;
                    if (round < 0)
                        processes[index].Go(isPeak ? PeakWindowSeconds : effort.WarmUpSeconds);
                    else
                        Turn(processes[index], isPeak ? PeakWindowSeconds : effort.WindowSeconds, effort.Patience, outcomes[index]);
                }
            }

            return outcomes;
        }
        finally
        {
            foreach (var process in processes)
                process.Dispose();
        }
    }

    static void Turn(ContenderProcess process, double seconds, int patience, Outcome outcome)
    {
        for (var attempt = 0; ; attempt++)
        {
            Thread.Sleep(SettleMilliseconds);
            var (isUnroll, threads) = (outcome.Entry is { IsPeak: false } entry && entry.Library == Library.Unroll, outcome.Entry.Configuration.Threads);
            CorePair? cores = threads > 1 ? CorePair.Measure() : null;
            double? width = isUnroll ? CoreWidth.Measure(threads) : null;
            var (window, others) = process.Go(seconds);
            if (others > Disturbing && attempt < patience)
                continue;
            outcome.Rounds.Add(window);
            if (width is { } before)
                outcome.Widths.AddRange([before, CoreWidth.Measure(threads)]);
            if (cores is { } pair)
                outcome.Cores.Add(pair);
            if (others > Disturbing)
                outcome.DisturbedRounds++;
            return;
        }
    }

    static bool IsHopeless(Outcome outcome, IEnumerable<Outcome> all) => all.Any(other =>
        outcome.Entry.Configuration with { Variant = other.Entry.Configuration.Variant } == other.Entry.Configuration
        && outcome.Entry.Library == other.Entry.Library
        && outcome.Entry.IsTuned == other.Entry.IsTuned
        && outcome.Rounds.Min(round => round.Seconds) > HopelesslySlower * other.Rounds.Min(round => round.Seconds));
}
