using System.Text.Json.Nodes;
using Unroll.Experiments.Sine;
using Unroll.Layers;

namespace Unroll.Tests.Experiments;

/// <summary>
/// What the sine experiments are to reach over ten seeds. Minutes long, so run on request:
/// <c>dotnet test -c Release -- --explicit only</c>.
/// </summary>
public class SineBarTests(ITestOutputHelper output)
{
    public static TheoryData<string> Cells => ["RNN", "LSTM", "GRU"];

    [Theory(Explicit = true)]
    [MemberData(nameof(Cells))]
    public void TenSeeds_ContinueTheWaveFor500Steps_CloserThanEveryBaselineButTheFloor(string cell)
    {
        var folder = Directory.CreateTempSubdirectory("unroll-sine-");
        try
        {
            var experiment = new SineExperiment
            {
                Name = "sine",
                Title = "sine",
                CellName = cell,
                Cell = hidden => cell switch { "RNN" => new RnnOptions(hidden), "LSTM" => new LstmOptions(hidden), _ => new GruOptions(hidden) },
                Ablations = [],
            };
            Assert.Equal(0, experiment.Run(["--seeds", "10", "--out", folder.FullName], TextWriter.Null));
            var metrics = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.FullName, "metrics.json")))!;
            var error = metrics["summary"]!["closedLoopRmse500"]!;
            output.WriteLine($"{cell}: {error.ToJsonString()}");
            Assert.InRange(error["median"]!.GetValue<double>(), 0, 0.03);
            Assert.InRange(error["max"]!.GetValue<double>(), 0, 0.10);
            foreach (var baseline in new[] { "ar25", "repeatLastPeriod" })
                Assert.InRange(error["median"]!.GetValue<double>(), 0, metrics["baselines"]![baseline]!.GetValue<double>());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
