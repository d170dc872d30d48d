using CsCheck;
using Unroll.Data;
using Unroll.Experiments.Baselines;
using Unroll.Numerics;

namespace Unroll.Tests.Experiments;

public class BaselinesTests(ITestOutputHelper output)
{
    [Fact]
    public void LeastSquares_FindsTheLine_ThroughThreePoints()
    {
        // y = m·x + c through (0, 0), (1, 1), (2, 1): by hand m = 1/2, c = 1/6.
        var x = LeastSquares.Solve(new double[,] { { 0, 1 }, { 1, 1 }, { 2, 1 } }, [0, 1, 1]);
        Assert.Equal(0.5, x[0], 1e-15);
        Assert.Equal(1.0 / 6, x[1], 1e-15);
    }

    [Fact]
    public void LeastSquares_SolvesASquareSystem_AndKeepsItsArguments()
    {
        double[,] a = { { 0, 2, 1 }, { 1, 0, 0 }, { 3, 1, -1 } };
        double[] b = [5, -1, 0];
        Assert.All(LeastSquares.Solve(a, b).Zip([-1, 8.0 / 3, -1.0 / 3]), pair => Assert.Equal(pair.Second, pair.First, 1e-14));
        Assert.Equal(new double[,] { { 0, 2, 1 }, { 1, 0, 0 }, { 3, 1, -1 } }, a);
        Assert.Equal([5, -1, 0], b);
    }

    [Fact]
    public void LeastSquares_LeavesAResidualOrthogonalToEveryColumn() =>
        Gen.Select(Gen.Int[1, 8], Gen.Int[0, 20], Gen.Int).Sample(
            (columns, more, seed) =>
            {
                var random = new Random(seed);
                var (a, b) = (new double[columns + more, columns], new double[columns + more]);
                double normA = 0, normB = 0, normX = 0;
                for (var i = 0; i < b.Length; i++)
                {
                    for (var j = 0; j < columns; j++)
                        normA += Math.Pow(a[i, j] = (2 * random.NextDouble()) - 1, 2);
                    normB += Math.Pow(b[i] = (2 * random.NextDouble()) - 1, 2);
                }

                var x = LeastSquares.Solve(a, b);
                foreach (var value in x)
                    normX += value * value;
                for (var j = 0; j < columns; j++)
                {
                    var dot = 0.0;
                    for (var i = 0; i < b.Length; i++)
                        dot += a[i, j] * (Enumerable.Range(0, columns).Sum(k => a[i, k] * x[k]) - b[i]);
                    // Reflections are backward stable: a few hundred roundings of the terms, whatever the condition.
                    Assert.Equal(0, dot, 1e-13 * Math.Sqrt(normA) * (Math.Sqrt(normB) + Math.Sqrt(normA * normX)));
                }
            },
            iter: 500, seed: "0000Kx9eUnR0", threads: 1);

