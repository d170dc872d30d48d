using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The numbered equations of chapter 2, computed as they are printed, against the members that they name.</summary>
public class Chapter02Tests
{
    const int T = 4, B = 2, I = 2, H = 5, O = 3;
    const double Tolerance = 1e-12;

    [Fact]
    [Equation("2.1", "OutputRecurrence.Forward")]
    [Equation("2.2", "OutputRecurrence.Forward")]
    [Equation("2.3", "OutputRecurrence.Forward")]
    public void OutputToHidden_OnItsOwnOutputs()
    {
        var (model, x, y0, _, _) = Example(1);
        Check(model, model.Forward(x, initialOutputs: y0), x, (t, b) => t == 1 ? y0.Row(b).ToArray() : null);
    }

    [Fact]
    [Equation("2.8", "OutputRecurrence.Forward")]
    public void OutputToHidden_WithTeacher()
    {
        var (model, x, y0, d, _) = Example(2);
        Check(model, model.Forward(x, d, y0), x, (t, b) => t == 1 ? y0.Row(b).ToArray() : d[t - 2, b].ToArray());
    }

    [Fact]
    [Equation("2.4", "OutputRecurrence.Forward")]
    public void OutputToHidden_IsHiddenToHidden_OfRankO()
    {
        var (model, x, _, _, _) = Example(3);
        var p = model.Parameters;
        var y0 = new Matrix(B, O);
        for (var b = 0; b < B; b++)
            p.BiasO.CopyTo(y0.Row(b)); // h_0 = 0
        var pass = model.Forward(x, initialOutputs: y0);

        var (weightHh, biasHh) = (new double[H, H], new double[H]);
        for (var j = 0; j < H; j++)
        {
            for (var k = 0; k < O; k++)
            {
                biasHh[j] += p.WeightOh[j, k] * p.BiasO[k];
                for (var m = 0; m < H; m++)
                    weightHh[j, m] += p.WeightOh[j, k] * p.WeightHo[k, m];
            }
        }

        for (var b = 0; b < B; b++)
        {
            var h = new double[H];
            for (var t = 1; t <= T; t++)
            {
                var a = new double[H];
                for (var j = 0; j < H; j++)
                    a[j] = Row(p.WeightIh, j, x[t - 1, b]) + p.BiasH[j] + biasHh[j] + Enumerable.Range(0, H).Sum(m => weightHh[j, m] * h[m]);
                h = [.. a.Select(Math.Tanh)];
                for (var j = 0; j < H; j++)
                    Near(h[j], pass.H[t - 1, b, j]);
            }
        }
    }

    [Fact]
    [Equation("2.5", "OutputRecurrence.Backward")]
    [Equation("2.6", "OutputRecurrence.Backward")]
    [Equation("2.7", "OutputRecurrence.Backward")]
    public void Gradients_OnItsOwnOutputs()
    {
        var (model, x, y0, _, dLoss) = Example(4);
        CheckGradients(model, model.Forward(x, initialOutputs: y0), x, dLoss, throughTime: true);
    }

    [Fact]
    [Equation("2.9", "OutputRecurrence.Backward")]
    public void Gradients_WithTeacher()
    {
        var (model, x, y0, d, dLoss) = Example(5);
        CheckGradients(model, model.Forward(x, d, y0), x, dLoss, throughTime: false);
    }

    [Fact]
    [Equation("2.10", "ClosedLoop.Forward")]
    [Equation("2.11", "ClosedLoop.Backward")]
    public void Feedback_WhereTheMaskSays()
    {
        var random = new Random(6);
        var cell = new RnnCell(I, H);
        Draw.Parameters(random, [cell]);
        var linear = new Linear(H, I);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, 1, I);
        var dLoss = Draw.Sequence(random, T, 1, I);
        int[] m = [0, 1, 0, 1]; // m_1 … m_T
        var mask = new bool[T, 1];
        for (var t = 1; t <= T; t++)
            mask[t - 1, 0] = m[t - 1] == 1;
        var loop = new ClosedLoop([cell], linear);
        var pass = loop.Forward(x, mask);

        var inputs = new Sequence(T, 1, I);
        for (var t = 1; t <= T; t++)
        {
            for (var k = 0; k < I; k++)
                inputs[t - 1, 0, k] = (m[t - 1] * (t > 1 ? pass.Y[t - 2, 0, k] : 0)) + ((1 - m[t - 1]) * x[t - 1, 0, k]);
        }

        var open = new Recurrent(cell).Forward(inputs);
        var y = linear.Forward(open.Y);
        Assert.All(y.Values.Zip(pass.Y.Values), pair => Near(pair.First, pair.Second));

        // δ^y_t from the last step on, each with the error of the input that it became; the cell's own step back gives δ^x̃.
        var dCell = cell.CreateGradients();
        var dLinear = linear.CreateGradients();
        var dState = cell.ZeroState();
        var dInputNext = new double[I];
        for (var t = T; t >= 1; t--)
        {
            var dY = new double[I];
            for (var k = 0; k < I; k++)
                dY[k] = dLoss[t - 1, 0, k] + (t < T ? m[t] * dInputNext[k] : 0);
            linear.Backward(open.Y[t - 1, 0], dY, dState.H, dLinear);
            dInputNext = new double[I];
            dState = cell.Backward(open.Steps[t - 1, 0]!, dState, dInputNext, dCell);
        }

