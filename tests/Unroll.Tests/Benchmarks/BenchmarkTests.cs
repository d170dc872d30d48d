extern alias benchmarks;

using benchmarks::Unroll.Benchmarks.Commands;
using benchmarks::Unroll.Benchmarks.Measuring;
using Unroll.Benchmarks.Protocol;

namespace Unroll.Tests.Benchmarks;

/// <summary>The benchmarks' own arithmetic and command line; nothing here is timed.</summary>
public sealed class BenchmarkTests
{
    public static TheoryData<string, string[]> BadLines => new()
    {
        { "command", [] },
        { "fly", ["fly"] },
        { "MODE", ["compare"] },
        { "dance", ["compare", "dance", "lstm", "32,100,64,256"] },
        { "peep", ["compare", "train", "peep", "32,100,64,256"] },
        { "B,T,I,H", ["compare", "train", "lstm"] },
        { "32,100,64", ["compare", "train", "lstm", "32,100,64"] },
        { "32,100,64,0", ["compare", "train", "lstm", "32,100,64,0"] },
        { "32,100,64,-1", ["compare", "train", "lstm", "32,100,64,-1"] },
        { "32,100,64,2.5", ["compare", "train", "lstm", "32,100,64,2.5"] },
        { "99999999999", ["compare", "train", "lstm", "32,100,64,99999999999"] },
        { "--threads", ["compare", "train", "lstm", "32,100,64,256", "--threads", "0"] },
        { "--threads", ["compare", "train", "lstm", "32,100,64,256", "--threads", "many"] },
        { "--threads", ["compare", "train", "lstm", "32,100,64,256", "--threads", "100000"] },
        { "--fast", ["report", "--fast"] },
    };

    [Theory]
    [MemberData(nameof(BadLines))]
    public void Mistake_IsOneLineThatNamesIt(string named, string[] args)
    {
        using StringWriter output = new(), error = new();

        Assert.Equal(2, CommandLine.Run(args, output, error));

        var line = Assert.Single(error.ToString().TrimEnd().Split('\n'));
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.Contains(named, line, StringComparison.Ordinal);
        Assert.Empty(output.ToString());
    }

    [Fact]
    public void Configuration_SurvivesItsCommandLine()
    {
        var configuration = new Configuration("train", "gru", new Shape(32, 100, 64, 256), 2, "flush-denormal");

        Assert.Equal(configuration, Configuration.Parse([.. configuration.ToArguments()]));
    }

    [Theory]
    [InlineData("infer", "rnn", 2.0 * 5 * 7 * 1 * 3 * (2 + 3))]
    [InlineData("infer", "gru", 2.0 * 5 * 7 * 3 * 3 * (2 + 3))]
    [InlineData("infer", "lstm", 2.0 * 5 * 7 * 4 * 3 * (2 + 3))]
    [InlineData("train", "lstm", 6.0 * 5 * 7 * 4 * 3 * (2 + 3))]
    public void Flops_AreThoseOfTheProducts(string mode, string cell, double expected) =>
        Assert.Equal(expected, new Configuration(mode, cell, new Shape(5, 7, 2, 3), 1).Flops);

    [Fact]
    public void Exponent_IsThatOfAPowerLaw_AndTheLastDecadeForgetsFixedCosts()
    {
        var axis = GrowthAxis.All[0];
        var square = new GrowthCurve("", "lstm", axis, [.. axis.Sizes.Select(size => (size, 3e-6 * size * size))]);
        var withFixedCost = square with { Points = [.. square.Points.Select(point => (point.Size, point.Seconds + 0.01))] };

        Assert.Equal(2, square.Exponent, 1e-9);
        Assert.Equal(2, square.LastExponent, 1e-9);
        Assert.InRange(withFixedCost.Exponent, 0.5, 1.5);
        Assert.InRange(withFixedCost.LastExponent, withFixedCost.Exponent + 0.2, 2);
    }

    [Fact]
    public void Ratio_IsTakenWithinARound()
    {
        // The machine slows down by half from round to round; whoever is compared over all rounds would not see 2×.
        var mine = OutcomeOf(1, 2, 4);
        var other = OutcomeOf(2, 4, 8);

        Assert.Equal(2, mine.TimesFasterThan(other));
        Assert.Equal(0.5, other.TimesFasterThan(mine));
        Assert.Equal(2, mine.Seconds);
        Assert.Equal(0.75, mine.Spread);
    }

    [Fact]
    public void Ratio_IsPerFloatingPointOperation()
    {
        var configuration = new Configuration("infer", "rnn", new Shape(1, 1, 8, 8), 1);
        var small = OutcomeOf(configuration, 1);
        var large = OutcomeOf(configuration with { Shape = new Shape(2, 1, 8, 8) }, 1);

        Assert.Equal(2, large.TimesFasterThan(small));
    }

    [Fact]
    public void ShortestPasses_AreHeldAgainstTheHighestPeak_OfAnyRound()
    {
        var configuration = new Configuration("train", "lstm", new Shape(32, 28, 28, 128), 1);
        var unroll = new Outcome(new Entry(Library.Unroll, configuration), "1.0");
        var peak = new Outcome(new Entry(Library.Unroll, configuration with { Mode = Configuration.PeakMode }), "1.0");
        unroll.Rounds.AddRange([new Window(4, 2, 3, 0), new Window(3, 2.5, 3, 0)]);
        peak.Rounds.AddRange([new Window(1, 0.75, 3, 0), new Window(0.5, 0.25, 3, 0)]);

        var two = new Outcome(new Entry(Library.Unroll, configuration with { Threads = 2 }), "1.0");
        two.Rounds.AddRange([new Window(2, 1.25, 3, 0), new Window(1.5, 1.5, 3, 0)]);

        var row = new Row("train", "lstm", configuration.Shape, [unroll, peak, two]);

        Assert.Equal(configuration.Flops / 2 / (1e9 / 0.25), row.ShortestShareOfPeak(1), 1e-12);
        Assert.Equal(2 / 1.25, row.ShortestSpeedUp, 1e-12);
    }

    [Fact]
    public void Fastest_LeavesOutThePeak_OtherThreadsAndTuning()
    {
        var configuration = new Configuration("train", "rnn", new Shape(1, 1, 8, 8), 1);
        var expected = OutcomeOf(configuration with { Variant = "flush-denormal" }, 3);
        Outcome[] outcomes =
        [
            OutcomeOf(configuration, 4), expected, OutcomeOf(configuration with { Variant = Configuration.TcMallocVariant }, 2),
            OutcomeOf(configuration with { Threads = 2 }, 1), OutcomeOf(configuration with { Mode = Configuration.PeakMode }, 1),
        ];

        Assert.Same(expected, outcomes.Fastest(Library.TorchSharp, 1));
        Assert.Null(outcomes.Fastest(Library.OnnxRuntime, 1));
    }

    static Outcome OutcomeOf(params double[] seconds) => OutcomeOf(new Configuration("train", "rnn", new Shape(1, 1, 8, 8), 1), seconds);

    static Outcome OutcomeOf(Configuration configuration, params double[] seconds)
    {
        var outcome = new Outcome(new Entry(Library.TorchSharp, configuration), "1.0");
        outcome.Rounds.AddRange(seconds.Select(value => new Window(value, value, 3, 0)));
        return outcome;
    }
}
