using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Theory;
using Unroll.Training;
using LstmOptions = Unroll.Layers.LstmOptions;

namespace Unroll.Tests.Theory;

public class InitialWeightsTests
{
    [Fact]
    public void Orthonormal_KeepsLengthsAndAngles()
    {
        const int H = 30;
        var q = InitialWeights.Orthonormal(Draw.Matrix(new Random(5), H, H));
        for (var r = 0; r < H; r++)
        {
            for (var s = 0; s < H; s++)
                Assert.Equal(r == s ? 1 : 0, Enumerable.Range(0, H).Sum(k => q[r, k] * q[s, k]), 1e-12);
        }

        Assert.Throws<ArgumentException>(() => InitialWeights.Orthonormal(new Matrix(3, 2)));
    }

    [Fact]
    public void LibraryStarts_AreWithinTheBounds_AndFillThem()
    {
        var model = new SequenceModel(new SequenceModelOptions(8, [new LstmOptions(50)]), Kernels.Engine(Kernels.Chosen));
        foreach (var (initializer, bound) in new[]
        {
            (WeightInitializer.PyTorchUniform, InitialWeights.PyTorchBound(50)), (WeightInitializer.GlorotUniform, InitialWeights.GlorotBound(50, 50)),
        })
        {
            new Initialization { RecurrentWeights = initializer }.Apply(model, new MersenneTwister(3));
            var largest = model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh)).ToArray().Max(Math.Abs);
            Assert.InRange(largest, 0.99 * bound, bound);
        }
    }

    [Fact]
    public void LibraryChronoBiases_RememberFromTwoStepsToTheLongest()
    {
        var model = new SequenceModel(new SequenceModelOptions(1, [new LstmOptions(200)]), Kernels.Engine(Kernels.Chosen));
        Initialization.Chrono(80).Apply(model, new MersenneTwister(4));
        double[] memories = [.. model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.BiasIh))[200..400].ToArray().Select(bias => InitialWeights.Memory(bias))];
        Assert.InRange(memories.Min(), 2, 3);
        Assert.InRange(memories.Max(), 78, 80);
    }

    [Fact]
    public void Scaling_OfHandMadeData()
    {
        var scaling = Scaling.Of([1, 3, 5, 7]);
        Assert.Equal(4, scaling.Mean, 1e-15);
        Assert.Equal(Math.Sqrt(5), scaling.Deviation, 1e-15);
        Assert.Equal(-1, scaling.Apply(4 - Math.Sqrt(5)), 1e-15);
        Assert.Contains("differ", Assert.Throws<ArgumentException>(() => Scaling.Of([2, 2, 2])).Message, StringComparison.Ordinal);
    }
}
