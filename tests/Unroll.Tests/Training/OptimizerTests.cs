using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Models;
using Unroll.Training;

namespace Unroll.Tests.Training;

public class OptimizerTests
{
    const int SplitCount = 60_009; // beyond where the update is split over threads

    // Around every vector width (4, 8 and 16 lanes), whole and with every kind of rest.
    static readonly int[] s_counts = [2, 3, 4, 5, 7, 9, 15, 16, 17, 31, 33, 67];

    static readonly Rule[] s_rules =
    [
        new("Sgd", model => new Sgd(model), () => SgdReference(0)),
        new("Momentum", model => new Sgd(model, 0.9), () => SgdReference(0.9)),
        new("Adam", model => new Adam(model), () => AdamReference(0.9, 0.999, 1e-8, 0)),
        new("AdamWithLargeEpsilon", model => new Adam(model, 0.8, 0.95, 0.1), () => AdamReference(0.8, 0.95, 0.1, 0)),
        new("AdamW", model => new AdamW(model), () => AdamReference(0.9, 0.999, 1e-8, 0.01)),
        new("AdamWWithStrongDecay", model => new AdamW(model, 0.5, 0.7, 0.9, 0.01), () => AdamReference(0.7, 0.9, 0.01, 0.5)),
        new("RmsProp", model => new RmsProp(model), () => RmsPropReference(0.99, 1e-8)),
        new("RmsPropWithLargeEpsilon", model => new RmsProp(model, 0.8, 0.1), () => RmsPropReference(0.8, 0.1)),
    ];

    public static TheoryData<string> Rules => [.. s_rules.Select(rule => rule.Name)];

