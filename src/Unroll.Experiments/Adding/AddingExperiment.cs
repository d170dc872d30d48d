using System.Diagnostics;
using System.Globalization;
using Unroll.Experiments.Hosting;
using Unroll.Formats;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Experiments.Adding;

/// <summary>One trained model.</summary>
sealed record AddingRun(
    uint Seed, SequenceModel Model, TrainingHistory History, int Updates, double TrainSeconds, double TestError, AnswerProbe Before, AnswerProbe After, MicroscopeSlides Slides);

/// <summary>Experiment 3: cells learn, side by side on the same stream of sequences, to add two numbers marked in each.</summary>
public sealed class AddingExperiment
{
    /// <summary>A cell has solved the task when its mean squared error on fresh sequences is below this.</summary>
    internal const double Solved = 0.001;

    /// <summary>Updates between two looks at the validation sequences.</summary>
    internal const int UpdatesPerLook = 25;

    internal const int ValidationCount = 1000;

    /// <summary>The seed of the sequence that the report shows, the same for every cell.</summary>
    internal const uint ExampleSeed = 1;

    const string AllCells = "all";

    /// <summary>The name: of the program, of the results' folder.</summary>
    public required string Name { get; init; }

    /// <summary>The title of the report.</summary>
    public required string Title { get; init; }

    /// <summary>The cells; the first is the one the experiment is about.</summary>
    public required IReadOnlyList<AddingCell> Cells { get; init; }

    /// <summary>The size of a run.</summary>
    public required AddingScale Full { get; init; }

    /// <summary>The size of a run with <c>--quick</c>.</summary>
    public required AddingScale Quick { get; init; }

    /// <summary>Gradients longer than this are scaled to it.</summary>
    public required double ClipNorm { get; init; }

    /// <summary>A run ends early when its error on the validation sequences falls below this.</summary>
    public required double StopBelow { get; init; }

    /// <summary>Runs the program.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Where it speaks; the console if null.</param>
    /// <param name="error">Where errors go; the console if null.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        var command = new ExperimentCommand(Name, Title);
        var length = command.Add(Size("--length", "T, the steps of a sequence", scale => scale.Steps, 2, 10_000));
        var cell = command.Add(ExperimentCommand.OneOf("--cell", "Which cell to train.", [AllCells, .. Cells.Select(each => each.Word)]));
        var hidden = command.Add(Size("--hidden", "Hidden units", scale => scale.HiddenSize, 1, 4096));
        var updates = command.Add(Size("--updates", "The most updates", scale => scale.MostUpdates, 1, 1_000_000));
        return command.Run(
            args,
            (context, parsed) =>
            {
                var usual = context.Quick ? Quick : Full;
                var word = parsed.GetValue(cell)!;
                Execute(context, [.. Cells.Where(each => word == AllCells || word == each.Word)], word, usual with
                {
                    Steps = Given(parsed.GetValue(length), usual.Steps),
                    HiddenSize = Given(parsed.GetValue(hidden), usual.HiddenSize),
                    MostUpdates = Given(parsed.GetValue(updates), usual.MostUpdates),
                });
            },
            output, error);

