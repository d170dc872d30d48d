using Unroll.Experiments.Sine;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

/// <summary>Wrong command lines and unusable folders: one line each, an exit code, and nothing written.</summary>
public sealed class CommandLineTests : IDisposable
{
    const int Usage = 2;
    const int Failed = 1;

    readonly string _folder = Directory.CreateTempSubdirectory("unroll-commands-").FullName;

    // The exit code, what the message must name, and the arguments; FOLDER is an empty folder with one file, FILE.
    public static TheoryData<int, string, string[]> BadLines => new()
    {
        { Usage, "--colour", ["--colour"] },
        { Usage, "--colour", ["--colour", "red"] },
        { Usage, "--hiden", ["--hiden", "32"] },
        { Usage, "--sed", ["--sed=3"] },
        { Usage, "--Seed", ["--Seed", "3"] },
        { Usage, "-x", ["-x"] },
        { Usage, "extra", ["extra"] },
        { Usage, "32", ["32"] },
        { Usage, "again", ["--seed", "3", "again"] },
        { Usage, "tail", ["--", "tail"] },
        { Usage, "--seed", ["--seed"] },
        { Usage, "--hidden", ["--hidden"] },
        { Usage, "--out", ["--out"] },
        { Usage, "--recipe", ["--recipe"] },
        { Usage, "--hidden", ["--hidden", "--quick"] },
        { Usage, "--hidden", ["--hidden", "many"] },
        { Usage, "--seed", ["--seed", "twelve"] },
        { Usage, "--seed", ["--seed", "-1"] },
        { Usage, "--seed", ["--seed", "4294967296"] },
        { Usage, "--seed", ["--seed", "99999999999999999999999"] },
        { Usage, "--seed", ["--seed", "1.5"] },
        { Usage, "--seed", ["--seed", ""] },
        { Usage, "--seed", ["--seed="] },
        { Usage, "--seed", ["--seed", "0x10"] },
        { Usage, "--seeds", ["--seeds", "0"] },
        { Usage, "--seeds", ["--seeds", "-3"] },
        { Usage, "--seeds", ["--seeds", "1001"] },
        { Usage, "--seeds", ["--seeds", "3\n4"] },
        { Usage, "--hidden", ["--hidden", "0"] },
        { Usage, "--hidden", ["--hidden", "-32"] },
        { Usage, "--hidden", ["--hidden", "4097"] },
        { Usage, "--hidden", ["--hidden", "1000000000000"] },
        { Usage, "--hidden", ["--hidden", "32.5"] },
        { Usage, "--hidden", ["--hidden", "1e3"] },
        { Usage, "--hidden", ["--hidden", "NaN"] },
        { Usage, "64", ["--hidden", "32", "64"] },
        { Usage, "--epochs", ["--epochs", "0"] },
        { Usage, "--epochs", ["--epochs", "1000001"] },
        { Usage, "--epochs", ["--epochs", "half"] },
        { Usage, "--hidden", ["--hidden", "8", "--hidden", "16"] },
        { Usage, "--seed", ["--seed", "1", "--seeds", "2", "--seed", "1"] },
        { Usage, "--out", ["--out", "FOLDER/a", "--out", "FOLDER/b"] },
        { Usage, "--recipe", ["--recipe", "best", "--recipe", "classic"] },
        { Usage, "--quick", ["--quick", "--quick"] },
        { Usage, "maybe", ["--quick", "maybe"] },
        { Usage, "'2'", ["--quick=2"] },
        { Usage, "fancy", ["--recipe", "fancy"] },
        { Usage, "--recipe", ["--recipe", "Best"] },
        { Usage, "--recipe", ["--recipe", ""] },
        { Usage, "--out", ["--out", ""] },
        { Usage, "--out", ["--out", "  "] },
        { Usage, "--out", ["--out="] },
        { Usage, "none.rsp", ["@FOLDER/none.rsp"] },
        { Failed, "FOLDER/FILE", ["--out", "FOLDER/FILE"] },
        { Failed, "FOLDER/FILE/below", ["--out", "FOLDER/FILE/below"] },
        { Failed, "FOLDER/FILE/far/below", ["--out", "FOLDER/FILE/far/below"] },
        { Failed, "--out", ["--out", "FOLDER/nul\0byte"] },
    };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(BadLines))]
    public void BadLine_IsOneErrorAndWritesNothing(int exitCode, string named, string[] args)
    {
        File.WriteAllText(Path.Combine(_folder, "FILE"), "kept");
        AssertRefused(exitCode, Placed(named), [.. args.Select(Placed)]);
        Assert.Equal("kept", File.ReadAllText(Path.Combine(_folder, "FILE")));
        Assert.Equal(["FILE"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("/proc/unroll")]
    [InlineData("/proc")]
    [InlineData("/sys/kernel/unroll")]
    [InlineData("/dev/null")]
    [InlineData("/dev/null/below")]
    public void ReadOnlyPlace_IsOneError(string place)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "These places exist on Linux.");
        AssertRefused(Failed, place, ["--out", place]);
    }

    [Fact]
    public void TooLongAPath_IsOneError() =>
        AssertRefused(Failed, "aaa", ["--out", Path.Combine(_folder, new string('a', 300))]);

    [Fact]
    public void SeveralMistakes_AreStillOneLine() =>
        AssertRefused(Usage, "--", ["--seed", "x", "--hidden", "-1", "--colour", "red", "--recipe", "fancy", "more"]);

    [Fact]
    public void GoodLine_ReachesTheExperiment()
    {
        var (exitCode, _, error) = Run("--seed", "4294966295", "--seeds", "1", "--hidden", "4096", "--epochs", "1", "--quick", "--recipe=classic", "--out", Path.Combine(_folder, "new", "folder"));
        Assert.Equal((Failed, "error: the experiment was reached"), (exitCode, error.Trim()));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(_folder, "new", "folder")));
    }

    string Placed(string text) => text.Replace("FOLDER", _folder, StringComparison.Ordinal);

    static void AssertRefused(int exitCode, string named, string[] args)
    {
        var (actual, output, error) = Run(args);
        Assert.Equal("", output);
        Assert.EndsWith("\n", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd('\r', '\n').Split('\n'));
        Assert.StartsWith("error: ", error, StringComparison.Ordinal);
        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.Equal(exitCode, actual);
    }

    /// <summary>Runs an experiment that fails as soon as a command line is accepted.</summary>
    static (int ExitCode, string Output, string Error) Run(params string[] args)
    {
        var name = $"command-line-{Guid.NewGuid():N}";
        var experiment = new SineExperiment
        {
            Name = name,
            Title = "Command lines",
            CellName = "none",
            Cell = hidden => throw new InvalidOperationException("the experiment was reached"),
            Best = new ClosedLoopRecipe("best", "none", Initialization.PyTorch),
            Classic = new ClassicRecipe(),
        };
        using StringWriter output = new(), error = new();
        var exitCode = experiment.Run(args, output, error);
        Assert.False(Directory.Exists(Path.Combine("results", name)), "the default folder was made");
        return (exitCode, output.ToString(), error.ToString());
    }
}
