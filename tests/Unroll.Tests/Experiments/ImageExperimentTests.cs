using Unroll.Experiments.Digits;
using Unroll.Experiments.Images;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Tests.Data;

namespace Unroll.Tests.Experiments;

/// <summary>Experiment 5 in this process, on the digits that are part of the program and on small files of MNIST's form.</summary>
public sealed class ImageExperimentTests(ImageExperimentTests.FirstRun first) : DataFileFixture, IClassFixture<ImageExperimentTests.FirstRun>
{
    static readonly string[] s_files =
        ["confusion.png", "directions.png", "loss.png", "metrics.json", "microscope-gates.png", "microscope-gradients.png", "microscope-influence.png", "mistakes.png", "model.safetensors", "report.html", "samples.png"];

    static readonly string[] s_tiny = ["--hidden", "4", "--epochs", "1"];

    [Fact]
    public void Run_WritesEveryFile() =>
        first.AssertComplete(s_files, ["Confusion matrix", "The surest mistakes", "What one direction alone reaches", "recall", "CC BY 4.0"]);

    [Fact]
    public void Metrics_SayWhatWasRun()
    {
        var metrics = first.Metrics;
        Assert.Equal("5-mnist-birnn", metrics.GetProperty("experiment").GetString());
        Assert.Equal("bidirectional", metrics.GetProperty("recipe").GetString());
        Assert.Equal(["forward", "backward"], metrics.GetProperty("comparison").EnumerateArray().Select(recipe => recipe.GetProperty("recipe").GetString()));
        var settings = metrics.GetProperty("settings");
        Assert.Equal(("UCI digits", "lstm"), (settings.GetProperty("data").GetString(), settings.GetProperty("cell").GetString()));
        foreach (var (name, value) in new[] { ("hidden", 12), ("epochs", 3), ("seeds", 2), ("trainingImages", 1433), ("testImages", 364), ("rows", 8) })
            Assert.Equal(value, settings.GetProperty(name).GetInt32());
        var runs = metrics.GetProperty("runs").EnumerateArray().ToArray();
        Assert.Equal([1, 2], runs.Select(run => run.GetProperty("seed").GetInt32()));
        Assert.Equal(runs.Average(run => run.GetProperty("testAccuracy").GetDouble()), metrics.GetProperty("summary").GetProperty("testAccuracy").GetProperty("mean").GetDouble(), 1e-8);

        // Centroids of the classes: far from chance, far from right.
        Assert.InRange(metrics.GetProperty("baselines").GetProperty("nearestMean").GetDouble(), 0.8, 0.95);
    }

