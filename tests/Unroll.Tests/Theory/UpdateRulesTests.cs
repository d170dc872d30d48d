using Unroll.Layers;
using Unroll.Models;
using Unroll.Theory;
using Unroll.Training;

namespace Unroll.Tests.Theory;

public class UpdateRulesTests
{
    [Fact]
    public void TwoUpdates_AreThoseByHand()
    {
        double[] theta = [1], velocity = [0];
        UpdateRules.Sgd(theta, [2], velocity, rate: 0.1, momentum: 0.5);
        UpdateRules.Sgd(theta, [4], velocity, rate: 0.1, momentum: 0.5);
        Assert.Equal(5, velocity[0], 1e-15); // 0.5·2 + 4
        Assert.Equal(1 - 0.2 - 0.5, theta[0], 1e-15);

        double[] first = [0], second = [0];
        theta[0] = 1;
        UpdateRules.Adam(theta, [-3], first, second, update: 1, rate: 0.1, epsilon: 0);
        Assert.Equal(1.1, theta[0], 1e-15); // the sign alone
        UpdateRules.AdamW(theta, [0], first, second, update: 2, rate: 0.1, weightDecay: 0.5, beta1: 0.9, beta2: 0.999, epsilon: 0);

        // m = −0.27, v = 0.008991; corrected −0.27/0.19 and 0.008991/0.001999
        Assert.Equal((0.95 * 1.1) + (0.1 * (0.27 / 0.19) / Math.Sqrt(0.008991 / 0.001999)), theta[0], 1e-12);
    }

    [Fact]
    public void Clipping_OfThreeAndFour_IsByHand()
    {
        double[][] gradients = [[3], [0, -4]];
        Assert.Equal(5, UpdateRules.ClipByGlobalNorm(gradients, 5), 1e-15);
        Assert.Equal(-4, gradients[1][1]);
        UpdateRules.ClipByGlobalNorm(gradients, 2.5);
        Assert.Equal(1.5, gradients[0][0], 1e-6);
        Assert.Equal(-2, gradients[1][1], 1e-6);
        Assert.Throws<ArgumentOutOfRangeException>(() => UpdateRules.ClipByGlobalNorm(gradients, 0));
    }

    [Theory]
    [InlineData("Sgd")]
    [InlineData("Adam")]
    [InlineData("AdamW")]
    public void TwentyUpdates_AreThoseOfTheLibrary(string name)
    {
        var model = new SequenceModel(new SequenceModelOptions(16, [new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        var random = new Random(17);
        foreach (ref var value in model.Parameters.Values)
            value = random.NextSingle() - 0.5f;
        double[] theta = [.. model.Parameters.Values.ToArray().Select(value => (double)value)];
        double[] first = new double[theta.Length], second = new double[theta.Length];
        Optimizer optimizer = name switch
        {
            "Sgd" => new Sgd(model, 0.9),
            "Adam" => new Adam(model),
            _ => new AdamW(model, 0.3),
        };
        for (var update = 1; update <= 20; update++)
        {
            foreach (ref var gradient in model.Parameters.Gradients)
                gradient = random.NextSingle() - 0.4f;
            double[] d = [.. model.Parameters.Gradients.ToArray().Select(value => (double)value)];
            optimizer.Step(0.01);
            if (name == "Sgd")
                UpdateRules.Sgd(theta, d, first, 0.01, 0.9);
            else if (name == "Adam")
                UpdateRules.Adam(theta, d, first, second, update, 0.01);
            else
                UpdateRules.AdamW(theta, d, first, second, update, 0.01, 0.3);
        }

        for (var n = 0; n < theta.Length; n++)
            Assert.Equal(theta[n], model.Parameters.Values[n], 3e-6);
    }

    [Fact]
    public void Clipping_IsThatOfTheLibrary()
    {
        var model = new SequenceModel(new SequenceModelOptions(16, [new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        var random = new Random(18);
        foreach (ref var gradient in model.Parameters.Gradients)
            gradient = random.NextSingle() - 0.5f;
        double[][] gradients = [[.. model.Parameters.Gradients.ToArray().Select(value => (double)value)]];
        Assert.Equal(UpdateRules.ClipByGlobalNorm(gradients, 0.2), GradientNorm.Clip(model.Parameters, 0.2), 1e-6);
        for (var n = 0; n < gradients[0].Length; n++)
            Assert.Equal(gradients[0][n], model.Parameters.Gradients[n], 1e-7);
    }

    [Fact]
    public void Schedules_AreThoseOfTheLibrary()
    {
        var (cosine, cycle) = (new CosineDecay(0.3, 40, 0.02), new OneCycle(0.3, 40, 0.25));
        for (var k = 0; k < 45; k++)
        {
            Assert.Equal(LearningRates.Cosine(k, 0.3, 40, 0.02), cosine.Rate(k), 1e-15);
            Assert.Equal(LearningRates.OneCycle(k, 0.3, 40, 0.25), cycle.Rate(k), 1e-15);
        }

        Assert.Equal(0.3 / 25, LearningRates.OneCycle(0, 0.3, 40, 0.25), 1e-15);
        Assert.Equal(0.3, LearningRates.OneCycle(10, 0.3, 40, 0.25), 1e-15);
        Assert.Equal(0.16, LearningRates.Cosine(20, 0.3, 40, 0.02), 1e-15);
    }
}
