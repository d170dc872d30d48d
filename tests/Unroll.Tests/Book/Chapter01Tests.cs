using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The numbered equations of chapter 1, computed as they are printed, against the members that they name.</summary>
public class Chapter01Tests
{
    const int T = 4, B = 3, I = 2, H = 5, O = 3;
    const double Tolerance = 1e-12;

    [Fact]
    [Equation("1.1", "RnnCell.Forward")]
    [Equation("1.2", "RnnCell.Forward")]
    public void Cell_OneStep()
    {
        var random = new Random(1);
        var cell = new RnnCell(I, H);
        Draw.Parameters(random, [cell]);
        var (x, hPrev) = (Draw.Vector(random, I), Draw.Vector(random, H));
        var step = (RnnCache)cell.Forward(x, new CellState(hPrev));

        var a = PreActivation(cell, x, hPrev);
        for (var j = 0; j < H; j++)
        {
            Near(a[j], step.A[j]);
            Near(Math.Tanh(a[j]), step.State.H[j]);
        }
    }

    [Fact]
    [Equation("1.3", "Linear.Forward")]
    public void Output()
    {
        var random = new Random(2);
        var linear = new Linear(H, O);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var h = Draw.Vector(random, H);
        var y = new double[O];
        linear.Forward(h, y);

        for (var k = 0; k < O; k++)
        {
            var sum = 0.0;
            for (var j = 0; j < H; j++)
                sum += linear.Parameters.Weight[k, j] * h[j];
            Near(sum + linear.Parameters.Bias[k], y[k]);
        }
    }

    [Fact]
    [Equation("1.4", "CellParameters.Tensors")]
    public void ParameterCount() =>
        Assert.Equal(H * (I + H + 2), new RnnCell(I, H).Parameters.Tensors.Sum(tensor => tensor.Values.Length));

    [Theory]
    [InlineData(-1.7)]
    [InlineData(-0.2)]
    [InlineData(0.9)]
    [InlineData(2.3)]
    [Equation("1.5", "Activations.Tanh")]
    [Equation("1.6", "Activations.TanhDerivative")]
    [Equation("1.7", "Activations.Sigmoid")]
    [Equation("1.8", "Activations.SigmoidDerivative")]
    [Equation("1.9", "Activations.Relu")]
    public void ActivationFunctions(double a)
    {
        var tanh = (Math.Exp(a) - Math.Exp(-a)) / (Math.Exp(a) + Math.Exp(-a));
        var sigmoid = 1 / (1 + Math.Exp(-a));
        Near(tanh, Activations.Tanh(a));
        Near(1 - (tanh * tanh), Activations.TanhDerivative(Activations.Tanh(a)));
        Near(sigmoid, Activations.Sigmoid(a));
        Near(sigmoid * (1 - sigmoid), Activations.SigmoidDerivative(Activations.Sigmoid(a)));
        Assert.Equal(a > 0 ? a : 0, Activations.Relu(a));

        // The two derivatives are derivatives.
        const double Step = 1e-5;
        Assert.Equal((Math.Tanh(a + Step) - Math.Tanh(a - Step)) / (2 * Step), Activations.TanhDerivative(Math.Tanh(a)), 1e-8);
        Assert.Equal((Activations.Sigmoid(a + Step) - Activations.Sigmoid(a - Step)) / (2 * Step), Activations.SigmoidDerivative(Activations.Sigmoid(a)), 1e-8);
    }

