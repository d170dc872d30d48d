using Unroll.Experiments.Adding;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

/// <summary>Experiment 3 in this process, with a few units and short sequences.</summary>
public sealed class AddingExperimentTests(AddingExperimentTests.FirstRun first) : IClassFixture<AddingExperimentTests.FirstRun>
{
    static readonly string[] s_files =
        ["answers.png", "data.png", "gradient.png", "loss.png", "metrics.json", "microscope-gates.png", "microscope-gradients.png", "microscope-influence.png", "model.safetensors", "report.html"];

    [Fact]
    public void Run_WritesEveryFile() =>
        first.AssertComplete(s_files, ["The adding problem", "1/6", "The plain RNN forgets exponentially", "GRU", "<strong>RNN</strong>"]);

    [Fact]
    public void Metrics_SayWhatWasRun()
    {
        var metrics = first.Metrics;
        Assert.Equal("3-adding-problem", metrics.GetProperty("experiment").GetString());
        Assert.Equal("gru", metrics.GetProperty("recipe").GetString());
        var settings = metrics.GetProperty("settings");
        foreach (var (name, value) in new[] { ("length", 10), ("hidden", 8), ("batch", 20), ("updates", 60), ("seed", 1), ("seeds", 3), ("testSequences", 10_000) })
            Assert.Equal(value, settings.GetProperty(name).GetInt32());
        Assert.True(settings.GetProperty("quick").GetBoolean());
        Assert.Equal("all", settings.GetProperty("cell").GetString());
        Assert.Equal(1 / 6.0, metrics.GetProperty("baselines").GetProperty("constantAnswer").GetDouble(), 1e-8);
        Assert.Equal(["rnn"], metrics.GetProperty("comparison").EnumerateArray().Select(recipe => recipe.GetProperty("recipe").GetString()));
        foreach (var run in metrics.GetProperty("runs").EnumerateArray())
        {
            Assert.Equal(75, run.GetProperty("updates").GetInt32()); // whole looks of 25
            Assert.InRange(run.GetProperty("testMse").GetDouble(), 0.001, 0.3);
        }
    }

    [Fact]
    public void Metrics_AgreeWithTheirSummary()
    {
        foreach (var recipe in first.Metrics.GetProperty("comparison").EnumerateArray().Append(first.Metrics))
        {
            var errors = recipe.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("testMse").GetDouble()).Order().ToArray();
            var summary = recipe.GetProperty("summary").GetProperty("testMse");
            Assert.Equal(3, errors.Length);
            Assert.Equal(errors[1], summary.GetProperty("median").GetDouble(), 1e-8);
            Assert.Equal(errors[2], summary.GetProperty("max").GetDouble(), 1e-8);
        }
    }

    [Fact]
    public void SavedModel_GivesTheErrorOfTheFirstSeed()
    {
        var model = ModelFile.Load(Path.Combine(first.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        Assert.Equal(new SequenceModelOptions(2, [new GruOptions(8), new LastStepOptions(), new LinearOptions(1)]), model.Options);

        // The test set's seed is the fourth number of the run's generator.
        var seeds = new MersenneTwister(1);
        for (var i = 0; i < 3; i++)
            seeds.NextUInt32();
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions());
        Assert.Equal(first.TestError(0), trainer.Evaluate(AddingData.TestSet(10, seeds.NextUInt32())), 1e-6);
    }

    [Fact]
    public void Cell_TrainedAlone_GivesTheNumberItGaveAmongOthers()
    {
        using var alone = new Session("--quick", "--hidden", "8", "--updates", "60", "--seed", "2", "--cell", "rnn");
        Assert.Equal((0, ""), (alone.ExitCode, alone.Error));
        Assert.Equal("rnn", alone.Metrics.GetProperty("recipe").GetString());
        Assert.Equal("rnn", alone.Metrics.GetProperty("settings").GetProperty("cell").GetString());
        Assert.Empty(alone.Metrics.GetProperty("comparison").EnumerateArray());
        var among = first.Metrics.GetProperty("comparison")[0].GetProperty("runs")[1];
        Assert.Equal(among.GetProperty("testMse").GetDouble(), alone.TestError(0));
    }

    [Fact]
    public void ShortSequences_AreLearnt_AndTheRunEndsWhenTheyAre()
    {
        using var run = new Session("--quick", "--hidden", "24", "--updates", "1000", "--cell", "gru");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var metrics = run.Metrics.GetProperty("runs")[0];
        TestContext.Current.TestOutputHelper?.WriteLine(metrics.ToString());
        Assert.InRange(run.TestError(0), 0, 0.01);
        Assert.InRange(metrics.GetProperty("validationMse").GetDouble(), 0, 0.005);
        Assert.InRange(metrics.GetProperty("updates").GetInt32(), 25, 975);
        Assert.Equal(1, metrics.GetProperty("firstMarkSlope").GetDouble(), 0.15);
        Assert.Equal(1, metrics.GetProperty("secondMarkSlope").GetDouble(), 0.15);
    }

    [Theory]
    [InlineData("--length", "1")]
    [InlineData("--length", "10001")]
    [InlineData("--cell", "transformer")]
    [InlineData("--updates", "0")]
    [InlineData("--epochs", "3")]
    public void BadOption_IsOneLine(string option, string value)
    {
        using var run = new Session(option, value);
        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(option, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\r', '\n').Split('\n'));
        Assert.Empty(Directory.GetFileSystemEntries(run.Folder));
    }

    [Fact]
    public void Help_NamesEveryOption_AndRunsNothing()
    {
        using var help = new Session("--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        foreach (var option in new[] { "--seed ", "--seeds ", "--quick", "--out ", "--length ", "--cell ", "--hidden ", "--updates ", "all|gru|rnn" })
            Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(help.Folder));
    }

    /// <summary>One run and what it left.</summary>
    public class Session(params string[] args) : ExperimentSession(Experiment().Run, args)
    {
        public double TestError(int run) => Metric(run, "testMse");

        static AddingExperiment Experiment() => new()
        {
            Name = "3-adding-problem",
            Title = "The adding problem",
            Full = new AddingScale(Steps: 20, HiddenSize: 30, BatchSize: 50, MostUpdates: 200),
            Quick = new AddingScale(Steps: 10, HiddenSize: 20, BatchSize: 20, MostUpdates: 100),
            ClipNorm = 0.1,
            StopBelow = 0.005,
            Cells =
            [
                Cell("GRU", hidden => new GruOptions(hidden), Initialization.Chrono),
                Cell("RNN", hidden => new RnnOptions(hidden), _ => Initialization.PyTorch),
            ],
        };

        static AddingCell Cell(string name, Func<int, RecurrentOptions> layer, Func<int, Initialization> start) => new()
        {
            Name = name,
            Model = hidden => new SequenceModelOptions(2, [layer(hidden), new LastStepOptions(), new LinearOptions(1)]),
            Start = start,
            StartText = "as given",
            LearningRate = 0.02,
        };
    }

    /// <summary>The run that most tests look at.</summary>
    public sealed class FirstRun() : Session("--quick", "--hidden", "8", "--updates", "60", "--seeds", "3");
}
