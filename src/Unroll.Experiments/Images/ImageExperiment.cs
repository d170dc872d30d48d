using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Unroll.Data;
using Unroll.Experiments.Digits;
using Unroll.Experiments.Downloads;
using Unroll.Experiments.Hosting;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Experiments.Images;

/// <summary>One trained model and its answers.</summary>
sealed record ImageRun(uint Seed, SequenceModel Model, TrainingHistory History, double TrainSeconds, ImageAnswers Answers, MicroscopeSlides Slides);

/// <summary>What one start of the program is about.</summary>
/// <param name="Data">The images; the model is judged by <see cref="ImageData.Test"/>.</param>
/// <param name="Source">Where they come from, in words.</param>
/// <param name="Validate">Whether the images to judge by are a part of the training images.</param>
/// <param name="Cell">The cell.</param>
/// <param name="Recipe">How it is trained.</param>
sealed record ImageTask(ImageData Data, string Source, bool Validate, ImageCell Cell, ImageRecipe Recipe)
{
    /// <summary>What the images to judge by are called.</summary>
    public string Judges => Validate ? "validation" : "test";
}

/// <summary>Experiment 5: a bidirectional network reads images, row by row, and tells their class.</summary>
public sealed class ImageExperiment
{
    // Images up to this height are trained on by the recipe for small ones.
    const int SmallRows = 16;

    // With --quick: no more images of each kind than this, and a quarter of the epochs.
    const int QuickImages = 2000;
    const int QuickDivisor = 4;

    /// <summary>The images that the microscope looks at.</summary>
    internal const int MicroscopeImages = 60;

    static readonly string s_downloadFolder = Path.Combine("results", "mnist");

    static readonly Initialization s_start = new()
    {
        InputWeights = WeightInitializer.GlorotUniform,
        RecurrentWeights = WeightInitializer.Orthogonal,
        LinearWeights = WeightInitializer.GlorotUniform,
        Biases = WeightInitializer.Zero,
        ForgetGateBias = 1,
    };

    /// <summary>The name: of the program, of the results' folder.</summary>
    public required string Name { get; init; }

    /// <summary>The title of the report.</summary>
    public required string Title { get; init; }

    /// <summary>The cells to choose from; the first is the default.</summary>
    public required IReadOnlyList<ImageCell> Cells { get; init; }

    /// <summary>The layers, given the one that reads the rows, the recipe and the number of classes.</summary>
    public required Func<LayerOptions, ImageRecipe, int, IReadOnlyList<LayerOptions>> Layers { get; init; }

    /// <summary>How to train on small images, such as the UCI digits of 8×8 pixels.</summary>
    public required ImageRecipe Small { get; init; }

    /// <summary>How to train on larger images, such as those of 28×28 pixels of MNIST.</summary>
    public required ImageRecipe Large { get; init; }

