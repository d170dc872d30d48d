using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Models;
using Unroll.Training;

namespace Unroll.Tests.Training;

public class GradientNormTests
{
    public static TheoryData<int> Counts => [2, 3, 4, 5, 6, 7, 8, 9, 63, 1001];

    [Theory]
    [MemberData(nameof(Counts))]
    public void Of_IsTheLengthOfAllGradients(int count)
    {
        var parameters = Parameters(count);
        var expected = Math.Sqrt(parameters.Gradients.ToArray().Sum(d => (double)d * d));
        Assert.Equal(expected, GradientNorm.Of(parameters), expected * 1e-13); // double sums in another order
    }

    [Fact]
    public void Of_SeesEveryElement()
    {
        var parameters = Parameters(11);
        for (var i = 0; i < 11; i++)
        {
            parameters.ZeroGradients();
            parameters.Gradients[i] = -3;
            Assert.Equal(3, GradientNorm.Of(parameters));
        }

        parameters.ZeroGradients();
        Assert.Equal(0, GradientNorm.Of(parameters));
    }

    [Fact]
    public void Of_DoesNotOverflow_WhereSinglePrecisionWould()
    {
        var parameters = Parameters(4);
        parameters.Gradients.Fill(1e38f);
        Assert.Equal(2e38, GradientNorm.Of(parameters), 1e32);
        parameters.Gradients.Fill(1e-38f);
        Assert.Equal(2e-38, GradientNorm.Of(parameters), 1e-44);
    }

    [Theory]
    [MemberData(nameof(Counts))]
    public void Clip_ShortensToTheMaximum_AndKeepsTheDirection(int count)
    {
        var parameters = Parameters(count);
        var before = parameters.Gradients.ToArray();
        var norm = GradientNorm.Of(parameters);
        var maximum = norm / 3;

        Assert.Equal(norm, GradientNorm.Clip(parameters, maximum));
        // 1e-6 is added to the norm, and the factor and each product are rounded.
        Assert.Equal(maximum, GradientNorm.Of(parameters), maximum * ((1e-6 / norm) + 2e-7));
        for (var i = 0; i < count; i++)
            Assert.Equal(before[i] / 3, parameters.Gradients[i], Math.Abs(before[i]) * ((1e-6 / norm) + 2e-7));
    }

    [Fact]
    public void Clip_ChangesNothing_UpToTheMaximum()
    {
        var parameters = Parameters(5);
        parameters.Gradients.Clear();
        (parameters.Gradients[1], parameters.Gradients[4]) = (3, -4);
        var before = parameters.Gradients.ToArray();
        foreach (var maximum in new[] { 5, 5.1, 1e300, double.PositiveInfinity })
        {
            Assert.Equal(5, GradientNorm.Clip(parameters, maximum));
            Assert.Equal(before, parameters.Gradients);
        }
    }

    [Fact]
    public void Clip_ReturnsABadNorm_ForTheCallerToSee()
    {
        var parameters = Parameters(5);
        parameters.Gradients[2] = float.NaN;
        Assert.True(double.IsNaN(GradientNorm.Clip(parameters, 1)));
        parameters.Gradients[2] = float.NegativeInfinity;
        Assert.Equal(double.PositiveInfinity, GradientNorm.Clip(parameters, 1));
    }

    [Fact]
    public void BadArguments_AreRejected()
    {
        var parameters = Parameters(2);
        Assert.Throws<ArgumentOutOfRangeException>(() => GradientNorm.Clip(parameters, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => GradientNorm.Clip(parameters, -1));
        Assert.Throws<ArgumentNullException>(() => GradientNorm.Of(null!));
        Assert.Throws<ArgumentNullException>(() => GradientNorm.Clip(null!, 1));
    }

    static ParameterSet Parameters(int count)
    {
        var model = new SequenceModel(new SequenceModelOptions(count - 1, [new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        new Random(count).NextValues(model.Parameters.Gradients, 2);
        return model.Parameters;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Clipper_GivesTheSameBits_OnAnyNumberOfThreads(int threads)
    {
        using var engine = new Engine(threads);
        var models = new[] { engine, Kernels.Engine(Kernels.Chosen) }.Select(e => new SequenceModel(new(3, [new LstmOptions(150), new LinearOptions(2)]), e)).ToArray();
        foreach (var model in models)
        {
            var random = new MersenneTwister(4);
            foreach (ref var gradient in model.Parameters.Gradients)
                gradient = (float)random.Normal();
        }

        Assert.True(models[0].Parameters.Count > 5 * GradientClipper.Block);
        var expected = GradientNorm.Clip(models[1].Parameters, 2);
        Assert.Equal(expected, new GradientClipper(models[0]).Clip(2));
        Assert.Equal(models[1].Parameters.Gradients.ToArray(), models[0].Parameters.Gradients.ToArray());
        Assert.Equal(GradientNorm.Of(models[1].Parameters), new GradientClipper(models[0]).Clip(null));
    }
}
