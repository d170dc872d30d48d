using System.Diagnostics;
using System.Globalization;
using Unroll.Experiments.Baselines;
using Unroll.Experiments.Hosting;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Experiments.Sine;

/// <summary>One trained model and its continuation of the wave.</summary>
internal sealed record SineRun(
    SineRecipe Recipe, uint Seed, SequenceModel Model, TrainingHistory History, double TrainSeconds, float[] Continuation, double Error, SineFit Fit);

/// <summary>All runs of one recipe.</summary>
internal sealed record SineResult(SineRecipe Recipe, IReadOnlyList<SineRun> Runs)
{
    /// <summary>The run whose error is the (lower) median.</summary>
    public SineRun Typical => Runs.OrderBy(run => run.Error).ElementAt((Runs.Count - 1) / 2);
}

/// <summary>Experiments 1, 2 and 4: a cell learns 251 points of a noisy sine and continues the wave on its own.</summary>
public sealed class SineExperiment
{
    private const int QuickDivisor = 5;

    /// <summary>The name: of the program, of the results' folder.</summary>
    public required string Name { get; init; }

    /// <summary>The title of the report.</summary>
    public required string Title { get; init; }

    /// <summary>The cell's usual name.</summary>
    public required string CellName { get; init; }

    /// <summary>Makes the cell for a number of hidden units.</summary>
    public required Func<int, RecurrentOptions> Cell { get; init; }

    /// <summary>The best way to train that we know.</summary>
    public required SineRecipe Best { get; init; }

    /// <summary>The way of the textbooks.</summary>
    public required SineRecipe Classic { get; init; }

    /// <summary>The best way with one ingredient changed, to see what it does.</summary>
    public required SineRecipe Ablation { get; init; }

