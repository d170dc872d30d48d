using Unroll.Benchmarks.Protocol;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Measuring;

/// <summary>One cell and shape in one mode: every contender with 1 and 2 threads, from one comparison.</summary>
/// <param name="Mode">The mode.</param>
/// <param name="Cell">The cell.</param>
/// <param name="Shape">The sizes.</param>
/// <param name="Outcomes">What the contenders did.</param>
sealed record Row(string Mode, string Cell, Shape Shape, IReadOnlyList<Outcome> Outcomes)
{
    public string Place => $"{Cell} {Shape}";

    public Outcome Unroll(int threads) => Outcomes.Fastest(Library.Unroll, threads)!;

    public Outcome Peer(Library library, int threads) => Outcomes.Fastest(library, threads)!;

    /// <summary>TorchSharp on tcmalloc; null where that is not installed.</summary>
    public Outcome? Tuned(int threads) => Outcomes.FirstOrDefault(outcome => outcome.Entry.IsTuned && outcome.Entry.Configuration.Threads == threads);

    /// <summary>Times faster than the faster of the peers.</summary>
    public double TimesFasterThanPeers(int threads) => Outcomes
        .Select(outcome => outcome.Entry.Library).Distinct().Where(library => library != Library.Unroll)
        .Min(library => Unroll(threads).TimesFasterThan(Peer(library, threads)));

    public double ShareOfPeak(int threads) => Unroll(threads).TimesFasterThan(Outcomes.Peak(threads)!);

    /// <summary>The shortest passes against the highest peak: what Unroll does on cores that others come to and leave, while they are away.</summary>
    public double ShortestShareOfPeak(int threads) => Unroll(threads).MostGflops / Outcomes.Peak(threads)!.MostGflops;

    /// <summary>What a second thread gains.</summary>
    public double SpeedUp => Unroll(2).TimesFasterThan(Unroll(1));

    /// <summary>The same of the shortest passes.</summary>
    public double ShortestSpeedUp => Unroll(2).MostGflops / Unroll(1).MostGflops;

    /// <summary>The cores of the 2-thread rounds.</summary>
    public CorePair Cores => CorePair.Median(Unroll(2).Cores);

    /// <summary>The least memory TorchSharp took.</summary>
    public long TorchSharpBytes(int threads) => Outcomes.Of(Library.TorchSharp, threads).Min(outcome => outcome.PeakBytes);

    /// <summary>Unroll's peak memory over that.</summary>
    public double ShareOfMemory(int threads) => (double)Unroll(threads).PeakBytes / TorchSharpBytes(threads);
}

/// <summary>Everything a report tells.</summary>
sealed record Results
{
    // The sizes from which on the bars speak of the peak and of a second thread.
    const int SmallestBatch = 32, SmallestHidden = 128;

    // Above it the optimizer's share is small for everyone.
    const int LargestHiddenOfGradients = 256;

    static readonly int[] s_threads = [1, 2];

    public required IReadOnlyList<Row> Training { get; init; }

    /// <summary>The rows of it that the bars on the peak and on a second thread mean, and were on shared cores: Unroll and the peak alone, for longer.</summary>
    public IReadOnlyList<Row> Longer { get; private init; } = [];

    public required IReadOnlyList<Row> Inference { get; init; }

    public required IReadOnlyList<Row> Streaming { get; init; }

    /// <summary>Training without the optimizer, LSTM on one core.</summary>
    public required IReadOnlyList<Row> Gradients { get; init; }

    public required IReadOnlyList<GrowthCurve> Growth { get; init; }

    /// <summary>For each cell, the loss on the last step and the loss on every step, on one core.</summary>
    public required IReadOnlyList<(string Cell, Outcome LastStep, Outcome EveryStep)> Losses { get; init; }

    public required IReadOnlyList<Neighbour> Neighbours { get; init; }

    /// <summary>The rounds that other processes disturbed, and all rounds that none was meant to.</summary>
    public (int Disturbed, int All) Rounds
    {
        get
        {
            var outcomes = Training.Concat(Inference).Concat(Streaming).Concat(Gradients).SelectMany(row => row.Outcomes).ToArray();
            return (outcomes.Sum(outcome => outcome.DisturbedRounds), outcomes.Sum(outcome => outcome.Rounds.Count));
        }
    }

    /// <summary>The distances of two cores before every 2-thread round of training.</summary>
    public Summary Distances => Summary.Of([.. Cores.Select(pair => pair.Distance)]);

    /// <summary>How many cores two threads had before every 2-thread round of training.</summary>
    public Summary CoreCounts => Summary.Of([.. Cores.Select(pair => pair.Count)]);

