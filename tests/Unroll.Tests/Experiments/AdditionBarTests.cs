using System.Diagnostics;
using System.Text.Json.Nodes;
using Unroll.Tests.Data;
using Unroll.Tests.Documentation;

namespace Unroll.Tests.Experiments;

/// <summary>
/// What the program of experiment 6 is to reach, started as a user starts it. Minutes long, so run on request:
/// <c>dotnet test -c Release -- --explicit only</c>.
/// </summary>
public class AdditionBarTests(ITestOutputHelper output) : DataFileFixture
{
    [Fact(Explicit = true)]
    public void UnseenSums_AreAnsweredRightly_99OfAHundred_AndMoreWithAttention()
    {
        using var program = Process.Start(new ProcessStartInfo(
            "dotnet", ["run", "-c", "Release", "experiments/6-addition-seq2seq.cs", "--", "--seeds", "3", "--out", Folder])
        {
            WorkingDirectory = Repository.Root,
        })!;
        program.WaitForExit();
        Assert.Equal(0, program.ExitCode);
        var metrics = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "metrics.json")))!;
        AssertMean(0.99, metrics, "plain");
        AssertMean(0.998, metrics["comparison"]![0]!, "attention");
    }

    void AssertMean(double bar, JsonNode result, string recipe)
    {
        Assert.Equal(recipe, result["recipe"]!.GetValue<string>());
        var exact = result["summary"]!["exactMatch"]!;
        output.WriteLine($"{recipe}: {exact.ToJsonString()}");
        Assert.InRange(exact["mean"]!.GetValue<double>(), bar, 1);
    }
}