    /// <summary>Runs the program.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Where it speaks; the console if null.</param>
    /// <param name="error">Where errors go; the console if null.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        var command = new ExperimentCommand(Name, Title);
        var hidden = command.Add(ExperimentCommand.Whole("--hidden", "Hidden units.", 50, 1, 4096));
        var epochs = command.Add(ExperimentCommand.Whole("--epochs", "Epochs; by default those of the recipe.", 0, 1, 1_000_000));
        var recipe = command.Add(ExperimentCommand.Choice("--recipe", "How to train:", Best.Name, Classic.Name));
        return command.Run(
            args,
            (context, parsed) => Execute(context, parsed.GetValue(hidden), parsed.GetValue(epochs), parsed.GetValue(recipe)!),
            output, error);
    }

    private void Execute(ExperimentContext context, int hidden, int epochs, string recipeName)
    {
        var clock = Stopwatch.GetTimestamp();
        var machine = Machine.Measure();
        var data = new SineData();
        var main = Scaled(recipeName == Classic.Name ? Classic : Best, context, epochs);
        var others = (recipeName == Classic.Name ? new[] { Best } : context.Quick ? [Classic] : [Ablation, Classic])
            .Select(recipe => Scaled(recipe, context, 0));
        var output = context.Output;
        output.WriteLine(Title);
        output.WriteLine($"{hidden} hidden units, {Plural(context.Seeds, "seed")} from {context.Seed}, recipe '{main.Name}': {main.Title}");
        foreach (var (name, value) in main.Describe())
            output.WriteLine($"  {name}: {value}");
        output.WriteLine();

        var results = RunAll(context, [main, .. others], hidden, data);
        var report = new SineReport(this, context, hidden, machine, data, results);
        output.WriteLine();
        TextTable.Write(output, report.TableHeader, report.TableRows());
        output.WriteLine();

        ModelFile.Save(Path.Combine(context.Folder, "model.safetensors"), results[0].Runs[0].Model);
        MetricsFile.Write(
            Path.Combine(context.Folder, "metrics.json"), Name,
            [
                new("hidden", hidden), new("epochs", main.Epochs), new("seed", context.Seed), new("seeds", context.Seeds),
                new("quick", context.Quick), new("recipe", main.Name), new("warmUp", SineData.WarmUp), new("horizon", SineData.Horizon),
                new("period", SineData.Period), new("noise", "0.05·U(−1, 1), MT19937 seed 12"), new("points", data.Noisy.Length),
            ],
            Metrics(results[0]), [.. results.Skip(1).Select(Metrics)],
            [.. data.Baselines().Select(baseline => KeyValuePair.Create(baseline.Key, data.Error(baseline.Value)))],
            machine);
        report.Write(context.Folder);
        output.WriteLine($"Wrote {Path.Combine(context.Folder, "report.html")}, its pictures, metrics.json and model.safetensors in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F0} s.");
    }

    private static SineRecipe Scaled(SineRecipe recipe, ExperimentContext context, int epochs) =>
        epochs > 0 ? recipe with { Epochs = epochs } : context.Quick ? recipe with { Epochs = recipe.Epochs / QuickDivisor } : recipe;

    /// <summary>Every recipe on every seed, as many at a time as there are cores, each on one thread.</summary>
    private List<SineResult> RunAll(ExperimentContext context, SineRecipe[] recipes, int hidden, SineData data)
    {
        var jobs = recipes.SelectMany(recipe => context.SeedList.Select(seed => (Recipe: recipe, Seed: seed))).ToArray();
        var runs = new SineRun?[jobs.Length];
        var labels = jobs.Select(job => $"{CellName} {job.Recipe.Name} seed {job.Seed}").ToArray();
        ProgressBoard.Show(context.Output, labels, board => Parallel.For(
            0, jobs.Length,
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            index =>
            {
                if (!context.Cancellation.IsCancellationRequested)
                    runs[index] = RunOne(jobs[index].Recipe, jobs[index].Seed, hidden, data, context, (fraction, text) => board.Report(index, fraction, text));
            }));

        // A stopped experiment still tells what was finished.
        var results = recipes
            .Select(recipe => new SineResult(recipe, [.. runs.OfType<SineRun>().Where(run => ReferenceEquals(run.Recipe, recipe))]))
            .Where(result => result.Runs.Count > 0)
            .ToList();
        if (results.Count == 0 || !ReferenceEquals(results[0].Recipe, recipes[0]))
            throw new OperationCanceledException(context.Cancellation);
        if (context.Cancellation.IsCancellationRequested)
            context.Output.WriteLine("Stopped early; these are the finished runs.");
        return results;
    }

    private SineRun? RunOne(
        SineRecipe recipe, uint seed, int hidden, SineData data, ExperimentContext context, Action<double, string> report)
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(recipe.Model(Cell(hidden)), engine);
        var random = new MersenneTwister(seed);
        recipe.Initialization.Apply(model, random);
        var clock = Stopwatch.GetTimestamp();
        var history = recipe.Train(
            model, data, random,
            progress => report(
                progress.Epoch / (double)progress.TotalEpochs,
                string.Create(CultureInfo.InvariantCulture, $"epoch {progress.Epoch}/{progress.TotalEpochs}, loss {progress.History.Epochs[^1].TrainingLoss:G3}")),
            context.Cancellation);
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        if (history.End == TrainingEnd.Cancelled)
            return null;
        var continuation = recipe.Continue(model, data, SineData.Horizon);
        return new SineRun(recipe, seed, model, history, seconds, continuation, data.Error(continuation), SineFit.Of(continuation, SineData.WarmUp));
    }

    private static RecipeMetrics Metrics(SineResult result) => new(result.Recipe.Name,
    [
        .. result.Runs.Select(run => new RunMetrics(
            run.Seed,
            [
                new("closedLoopRmse500", run.Error),
                new("trainingLoss", run.History.Epochs[^1].TrainingLoss),
                new("validationLoss", run.History.Epochs[^1].ValidationLoss),
                new("continuedPeriod", run.Fit.Period),
                new("continuedAmplitude", run.Fit.Amplitude),
            ],
            run.TrainSeconds)),
    ]);

    private static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