    /// <summary>Runs the program.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Where it speaks; the console if null.</param>
    /// <param name="error">Where errors go; the console if null.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        var command = new ExperimentCommand(Name, Title);
        var cell = command.Add(ExperimentCommand.OneOf("--cell", "The cell that reads.", [.. Cells.Select(each => each.Word)]));
        var hidden = command.Add(ExperimentCommand.Whole<int>(
            "--hidden", string.Create(CultureInfo.InvariantCulture, $"Hidden units of each direction; by default {Small.HiddenSize} for small images, {Large.HiddenSize} for others."), null, 1, 4096));
        var epochs = command.Add(ExperimentCommand.Whole<int>(
            "--epochs", string.Create(CultureInfo.InvariantCulture, $"Epochs; by default {Small.Epochs} for small images, {Large.Epochs} for others."), null, 1, 100_000));
        var data = command.Add(new Option<string>("--data")
        {
            Description = "The folder with the four IDX files of MNIST, plain or gzip, or of Fashion-MNIST if its name has \"fashion\" in it; left out: the UCI digits, 8×8 pixels, which are part of the program.",
            HelpName = "DIR",
        });
        data.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && string.IsNullOrWhiteSpace(result.Tokens[0].Value))
                result.AddError("Option '--data' expects the name of a folder, got an empty one.");
        });
        var download = command.Add(new Option<bool>("--download") { Description = $"Fetch MNIST (12 MB) into the folder of --data, by default {s_downloadFolder}, and read it." });
        var directions = command.Add(new Option<bool>("--directions") { Description = "Also train each direction alone; always done for small images." });
        var validate = command.Add(new Option<bool>("--validate") { Description = "Hold out a fifth of the training images and judge by it; the test images stay unseen. For choosing settings." });
        return command.Run(
            args,
            (context, parsed) =>
            {
                var folder = parsed.GetValue(data);
                var images = ReadImages(context, ref folder, parsed.GetValue(download));
                var small = images.Training.Rows <= SmallRows;
                var task = MakeTask(
                    context, images, folder, parsed.GetValue(validate), Cells.First(each => each.Word == parsed.GetValue(cell)),
                    small ? Small : Large, parsed.GetValue(hidden), parsed.GetValue(epochs));
                Execute(context, task, small || parsed.GetValue(directions));
            },
            output, error);
    }

    static ImageData ReadImages(ExperimentContext context, ref string? folder, bool download)
    {
        if (!download)
            return folder is null ? UciDigits.Load() : MnistFolder.Read(folder);
        folder ??= s_downloadFolder;
        MnistDownload.FetchAsync(
            folder,
            progress =>
            {
                if (progress.Received == progress.File.Length)
                    context.Output.WriteLine($"{progress.File.Name}: {progress.File.Length:N0} bytes{(progress.Mirror is null ? ", already here" : $" from {progress.Mirror.Host}")}");
            },
            context.Cancellation).GetAwaiter().GetResult();
        return MnistFolder.ReadDigits(folder);
    }

    static ImageTask MakeTask(
        ExperimentContext context, ImageData data, string? folder, bool validate, ImageCell cell, ImageRecipe recipe, int hidden, int epochs)
    {
        if (validate)
        {
            var (training, validation) = data.CutValidation();
            data = data with { Training = training, Test = validation };
        }

        if (context.Quick)
        {
            data = data with { Training = First(data.Training), Test = First(data.Test) };
            recipe = recipe with { Epochs = Math.Max(1, recipe.Epochs / QuickDivisor) };
        }

        // An option that is left out is 0.
        recipe = recipe with { HiddenSize = hidden > 0 ? hidden : recipe.HiddenSize, Epochs = epochs > 0 ? epochs : recipe.Epochs };
        return new ImageTask(data, folder is null ? UciDigits.Attribution : $"the files in {folder}", validate, cell, recipe);

        static ImageSet First(ImageSet images) => images.Slice(0, Math.Min(QuickImages, images.Count));
    }

    void Execute(ExperimentContext context, ImageTask task, bool directions)
    {
        var clock = Stopwatch.GetTimestamp();
        var machine = Machine.Measure();
        var (data, recipe, output) = (task.Data, task.Recipe, context.Output);
        output.WriteLine(Title);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{data.Name}: {data.Training.Count:N0} images of {data.Training.Rows}×{data.Training.Columns} to train on, {data.Test.Count:N0} {task.Judges} images"));
        output.WriteLine($"{task.Cell.Name}, {recipe.HiddenSize} hidden units in each direction, {NumberText.Count(context.Seeds, "seed")} from {context.Seed}");
        foreach (var (name, value) in recipe.Describe(task.Cell))
            output.WriteLine($"  {name}: {value}");
        output.WriteLine();

        ImageReading[] readings = directions ? [ImageReading.Both, ImageReading.Forward, ImageReading.Backward] : [ImageReading.Both];
        var results = SideBySide.Run(
            context, readings, reading => $"{task.Cell.Name} {reading.Name}", (reading, seed, report) => RunOne(task, reading, seed, report, context.Cancellation));
        var nearestMean = NearestMean.Accuracy(data.Training, data.Test);
        var page = new ImageReport(this, context, task, machine, nearestMean, results);
        output.WriteLine();
        TextTable.Write(output, page.TableHeader, page.TableRows());
        output.WriteLine();

        ModelFile.Save(Path.Combine(context.Folder, "model.safetensors"), results[0].Runs[0].Model);
        MetricsFile.Write(
            Path.Combine(context.Folder, "metrics.json"), Name,
            [
                new("data", data.Name), new("trainingImages", data.Training.Count), new($"{task.Judges}Images", data.Test.Count),
                new("rows", data.Training.Rows), new("columns", data.Training.Columns), new("cell", task.Cell.Word),
                new("hidden", recipe.HiddenSize), new("epochs", recipe.Epochs), new("batch", recipe.BatchSize),
                new("peakRate", recipe.PeakRate * task.Cell.RateFactor), new("weightDecay", recipe.WeightDecay), new("dropout", recipe.Dropout),
                new("maxShift", recipe.MaxShift), new("maxSlant", recipe.MaxSlant), new("clipNorm", recipe.ClipNorm),
                new("seed", context.Seed), new("seeds", context.Seeds), new("quick", context.Quick), new("validate", task.Validate),
                new("stoppedEarly", context.Cancellation.IsCancellationRequested),
            ],
            Metrics(task, results[0]), [.. results.Skip(1).Select(result => Metrics(task, result))], [new("nearestMean", nearestMean)], machine);
        page.Write(context.Folder);
        output.WriteLine($"Wrote {Path.Combine(context.Folder, "report.html")}, its pictures, metrics.json and model.safetensors in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F0} s.");
    }

    ImageRun? RunOne(ImageTask task, ImageReading reading, uint seed, Action<double, string> report, CancellationToken cancellation)
    {
        var recipe = task.Recipe;
        var (training, test) = (task.Data.Training, task.Data.Test);
        if (reading == ImageReading.Backward)
            (training, test) = (ImageReading.UpsideDown(training), ImageReading.UpsideDown(test));

        using var engine = new Engine(threads: 1);
        var random = new MersenneTwister(seed);
        var cell = task.Cell.Make(recipe.HiddenSize);
        var layers = Layers(reading == ImageReading.Both ? new BidirectionalOptions(cell) : cell, recipe, training.ClassNames.Count);
        var model = new SequenceModel(new SequenceModelOptions(training.Columns, layers), engine);
        s_start.Apply(model, random);

        var updates = recipe.Epochs * ((training.Count + recipe.BatchSize - 1) / recipe.BatchSize);
        var (examples, loss) = (Examples(test), new SoftmaxCrossEntropy());
        var slide = Microscope.Look(model, examples, loss);
        var trainer = new Trainer(model, new AdamW(model, recipe.WeightDecay), loss, new TrainerOptions
        {
            Epochs = recipe.Epochs,
            BatchSize = recipe.BatchSize,
            LearningRate = new OneCycle(recipe.PeakRate * task.Cell.RateFactor, updates),
            ScheduleUnit = ScheduleUnit.Step,
            ClipNorm = recipe.ClipNorm,
        });
        var clock = Stopwatch.GetTimestamp();
        var history = trainer.Fit(
            new ImageSequenceSource(training, recipe.MaxShift, random, recipe.MaxSlant), random,
            callbacks:
            [
                new ProgressCallback(progress => report(
                    progress.Epoch / (double)progress.TotalEpochs,
                    string.Create(CultureInfo.InvariantCulture, $"epoch {progress.Epoch}/{progress.TotalEpochs}, loss {progress.History.Epochs[^1].TrainingLoss:G3}"))),
            ],
            cancellation: cancellation);
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        if (history.End == TrainingEnd.Cancelled)
            return null;
        return new ImageRun(seed, model, history, seconds, ImageAnswers.Of(model, test), MicroscopeSlides.Of(slide, model, examples, loss));
    }

    /// <summary>The first images of a set, as they are.</summary>
    static SequenceBatch Examples(ImageSet images)
    {
        var source = new ImageSequenceSource(images);
        var batch = new SequenceBatch(source.MaxSteps, Math.Min(MicroscopeImages, source.Count), source.InputSize, source.TargetSize);
        source.Fill(batch, [.. Enumerable.Range(0, batch.MaxBatch)]);
        return batch;
    }

    static RecipeMetrics Metrics(ImageTask task, SeedRuns<ImageReading, ImageRun> result) => new(result.Way.Name,
    [
        .. result.Runs.Select(run => new RunMetrics(
            run.Seed,
            [
                new($"{task.Judges}Accuracy", run.Answers.Accuracy),
                new("trainingLoss", run.History.Epochs[^1].TrainingLoss),
            ],
            run.TrainSeconds)),
    ]);
}