        // An option that is left out is 0.
        static int Given(int value, int usual) => value > 0 ? value : usual;
    }

    System.CommandLine.Option<int> Size(string name, string description, Func<AddingScale, int> size, int minimum, int maximum)
    {
        var quick = size(Quick) == size(Full) ? "" : $" ({size(Quick)} with --quick)";
        return ExperimentCommand.Whole<int>(name, $"{description}; {size(Full)} by default{quick}.", null, minimum, maximum);
    }

    void Execute(ExperimentContext context, IReadOnlyList<AddingCell> cells, string cellWord, AddingScale scale)
    {
        var clock = Stopwatch.GetTimestamp();
        var machine = Machine.Measure();
        var output = context.Output;
        output.WriteLine(Title);
        output.WriteLine($"T = {scale.Steps}, {scale.HiddenSize} hidden units, {NumberText.Count(context.Seeds, "seed")} from {context.Seed}, {string.Join(", ", cells.Select(cell => cell.Name))}");
        foreach (var (name, value) in Describe(scale))
            output.WriteLine($"  {name}: {value}");
        foreach (var cell in cells)
            output.WriteLine($"  {cell.Name}: {StartOf(cell)}");
        output.WriteLine();

        var results = SideBySide.Run(context, cells, cell => cell.Name, (cell, seed, report) => RunOne(cell, seed, scale, context, report));
        var page = new AddingReport(this, context, scale, machine, results);
        output.WriteLine();
        TextTable.Write(output, page.TableHeader, page.TableRows());
        output.WriteLine();

        ModelFile.Save(Path.Combine(context.Folder, "model.safetensors"), results[0].Runs[0].Model);
        MetricsFile.Write(
            Path.Combine(context.Folder, "metrics.json"), Name,
            [
                new("length", scale.Steps), new("hidden", scale.HiddenSize), new("batch", scale.BatchSize), new("updates", scale.MostUpdates),
                new("cell", cellWord), new("seed", context.Seed), new("seeds", context.Seeds), new("quick", context.Quick),
                new("testSequences", AddingData.DefaultTestCount), new("clipNorm", ClipNorm), new("stopBelow", StopBelow),
                new("stoppedEarly", context.Cancellation.IsCancellationRequested),
            ],
            Metrics(results[0]), [.. results.Skip(1).Select(Metrics)], [new("constantAnswer", AddingData.ConstantAnswerError)], machine);
        page.Write(context.Folder);
        output.WriteLine($"Wrote {Path.Combine(context.Folder, "report.html")}, its pictures, metrics.json and model.safetensors in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F0} s.");
    }

    /// <summary>What all cells share, by name.</summary>
    internal IReadOnlyList<KeyValuePair<string, string>> Describe(AddingScale scale) =>
    [
        new("examples", $"sequences of {scale.Steps} steps that never come again, {scale.BatchSize} per update, the same for every cell"),
        new("optimizer", string.Create(CultureInfo.InvariantCulture, $"Adam, learning rate falling to 0 by a cosine over at most {scale.MostUpdates} updates, gradient clipped to norm {ClipNorm}")),
        new("end", string.Create(CultureInfo.InvariantCulture, $"early when the error on {ValidationCount} validation sequences, looked at every {UpdatesPerLook} updates, is below {StopBelow}")),
        new("test", string.Create(CultureInfo.InvariantCulture, $"{AddingData.DefaultTestCount:N0} fresh sequences")),
    ];

    /// <summary>What is a cell's own.</summary>
    internal static string StartOf(AddingCell cell) =>
        string.Create(CultureInfo.InvariantCulture, $"learning rate {cell.LearningRate}, start: {cell.StartText}");

    AddingRun? RunOne(AddingCell cell, uint seed, AddingScale scale, ExperimentContext context, Action<double, string> report)
    {
        // Generators of their own, so that every cell sees the same sequences however many weights it has.
        var seeds = new MersenneTwister(seed);
        var start = new MersenneTwister(seeds.NextUInt32());
        var stream = new MersenneTwister(seeds.NextUInt32());
        var validation = AddingData.TestSet(scale.Steps, seeds.NextUInt32(), ValidationCount);
        var test = AddingData.TestSet(scale.Steps, seeds.NextUInt32());

        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(cell.Model(scale.HiddenSize), engine);
        cell.Start(scale.Steps).Apply(model, start);
        var before = AnswerProbe.Of(model, test);
        var (example, loss) = (AddingData.TestSet(scale.Steps, ExampleSeed, 1).Example(), new MeanSquaredError());
        var slide = Microscope.Look(model, example, loss);

        var looks = (scale.MostUpdates + UpdatesPerLook - 1) / UpdatesPerLook;
        var updatesPerLook = Math.Min(scale.MostUpdates, UpdatesPerLook);
        var updates = 0;
        var trainer = new Trainer(model, new Adam(model), loss, new TrainerOptions
        {
            Epochs = looks,
            StepsPerEpoch = updatesPerLook,
            BatchSize = scale.BatchSize,
            LearningRate = new CosineDecay(cell.LearningRate, looks * updatesPerLook),
            ScheduleUnit = ScheduleUnit.Step,
            ClipNorm = ClipNorm,
        });
        var clock = Stopwatch.GetTimestamp();
        var history = trainer.Fit(
            AddingData.Stream(scale.Steps, stream, scale.BatchSize), start, validation,
            [
                new ProgressCallback(progress =>
                {
                    updates = progress.Step;
                    var error = progress.History.Epochs[^1].ValidationLoss;
                    var solved = error < StopBelow;
                    if (solved)
                        progress.Stop();
                    report(
                        solved ? 1 : progress.Epoch / (double)looks,
                        string.Create(CultureInfo.InvariantCulture, $"update {updates}, validation MSE {error:G3}"));
                }),
            ],
            cancellation: context.Cancellation);
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        return history.End == TrainingEnd.Cancelled
            ? null
            : new AddingRun(seed, model, history, updates, seconds, trainer.Evaluate(test), before, AnswerProbe.Of(model, test), MicroscopeSlides.Of(slide, model, example, loss));
    }

    static RecipeMetrics Metrics(SeedRuns<AddingCell, AddingRun> result) => new(result.Way.Word,
    [
        .. result.Runs.Select(run => new RunMetrics(
            run.Seed,
            [
                new("testMse", run.TestError),
                new("validationMse", run.History.Epochs[^1].ValidationLoss),
                new("trainingMse", run.History.Epochs[^1].TrainingLoss),
                new("updates", run.Updates),
                new("firstMarkSlope", run.After.FirstMark),
                new("secondMarkSlope", run.After.SecondMark),
                new("log10GradientHalfwayBefore", Math.Log10(run.Before.Halfway)),
                new("log10GradientHalfwayAfter", Math.Log10(run.After.Halfway)),
            ],
            run.TrainSeconds)),
    ]);
}
