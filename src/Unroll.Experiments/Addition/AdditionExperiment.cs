using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Formats;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Experiments.Addition;

/// <summary>One trained model and its answers to the questions it has not seen.</summary>
sealed record AdditionRun(uint Seed, EncoderDecoder Model, TrainingHistory History, double TrainSeconds, AdditionAnswers Answers, MicroscopeSlides Slides);

/// <summary>What one start of the program is about.</summary>
/// <param name="Scale">The size of the run.</param>
/// <param name="Validate">Whether the questions to judge by are a part of the training questions.</param>
sealed record AdditionTask(AdditionScale Scale, bool Validate)
{
    /// <summary>What the questions to judge by are called.</summary>
    public string Judges => Validate ? "validation" : "test";

    /// <summary>The questions of a seed: the same for every recipe, but for the direction they are written in.</summary>
    public (AdditionForm Form, IReadOnlyList<AdditionQuestion> Training, IReadOnlyList<AdditionQuestion> Judges) Questions(uint seed, bool reverse)
    {
        var form = new AdditionForm(Scale.Digits, reverse);
        var data = new AdditionData(form, new MersenneTwister(seed), Scale.Pairs);
        var (training, judges) = Validate ? data.CutValidation() : (data.Training, data.Test);
        return (form, training, judges);
    }
}

/// <summary>Experiment 6: an encoder–decoder reads a sum as characters and writes its value.</summary>
public sealed partial class AdditionExperiment
{
    /// <summary>Gradients longer than this are scaled to it.</summary>
    internal const double ClipNorm = 1;

    /// <summary>The most questions that the microscope looks at.</summary>
    internal const int MicroscopeQuestions = 60;

    const string AllRecipes = "all";
    const string MetricsName = "metrics.json";

    /// <summary>The name: of the program, of the results' folder.</summary>
    public required string Name { get; init; }

    /// <summary>The title of the report.</summary>
    public required string Title { get; init; }

    /// <summary>The ways to learn; the first is the one the experiment is about.</summary>
    public required IReadOnlyList<AdditionRecipe> Recipes { get; init; }

    /// <summary>The size of a run.</summary>
    public required AdditionScale Full { get; init; }

    /// <summary>The size of a run with <c>--quick</c>.</summary>
    public required AdditionScale Quick { get; init; }