        var actual = loop.Backward(pass, dLoss);
        AssertNear(dLinear.Tensors, actual.DLinear.Tensors);
        AssertNear(dCell.Tensors, actual.DParameters[0].Tensors);
    }

    [Fact]
    [Equation("2.12", "Pooling.Forward")]
    [Equation("2.13", "Pooling.Forward")]
    [Equation("2.14", "Pooling.Backward")]
    public void OneOutput()
    {
        var random = new Random(7);
        var (h, dZ) = (Draw.Sequence(random, T, B, H), Draw.Sequence(random, 1, B, H));
        int[] lengths = [T, 2];
        var (last, mean) = (new Pooling(PoolingKind.Last), new Pooling(PoolingKind.Mean));
        var (zLast, zMean) = (last.Forward(h, lengths), mean.Forward(h, lengths));
        var (dLast, dMean) = (last.Backward(h, dZ, lengths), mean.Backward(h, dZ, lengths));

        for (var b = 0; b < B; b++)
        {
            var n = lengths[b];
            for (var j = 0; j < H; j++)
            {
                Assert.Equal(h[n - 1, b, j], zLast[0, b, j]);
                var sum = 0.0;
                for (var t = 1; t <= n; t++)
                    sum += h[t - 1, b, j];
                Near(1.0 / n * sum, zMean[0, b, j]);
                for (var t = 1; t <= T; t++)
                {
                    Near(t == n ? dZ[0, b, j] : 0, dLast[t - 1, b, j]);
                    Near(t <= n ? dZ[0, b, j] / n : 0, dMean[t - 1, b, j]);
                }
            }
        }
    }

    static (OutputRecurrence Model, Sequence X, Matrix Y0, Sequence D, Sequence DLoss) Example(int seed)
    {
        var random = new Random(seed);
        var model = new OutputRecurrence(I, H, O);
        model.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        return (model, Draw.Sequence(random, T, B, I), Draw.Matrix(random, B, O), Draw.Sequence(random, T, B, O), Draw.Sequence(random, T, B, O));
    }

    /// <summary>Computes every step from what it read; where that is null, from the output computed before.</summary>
    static void Check(OutputRecurrence model, OutputRecurrenceCache pass, Sequence x, Func<int, int, double[]?> read)
    {
        var p = model.Parameters;
        for (var b = 0; b < B; b++)
        {
            var y = new double[O];
            for (var t = 1; t <= T; t++)
            {
                var before = read(t, b) ?? [.. y];
                var h = new double[H];
                for (var j = 0; j < H; j++)
                {
                    h[j] = Math.Tanh(Row(p.WeightIh, j, x[t - 1, b]) + Row(p.WeightOh, j, before) + p.BiasH[j]);
                    Near(h[j], pass.H[t - 1, b, j]);
                }

                for (var k = 0; k < O; k++)
                {
                    y[k] = Row(p.WeightHo, k, h) + p.BiasO[k];
                    Near(y[k], pass.Y[t - 1, b, k]);
                }
            }
        }
    }

    static void CheckGradients(OutputRecurrence model, OutputRecurrenceCache pass, Sequence x, Sequence dLoss, bool throughTime)
    {
        var p = model.Parameters;
        var expected = model.CreateGradients();
        var dX = new Sequence(T, B, I);
        for (var b = 0; b < B; b++)
        {
            var dANext = new double[H]; // δ^a_{T+1} = 0
            for (var t = T; t >= 1; t--)
            {
                var dY = new double[O];
                for (var k = 0; k < O; k++)
                {
                    dY[k] = dLoss[t - 1, b, k];
                    for (var j = 0; throughTime && j < H; j++)
                        dY[k] += p.WeightOh[j, k] * dANext[j];
                }

                var dA = new double[H];
                for (var j = 0; j < H; j++)
                {
                    var dH = 0.0;
                    for (var k = 0; k < O; k++)
                        dH += p.WeightHo[k, j] * dY[k];
                    dA[j] = (1 - (pass.H[t - 1, b, j] * pass.H[t - 1, b, j])) * dH;
                }

                for (var k = 0; k < O; k++)
                {
                    expected.BiasO[k] += dY[k];
                    for (var j = 0; j < H; j++)
                        expected.WeightHo[k, j] += dY[k] * pass.H[t - 1, b, j];
                }

                for (var j = 0; j < H; j++)
                {
                    expected.BiasH[j] += dA[j];
                    for (var k = 0; k < I; k++)
                    {
                        expected.WeightIh[j, k] += dA[j] * x[t - 1, b, k];
                        dX[t - 1, b, k] += p.WeightIh[j, k] * dA[j];
                    }

                    for (var k = 0; k < O; k++)
                        expected.WeightOh[j, k] += dA[j] * pass.FedBack[t - 1, b, k];
                }

                dANext = dA;
            }
        }

        var actual = model.Backward(pass, dLoss);
        AssertNear(expected.Tensors, actual.DParameters.Tensors);
        Assert.All(dX.Values.Zip(actual.DX.Values), pair => Near(pair.First, pair.Second));
    }

    static double Row(Matrix weight, int row, ReadOnlySpan<double> x)
    {
        var sum = 0.0;
        for (var k = 0; k < x.Length; k++)
            sum += weight[row, k] * x[k];
        return sum;
    }

    static void AssertNear(IReadOnlyList<NamedTensor> expected, IReadOnlyList<NamedTensor> actual)
    {
        foreach (var (one, other) in expected.Zip(actual))
        {
            Assert.NotEqual(0, one.Values.Max(Math.Abs));
            Assert.All(one.Values.Zip(other.Values), pair => Near(pair.First, pair.Second));
        }
    }

    static void Near(double expected, double actual) => Assert.Equal(expected, actual, Tolerance * Math.Max(1, Math.Abs(expected)));
}
