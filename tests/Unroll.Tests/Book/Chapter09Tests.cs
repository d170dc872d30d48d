using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 9 as printed, against the members that compute them.</summary>
public class Chapter09Tests
{
    const double Tolerance = 1e-12;

    [Fact]
    [Equation("9.1", "Scaling.Apply")]
    [Equation("9.2", "Scaling.Invert")]
    public void Scaling_IsTheFormula_AndItsInverse()
    {
        var x = Draw.Vector(new Random(901), 7, 30);
        double mu = 0, s = 0;
        for (var n = 0; n < x.Length; n++)
            mu += x[n];
        mu /= x.Length;
        for (var n = 0; n < x.Length; n++)
            s += Math.Pow(x[n] - mu, 2);
        s = Math.Sqrt(s / x.Length);

        var scaling = Scaling.Of(x);
        Assert.All(x, value =>
        {
            Near((value - mu) / s, scaling.Apply(value));
            Near(mu + (s * 0.3), scaling.Invert(0.3));
            Near(value, scaling.Invert(scaling.Apply(value)));
        });
    }

    [Fact]
    [Equation("9.3", "InitialWeights.GlorotBound")]
    [Equation("9.4", "InitialWeights.PyTorchBound")]
    public void Bounds_AreTheFormulas()
    {
        Near(Math.Sqrt(6.0 / (5 + 11)), InitialWeights.GlorotBound(5, 11));
        Near(1 / Math.Sqrt(37), InitialWeights.PyTorchBound(37));
    }

    [Fact]
    [Equation("9.5", "InitialWeights.Orthonormal")]
    public void GramSchmidt_IsTheFormula()
    {
        const int H = 4;
        var a = Draw.Matrix(new Random(905), H, H);
        var q = new double[H][];
        for (var r = 0; r < H; r++)
        {
            var u = a.Row(r).ToArray();
            for (var s = 0; s < r; s++)
            {
                var along = 0.0;
                for (var k = 0; k < H; k++)
                    along += q[s][k] * a[r, k];
                for (var k = 0; k < H; k++)
                    u[k] -= along * q[s][k];
            }

            var norm = Math.Sqrt(u.Sum(value => value * value));
            q[r] = [.. u.Select(value => value / norm)];
        }

        var result = InitialWeights.Orthonormal(a);
        for (var r = 0; r < H; r++)
        {
            for (var k = 0; k < H; k++)
                Near(q[r][k], result[r, k]);
        }
    }

    [Fact]
    [Equation("9.6", "InitialWeights.Memory")]
    [Equation("9.7", "InitialWeights.ChronoBias")]
    public void Memory_AndChronoBias_AreTheFormulas()
    {
        foreach (var b in new[] { -1.3, 0, 1, 4.2 })
        {
            var f = 1 / (1 + Math.Exp(-b));
            double sum = 0, power = 1;
            for (var n = 0; n < 20_000; n++, power *= f)
                sum += power;
            Near(sum, InitialWeights.Memory(b));
            Near(1 + Math.Exp(b), InitialWeights.Memory(b));
        }

        Near(Math.Log(36.5), InitialWeights.ChronoBias(37.5));
        Near(37.5, InitialWeights.Memory(InitialWeights.ChronoBias(37.5)));
    }

    [Fact]
    [Equation("9.8", "UpdateRules.Sgd")]
    public void Momentum_IsTheFormula()
    {
        var (random, mu, eta) = (new Random(908), 0.85, 0.07);
        var theta = Draw.Vector(random, 5);
        double[] velocity = new double[5], t = [.. theta], v = new double[5];
        for (var k = 1; k <= 4; k++)
        {
            var d = Draw.Vector(random, 5);
            for (var n = 0; n < 5; n++)
            {
                v[n] = (mu * v[n]) + d[n];
                t[n] -= eta * v[n];
            }

            UpdateRules.Sgd(theta, d, velocity, eta, mu);
        }

        Near(t, theta);
    }

    [Fact]
    [Equation("9.9", "UpdateRules.Adam")]
    [Equation("9.10", "UpdateRules.AdamW")]
    public void Adam_AndAdamW_AreTheFormulas()
    {
        var (eta, beta1, beta2, epsilon) = (0.05, 0.8, 0.95, 1e-3);
        foreach (var lambda in new[] { 0, 0.4 })
        {
            var random = new Random(909);
            var theta = Draw.Vector(random, 5);
            double[] first = new double[5], second = new double[5], t = [.. theta], m = new double[5], v = new double[5];
            for (var k = 1; k <= 4; k++)
            {
                var d = Draw.Vector(random, 5);
                for (var n = 0; n < 5; n++)
                {
                    t[n] = (1 - (eta * lambda)) * t[n];
                    m[n] = (beta1 * m[n]) + ((1 - beta1) * d[n]);
                    v[n] = (beta2 * v[n]) + ((1 - beta2) * d[n] * d[n]);
                    var mHat = m[n] / (1 - Math.Pow(beta1, k));
                    var vHat = v[n] / (1 - Math.Pow(beta2, k));
                    t[n] -= eta * mHat / (Math.Sqrt(vHat) + epsilon);
                }

                if (lambda == 0)
                    UpdateRules.Adam(theta, d, first, second, k, eta, beta1, beta2, epsilon);
                else
                    UpdateRules.AdamW(theta, d, first, second, k, eta, lambda, beta1, beta2, epsilon);
            }

            Near(t, theta);
        }
    }