    /// <summary>Runs the program.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Where it speaks; the console if null.</param>
    /// <param name="error">Where errors go; the console if null.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        var command = new ExperimentCommand(Name, Title);
        var digits = command.Add(Size("--digits", "The most digits of a number", scale => scale.Digits, 1, AdditionForm.MaxDigits));
        var way = command.Add(ExperimentCommand.OneOf("--way", "Which way to learn.", [AllRecipes, .. Recipes.Select(recipe => recipe.Name)]));
        var hidden = command.Add(Size("--hidden", "Hidden units of the encoder and of the decoder", scale => scale.HiddenSize, 1, 4096));
        var epochs = command.Add(Size("--epochs", "Epochs", scale => scale.Epochs, 1, 1_000_000));
        var validate = command.Add(new Option<bool>("--validate") { Description = "Hold out a tenth of the training questions and judge by it; the test questions stay unseen. For choosing settings." });
        var ask = command.Add(new Option<string>("--ask")
        {
            Description = "Answer a sum such as \"123+45\" with the models that an earlier run has left in the folder of --out, and train none.",
            HelpName = "SUM",
        });
        ask.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !Sum().IsMatch(result.Tokens[0].Value))
                result.AddError($"Option '--ask' expects two whole numbers of at most {AdditionForm.MaxDigits} digits, such as '123+45', got '{result.Tokens[0].Value}'.");
        });
        return command.Run(
            args,
            (context, parsed) =>
            {
                var word = parsed.GetValue(way)!;
                if (parsed.GetValue(ask) is { } sum)
                {
                    Answer(context, word, Sum().Match(sum));
                    return;
                }

                var usual = context.Quick ? Quick : Full;
                var scale = usual with
                {
                    Digits = Given(parsed.GetValue(digits), usual.Digits),
                    HiddenSize = Given(parsed.GetValue(hidden), usual.HiddenSize),
                    Epochs = Given(parsed.GetValue(epochs), usual.Epochs),
                };
                Execute(context, [.. Recipes.Where(recipe => word == AllRecipes || word == recipe.Name)], new AdditionTask(scale, parsed.GetValue(validate)));
            },
            output, error);

        // An option that is left out is 0.
        static int Given(int value, int usual) => value > 0 ? value : usual;
    }

    Option<int> Size(string name, string description, Func<AdditionScale, int> size, int minimum, int maximum)
    {
        var quick = size(Quick) == size(Full) ? "" : $" ({size(Quick)} with --quick)";
        return ExperimentCommand.Whole<int>(name, $"{description}; {size(Full)} by default{quick}.", null, minimum, maximum);
    }

    void Execute(ExperimentContext context, IReadOnlyList<AdditionRecipe> recipes, AdditionTask task)
    {
        var clock = Stopwatch.GetTimestamp();
        var machine = Machine.Measure();
        var (scale, output) = (task.Scale, context.Output);
        var (_, training, judges) = task.Questions(context.Seed, reverse: false);
        output.WriteLine(Title);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"numbers of up to {NumberText.Count(scale.Digits, "digit")}: {training.Count:N0} questions to train on, {judges.Count:N0} {task.Judges} questions"));
        output.WriteLine($"{scale.HiddenSize} hidden units, {NumberText.Count(context.Seeds, "seed")} from {context.Seed}");
        foreach (var (name, value) in Describe(scale))
            output.WriteLine($"  {name}: {value}");
        foreach (var recipe in recipes)
            output.WriteLine($"  {recipe.Name}: {recipe.Describe()}");
        output.WriteLine();

        var results = SideBySide.Run(context, recipes, recipe => recipe.Name, (recipe, seed, report) => RunOne(recipe, seed, task, context, report));
        var nearest = results[0].Runs.Average(run =>
        {
            var (_, known, asked) = task.Questions(run.Seed, reverse: false);
            return NearestQuestion.ExactMatch(known, asked);
        });
        var page = new AdditionReport(this, context, task, machine, nearest, results);
        output.WriteLine();
        TextTable.Write(output, page.TableHeader, page.TableRows());
        output.WriteLine();

        var ways = new JsonArray();
        foreach (var (recipe, runs) in results)
        {
            // The first as in every experiment, the others beside it.
            var file = recipe == results[0].Way ? "model.safetensors" : $"model-{recipe.Name}.safetensors";
            ModelFile.Save(Path.Combine(context.Folder, file), runs[0].Model);
            ways.Add((JsonNode)new JsonObject { ["name"] = recipe.Name, ["reverse"] = recipe.Reverse, ["model"] = file });
        }

        MetricsFile.Write(
            Path.Combine(context.Folder, MetricsName), Name,
            [
                new("digits", scale.Digits), new("trainingQuestions", training.Count), new($"{task.Judges}Questions", judges.Count),
                new("hidden", scale.HiddenSize), new("epochs", scale.Epochs), new("batch", scale.BatchSize), new("clipNorm", ClipNorm), new("ways", ways),
                new("seed", context.Seed), new("seeds", context.Seeds), new("quick", context.Quick), new("validate", task.Validate),
                new("stoppedEarly", context.Cancellation.IsCancellationRequested),
            ],
            Metrics(task, results[0]), [.. results.Skip(1).Select(result => Metrics(task, result))], [new("nearestQuestion", nearest)], machine);
        page.Write(context.Folder);
        output.WriteLine($"Wrote {Path.Combine(context.Folder, "report.html")}, its pictures, {MetricsName} and {NumberText.Count(results.Count, "model")} in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F0} s.");
        output.WriteLine($"Ask what you like: {AskCommand(context, judges[0])}");
    }

    /// <summary>The command that asks the trained models.</summary>
    internal string AskCommand(ExperimentContext context, AdditionQuestion question)
    {
        var place = Path.GetRelativePath(Environment.CurrentDirectory, context.Folder) == Path.Combine("results", Name) ? "" : $" --out \"{context.Folder}\"";
        return string.Create(CultureInfo.InvariantCulture, $"dotnet run -c Release experiments/{Name}.cs -- --ask \"{question.A}+{question.B}\"{place}");
    }

    /// <summary>What all recipes share, by name.</summary>
    internal static IReadOnlyList<(string Name, string Value)> Describe(AdditionScale scale) =>
    [
        ("examples", "each training question once an epoch, in random order; the decoder is given the right characters before (teacher forcing)"),
        ("optimizer", string.Create(CultureInfo.InvariantCulture, $"AdamW, {scale.Epochs} epochs, batches of {scale.BatchSize}, learning rate falling to 0 by a cosine, gradient clipped to norm {ClipNorm}")),
        ("answers", "the likeliest character at every step, each the next one's input"),
    ];

    static AdditionRun? RunOne(AdditionRecipe recipe, uint seed, AdditionTask task, ExperimentContext context, Action<double, string> report)
    {
        // Generators of their own, so that recipes differ in nothing but what they are to differ in.
        var seeds = new MersenneTwister(seed);
        var start = new MersenneTwister(seeds.NextUInt32());
        var order = new MersenneTwister(seeds.NextUInt32());
        var swaps = new MersenneTwister(seeds.NextUInt32());
        var (form, training, judges) = task.Questions(seed, recipe.Reverse);

        using var engine = new Engine(threads: 1);
        var model = new EncoderDecoder(recipe.Model(task.Scale.HiddenSize), engine);
        recipe.Start.Apply(model, start);

        var (examples, loss) = (Examples(form, judges), new SoftmaxCrossEntropy());
        var slide = Microscope.Look(model, examples, loss);

        var (epochs, rows) = (task.Scale.Epochs, task.Scale.BatchSize);
        var updates = epochs * ((training.Count + rows - 1) / rows);
        var trainer = new Trainer(model, new AdamW(model, recipe.WeightDecay), loss, new TrainerOptions
        {
            Epochs = epochs,
            BatchSize = rows,
            LearningRate = new CosineDecay(recipe.LearningRate, updates),
            ScheduleUnit = ScheduleUnit.Step,
            ClipNorm = ClipNorm,
        });
        var clock = Stopwatch.GetTimestamp();
        var history = trainer.Fit(
            new AdditionSource(form, training, recipe.SwapNumbers ? swaps : null), order,
            callbacks:
            [
                new ProgressCallback(progress => report(
                    progress.Epoch / (double)progress.TotalEpochs,
                    string.Create(CultureInfo.InvariantCulture, $"epoch {progress.Epoch}/{progress.TotalEpochs}, loss {progress.History.Epochs[^1].TrainingLoss:G3}"))),
            ],
            cancellation: context.Cancellation);
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        return history.End == TrainingEnd.Cancelled
            ? null
            : new AdditionRun(seed, model, history, seconds, AdditionAnswers.Of(model, form, judges), MicroscopeSlides.Of(slide, model, examples, loss));
    }

    /// <summary>Some questions whose numbers have all digits, so that their columns stand at the same places; any, if there are none.</summary>
    static SequenceBatch Examples(AdditionForm form, IReadOnlyList<AdditionQuestion> questions)
    {
        AdditionQuestion[] full = [.. questions.Where(form.IsFull)];
        var source = new AdditionSource(form, [.. (full.Length > 0 ? full : questions).Take(MicroscopeQuestions)]);
        var batch = new SequenceBatch(source.MaxSteps, source.Count, source.InputSize, source.TargetSize);
        source.Fill(batch, [.. Enumerable.Range(0, source.Count)]);
        return batch;
    }

    static RecipeMetrics Metrics(AdditionTask task, SeedRuns<AdditionRecipe, AdditionRun> result) => new(result.Way.Name,
    [
        .. result.Runs.Select(run => new RunMetrics(
            run.Seed,
            [
                new(task.Validate ? "validationExactMatch" : "exactMatch", run.Answers.ExactMatch),
                new(task.Validate ? "validationCharacterAccuracy" : "characterAccuracy", run.Answers.CharacterAccuracy),
                new("trainingLoss", run.History.Epochs[^1].TrainingLoss),
            ],
            run.TrainSeconds)),
    ]);

    /// <summary>Answers one sum with the models of an earlier run.</summary>
    static void Answer(ExperimentContext context, string word, Match sum)
    {
        var (digits, ways) = Trained(context.Folder);
        if (ways.Count == 0)
            throw new IOException($"The run in '{context.Folder}' has left no model. Run the experiment again without --ask.");
        var asked = ways.Where(way => word == AllRecipes || word == way.Name).ToArray();
        if (asked.Length == 0)
            throw new ArgumentException($"The run in '{context.Folder}' has not learnt the way '{word}'; it has {string.Join(", ", ways.Select(way => $"'{way.Name}'"))}.");
        var (a, b) = (Number("a"), Number("b"));
        if (Math.Max(a, b).ToString(CultureInfo.InvariantCulture).Length > digits)
            throw new ArgumentException($"The models in '{context.Folder}' have learnt numbers of up to {NumberText.Count(digits, "digit")}, got {a}+{b}. Train others with --digits.");

        var rows = asked.Select(IReadOnlyList<string> (way) =>
        {
            var form = new AdditionForm(digits, way.Reverse);
            var answer = AdditionAnswers.Of(ModelFile.LoadEncoderDecoder(Path.Combine(context.Folder, way.Model)), form, [form.Ask(a, b)]).All[0];
            return [way.Name, answer.Text.TrimEnd(), answer.IsRight ? "right" : "wrong", $"{NumberText.Two(100 * answer.Probability)} %"];
        }).ToArray();
        TextTable.Write(context.Output, [$"{a}+{b}", "answer", "that is", "how sure"], rows);

        int Number(string group) => int.Parse(sum.Groups[group].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>What the model files do not tell: the size of the numbers, and the direction the questions are read in.</summary>
    static (int Digits, List<(string Name, bool Reverse, string Model)> Ways) Trained(string folder)
    {
        var path = Path.Combine(folder, MetricsName);
        if (!File.Exists(path))
            throw new IOException($"There is no trained model in '{folder}'. Run the experiment once without --ask, or name the folder of an earlier run with --out.");
        try
        {
            using var metrics = JsonDocument.Parse(File.ReadAllBytes(path));
            var settings = metrics.RootElement.GetProperty("settings");
            return (
                new AdditionForm(settings.GetProperty("digits").GetInt32()).Digits,
                [
                    .. settings.GetProperty("ways").EnumerateArray().Select(way =>
                        (Text(way, "name"), way.GetProperty("reverse").GetBoolean(), Path.GetFileName(Text(way, "model")))),
                ]);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new IOException($"Expected the settings of a run of this experiment in '{path}', but: {exception.Message} Run the experiment again without --ask.", exception);
        }

        static string Text(JsonElement way, string name) => way.GetProperty(name).GetString() ?? throw new JsonException($"'{name}' is null.");
    }

    [GeneratedRegex(@"^\s*(?<a>[0-9]{1,9})\s*\+\s*(?<b>[0-9]{1,9})\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex Sum();
}