    /// <summary>The operations a core began in a cycle, before and after every round of Unroll's training.</summary>
    public Summary Widths => Summary.Of([.. Training.SelectMany(row => row.Outcomes).SelectMany(outcome => outcome.Widths)]);

    /// <summary>Whether others had a part of the core, or of one of the cores, on which Unroll computed a row of training.</summary>
    public bool IsShared(Row row, int threads) => row.Unroll(threads).Widths.Average() < CoreWidth.LeastOfOwn * Widths.Max;

    /// <summary>The rows of training that the bars on the peak and on a second thread mean.</summary>
    public IEnumerable<Row> LargeTraining => Training.Where(row => row.Shape is { B: >= SmallestBatch, H: >= SmallestHidden });

    /// <summary>What a row came to when it was measured for longer.</summary>
    public Row LongerOf(Row row) => Longer.Single(longer => longer.Place == row.Place);

    IEnumerable<CorePair> Cores => Training.SelectMany(row => row.Outcomes).SelectMany(outcome => outcome.Cores);

    /// <summary>Whether the figures are no good: 2-thread contenders collapse beside other work, some of them a thousandfold.</summary>
    public bool IsDisturbed => Rounds.Disturbed > 0.05 * Rounds.All;

    /// <summary>Measures a grid.</summary>
    /// <param name="grid">What to measure.</param>
    /// <param name="progress">Told before each comparison.</param>
    public static Results Measure(Grid grid, Action<string> progress)
    {
        var results = new Results
        {
            Training = [.. grid.Sequences.Select(place => Compare("train", place, s_threads))],
            Inference = [.. grid.Sequences.Select(place => Compare("infer", place, s_threads))],
            Streaming = [.. grid.Streams.Select(place => Compare("stream", place, s_threads))],
            Gradients = [.. grid.Sequences.Where(place => place is { Cell: "lstm", Shape.H: <= LargestHiddenOfGradients }).Select(place => Compare("grad", place, [1]))],
            Growth = [.. Configuration.Cells.SelectMany(cell => MeasureGrowth(cell, grid.GrowthEffort, progress))],
            Losses = [.. Configuration.Cells.Select(CompareLosses)],
            Neighbours = [.. Configuration.Cells.Select(MeasureNeighbour)],
        };
        return results with { Longer = [.. results.LargeTraining.Where(row => s_threads.Any(threads => results.IsShared(row, threads))).Select(MeasureLonger)] };

        Row MeasureLonger(Row row)
        {
            progress($"{row.Mode} {row.Place} for longer");
            var entries = Grid.Contenders(row.Mode, row.Cell, row.Shape, s_threads).Where(entry => entry.Library == Library.Unroll);
            return row with { Outcomes = Comparison.Run([.. entries], grid.LongEffort) };
        }

        Row Compare(string mode, (string Cell, Shape Shape) place, int[] threads)
        {
            progress($"{mode} {place.Cell} {place.Shape}");
            return new Row(mode, place.Cell, place.Shape, Comparison.Run(Grid.Contenders(mode, place.Cell, place.Shape, threads), grid.Effort));
        }

        (string, Outcome, Outcome) CompareLosses(string cell)
        {
            progress($"loss on the last step and on every step, {cell} {grid.LongShape}");
            var configuration = new Configuration("train", cell, grid.LongShape, 1);
            var outcomes = Comparison.Run(
                [new Entry(Library.Unroll, configuration), new Entry(Library.Unroll, configuration with { Mode = "train-every" })], grid.Effort);
            return (cell, outcomes[0], outcomes[1]);
        }

        Neighbour MeasureNeighbour(string cell)
        {
            progress($"busy neighbour, {cell} {grid.NeighbourShape}");
            return Neighbour.Measure(cell, grid.NeighbourShape, grid.Effort);
        }
    }

    /// <summary>The growth curves of a cell; beside the LSTM's those of TorchSharp.</summary>
    public static IEnumerable<GrowthCurve> MeasureGrowth(string cell, Effort effort, Action<string> progress)
    {
        (Library, string)[] contenders = cell == "lstm"
            ? [(Library.Unroll, Configuration.DefaultVariant), (Library.TorchSharp, Grid.TorchSharpTraining[^1])]
            : [(Library.Unroll, Configuration.DefaultVariant)];
        foreach (var axis in GrowthAxis.All)
        {
            progress($"growth of {cell} with {axis.Letter}");
            foreach (var curve in axis.Measure(cell, contenders, effort))
                yield return curve;
        }
    }
}