    [Fact]
    [Equation("9.11", "LearningRates.Cosine")]
    [Equation("9.12", "LearningRates.OneCycle")]
    public void Schedules_AreTheFormulas()
    {
        var (eta0, eta1, n, w) = (0.3, 0.02, 40, 0.25);
        for (var k = 0; k <= n; k++)
        {
            Near(eta1 + ((eta0 - eta1) / 2 * (1 + Math.Cos(Math.PI * Math.Min(k, n) / n))), LearningRates.Cosine(k, eta0, n, eta1));
            var expected = k < w * n
                ? eta0 * ((1.0 / 25) + (24.0 / 25 * (1 - Math.Cos(Math.PI * k / (w * n))) / 2))
                : eta0 * (1 + Math.Cos(Math.PI * (k - (w * n)) / (n - (w * n)))) / 2;
            Near(expected, LearningRates.OneCycle(k, eta0, n, w));
        }

        Near(eta1, LearningRates.Cosine(n + 5, eta0, n, eta1));
    }

    [Fact]
    [Equation("9.13", "UpdateRules.ClipByGlobalNorm")]
    public void Clipping_IsTheFormula()
    {
        var random = new Random(913);
        double[][] d = [Draw.Vector(random, 4), Draw.Vector(random, 3)];
        double[] flat = [.. d.SelectMany(tensor => tensor)];
        var norm = Math.Sqrt(flat.Sum(value => value * value));
        foreach (var c in new[] { 2 * norm, 0.3 * norm })
        {
            double[][] clipped = [[.. d[0]], [.. d[1]]];
            Near(norm, UpdateRules.ClipByGlobalNorm(clipped, c));
            Near([.. flat.Select(value => norm > c ? value * c / (norm + 1e-6) : value)], [.. clipped.SelectMany(tensor => tensor)]);
        }
    }

    [Fact]
    [Equation("9.14", "Dropout.Forward")]
    public void Dropout_IsTheFormula()
    {
        const double P = 0.3;
        var random = new Random(914);
        var x = Draw.Sequence(random, 3, 2, 4);
        var mask = new Sequence(3, 2, 4, [.. x.Values.Select(_ => random.NextDouble() < P ? 0 : 1 / (1 - P))]);
        Assert.Contains(0, mask.Values);
        var y = Dropout.Forward(x, mask);
        for (var t = 0; t < 3; t++)
        {
            for (var b = 0; b < 2; b++)
            {
                for (var k = 0; k < 4; k++)
                    Near(mask[t, b, k] * x[t, b, k], y[t, b, k]);
            }
        }
    }

    [Fact]
    [Equation("9.15", "Recurrent.Forward")]
    public void VariationalDropout_IsTheFormula()
    {
        const int T = 4, B = 2, I = 3, H = 5;
        var random = new Random(915);
        var cell = new RnnCell(I, H);
        Draw.Parameters(random, [cell]);
        var masks = Draw.Masks(random, [cell], B);
        var x = Draw.Sequence(random, T, B, I);
        var y = new Recurrent(cell).Forward(x, masks: masks).Y;
        var p = cell.Parameters;
        for (var b = 0; b < B; b++)
        {
            var h = new double[H];
            for (var t = 0; t < T; t++)
            {
                var next = new double[H];
                for (var j = 0; j < H; j++)
                {
                    var a = p.BiasIh[j] + p.BiasHh[j];
                    for (var k = 0; k < I; k++)
                        a += p.WeightIh[j, k] * masks[0].Input![b, k] * x[t, b, k];
                    for (var k = 0; k < H; k++)
                        a += p.WeightHh[j, k] * masks[0].Hidden![b, k] * h[k];
                    next[j] = Math.Tanh(a);
                }

                h = next;
                Near(h, y[t, b].ToArray());
            }
        }
    }

