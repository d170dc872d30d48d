using Unroll.Numerics;

namespace Unroll.Data;

/// <summary>A sine with uniform noise: x_t = sin(2πt/P) + a·u_t, u_t from U(−1, 1).</summary>
public static class NoisySine
{
    /// <summary>The clean wave sin(2πt/P) for t = start … start + length − 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or <paramref name="period"/> not positive.</exception>
    public static float[] Clean(int length, double period = 100, int start = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(period);
        var values = new float[length];
        for (var t = 0; t < length; t++)
            values[t] = (float)Math.Sin(2 * Math.PI * (start + t) / period);
        return values;
    }

    /// <summary>
    /// The noisy wave for t = 0 … length − 1. With <c>new MersenneTwister(12)</c> the noise is that of
    /// <c>numpy.random.seed(12); 0.05 * numpy.random.uniform(-1, 1, length)</c>, number by number.
    /// </summary>
    /// <param name="length">The number of steps.</param>
    /// <param name="random">Draws the noise, one number a step.</param>
    /// <param name="period">P, in steps.</param>
    /// <param name="noise">a, the largest deviation.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or <paramref name="period"/> not positive.</exception>
    public static float[] Generate(int length, MersenneTwister random, double period = 100, double noise = 0.05)
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(period);
        var values = new float[length];
        for (var t = 0; t < length; t++)
            values[t] = (float)(Math.Sin(2 * Math.PI * t / period) + (noise * random.Uniform(-1, 1)));
        return values;
    }
}
