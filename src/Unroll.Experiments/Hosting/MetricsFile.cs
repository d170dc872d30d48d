using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Unroll.Plots;

namespace Unroll.Experiments.Hosting;

/// <summary>One run of an experiment: its seed, its metrics by name, and how long it trained.</summary>
/// <param name="Seed">The seed of everything random in it.</param>
/// <param name="Metrics">Numbers by name, in the order to be shown.</param>
/// <param name="TrainSeconds">The time of the training alone.</param>
public sealed record RunMetrics(uint Seed, IReadOnlyList<KeyValuePair<string, double>> Metrics, double TrainSeconds);

/// <summary>Several runs of one way to train.</summary>
/// <param name="Recipe">Its name.</param>
/// <param name="Runs">One per seed.</param>
public sealed record RecipeMetrics(string Recipe, IReadOnlyList<RunMetrics> Runs)
{
    /// <summary>What is said of each metric over the runs.</summary>
    public IReadOnlyList<KeyValuePair<string, Summary>> Summarise() =>
    [
        .. Runs[0].Metrics.Select(metric => KeyValuePair.Create(
            metric.Key, Summary.Of([.. Runs.Select(run => run.Metrics.First(m => m.Key == metric.Key).Value)]))),
    ];
}

/// <summary>The results of an experiment as <c>metrics.json</c>: the same form for all of them.</summary>
public static class MetricsFile
{
    static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Writes the file, complete or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="experiment">The experiment's name.</param>
    /// <param name="settings">Settings by name.</param>
    /// <param name="main">The runs that the experiment is about.</param>
    /// <param name="comparison">Other ways to train, on the same seeds.</param>
    /// <param name="baselines">The main metric of the baselines by name.</param>
    /// <param name="machine">Where it ran.</param>
    public static void Write(
        string path, string experiment, IReadOnlyList<KeyValuePair<string, JsonNode>> settings, RecipeMetrics main,
        IReadOnlyList<RecipeMetrics> comparison, IReadOnlyList<KeyValuePair<string, double>> baselines, Machine machine)
    {
        ArgumentNullException.ThrowIfNull(main);
        ArgumentNullException.ThrowIfNull(machine);
        var root = new JsonObject
        {
            ["experiment"] = experiment,
            ["settings"] = new JsonObject(settings.Select(setting => KeyValuePair.Create(setting.Key, (JsonNode?)setting.Value.DeepClone()))),
            ["recipe"] = main.Recipe,
            ["runs"] = Runs(main),
            ["summary"] = SummaryOf(main),
            ["comparison"] = new JsonArray([.. comparison.Select(recipe => (JsonNode)new JsonObject
            {
                ["recipe"] = recipe.Recipe,
                ["runs"] = Runs(recipe),
                ["summary"] = SummaryOf(recipe),
                ["trainSeconds"] = Number(recipe.Runs.Sum(run => run.TrainSeconds)),
            })]),
            ["baselines"] = new JsonObject(baselines.Select(baseline => KeyValuePair.Create(baseline.Key, (JsonNode?)Number(baseline.Value)))),
            ["trainSeconds"] = Number(main.Runs.Sum(run => run.TrainSeconds)),
            ["machine"] = new JsonObject
            {
                ["cpu"] = machine.Cpu,
                ["cores"] = machine.Cores,
                ["kernel"] = machine.Kernel.ToString(),
                ["fmaPeakGflops"] = Number(machine.FmaPeakGflops),
            },
        };
        AtomicFile.Write(path, Encoding.UTF8.GetBytes(root.ToJsonString(s_indented) + "\n"));
    }

    static JsonArray Runs(RecipeMetrics recipe) => new([.. recipe.Runs.Select(run =>
    {
        var node = new JsonObject { ["seed"] = run.Seed };
        foreach (var (name, value) in run.Metrics)
            node[name] = Number(value);
        node["trainSeconds"] = Number(run.TrainSeconds);
        return (JsonNode)node;
    })]);

    static JsonObject SummaryOf(RecipeMetrics recipe) => new(recipe.Summarise().Select(summary => KeyValuePair.Create(
        summary.Key,
        (JsonNode?)new JsonObject
        {
            ["mean"] = Number(summary.Value.Mean),
            ["median"] = Number(summary.Value.Median),
            ["min"] = Number(summary.Value.Min),
            ["max"] = Number(summary.Value.Max),
        })));

    // JSON has no NaN; a metric that could not be computed is null.
    static JsonValue? Number(double value) => double.IsFinite(value) ? JsonValue.Create(Math.Round(value, 9)) : null;
}
