using System.Globalization;
using System.Text.Json.Nodes;
using Unroll.Experiments.Addition;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

/// <summary>Experiment 6 in this process, with a few units and short numbers.</summary>
public sealed class AdditionExperimentTests(AdditionExperimentTests.FirstRun first) : IClassFixture<AdditionExperimentTests.FirstRun>
{
    static readonly string[] s_files =
        ["attention-mean.png", "attention.png", "carries.png", "loss.png", "metrics.json", "microscope-gradients.png", "microscope-influence.png", "model-looking.safetensors", "model.safetensors", "report.html"];

    [Fact]
    public void Run_WritesEveryFile()
    {
        first.AssertComplete(s_files, ["1+2", "Carries", "Right and wrong", "Where the decoder looks", "nearest training question", "--ask"]);
        Assert.Contains("--ask", first.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Metrics_SayWhatWasRun()
    {
        var metrics = first.Metrics;
        Assert.Equal(("6-addition-seq2seq", "blind"), (metrics.GetProperty("experiment").GetString(), metrics.GetProperty("recipe").GetString()));
        Assert.Equal(["looking"], metrics.GetProperty("comparison").EnumerateArray().Select(recipe => recipe.GetProperty("recipe").GetString()));
        var settings = metrics.GetProperty("settings");
        foreach (var (name, value) in new[] { ("digits", 1), ("hidden", 8), ("epochs", 2), ("seed", 1), ("seeds", 2), ("trainingQuestions", 50), ("testQuestions", 5) })
            Assert.Equal(value, settings.GetProperty(name).GetInt32());
        Assert.Equal(
            [("blind", true, "model.safetensors"), ("looking", false, "model-looking.safetensors")],
            settings.GetProperty("ways").EnumerateArray().Select(way => (way.GetProperty("name").GetString(), way.GetProperty("reverse").GetBoolean(), way.GetProperty("model").GetString())));
        Assert.InRange(metrics.GetProperty("baselines").GetProperty("nearestQuestion").GetDouble(), 0, 0.9);
        foreach (var recipe in metrics.GetProperty("comparison").EnumerateArray().Append(metrics))
        {
            var runs = recipe.GetProperty("runs").EnumerateArray().ToArray();
            Assert.Equal([1, 2], runs.Select(run => run.GetProperty("seed").GetInt32()));
            foreach (var name in new[] { "exactMatch", "characterAccuracy" })
                Assert.Equal(runs.Average(run => run.GetProperty(name).GetDouble()), recipe.GetProperty("summary").GetProperty(name).GetProperty("mean").GetDouble(), 1e-8);
        }
    }

    [Theory]
    [InlineData("model.safetensors", true, 0)]
    [InlineData("model-looking.safetensors", false, 1)]
    public void SavedModels_GiveTheNumbersOfTheFirstSeed(string file, bool reverse, int way)
    {
        var model = ModelFile.LoadEncoderDecoder(Path.Combine(first.Folder, file), Kernels.Engine(Kernels.Chosen));
        var data = new AdditionData(new AdditionForm(1, reverse), new MersenneTwister(1));
        var answers = AdditionAnswers.Of(model, data.Form, data.Test);
        var run = (way == 0 ? first.Metrics : first.Metrics.GetProperty("comparison")[0]).GetProperty("runs")[0];
        Assert.Equal(run.GetProperty("exactMatch").GetDouble(), answers.ExactMatch, 1e-8);
        Assert.Equal(run.GetProperty("characterAccuracy").GetDouble(), answers.CharacterAccuracy, 1e-8);
    }

    [Fact]
    public void Way_LearntAlone_GivesTheNumberItGaveAmongOthers()
    {
        using var alone = new Session("--digits", "1", "--hidden", "8", "--epochs", "2", "--seed", "2", "--way", "looking");
        Assert.Equal((0, ""), (alone.ExitCode, alone.Error));
        Assert.Empty(alone.Metrics.GetProperty("comparison").EnumerateArray());
        var among = first.Metrics.GetProperty("comparison")[0].GetProperty("runs")[1];
        Assert.Equal(among.GetProperty("trainingLoss").GetDouble(), alone.Metrics.GetProperty("runs")[0].GetProperty("trainingLoss").GetDouble());
        Assert.True(File.Exists(Path.Combine(alone.Folder, "model.safetensors")));
    }

    [Fact]
    public void AQuickRun_LearnsToAdd_AndAnswers()
    {
        using var run = new Session("--quick", "--way", "blind");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var exact = run.Metrics.GetProperty("summary").GetProperty("exactMatch").GetProperty("mean").GetDouble();
        TestContext.Current.TestOutputHelper?.WriteLine(exact.ToString(CultureInfo.InvariantCulture));
        Assert.InRange(exact, 0.9, 1);

        // Most of what is asked is right, and the line says so by itself.
        var right = 0;
        foreach (var (a, b) in new[] { (12, 34), (47, 25), (60, 31), (88, 71), (33, 59) })
        {
            var (exitCode, output, error) = run.Again("--ask", $" {a} + {b}");
            Assert.Equal((0, ""), (exitCode, error));
            Assert.StartsWith($"{a}+{b}", output, StringComparison.Ordinal);
            var says = output.Split('\n').Single(line => line.StartsWith("blind", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(says[1] == $"{a + b}" ? "right" : "wrong", says[2]);
            right += says[2] == "right" ? 1 : 0;
        }

        Assert.InRange(right, 3, 5);
    }

    [Fact]
    public void Ask_AnswersWithEveryModel_OrTheOneNamed_AndWritesNothing()
    {
        var before = Directory.GetFiles(first.Folder).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        var (exitCode, output, error) = first.Again("--ask", "3+4");
        Assert.Equal((0, ""), (exitCode, error));
        foreach (var text in new[] { "3+4", "blind", "looking", "how sure" })
            Assert.Contains(text, output, StringComparison.Ordinal);
        output = first.Again("--ask", "3+4", "--way", "blind").Output;
        Assert.Contains("blind", output, StringComparison.Ordinal);
        Assert.DoesNotContain("looking", output, StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFiles(first.Folder).ToDictionary(file => file, File.GetLastWriteTimeUtc));
    }

    [Theory]
    [InlineData("up to 1 digit, got 3+14", "3+14")]
    [InlineData("up to 1 digit, got 999999999+0", "999999999+0")]
    public void Ask_ForLongerNumbers_IsOneLine(string named, string sum) => AssertError(1, named, first.Again("--ask", sum));

    [Theory]
    [InlineData("")]
    [InlineData("12")]
    [InlineData("1-2")]
    [InlineData("1+2+3")]
    [InlineData("-1+2")]
    [InlineData("1.5+2")]
    [InlineData("1+1234567890")]
    [InlineData("one+two")]
    public void Ask_ForWhatIsNoSum_IsOneLine(string sum) => AssertError(2, "--ask", first.Again("--ask", sum));

    [Fact]
    public void Ask_WithoutATrainedModel_IsOneLine()
    {
        using var run = new Session("--ask", "1+2");
        AssertError(1, "There is no trained model", (run.ExitCode, run.Output, run.Error));
        Assert.Empty(Directory.GetFileSystemEntries(run.Folder));
    }

    [Theory]
    [InlineData("metrics.json", "")]
    [InlineData("metrics.json", "{")]
    [InlineData("metrics.json", "[]")]
    [InlineData("metrics.json", """{"settings": {"digits": 3}}""")]
    [InlineData("metrics.json", """{"settings": {"digits": 30, "ways": []}}""")]
    [InlineData("metrics.json", """{"settings": {"digits": "3", "ways": []}}""")]
    [InlineData("metrics.json", """{"settings": {"digits": 1, "ways": [{"name": "blind", "reverse": 1, "model": "model.safetensors"}]}}""")]
    [InlineData("metrics.json", """{"settings": {"digits": 1, "ways": [{"name": null, "reverse": true, "model": null}]}}""")]
    [InlineData("model.safetensors", "")]
    [InlineData("model.safetensors", "no model at all")]
    public void Ask_WithABrokenFile_IsOneLine(string file, string text)
    {
        using var run = new Session();
        foreach (var name in new[] { "metrics.json", "model.safetensors", "model-looking.safetensors" })
            File.Copy(Path.Combine(first.Folder, name), Path.Combine(run.Folder, name));
        Assert.Equal(0, run.Again("--ask", "1+2").ExitCode);
        File.WriteAllText(Path.Combine(run.Folder, file), text);
        AssertError(1, file, run.Again("--ask", "1+2"));
        File.Delete(Path.Combine(run.Folder, file));
        AssertError(1, file == "metrics.json" ? "There is no trained model" : file, run.Again("--ask", "1+2"));
    }

    [Fact]
    public void Ask_ForAWayThatWasNotLearnt_IsOneLine()
    {
        using var run = new Session("--digits", "1", "--hidden", "8", "--epochs", "1", "--way", "looking");
        AssertError(1, "has not learnt the way 'blind'; it has 'looking'", run.Again("--ask", "1+2", "--way", "blind"));
    }

    [Fact]
    public void Ask_TheResultsOfAnotherExperiment_IsOneLine()
    {
        using var run = new Session();
        File.WriteAllText(Path.Combine(run.Folder, "metrics.json"), new JsonObject { ["experiment"] = "1-sine-rnn", ["settings"] = new JsonObject { ["hidden"] = 32 } }.ToJsonString());
        AssertError(1, "metrics.json", run.Again("--ask", "1+2"));
    }

    [Fact]
    public void Validation_LeavesTheTestQuestionsAlone()
    {
        using var run = new Session("--digits", "1", "--hidden", "8", "--epochs", "2", "--validate");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var settings = run.Metrics.GetProperty("settings");
        Assert.Equal((45, 5), (settings.GetProperty("trainingQuestions").GetInt32(), settings.GetProperty("validationQuestions").GetInt32()));
        Assert.False(run.Metrics.GetProperty("summary").TryGetProperty("exactMatch", out _));

        // The number is that of the saved model on the validation questions.
        var model = ModelFile.LoadEncoderDecoder(Path.Combine(run.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        var data = new AdditionData(new AdditionForm(1, reverse: true), new MersenneTwister(1));
        var answers = AdditionAnswers.Of(model, data.Form, data.CutValidation().Validation);
        Assert.Equal(answers.CharacterAccuracy, run.Metrics.GetProperty("runs")[0].GetProperty("validationCharacterAccuracy").GetDouble(), 1e-8);
    }

    [Theory]
    [InlineData("4")]
    [InlineData("5")]
    [InlineData("9")]
    public void LongerNumbers_AreWorkedWith(string digits)
    {
        using var run = new Session("--digits", digits, "--hidden", "4", "--epochs", "1");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal(0, run.Again("--ask", $"{new string('9', int.Parse(digits, CultureInfo.InvariantCulture))}+1").ExitCode);
    }

    [Theory]
    [InlineData("--digits", "0")]
    [InlineData("--digits", "10")]
    [InlineData("--way", "abacus")]
    [InlineData("--epochs", "0")]
    [InlineData("--hidden", "4097")]
    [InlineData("--length", "3")]
    public void BadOption_IsOneLine(string option, string value)
    {
        using var run = new Session(option, value);
        AssertError(2, option, (run.ExitCode, run.Output, run.Error));
        Assert.Empty(Directory.GetFileSystemEntries(run.Folder));
    }

    [Fact]
    public void Help_NamesEveryOption_AndRunsNothing()
    {
        using var help = new Session("--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        foreach (var option in new[] { "--seed ", "--seeds ", "--quick", "--out ", "--digits ", "--way ", "--hidden ", "--epochs ", "--validate", "--ask ", "all|blind|looking" })
            Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(help.Folder));
    }

    static void AssertError(int exitCode, string named, (int ExitCode, string Output, string Error) run)
    {
        Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(named, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\r', '\n').Split('\n'));
    }

    /// <summary>A folder, and a run of the program in it if there are arguments.</summary>
    public class Session(params string[] args) : ExperimentSession(Experiment().Run, args)
    {
        static AdditionExperiment Experiment()
        {
            var blind = new AdditionRecipe
            {
                Name = "blind",
                Title = "without attention",
                Model = hidden => new EncoderDecoderOptions(1, [new OneHotOptions(12), new GruOptions(hidden)], [new OneHotOptions(13), new GruOptions(hidden)], 12, 12),
                Reverse = true,
                SwapNumbers = true,
                Start = Initialization.PyTorch,
                StartText = "as given",
                LearningRate = 0.01,
                WeightDecay = 0.1,
            };
            return new AdditionExperiment
            {
                Name = "6-addition-seq2seq",
                Title = "An encoder–decoder learns to add",
                Full = new AdditionScale(Digits: 2, Pairs: 500, HiddenSize: 16, BatchSize: 50, Epochs: 2),
                Quick = new AdditionScale(Digits: 2, Pairs: 5_050, HiddenSize: 64, BatchSize: 32, Epochs: 20),
                Recipes =
                [
                    blind,
                    blind with { Name = "looking", Title = "with attention", Reverse = false, Model = hidden => blind.Model(hidden) with { Attention = new AdditiveAttentionOptions(hidden) } },
                ],
            };
        }
    }

    /// <summary>The run that most tests look at.</summary>
    public sealed class FirstRun() : Session("--digits", "1", "--hidden", "8", "--epochs", "2", "--seeds", "2");
}