    [Fact]
    [Equation("1.10", "Sequence.Values")]
    public void PlaceInMemory()
    {
        var x = Draw.Sequence(new Random(3), T, B, I);
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                for (var k = 0; k < I; k++)
                    Assert.Equal(x[t, b, k], x.Values[(((t * B) + b) * I) + k]);
            }
        }
    }

    [Fact]
    [Equation("1.11", "Recurrent.Forward")]
    public void Padding()
    {
        var random = new Random(4);
        var cell = new RnnCell(I, H);
        Draw.Parameters(random, [cell]);
        var x = Draw.Sequence(random, T, B, I);
        var initial = Draw.States(random, [cell], B);
        int[] lengths = [2, T, 0];
        var pass = new Recurrent(cell).Forward(x, initial, lengths);

        for (var b = 0; b < B; b++)
        {
            var h = initial[0][b].H;
            for (var t = 1; t <= T; t++)
            {
                var a = PreActivation(cell, x[t - 1, b], h);
                h = t <= lengths[b] ? [.. a.Select(Math.Tanh)] : h;
                for (var j = 0; j < H; j++)
                    Near(t <= lengths[b] ? h[j] : 0, pass.Y[t - 1, b, j]);
            }

            for (var j = 0; j < H; j++)
                Near(h[j], pass.FinalStates[0][b].H[j]);
        }
    }

    [Fact]
    [Equation("1.12", "OneHot.Forward")]
    public void OneHotVector()
    {
        var x = new double[O];
        for (var s = 0; s < O; s++)
        {
            OneHot.Forward(s, x);
            for (var k = 0; k < O; k++)
                Assert.Equal(k == s ? 1 : 0, x[k]);
        }
    }

    [Fact]
    [Equation("1.13", "MeanSquaredError.Forward")]
    public void SquaredError()
    {
        var random = new Random(5);
        var (y, target) = (Draw.Sequence(random, T, B, O), Draw.Sequence(random, T, B, O));
        var sum = 0.0;
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                for (var k = 0; k < O; k++)
                    sum += Math.Pow(y[t, b, k] - target[t, b, k], 2);
            }
        }

        Near(sum / (T * B * O), MeanSquaredError.Forward(y, target));
    }

    [Fact]
    [Equation("1.14", "Softmax.Forward")]
    [Equation("1.15", "SoftmaxCrossEntropy.Forward")]
    public void CrossEntropy()
    {
        var random = new Random(6);
        var y = Draw.Sequence(random, T, B, O);
        var s = Draw.Tokens(random, T, B, O);
        var loss = 0.0;
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                var p = new double[O];
                Softmax.Forward(y[t, b], p);
                for (var k = 0; k < O; k++)
                {
                    var sum = 0.0;
                    for (var l = 0; l < O; l++)
                        sum += Math.Exp(y[t, b, l]);
                    Near(Math.Exp(y[t, b, k]) / sum, p[k]);
                    if (k == s[t, b])
                        loss += Math.Log(Math.Exp(y[t, b, k]) / sum);
                }
            }
        }

        Near(-loss / (T * B), SoftmaxCrossEntropy.Forward(y, s));
    }

    [Fact]
    [Equation("1.16", "Stacked.Forward")]
    public void Layers()
    {
        var random = new Random(7);
        RnnCell[] cells = [new(I, H), new(H, 4)];
        Draw.Parameters(random, cells);
        var x = Draw.Sequence(random, T, B, I);
        var initial = Draw.States(random, cells, B);
        var pass = new Stacked(new Recurrent(cells[0]), new Recurrent(cells[1])).Forward(x, initial);

        for (var b = 0; b < B; b++)
        {
            double[][] h = [initial[0][b].H, initial[1][b].H];
            for (var t = 1; t <= T; t++)
            {
                var below = x[t - 1, b].ToArray();
                for (var l = 0; l < cells.Length; l++)
                {
                    h[l] = [.. PreActivation(cells[l], below, h[l]).Select(Math.Tanh)];
                    below = h[l];
                }

                for (var j = 0; j < 4; j++)
                    Near(h[1][j], pass.Y[t - 1, b, j]);
            }
        }
    }

    /// <summary>(1.1)</summary>
    static double[] PreActivation(RnnCell cell, ReadOnlySpan<double> x, double[] hPrev)
    {
        var p = cell.Parameters;
        var a = new double[cell.HiddenSize];
        for (var j = 0; j < a.Length; j++)
        {
            var sum = p.BiasIh[j] + p.BiasHh[j];
            for (var k = 0; k < cell.InputSize; k++)
                sum += p.WeightIh[j, k] * x[k];
            for (var m = 0; m < cell.HiddenSize; m++)
                sum += p.WeightHh[j, m] * hPrev[m];
            a[j] = sum;
        }

        return a;
    }

    static void Near(double expected, double actual) => Assert.Equal(expected, actual, Tolerance * Math.Max(1, Math.Abs(expected)));
}