    [Fact]
    [Equation("9.16", "LayerNorm.Forward")]
    [Equation("9.17", "LayerNorm.Backward")]
    public void LayerNorm_IsTheFormula_BothWays()
    {
        const int N = 6;
        var random = new Random(916);
        double[] a = Draw.Vector(random, N), alpha = Draw.Vector(random, N), beta = Draw.Vector(random, N), dY = Draw.Vector(random, N);
        var mu = a.Sum() / N;
        var s = Math.Sqrt((a.Sum(value => Math.Pow(value - mu, 2)) / N) + 1e-5);
        double[] n = [.. a.Select(value => (value - mu) / s)];
        var forward = LayerNorm.Forward(a, alpha, beta);
        Near([.. n.Select((value, k) => (alpha[k] * value) + beta[k])], forward.Y);

        double[] dN = [.. dY.Select((value, k) => alpha[k] * value)];
        double mean = dN.Sum() / N, along = dN.Select((value, k) => n[k] * value).Sum() / N;
        double[] dAlpha = new double[N], dBeta = new double[N];
        var dA = LayerNorm.Backward(forward, alpha, dY, dAlpha, dBeta);
        for (var j = 0; j < N; j++)
        {
            Near((dN[j] - mean - (n[j] * along)) / s, dA[j]);
            Near(n[j] * dY[j], dAlpha[j]);
            Near(dY[j], dBeta[j]);
        }
    }

    [Fact]
    [Equation("9.18", "ClosedLoop.Forward")]
    [Equation("9.19", "ClosedLoop.Backward")]
    public void ClosedLoop_IsTheFormula_BothWays()
    {
        const int T = 5, F = 2, H = 3;
        var random = new Random(918);
        var cell = new RnnCell(F, H);
        var linear = new Linear(H, F);
        Draw.Parameters(random, [cell]);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, 1, F);
        var dLoss = Draw.Sequence(random, T, 1, F);
        bool[,] feedback = { { false }, { false }, { true }, { false }, { true } };
        double Phi(int t) => feedback[t, 0] ? 1 : 0;

        var (p, W, b) = (cell.Parameters, linear.Parameters.Weight, linear.Parameters.Bias);
        var model = new ClosedLoop([cell], linear);
        var cache = model.Forward(x, feedback);
        double[][] xTilde = new double[T][], h = new double[T][], y = new double[T][];
        for (var t = 0; t < T; t++)
        {
            xTilde[t] = [.. Enumerable.Range(0, F).Select(k => (t > 0 ? Phi(t) * y[t - 1][k] : 0) + ((1 - Phi(t)) * x[t, 0, k]))];
            h[t] = [.. Enumerable.Range(0, H).Select(j => Math.Tanh(
                Row(p.WeightIh, j, xTilde[t]) + p.BiasIh[j] + (t > 0 ? Row(p.WeightHh, j, h[t - 1]) : 0) + p.BiasHh[j]))];
            y[t] = [.. Enumerable.Range(0, F).Select(k => Row(W, k, h[t]) + b[k])];
            Near(y[t], cache.Y[t, 0].ToArray());
        }

        var gradients = model.Backward(cache, dLoss);
        var expected = cell.CreateGradients();
        double[] dA = new double[H], dXTilde = new double[F];
        for (var t = T - 1; t >= 0; t--)
        {
            double[] dY = [.. Enumerable.Range(0, F).Select(k => dLoss[t, 0, k] + (t + 1 < T ? Phi(t + 1) * dXTilde[k] : 0))];
            double[] dH = [.. Enumerable.Range(0, H).Select(j => Column(W, j, dY) + Column(p.WeightHh, j, dA))];
            dA = [.. Enumerable.Range(0, H).Select(j => (1 - (h[t][j] * h[t][j])) * dH[j])];
            dXTilde = [.. Enumerable.Range(0, F).Select(k => Column(p.WeightIh, k, dA))];
            for (var j = 0; j < H; j++)
            {
                expected.BiasHh[j] += dA[j];
                for (var k = 0; k < F; k++)
                    expected.WeightIh[j, k] += dA[j] * xTilde[t][k];
                for (var k = 0; k < H && t > 0; k++)
                    expected.WeightHh[j, k] += dA[j] * h[t - 1][k];
            }
        }

        Near(expected.BiasHh, gradients.DParameters[0].BiasHh);
        Near(expected.WeightIh.Values, gradients.DParameters[0].WeightIh.Values);
        Near(expected.WeightHh.Values, gradients.DParameters[0].WeightHh.Values);
    }

    static double Row(Matrix w, int row, double[] x) => Enumerable.Range(0, w.Cols).Sum(k => w[row, k] * x[k]);

    static double Column(Matrix w, int column, double[] d) => Enumerable.Range(0, w.Rows).Sum(k => w[k, column] * d[k]);

    static void Near(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Near(expected[k], actual[k]);
    }

    static void Near(double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= Tolerance * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");
}
