using System.Text.RegularExpressions;
using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Documentation;

public partial class ReadmeTests
{
    public static TheoryData<string> Readmes => ["README.md", "README.ja.md"];

    public static TheoryData<string> Pages =>
        [.. Directory.EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.Root, path))
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "node_modules" or ".git"))];

    [Theory]
    [MemberData(nameof(Readmes))]
    public void Example_IsTheCodeThatTheTestsRun(string readme)
    {
        var source = Repository.Read("tests/Unroll.Tests/Documentation/ReadmeExample.cs");
        var lines = source.Split('\n').SkipWhile(line => !line.Contains("// <readme>", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(line => !line.Contains("// </readme>", StringComparison.Ordinal))
            .Select(line => line.Length > 8 ? line[8..] : "");
        var usings = source.Split('\n').Where(line => line.StartsWith("using ", StringComparison.Ordinal));
        var expected = string.Join('\n', [.. usings, "", .. lines]);
        var block = CSharpBlock().Match(Repository.Read(readme)).Groups[1].Value.TrimEnd();
        Assert.Equal(expected, block);
    }

    [Fact]
    public void Example_LearnsToContinueTheWave_AndLoadsWhatItSaved()
    {
        try
        {
            var (history, forecast, loaded, next) = ReadmeExample.Run();
            Assert.InRange(history.Epochs[^1].TrainingLoss, 0, history.Epochs[0].TrainingLoss / 10);

            // A wave out of phase, or none, would be 0.7 and more away.
            Assert.InRange(Statistics.RootMeanSquareError(forecast, NoisySine.Clean(50, start: 251)), 0, 0.15);
            Assert.Equal(forecast[0], next);
            Assert.Equal(forecast, Forecaster.ClosedLoop(loaded, NoisySine.Generate(251, new MersenneTwister(12)), 50));
        }
        finally
        {
            File.Delete("sine.safetensors");
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_LeadToFiles(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;
        foreach (Match link in RelativeLink().Matches(Repository.Read(page)))
        {
            var target = link.Groups[1].Value.Split('#')[0];
            if (target.Length == 0 || target.Contains("://", StringComparison.Ordinal))
                continue;
            var path = Path.Combine(folder, target);
            Assert.True(File.Exists(path) || Directory.Exists(path), $"{page} links to {target}, which does not exist");
        }
    }

    [Theory]
    [MemberData(nameof(Readmes))]
    public void Commands_NameProgramsThatExist_AndAllOfThem(string readme)
    {
        var text = Repository.Read(readme);
        var programs = Program().Matches(text).Select(match => match.Groups[1].Value).ToHashSet();
        var existing = Directory.EnumerateFiles(Path.Combine(Repository.Root, "experiments"), "*.cs").Select(path => $"experiments/{Path.GetFileName(path)}");
        Assert.Equal(existing.Order(), programs.Order());
        Assert.Contains("dotnet test -c Release", text, StringComparison.Ordinal);
    }

    [Fact]
    public void BothLanguages_GiveTheSameCommandsAndNumbers()
    {
        var english = Repository.Read("README.md");
        var japanese = Repository.Read("README.ja.md");
        Assert.Equal(Facts(english), Facts(japanese));

        static List<string> Facts(string text) =>
            [.. DotnetCommand().Matches(text).Select(match => match.Value), .. Decimal().Matches(text).Select(match => match.Value)];
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex RelativeLink();

    [GeneratedRegex(@"(experiments/[\w-]+\.cs)")]
    private static partial Regex Program();

    [GeneratedRegex(@"dotnet (?:run|test)[^`\n]*")]
    private static partial Regex DotnetCommand();

    [GeneratedRegex(@"\d\.\d{3,4}")]
    private static partial Regex Decimal();
}

/// <summary>The checkout that the tests run in.</summary>
static class Repository
{
    public static string Root { get; } = Find();

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path)).ReplaceLineEndings("\n");

    static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Unroll.slnx")))
                return folder.FullName;
        }

        throw new InvalidOperationException("The tests do not run inside a checkout: no folder above them holds Unroll.slnx.");
    }
}