    [Fact]
    public void SavedModel_GivesTheAccuracyOfTheFirstSeed()
    {
        var model = ModelFile.Load(Path.Combine(first.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        Assert.Equal(new BidirectionalOptions(new LstmOptions(12)), model.Options.Layers[0]);
        var answers = ImageAnswers.Of(model, UciDigits.Load().Test);
        Assert.Equal(first.Accuracy(0), answers.Accuracy, 1e-8);
    }

    [Fact]
    public void SameSeed_GivesTheSameNumber_AloneAndAmongOthers()
    {
        using var again = new Session("--hidden", "12", "--epochs", "3", "--seed", "2");
        Assert.Equal((0, ""), (again.ExitCode, again.Error));
        Assert.Equal(first.Loss(1), again.Loss(0));
        Assert.NotEqual(first.Loss(0), again.Loss(0));
    }

    [Fact]
    public void AQuickRun_ReadsNineDigitsOfTen()
    {
        using var run = new Session("--quick", "--hidden", "32");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        TestContext.Current.TestOutputHelper?.WriteLine($"test accuracy {run.Accuracy(0)}");
        Assert.InRange(run.Accuracy(0), 0.93, 1);
    }

    [Theory]
    [InlineData("lstm")]
    [InlineData("gru")]
    [InlineData("rnn")]
    public void Cell_IsTheOneAskedFor(string cell)
    {
        using var run = new Session([.. s_tiny, "--cell", cell]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var model = ModelFile.Load(Path.Combine(run.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        RecurrentOptions expected = cell switch { "lstm" => new LstmOptions(4), "gru" => new GruOptions(4), _ => new RnnOptions(4) };
        Assert.Equal(new BidirectionalOptions(expected), model.Options.Layers[0]);
    }

    [Fact]
    public void Validation_LeavesTheTestImagesAlone()
    {
        using var run = new Session([.. s_tiny, "--validate"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var settings = run.Metrics.GetProperty("settings");
        Assert.Equal((1143, 290), (settings.GetProperty("trainingImages").GetInt32(), settings.GetProperty("validationImages").GetInt32()));
        Assert.False(run.Metrics.GetProperty("summary").TryGetProperty("testAccuracy", out _));

        // The number is that of the saved model on the validation images.
        var model = ModelFile.Load(Path.Combine(run.Folder, "model.safetensors"), Kernels.Engine(Kernels.Chosen));
        var answers = ImageAnswers.Of(model, UciDigits.Load().CutValidation().Validation);
        Assert.Equal(answers.Accuracy, run.Metrics.GetProperty("runs")[0].GetProperty("validationAccuracy").GetDouble(), 1e-8);
    }

    [Theory]
    [InlineData("digits", "", "MNIST", "9")]
    [InlineData("my-Fashion", ".gz", "Fashion-MNIST", "Ankle boot")]
    public void Data_AreReadFromIdxFiles(string folder, string suffix, string name, string className)
    {
        WriteIdx(folder, suffix);
        using var run = new Session([.. s_tiny, "--data", Path.Combine(Folder, folder)]);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        var settings = run.Metrics.GetProperty("settings");
        Assert.Equal((name, 40, 20, 20), (settings.GetProperty("data").GetString(), settings.GetProperty("trainingImages").GetInt32(), settings.GetProperty("testImages").GetInt32(), settings.GetProperty("rows").GetInt32()));
        Assert.Contains(className, File.ReadAllText(Path.Combine(run.Folder, "report.html")), StringComparison.Ordinal);

        // Large images: each direction alone on request only.
        Assert.Empty(run.Metrics.GetProperty("comparison").EnumerateArray());
        using var directions = new Session([.. s_tiny, "--data", Path.Combine(Folder, folder), "--directions"]);
        Assert.Equal(2, directions.Metrics.GetProperty("comparison").GetArrayLength());
        Assert.Equal(run.Loss(0), directions.Loss(0));
    }

    [Theory]
    [InlineData(2, "--cell", "--cell", "transformer")]
    [InlineData(2, "--data", "--data", "")]
    [InlineData(2, "--hidden", "--hidden", "0")]
    [InlineData(1, "there is no such folder", "--data", "absent-folder")]
    public void BadLines_AreOneLineEach(int exitCode, string named, params string[] args)
    {
        using var run = new Session(args);
        Assert.Equal(exitCode, run.ExitCode);
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(named, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd('\r', '\n').Split('\n'));
        Assert.Empty(Directory.GetFileSystemEntries(run.Folder));
    }

    [Fact]
    public void Help_NamesEveryOption_AndRunsNothing()
    {
        using var help = new Session("--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        foreach (var option in new[] { "--seed ", "--seeds ", "--quick", "--out ", "--cell ", "--hidden ", "--epochs ", "--data ", "--download", "--directions", "--validate" })
            Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(help.Folder));
    }

    /// <summary>40 images of 20×20 to train on and 20 to test on: class j has a bar at row 2·j.</summary>
    void WriteIdx(string folder, string suffix)
    {
        Directory.CreateDirectory(Path.Combine(Folder, folder));
        foreach (var (prefix, count) in new[] { ("train", 40), ("t10k", 20) })
        {
            var pixels = new byte[count * 400];
            for (var image = 0; image < count; image++)
                pixels.AsSpan((image * 400) + (image % 10 * 40), 20).Fill(200);
            byte[] labels = [.. Enumerable.Range(0, count).Select(image => (byte)(image % 10))];
            Put("images-idx3-ubyte", Idx([(uint)count, 20, 20], pixels));
            Put("labels-idx1-ubyte", Idx([(uint)count], labels));

            void Put(string name, byte[] bytes) =>
                Write(Path.Combine(folder, $"{prefix}-{name}{suffix}"), suffix.Length > 0 ? Gzip(bytes) : bytes);
        }
    }

    /// <summary>One run of the program and what it left.</summary>
    public class Session(params string[] args) : ExperimentSession(Experiment().Run, args)
    {
        public double Accuracy(int run) => Metric(run, "testAccuracy");

        public double Loss(int run) => Metric(run, "trainingLoss");

        static ImageExperiment Experiment() => new()
        {
            Name = "5-mnist-birnn",
            Title = "A bidirectional network reads images",
            Cells =
            [
                new ImageCell("lstm", "LSTM", hidden => new LstmOptions(hidden)),
                new ImageCell("gru", "GRU", hidden => new GruOptions(hidden)),
                new ImageCell("rnn", "RNN", hidden => new RnnOptions(hidden)),
            ],
            Layers = (reader, recipe, classes) =>
                [reader, new PoolingOptions(PoolingKind.Mean, PoolingKind.Last, PoolingKind.First), new DropoutOptions(recipe.Dropout), new LinearOptions(classes)],
            Small = new ImageRecipe { HiddenSize = 32, Epochs = 40, BatchSize = 32, PeakRate = 0.01, MaxShift = 1, Dropout = 0.1 },
            Large = new ImageRecipe { HiddenSize = 32, Epochs = 2, BatchSize = 8, PeakRate = 0.01, MaxShift = 2, Dropout = 0.1 },
        };
    }

    /// <summary>The run that most tests look at.</summary>
    public sealed class FirstRun() : Session("--hidden", "12", "--epochs", "3", "--seeds", "2");
}