    [Theory]
    [InlineData(1e-15)]
    [InlineData(1)]
    [InlineData(1e9)]
    public void LeastSquares_TellsDependentFromIndependentColumns_AtEveryScale(double scale)
    {
        var random = new Random(6);
        var (a, b) = (new double[20, 3], new double[20]);
        for (var i = 0; i < 20; i++)
        {
            (a[i, 0], a[i, 1]) = (scale * random.NextDouble(), scale * random.NextDouble());
            a[i, 2] = a[i, 0] + (0.001 * scale * random.NextDouble());
            b[i] = a[i, 0] - (2 * a[i, 1]) + (3 * a[i, 2]);
        }

        Assert.All(LeastSquares.Solve(a, b).Zip([1.0, -2, 3]), pair => Assert.Equal(pair.Second, pair.First, 1e-9)); // a condition of some 1e4
        for (var i = 0; i < 20; i++)
            a[i, 2] = a[i, 0] - (0.3 * a[i, 1]);
        var exception = Assert.Throws<ArgumentException>(() => LeastSquares.Solve(a, b));
        Assert.Contains("column 2 depends on those before it", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LeastSquares_RejectsWhatHasNoOneSolution()
    {
        Check("column 1 depends", () => LeastSquares.Solve(new double[,] { { 1, 0 }, { 2, 0 }, { 3, 0 } }, [1, 2, 3]));
        Check("Expected at least 2 rows", () => LeastSquares.Solve(new double[1, 2], [1]));
        Check("3 rows and 2", () => LeastSquares.Solve(new double[3, 2], [1, 2]));
        Assert.Throws<ArgumentNullException>(() => LeastSquares.Solve(null!, []));
        Assert.Throws<ArgumentNullException>(() => LeastSquares.Solve(new double[1, 1], null!));

        static void Check(string part, Action action) =>
            Assert.Contains(part, Assert.Throws<ArgumentException>(action).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AutoRegression_RecoversARecurrence_AndContinuesIt() =>
        Gen.Select(Gen.Double[0.97, 1], Gen.Double[0.3, 2.8], Gen.Double[-1, 1], Gen.Double[0.5, 2]).Sample(
            (radius, angle, offset, start) =>
            {
                // x_t = c + 2r·cos(θ)·x_{t−1} − r²·x_{t−2}: an oscillation about a level.
                double a1 = 2 * radius * Math.Cos(angle), a2 = -radius * radius;
                var level = offset / (1 - a1 - a2);
                var values = new double[110];
                (values[0], values[1]) = (level + start, level);
                for (var t = 2; t < values.Length; t++)
                    values[t] = offset + (a1 * values[t - 1]) + (a2 * values[t - 2]);
                float[] series = [.. values.Select(value => (float)value)];
                var scale = series.Max(Math.Abs);

                var model = AutoRegression.Fit(series.AsSpan(0, 80), 2);
                Assert.Equal(2, model.Order);
                var forecast = model.Forecast(series.AsSpan(0, 80), 30);
                Assert.Equal(30, forecast.Length);
                // The series is rounded by 6e-8 of its size; the fit and 30 steps of a lasting oscillation multiply that.
                for (var k = 0; k < 30; k++)
                    Assert.Equal(values[80 + k], forecast[k], 2e-5 * scale);

                // The coefficients show in the predictions after (0, 0), (0, 1) and (1, 0).
                Assert.Equal(offset, model.Forecast([0, 0], 1)[0], 2e-5 * scale);
                Assert.Equal(offset + a1, model.Forecast([9, 9, 0, 1], 1)[0], 2e-5 * scale);
                Assert.Equal(offset + a2, model.Forecast([1, 0], 1)[0], 2e-5 * scale);
            },
            iter: 200, seed: "0000Kx9eUnR0", threads: 1);

    [Fact]
    public void AutoRegression_RejectsTooLittle()
    {
        Assert.Contains("at least 7 values", Assert.Throws<ArgumentException>(() => AutoRegression.Fit(new float[6], 3)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => AutoRegression.Fit(new float[6], 0));
        Assert.Contains("column", Assert.Throws<ArgumentException>(() => AutoRegression.Fit(new float[20], 2)).Message, StringComparison.Ordinal); // all zero
        var model = AutoRegression.Fit([0, 1, 0.5f, -0.3f, 2, 1, 0.2f, -1], 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Forecast([1], 3));
    }

    [Fact]
    public void SineFit_RecoversACleanSine() =>
        Gen.Select(Gen.Int[30, 200], Gen.Double[0, 1], Gen.Double[0.1, 10], Gen.Double[-3.1, 3.1], Gen.Double[-5, 5], Gen.Int[-300, 300]).Sample(
            (length, place, amplitude, phase, offset, start) =>
            {
                var period = 4.2 + (place * ((0.9 * length) - 4.2));
                var omega = 2 * Math.PI / period;
                float[] series = [.. Enumerable.Range(start, length).Select(t => (float)((amplitude * Math.Sin((omega * t) + phase)) + offset))];
                var fit = SineFit.Of(series, start);

                // All that is lost is the rounding of the series, q; little more than one period does not tell well
                // between wave and offset, which multiplies it.
                var q = 6e-8 * (amplitude + Math.Abs(offset));
                Assert.Equal(omega, fit.AngularFrequency, 100 * q / (amplitude * length));
                Assert.Equal(amplitude, fit.Amplitude, 100 * q);
                Assert.Equal(offset, fit.Offset, 100 * q);
                Assert.Equal(period, fit.Period, 100 * q / (amplitude * length) * period * period);
                var middle = start + (length / 2); // the phase at t = 0 may lie far outside the series
                var lead = Math.IEEERemainder((fit.AngularFrequency * middle) + fit.Phase - (omega * middle) - phase, 2 * Math.PI);
                Assert.Equal(0, lead, 100 * q / amplitude);
                var again = fit.Evaluate(length, start);
                for (var i = 0; i < length; i++)
                    Assert.Equal(series[i], again[i], 100 * q);
            },
            iter: 100, seed: "0000Kx9eUnR0", threads: 1);

    [Fact]
    public void SineFit_OfANoisySine_HasTheStatisticalErrors()
    {
        // Uniform noise of ±a has σ = a/√3. For n samples of a sine of amplitude 1 the smallest possible variances are
        // 24σ²/n³ of ω, 2σ²/n of the amplitude, σ²/n of the offset (Rife and Boorstyn, IEEE Trans. IT-20, 1974), and
        // least squares reaches them.
        const int Runs = 200, N = 150;
        const double Noise = 0.3, Sigma = 0.17320508;
        double omega = 0, amplitude = 0, offset = 0;
        var random = new MersenneTwister(12);
        for (var run = 0; run < Runs; run++)
        {
            var fit = SineFit.Of(NoisySine.Generate(N, random, period: 25, noise: Noise));
            omega += Math.Pow(fit.AngularFrequency - (2 * Math.PI / 25), 2) / Runs;
            amplitude += Math.Pow(fit.Amplitude - 1, 2) / Runs;
            offset += Math.Pow(fit.Offset, 2) / Runs;
        }

        double[] ratios = [omega / (24 * Sigma * Sigma / N / N / N), amplitude / (2 * Sigma * Sigma / N), offset / (Sigma * Sigma / N)];
        output.WriteLine(string.Join(", ", ratios.Select(ratio => $"{ratio:F3}")));
        // The mean of 200 squares spreads by √(2/200) = 0.1 about 1.
        Assert.All(ratios, ratio => Assert.InRange(ratio, 0.6, 1.4));
    }

    [Fact]
    public void SineFit_RejectsTooLittle() =>
        Assert.Contains("at least 8 values, got 7", Assert.Throws<ArgumentException>(() => SineFit.Of(new float[7])).Message, StringComparison.Ordinal);
}
