using Unroll.Book;
using Unroll.Layers;
using Unroll.Numerics;
using Unroll.Theory;

namespace Unroll.Tests.Book;

public class OutputRecurrentNetworkTests
{
    const int T = 5, B = 3, I = 2, H = 4, O = 3;

    /// <summary>Outputs and gradients of the network that the figures train are those of the theory.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Network_EqualsTheory(bool teacherForcing)
    {
        var random = new MersenneTwister(1);
        using var engine = new Engine(threads: 1);
        var network = new OutputRecurrentNetwork(I, H, O, T, B, engine, random) { InitialOutput = [0.3f, -0.2f, 0.1f] };
        var batch = new DrawnSequences(T, I, O, random, Uniform).Next(B);
        var model = Theory(network);
        var x = new Sequence(T, B, I, batch.Inputs);
        var y0 = new Matrix(B, O);
        for (var k = 0; k < B * O; k++)
            y0.Values[k] = network.InitialOutput[k % O];

        // Targets near the outputs: the gradient is then shorter than what it is clipped at.
        var near = model.Forward(x, initialOutputs: y0).Y;
        for (var k = 0; k < batch.Targets.Length; k++)
            batch.Targets[k] = (float)(near.Values[k] + random.Uniform(-0.1, 0.1));
        var target = new Sequence(T, B, O, batch.Targets);
        var pass = model.Forward(x, teacherForcing ? target : null, y0);
        var expected = model.Backward(pass, MeanSquaredError.Backward(pass.Y, target)).DParameters;

        AssertNear(pass.Y.Values, network.Run(batch, teacherForcing));
        var loss = network.Train(batch, teacherForcing ? 1 : 0, random, learningRate: 0.01);
        Assert.Equal(MeanSquaredError.Forward(pass.Y, target), loss, 1e-6);
        Assert.True(expected.Tensors.Sum(tensor => tensor.Values.Sum(d => d * d)) < 1, "Expected a gradient shorter than what it is clipped at.");
        AssertNear(expected.WeightHo.Values, Gradient(network, 1, ParameterRole.Weight));
        AssertNear(expected.BiasO, Gradient(network, 1, ParameterRole.Bias));
        AssertNear(expected.BiasH, Gradient(network, 0, ParameterRole.BiasIh));
        AssertNear(
            [.. Enumerable.Range(0, H).SelectMany(j => (double[])[.. expected.WeightIh.Row(j), .. expected.WeightOh.Row(j)])],
            Gradient(network, 0, ParameterRole.WeightIh));
        Assert.All(Gradient(network, 0, ParameterRole.WeightHh), d => Assert.Equal(0, d));
    }

    [Fact]
    public void MixedFeedback_EqualsTheTeacherOrNone_AtTheEndsOfTheShare()
    {
        // A share of almost 1 forces every step one by one; a share of 1 computes them at once.
        using var engine = new Engine(threads: 1);
        double Loss(double teacherForcing)
        {
            var random = new MersenneTwister(2);
            var network = new OutputRecurrentNetwork(I, H, O, T, B, engine, random);
            var batch = new DrawnSequences(T, I, O, random, Uniform).Next(B);
            return network.Train(batch, teacherForcing, random, learningRate: 0.01);
        }

        Assert.Equal(Loss(1), Loss(1 - 1e-12));
        Assert.Equal(Loss(0), Loss(1e-12));
        Assert.NotEqual(Loss(0), Loss(0.5));
        Assert.NotEqual(Loss(1), Loss(0.5));
    }

    static void Uniform(MersenneTwister random, Span<float> inputs, Span<float> targets)
    {
        foreach (ref var value in inputs)
            value = (float)random.Uniform(-1, 1);
        foreach (ref var value in targets)
            value = (float)random.Uniform(-1, 1);
    }

    static OutputRecurrence Theory(OutputRecurrentNetwork network)
    {
        var model = new OutputRecurrence(I, H, O);
        var p = model.Parameters;
        var weightIh = Values(network, 0, ParameterRole.WeightIh);
        for (var j = 0; j < H; j++)
        {
            weightIh.AsSpan(j * (I + O), I).CopyTo(p.WeightIh.Row(j));
            weightIh.AsSpan((j * (I + O)) + I, O).CopyTo(p.WeightOh.Row(j));
            p.BiasH[j] = Values(network, 0, ParameterRole.BiasIh)[j] + Values(network, 0, ParameterRole.BiasHh)[j];
        }

        Values(network, 1, ParameterRole.Weight).CopyTo(p.WeightHo.Values, 0);
        Values(network, 1, ParameterRole.Bias).CopyTo(p.BiasO, 0);
        return model;
    }

    static double[] Values(OutputRecurrentNetwork network, int layer, ParameterRole role) =>
        [.. network.Parameters.ValuesOf(network.Parameters.Find(layer, role)).ToArray().Select(value => (double)value)];

    static float[] Gradient(OutputRecurrentNetwork network, int layer, ParameterRole role) =>
        network.Parameters.GradientOf(network.Parameters.Find(layer, role)).ToArray();

    static void AssertNear(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-6));
    }
}
