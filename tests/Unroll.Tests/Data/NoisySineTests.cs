using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Tests.Data;

public class NoisySineTests
{
    [Fact]
    public void Clean_IsTheSine()
    {
        Assert.Equal([0f, 1f, 0f, -1f, 0f], NoisySine.Clean(5, period: 4).Select(value => MathF.Round(value, 6)));
        var wave = NoisySine.Clean(250);
        for (var t = 0; t < 250; t++)
            Assert.Equal(Math.Sin(2 * Math.PI * t / 100), wave[t], 1e-7); // the rounding to single precision
    }

    [Fact]
    public void Clean_FromAStart_ContinuesTheWave()
    {
        Assert.Equal(NoisySine.Clean(300, 37)[200..], NoisySine.Clean(100, 37, start: 200));
        Assert.Equal(-NoisySine.Clean(1, 37, start: 5)[0], NoisySine.Clean(1, 37, start: -5)[0]);
        Assert.Empty(NoisySine.Clean(0));
    }

    [Fact]
    public void Generate_AddsUniformNoise_ToTheCleanWave()
    {
        var (noisy, clean) = (NoisySine.Generate(5000, new MersenneTwister(12), 80, 0.3), NoisySine.Clean(5000, 80));
        double sum = 0, squares = 0;
        for (var t = 0; t < 5000; t++)
        {
            var noise = (double)noisy[t] - clean[t];
            Assert.InRange(noise, -0.3 - 2e-7, 0.3 + 2e-7);
            sum += noise;
            squares += noise * noise;
        }

        // U(−a, a) has mean 0 and variance a²/3; both within four standard deviations.
        Assert.Equal(0, sum / 5000, 4 * 0.3 / Math.Sqrt(3.0 * 5000));
        Assert.Equal(0.03, squares / 5000, 4 * 0.09 * Math.Sqrt(4.0 / 45 / 5000));
    }

    [Fact]
    public void Generate_WithoutNoise_IsTheCleanWave_AndOneSeedGivesOneSeries()
    {
        Assert.Equal(NoisySine.Clean(100, 30), NoisySine.Generate(100, new MersenneTwister(1), 30, noise: 0));
        Assert.Equal(NoisySine.Generate(100, new MersenneTwister(1)), NoisySine.Generate(100, new MersenneTwister(1)));
        Assert.NotEqual(NoisySine.Generate(100, new MersenneTwister(1)), NoisySine.Generate(100, new MersenneTwister(2)));
    }

    [Fact]
    public void BadArguments_AreRejected()
    {
        var random = new MersenneTwister(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => NoisySine.Clean(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => NoisySine.Clean(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => NoisySine.Generate(-1, random));
        Assert.Throws<ArgumentOutOfRangeException>(() => NoisySine.Generate(1, random, -5));
        Assert.Throws<ArgumentNullException>(() => NoisySine.Generate(1, null!));
    }
}
