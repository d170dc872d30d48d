using System.Text.Json;
using Unroll.Experiments.Sine;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

/// <summary>Experiment 1 as its program starts it, in this process.</summary>
public sealed class SineExperimentTests(SineExperimentTests.FirstRun first) : IClassFixture<SineExperimentTests.FirstRun>
{
    static readonly string[] s_files =
        ["continuation.png", "data.png", "error-growth.png", "loss.png", "metrics.json", "microscope-gradients.png", "microscope-influence.png", "model.safetensors", "report.html"];

    [Fact]
    public void Run_WritesEveryFile() =>
        first.AssertComplete(s_files, ["A recurrent network continues a noisy sine"]);

    [Fact]
    public void Metrics_SayWhatWasRun()
    {
        var metrics = first.Metrics;
        Assert.Equal("1-sine-rnn", metrics.GetProperty("experiment").GetString());
        Assert.Equal("best", metrics.GetProperty("recipe").GetString());
        var settings = metrics.GetProperty("settings");
        foreach (var (name, value) in new[] { ("hidden", 8), ("epochs", 3), ("seed", 1), ("seeds", 3), ("warmUp", 25), ("horizon", 500), ("period", 100), ("points", 251) })
            Assert.Equal(value, settings.GetProperty(name).GetInt32());
        Assert.True(settings.GetProperty("quick").GetBoolean());

        var machine = metrics.GetProperty("machine");
        Assert.False(string.IsNullOrWhiteSpace(machine.GetProperty("cpu").GetString()));
        Assert.Equal(Environment.ProcessorCount, machine.GetProperty("cores").GetInt32());
        Assert.InRange(machine.GetProperty("fmaPeakGflops").GetDouble(), 0.01, 10_000);
        Assert.False(string.IsNullOrWhiteSpace(machine.GetProperty("kernel").GetString()));

        var baselines = metrics.GetProperty("baselines");
        Assert.InRange(baselines.GetProperty("sineFit").GetDouble(), 0, 0.02);
        Assert.InRange(baselines.GetProperty("repeatLastPeriod").GetDouble(), 0.02, 0.05); // the noise: 0.05/√3 = 0.029
        Assert.InRange(baselines.GetProperty("ar25").GetDouble(), 0, 2);
    }

    [Fact]
    public void Metrics_AgreeWithTheirSummary()
    {
        Check(first.Metrics);
        var comparison = Assert.Single(first.Metrics.GetProperty("comparison").EnumerateArray());
        Assert.Equal("classic", comparison.GetProperty("recipe").GetString());
        Check(comparison);

        static void Check(JsonElement recipe)
        {
            var runs = recipe.GetProperty("runs").EnumerateArray().ToArray();
            Assert.Equal([1, 2, 3], runs.Select(run => run.GetProperty("seed").GetInt32()));
            foreach (var summary in recipe.GetProperty("summary").EnumerateObject())
            {
                var values = runs.Select(run => run.GetProperty(summary.Name).GetDouble()).Order().ToArray();
                Assert.Equal(values[0], summary.Value.GetProperty("min").GetDouble(), 1e-8); // 9 decimals are kept
                Assert.Equal(values[1], summary.Value.GetProperty("median").GetDouble(), 1e-8);
                Assert.Equal(values[2], summary.Value.GetProperty("max").GetDouble(), 1e-8);
                Assert.Equal(values.Average(), summary.Value.GetProperty("mean").GetDouble(), 1e-8);
            }

            Assert.Contains(recipe.GetProperty("summary").EnumerateObject(), summary => summary.Name == "closedLoopRmse500");
            Assert.Equal(runs.Sum(run => run.GetProperty("trainSeconds").GetDouble()), recipe.GetProperty("trainSeconds").GetDouble(), 1e-7);
        }
    }

