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
sealed record SineRun(
    SineRecipe Recipe, uint Seed, SequenceModel Model, double StartRadius, TrainingHistory History, double TrainSeconds, float[] Continuation, double Error, SineFit Fit,
    MicroscopeSlides Slides);

/// <summary>All runs of one recipe.</summary>
sealed record SineResult(SineRecipe Recipe, IReadOnlyList<SineRun> Runs)
{
    /// <summary>The run whose error is the (lower) median.</summary>
    public SineRun Typical => Runs.OrderBy(run => run.Error).ElementAt((Runs.Count - 1) / 2);
}

/// <summary>Experiments 1, 2 and 4: a cell learns 251 points of a noisy sine and continues the wave on its own.</summary>
public sealed class SineExperiment
{
    const int QuickDivisor = 5;

    /// <summary>The name: of the program, of the results' folder.</summary>
    public required string Name { get; init; }

    /// <summary>The title of the report.</summary>
    public required string Title { get; init; }

    /// <summary>The cell's usual name.</summary>
    public required string CellName { get; init; }

    /// <summary>Makes the cell for a number of hidden units.</summary>
    public required Func<int, RecurrentOptions> Cell { get; init; }

    /// <summary>The best way to train that we know.</summary>
    public SineRecipe Best { get; init; } =
        new ClosedLoopRecipe("best", "closed loop, orthogonal start", Initialization.OrthogonalRecurrence);

    /// <summary>The way of the textbooks.</summary>
    public SineRecipe Classic { get; init; } = new ClassicRecipe();

    /// <summary>The best way with one ingredient changed each, to see what it does. A quick run leaves them out.</summary>
    public IReadOnlyList<SineRecipe> Ablations { get; init; } =
    [
        new ClosedLoopRecipe("uniform-start", "the same, from PyTorch's start", Initialization.PyTorch),
        new ClosedLoopRecipe("full-horizon", "the same, all 200 steps at once", Initialization.OrthogonalRecurrence) { FirstHorizon = 200 },
    ];

    /// <summary>Runs the program.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Where it speaks; the console if null.</param>
    /// <param name="error">Where errors go; the console if null.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        var command = new ExperimentCommand(Name, Title);
        var hidden = command.Add(ExperimentCommand.Whole<int>("--hidden", "Hidden units.", 50, 1, 4096));
        var epochs = command.Add(ExperimentCommand.Whole<int>("--epochs", "Epochs; by default those of the recipe.", null, 1, 1_000_000));
        var recipe = command.Add(ExperimentCommand.OneOf("--recipe", "How to train.", Best.Name, Classic.Name));
        return command.Run(
            args,
            (context, parsed) => Execute(context, parsed.GetValue(hidden), parsed.GetValue(epochs), parsed.GetValue(recipe)!),
            output, error);
    }

    void Execute(ExperimentContext context, int hidden, int epochs, string recipeName)
    {
        var clock = Stopwatch.GetTimestamp();
        var machine = Machine.Measure();
        var data = new SineData();
        var main = Scaled(recipeName == Classic.Name ? Classic : Best, context, epochs);
        SineRecipe[] comparison = recipeName == Classic.Name ? [Best] : context.Quick ? [Classic] : [.. Ablations, Classic];
        var others = comparison.Select(recipe => Scaled(recipe, context, 0));
        var output = context.Output;
        output.WriteLine(Title);
        output.WriteLine($"{hidden} hidden units, {NumberText.Count(context.Seeds, "seed")} from {context.Seed}, recipe '{main.Name}': {main.Title}");
        foreach (var (name, value) in main.Describe())
            output.WriteLine($"  {name}: {value}");
        output.WriteLine();

        var results = SideBySide
            .Run(context, [main, .. others], recipe => $"{CellName} {recipe.Name}", (recipe, seed, report) => RunOne(recipe, seed, hidden, data, context, report))
            .ConvertAll(result => new SineResult(result.Way, result.Runs));
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
                new("stoppedEarly", context.Cancellation.IsCancellationRequested),
            ],
            Metrics(results[0]), [.. results.Skip(1).Select(Metrics)],
            [.. data.Baselines().Select(baseline => KeyValuePair.Create(baseline.Key, data.Error(baseline.Value)))],
            machine);
        report.Write(context.Folder);
        output.WriteLine($"Wrote {Path.Combine(context.Folder, "report.html")}, its pictures, metrics.json and model.safetensors in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F0} s.");
    }

    static SineRecipe Scaled(SineRecipe recipe, ExperimentContext context, int epochs) =>
        epochs > 0 ? recipe with { Epochs = epochs } : context.Quick ? recipe with { Epochs = recipe.Epochs / QuickDivisor } : recipe;

    SineRun? RunOne(
        SineRecipe recipe, uint seed, int hidden, SineData data, ExperimentContext context, Action<double, string> report)
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(recipe.Model(Cell(hidden)), engine);
        var random = new MersenneTwister(seed);
        recipe.Initialization.Apply(model, random);
        var startRadius = StartRadius(model, hidden);
        var (example, loss) = (recipe.Example(data), new MeanSquaredError());
        var slide = Microscope.Look(model, example, loss);
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
        return new SineRun(
            recipe, seed, model, startRadius, history, seconds, continuation, data.Error(continuation), SineFit.Of(continuation, SineData.WarmUp),
            MicroscopeSlides.Of(slide, model, example, loss));
    }

    /// <summary>The spectral radius of the first gate's recurrent matrix.</summary>
    static double StartRadius(SequenceModel model, int hidden)
    {
        var weights = model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh));
        return SpectralRadius.Of(weights[..(hidden * hidden)], hidden);
    }

    static RecipeMetrics Metrics(SineResult result) => new(result.Recipe.Name,
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
}
