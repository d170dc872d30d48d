using System.Diagnostics;
using System.Text.Json.Nodes;
using Unroll.Tests.Data;
using Unroll.Tests.Documentation;

namespace Unroll.Tests.Experiments;

/// <summary>
/// What the program of experiment 5 is to reach, started as a user starts it. Minutes long, so run on request:
/// <c>dotnet test -c Release -- --explicit only</c>.
/// </summary>
public class ImageBarTests(ITestOutputHelper output) : DataFileFixture
{
    [Fact(Explicit = true)]
    public void UciDigits_AreReadRightly_98OfAHundred() => AssertMean(0.98, ["--seeds", "5"]);

    [Fact(Explicit = true)]
    public void Mnist_IsReadRightly_99OfAHundred_From20000Images() => AssertMean(0.99, ["--data", Mnist, "--seeds", "3"]);

    void AssertMean(double bar, string[] args)
    {
        using var program = Process.Start(new ProcessStartInfo(
            "dotnet", ["run", "-c", "Release", "experiments/5-mnist-birnn.cs", "--", .. args, "--out", Folder])
        {
            WorkingDirectory = Repository.Root,
        })!;
        program.WaitForExit();
        Assert.Equal(0, program.ExitCode);
        var accuracy = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "metrics.json")))!["summary"]!["testAccuracy"]!;
        output.WriteLine(accuracy.ToJsonString());
        Assert.InRange(accuracy["mean"]!.GetValue<double>(), bar, 1);
    }
}