    [Fact]
    public void SavedModel_GivesTheErrorOfTheFirstSeed()
    {
        var model = ModelFile.Load(Path.Combine(first.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        Assert.Equal(new SequenceModelOptions(1, [new RnnOptions(8), new LinearOptions(1)]), model.Options);
        var data = new SineData();
        var continuation = Forecaster.ClosedLoop(model, data.Noisy.AsSpan(0, SineData.WarmUp), SineData.Horizon);
        Assert.Equal(first.Rmse(0), data.Error(continuation), 1e-6);
    }

    [Fact]
    public void SameSeed_GivesTheSameNumber_AloneAndAmongOthers()
    {
        using var again = new Session("--quick", "--hidden", "8", "--epochs", "3", "--seed", "2");
        Assert.Equal((0, ""), (again.ExitCode, again.Error));
        Assert.Equal(first.Rmse(1), again.Rmse(0));
        Assert.NotEqual(first.Rmse(0), again.Rmse(0));
    }

    [Fact]
    public void ClassicRecipe_CanBeTheOneTheExperimentIsAbout()
    {
        using var classic = new Session("--quick", "--hidden", "6", "--epochs", "2", "--recipe", "classic");
        Assert.Equal((0, ""), (classic.ExitCode, classic.Error));
        Assert.Equal("classic", classic.Metrics.GetProperty("recipe").GetString());
        Assert.Equal("classic", classic.Metrics.GetProperty("settings").GetProperty("recipe").GetString());
        Assert.Equal(["best"], classic.Metrics.GetProperty("comparison").EnumerateArray().Select(recipe => recipe.GetProperty("recipe").GetString()));
        var model = ModelFile.Load(Path.Combine(classic.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        Assert.Contains(new LastStepOptions(), model.Options.Layers);
        var data = new SineData();
        var continuation = Forecaster.SlidingWindow(model, data.Noisy.AsSpan(0, SineData.WarmUp), SineData.WarmUp, SineData.Horizon);
        Assert.Equal(classic.Rmse(0), data.Error(continuation), 1e-6);
    }

    [Fact]
    public void Help_NamesEveryOption_AndRunsNothing()
    {
        using var help = new Session("--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        foreach (var option in new[] { "--seed ", "--seeds ", "--quick", "--out ", "--hidden ", "--epochs ", "--recipe ", "best", "classic" })
            Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(help.Folder));
    }

    [Fact]
    public void TwoThirdsOfTheTraining_BeatRepeatingTheLastPeriod()
    {
        using var run = new Session("--quick", "--hidden", "32", "--epochs", "200");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var baseline = run.Metrics.GetProperty("baselines").GetProperty("repeatLastPeriod").GetDouble();
        TestContext.Current.TestOutputHelper?.WriteLine($"closed loop {run.Rmse(0):F4}, repeating the last period {baseline:F4}");
        Assert.InRange(run.Rmse(0), 0, baseline);
    }

    [Fact]
    public void Failure_WithinARun_IsOneLine()
    {
        // The runs are spread over threads, whose errors come wrapped.
        using var run = new Session(new ClosedLoopRecipe("best", "impossible", Initialization.PyTorch) { FirstHorizon = -5 }, "--quick", "--hidden", "2", "--epochs", "1", "--seeds", "2");
        Assert.Equal(1, run.ExitCode);
        Assert.StartsWith("error: Expected a horizon of 1 to 200", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\r', '\n').Split('\n'));
        Assert.Empty(Directory.GetFileSystemEntries(run.Folder));
    }

    /// <summary>One run of the program and what it left.</summary>
    public class Session(SineRecipe best, params string[] args) : ExperimentSession(Experiment(best).Run, args)
    {
        public Session(params string[] args)
            : this(new ClosedLoopRecipe("best", "closed loop, orthogonal start", Initialization.OrthogonalRecurrence), args)
        {
        }

        public double Rmse(int run) => Metric(run, "closedLoopRmse500");

        static SineExperiment Experiment(SineRecipe best) => new()
        {
            Name = "1-sine-rnn",
            Title = "A recurrent network continues a noisy sine",
            CellName = "RNN",
            Cell = hidden => new RnnOptions(hidden),
            Best = best,
            Ablations = [],
            Classic = new ClassicRecipe(),
        };
    }

    /// <summary>The run that most tests look at.</summary>
    public sealed class FirstRun() : Session("--quick", "--hidden", "8", "--epochs", "3", "--seeds", "3");
}
