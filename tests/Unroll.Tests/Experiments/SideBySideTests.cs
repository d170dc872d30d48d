using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

public sealed class SideBySideTests
{
    [Fact]
    public void Runs_ComeBackByWayAndSeed_WhateverTheOrderTheyEndIn()
    {
        using var output = new StringWriter();
        using var fastHasRun = new ManualResetEventSlim();
        var results = SideBySide.Run<string, string>(Context(output, seeds: 3, TestContext.Current.CancellationToken), ["slow", "fast"], way => way.ToUpperInvariant(), (way, seed, report) =>
        {
            // With more than one core a later run ends before an earlier one.
            if (way == "fast")
                fastHasRun.Set();
            else if (seed == 5)
                fastHasRun.Wait(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
            report(1, "done");
            return $"{way} {seed}";
        });
        Assert.Equal(["slow", "fast"], results.Select(result => result.Way));
        Assert.Equal(["slow 5", "slow 6", "slow 7", "fast 5", "fast 6", "fast 7"], results.SelectMany(result => result.Runs));
        foreach (var line in new[] { "SLOW seed 5: ", "FAST seed 7: " })
            Assert.Contains(line, output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Stopped early", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void StoppedRuns_AreLeftOut_AndTheRestIsTold()
    {
        using var output = new StringWriter();
        using var cancellation = new CancellationTokenSource();
        var results = SideBySide.Run<string, string>(Context(output, seeds: 1, cancellation.Token), ["first", "second"], way => way, (way, _, _) =>
        {
            if (way == "second")
            {
                cancellation.Cancel();
                return null;
            }

            return way;
        });
        Assert.Equal(["first"], Assert.Single(results).Runs);
        Assert.Contains("Stopped early", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void DivergedTraining_CostsItsOwnRunOnly_AndIsTold()
    {
        using var output = new StringWriter();
        var results = SideBySide.Run<string, string>(Context(output, seeds: 2, TestContext.Current.CancellationToken), ["first", "second"], way => way, (way, seed, _) =>
            way == "second" && seed == 5 ? throw Diverged() : $"{way} {seed}");
        Assert.Equal(["first 5", "first 6", "second 6"], results.SelectMany(result => result.Runs));
        Assert.Empty(results[0].Diverged);
        Assert.Equal(5u, Assert.Single(results[1].Diverged).Seed);
        Assert.Contains("second seed 5 has no result: The training diverged in epoch 1, step 1:", output.ToString(), StringComparison.Ordinal);

        Assert.Throws<TrainingDivergedException>(() => SideBySide.Run<string, string>(
            Context(output, seeds: 2, TestContext.Current.CancellationToken), ["first"], way => way, (_, _, _) => throw Diverged()));
    }

    /// <summary>What a trainer throws when a target is not a number's neighbour by far.</summary>
    static TrainingDivergedException Diverged()
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(new(1, [new LinearOptions(1)]), engine);
        model.Parameters.Values.Fill(1e30f);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions { Epochs = 1, BatchSize = 1 });
        return Assert.Throws<TrainingDivergedException>(() => trainer.Fit(new WindowSource([1e30f, 1e30f, 1e30f], 1), new MersenneTwister(1)));
    }

    [Fact]
    public void StoppedBeforeTheFirstWay_IsCancelled()
    {
        using var output = new StringWriter();
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.Throws<OperationCanceledException>(() => SideBySide.Run<string, string>(
            Context(output, seeds: 2, cancellation.Token), ["first"], way => way, (way, _, _) => way));
    }

    static ExperimentContext Context(StringWriter output, int seeds, CancellationToken cancellation) =>
        new("runs", 5, seeds, Quick: true, "", output, cancellation);
}