    [Theory]
    [MemberData(nameof(Rules))]
    public void TwentySteps_FollowTheFormula_InEveryKernelAndCount(string name)
    {
        var rule = s_rules.Single(rule => rule.Name == name);
        foreach (var count in s_counts)
        {
            foreach (var kernel in Kernels.All)
            {
                var model = Model(count, Kernels.Engine(kernel));
                var optimizer = rule.Make(model);
                var expected = model.Parameters.Values.ToArray().Select(value => (double)value).ToArray();
                var reference = expected.Select(_ => rule.Reference()).ToArray();
                for (var step = 0; step < 20; step++)
                {
                    var rate = Rate(step);
                    FillGradients(model, step);
                    for (var i = 0; i < count; i++)
                        expected[i] = reference[i](expected[i], model.Parameters.Gradients[i], rate);
                    optimizer.Step(rate);
                }

                // 20 roundings of θ, half an ulp (6e-8 relative) each, and as many of the steps.
                for (var i = 0; i < count; i++)
                {
                    var error = Math.Abs(expected[i] - model.Parameters.Values[i]) / Math.Max(1, Math.Abs(expected[i]));
                    Assert.True(error < 2.5e-6, $"{kernel}, parameter {i} of {count}: relative error {error:E2}");
                }

                Assert.Equal(20, optimizer.StepCount);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void TwentySteps_GiveTheSameBits_InEveryKernel(string name)
    {
        foreach (var count in s_counts)
        {
            var expected = Bits(name, count, Kernels.Engine(KernelKind.Naive));
            foreach (var kernel in Kernels.All)
                Assert.Equal(expected, Bits(name, count, Kernels.Engine(kernel)));
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void TwentySteps_GiveTheSameBits_ForEveryThreadCount(string name)
    {
        using var one = new Engine(1);
        var expected = Bits(name, SplitCount, one);
        foreach (var threads in new[] { 2, 3 })
        {
            using var engine = new Engine(threads);
            Assert.Equal(expected, Bits(name, SplitCount, engine));
        }
    }

    [Theory]
    [InlineData("Momentum")]
    [InlineData("Adam")]
    [InlineData("AdamW")]
    [InlineData("RmsProp")]
    public void SinkingGradients_LeaveNoDenormalInTheMemory(string name)
    {
        float[]? expected = null;
        foreach (var kernel in Kernels.All)
        {
            var model = Model(35, Kernels.Engine(kernel));
            Optimizer optimizer = name switch
            {
                "Momentum" => new Sgd(model, 0.5),
                "Adam" => new Adam(model, 0.5, 0.5),
                "AdamW" => new AdamW(model, 0.01, 0.5, 0.5),
                _ => new RmsProp(model, 0.5),
            };
            for (var step = 0; step < 300; step++)
            {
                // From 1 down through 1e-30 … 1e-45 to 0, the moments halving behind.
                FillGradients(model, step, MathF.Pow(10, -step / 4f));
                optimizer.Step(0.01);
                for (var index = 0; index < optimizer.MemoryCount; index++)
                    Assert.DoesNotContain(optimizer.MemoryAt(index).ToArray(), float.IsSubnormal);
            }

            Assert.All(model.Parameters.Values.ToArray(), value => Assert.True(float.IsFinite(value)));
            expected ??= model.Parameters.Values.ToArray();
            Assert.Equal(expected, model.Parameters.Values);
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void RateZero_LeavesTheParametersAsTheyAre(string name)
    {
        var model = Model(33, Kernels.Engine(Kernels.Chosen));
        var optimizer = s_rules.Single(rule => rule.Name == name).Make(model);
        var before = model.Parameters.Values.ToArray();
        FillGradients(model, 1);
        optimizer.Step(0);
        Assert.Equal(before, model.Parameters.Values);
    }

    [Fact]
    public void BadNumbers_AreRejected_ByName()
    {
        var model = Model(5, Kernels.Engine(Kernels.Chosen));
        Check("momentum", () => _ = new Sgd(model, 1));
        Check("momentum", () => _ = new Sgd(model, -0.1));
        Check("momentum", () => _ = new Sgd(model, double.NaN));
        Check("beta1", () => _ = new Adam(model, beta1: 1));
        Check("beta2", () => _ = new Adam(model, beta2: -1));
        Check("epsilon", () => _ = new Adam(model, epsilon: 0));
        Check("weightDecay", () => _ = new AdamW(model, weightDecay: -0.01));
        Check("beta2", () => _ = new AdamW(model, beta2: 1.5));
        Check("alpha", () => _ = new RmsProp(model, alpha: 1));
        Check("epsilon", () => _ = new RmsProp(model, epsilon: -1));
        foreach (var rule in s_rules)
        {
            var optimizer = rule.Make(model);
            foreach (var rate in new[] { -0.1, double.NaN, double.PositiveInfinity })
                Check("learningRate", () => optimizer.Step(rate));
            Assert.Equal(0, optimizer.StepCount);
        }

        Assert.Throws<ArgumentNullException>(() => new Sgd(null!));

        static void Check(string parameter, Action action) =>
            Assert.Equal(parameter, Assert.Throws<ArgumentOutOfRangeException>(action).ParamName);
    }

    static float[] Bits(string name, int count, Engine engine)
    {
        var model = Model(count, engine);
        var optimizer = s_rules.Single(rule => rule.Name == name).Make(model);
        for (var step = 0; step < 20; step++)
        {
            FillGradients(model, step);
            optimizer.Step(Rate(step));
        }

        return model.Parameters.Values.ToArray();
    }

    /// <summary>A model of <paramref name="count"/> parameters, from −1 to 1.</summary>
    static SequenceModel Model(int count, Engine engine)
    {
        var options = count == SplitCount
            ? new SequenceModelOptions(15_000, [new LinearOptions(4), new LinearOptions(1)])
            : new SequenceModelOptions(count - 1, [new LinearOptions(1)]);
        var model = new SequenceModel(options, engine);
        Assert.Equal(count, model.Parameters.Count);
        new Random(31).NextValues(model.Parameters.Values);
        return model;
    }

    /// <summary>Gradients of either sign whose size spreads over three decades.</summary>
    static void FillGradients(SequenceModel model, int step, float scale = 1)
    {
        var random = new Random(1000 + step);
        foreach (ref var gradient in model.Parameters.Gradients)
            gradient = ((2 * random.NextSingle()) - 1) * MathF.Pow(10, -3 * random.NextSingle()) * scale;
    }

    static double Rate(int step) => 0.01 * (1 + (step % 3));

    static Func<double, double, double, double> SgdReference(double momentum)
    {
        var v = 0.0;
        return (theta, d, rate) =>
        {
            v = (momentum * v) + d;
            return theta - (rate * v);
        };
    }

    static Func<double, double, double, double> AdamReference(double beta1, double beta2, double epsilon, double decay)
    {
        double m = 0, v = 0;
        var k = 0;
        return (theta, d, rate) =>
        {
            k++;
            m = (beta1 * m) + ((1 - beta1) * d);
            v = (beta2 * v) + ((1 - beta2) * d * d);
            theta -= rate * decay * theta;
            return theta - (rate * m / (1 - Math.Pow(beta1, k)) / (Math.Sqrt(v / (1 - Math.Pow(beta2, k))) + epsilon));
        };
    }

    static Func<double, double, double, double> RmsPropReference(double alpha, double epsilon)
    {
        var v = 0.0;
        return (theta, d, rate) =>
        {
            v = (alpha * v) + ((1 - alpha) * d * d);
            return theta - (rate * d / (Math.Sqrt(v) + epsilon));
        };
    }

    sealed record Rule(string Name, Func<SequenceModel, Optimizer> Make, Func<Func<double, double, double, double>> Reference);

    [Theory]
    [InlineData(0)]
    [InlineData(-1e-8)]
    [InlineData(1e-20)]
    [InlineData(double.NaN)]
    public void Epsilon_TooSmallForTheMoments_IsRefused(double epsilon)
    {
        var model = new SequenceModel(new SequenceModelOptions(1, [new RnnOptions(2)]), Kernels.Engine(Kernels.Chosen));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(model, epsilon: epsilon));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RmsProp(model, epsilon: epsilon));
    }
}
