using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 3, as they stand in the book: one sequence, steps 1 … T, h[0] before the first.</summary>
public class Chapter03Tests
{
    const int T = 4, I = 2, H = 3, O = 2;
    const double Tolerance = 1e-12;

    readonly RnnCell _cell = new(I, H);
    readonly Linear _readout = new(H, O);
    readonly Sequence _x, _target;
    readonly int[,] _classes = { { 1 }, { 0 }, { 1 }, { 1 } };

    // Index 0 of a, y and the error terms is not used.
    readonly double[][] _h, _a, _y;

    public Chapter03Tests()
    {
        var random = new Random(3);
        Draw.Parameters(random, [_cell]);
        _readout.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        _x = Draw.Sequence(random, T, 1, I);
        _target = Draw.Sequence(random, T, 1, O);
        (_h, _a, _y) = (Rows(H), Rows(H), Rows(O));
        _h[0] = Draw.Vector(random, H);
        for (var t = 1; t <= T; t++)
        {
            for (var j = 0; j < H; j++)
            {
                _a[t][j] = _cell.Parameters.BiasIh[j] + _cell.Parameters.BiasHh[j];
                for (var k = 0; k < I; k++)
                    _a[t][j] += Wih(j, k) * X(t)[k];
                for (var m = 0; m < H; m++)
                    _a[t][j] += Whh(j, m) * _h[t - 1][m];
                _h[t][j] = Math.Tanh(_a[t][j]);
            }

            for (var k = 0; k < O; k++)
            {
                _y[t][k] = _readout.Parameters.Bias[k];
                for (var j = 0; j < H; j++)
                    _y[t][k] += Who(k, j) * _h[t][j];
            }
        }
    }

    [Fact]
    [Equation("3.1", "RnnCell.Forward")]
    [Equation("3.2", "Linear.Forward")]
    public void Forward_EqualsBook()
    {
        var state = new CellState(_h[0]);
        for (var t = 1; t <= T; t++)
        {
            var step = _cell.Forward(X(t), state);
            Close(_a[t], step.A);
            Close(_h[t], step.State.H);
            state = step.State;

            var y = new double[O];
            _readout.Forward(state.H, y);
            Close(_y[t], y);
        }
    }

    [Fact]
    [Equation("3.3", "MeanSquaredError.Forward")]
    [Equation("3.4", "MeanSquaredError.Backward")]
    public void SquaredError_EqualsBook()
    {
        var loss = 0.0;
        for (var t = 1; t <= T; t++)
        {
            for (var k = 0; k < O; k++)
                loss += Math.Pow(_y[t][k] - D(t)[k], 2);
        }

        Close([loss / (O * T)], [MeanSquaredError.Forward(Outputs(), _target)]);
        Close(Flat(SquaredErrorTerms()), MeanSquaredError.Backward(Outputs(), _target).Values);
    }

    [Fact]
    [Equation("3.5", "Softmax.Forward")]
    [Equation("3.6", "SoftmaxCrossEntropy.Forward")]
    [Equation("3.7", "SoftmaxCrossEntropy.Backward")]
    public void CrossEntropy_EqualsBook()
    {
        var loss = 0.0;
        var dY = Rows(O);
        for (var t = 1; t <= T; t++)
        {
            var m = _y[t].Max();
            var sum = 0.0;
            for (var l = 0; l < O; l++)
                sum += Math.Exp(_y[t][l] - m);
            var p = new double[O];
            for (var k = 0; k < O; k++)
                p[k] = Math.Exp(_y[t][k] - m) / sum;
            var c = _classes[t - 1, 0];
            loss -= Math.Log(p[c]) / T;
            for (var k = 0; k < O; k++)
                dY[t][k] = (p[k] - (k == c ? 1 : 0)) / T;

            var probabilities = new double[O];
            Softmax.Forward(_y[t], probabilities);
            Close(p, probabilities);
        }

        Close([loss], [SoftmaxCrossEntropy.Forward(Outputs(), _classes)]);
        Close(Flat(dY), SoftmaxCrossEntropy.Backward(Outputs(), _classes).Values);
    }

    [Fact]
    [Equation("3.8", "Recurrent.Backward")]
    [Equation("3.9", "RnnCell.Backward")]
    public void ErrorTerms_EqualBook()
    {
        var (dY, dH, dA) = ErrorTerms();
        var layer = new Recurrent(_cell);
        for (var t = T; t >= 1; t--)
        {
            // The gradient on h_t is W_hoᵀ δʸ_t and what the steps t + 1 … T alone send back to their initial state h_t.
            var fromOutput = new double[H];
            _readout.Backward(_h[t], dY[t], fromOutput, _readout.CreateGradients());
            var fromNext = new double[H];
            if (t < T)
            {
                var cache = layer.Forward(Views.Steps(_x, t, T), [[new CellState(_h[t])]]);
                fromNext = layer.Backward(cache, OutputErrors(dY, t)).DInitialStates[0][0].H;
            }

            Close(dH[t], [.. fromOutput.Zip(fromNext, (a, b) => a + b)]);

            // A bias has the factor 1, so its gradient in one step is δᵃ_t.
            var dParameters = _cell.CreateGradients();
            _cell.Backward(_cell.Forward(X(t), new CellState(_h[t - 1])), new CellState(dH[t]), new double[I], dParameters);
            Close(dA[t], dParameters.BiasIh);
        }
    }

    [Fact]
    [Equation("3.10", "Recurrent.Backward")]
    [Equation("3.11", "Linear.Backward")]
    [Equation("3.12", "Recurrent.Backward")]
    public void Gradients_EqualBook()
    {
        var (dY, _, dA) = ErrorTerms();
        var (dWhh, dWih, dB, dWho, dBo) = (new Matrix(H, H), new Matrix(H, I), new double[H], new Matrix(O, H), new double[O]);
        var (dX, dH0) = (Rows(I), new double[H]);
        for (var t = 1; t <= T; t++)
        {
            for (var m = 0; m < H; m++)
            {
                for (var j = 0; j < H; j++)
                    dWhh[m, j] += dA[t][m] * _h[t - 1][j];
                for (var k = 0; k < I; k++)
                {
                    dWih[m, k] += dA[t][m] * X(t)[k];
                    dX[t][k] += Wih(m, k) * dA[t][m];
                }

                dB[m] += dA[t][m];
            }

            for (var k = 0; k < O; k++)
            {
                for (var j = 0; j < H; j++)
                    dWho[k, j] += dY[t][k] * _h[t][j];
                dBo[k] += dY[t][k];
            }
        }

        for (var j = 0; j < H; j++)
        {
            for (var m = 0; m < H; m++)
                dH0[j] += Whh(m, j) * dA[1][m];
        }

        var layer = new Recurrent(_cell);
        var cache = layer.Forward(_x, [[new CellState(_h[0])]]);
        var above = _readout.Backward(cache.Y, MeanSquaredError.Backward(_readout.Forward(cache.Y), _target));
        var below = layer.Backward(cache, above.DX);
        Close(dWho.Values, above.DParameters.Weight.Values);
        Close(dBo, above.DParameters.Bias);
        Close(dWhh.Values, below.DParameters[0].WeightHh.Values);
        Close(dWih.Values, below.DParameters[0].WeightIh.Values);
        Close(dB, below.DParameters[0].BiasIh);
        Close(dB, below.DParameters[0].BiasHh);
        Close(Flat(dX), below.DX.Values);
        Close(dH0, below.DInitialStates[0][0].H);
    }

    /// <summary>A batch adds up the gradients of its sequences, with 1/B in the factor of the loss.</summary>
    [Fact]
    public void Batch_AddsGradients_OfSequences()
    {
        const int B = 3;
        var random = new Random(4);
        var layer = new Recurrent(_cell);
        var (x, target) = (Draw.Sequence(random, T, B, I), Draw.Sequence(random, T, B, O));
        var sum = _cell.CreateGradients();
        for (var b = 0; b < B; b++)
            sum.Add(Gradients(Views.Sample(x, b, T), Views.Sample(target, b, T)));
        Close([.. sum.WeightHh.Values.Select(value => value / B)], Gradients(x, target).WeightHh.Values);

        CellParameters Gradients(Sequence inputs, Sequence targets)
        {
            var cache = layer.Forward(inputs);
            var dOutputs = MeanSquaredError.Backward(_readout.Forward(cache.Y), targets);
            return layer.Backward(cache, _readout.Backward(cache.Y, dOutputs).DX).DParameters[0];
        }
    }

    [Fact]
    [Equation("3.13", "GradientDescent.Step")]
    public void Update_EqualsBook()
    {
        const double Eta = 0.3;
        var random = new Random(5);
        var gradients = _cell.CreateGradients();
        gradients.Fill(() => Draw.Uniform(random, 1));
        double[][] expected = [.. _cell.Parameters.Tensors.Zip(gradients.Tensors, (theta, d) => theta.Values.Zip(d.Values, (v, g) => v - (Eta * g)).ToArray())];
        GradientDescent.Step(_cell.Parameters, gradients, Eta);
        Assert.Equal(4, expected.Length);
        foreach (var (values, tensor) in expected.Zip(_cell.Parameters.Tensors))
            Close(values, tensor.Values);
        Assert.Throws<ArgumentException>(() => GradientDescent.Step(_cell.Parameters, new LstmCell(I, H).CreateGradients(), Eta));
        Assert.Throws<ArgumentException>(() => GradientDescent.Step(_cell.Parameters, _readout.CreateGradients(), Eta));
    }

    [Fact]
    [Equation("3.14", "GradientCheck.Numeric")]
    [Equation("3.15", "GradientCheck.RelativeError")]
    public void Differences_EqualBook()
    {
        // θ⁵ has a fifth derivative, so the formula's own error shows; 3 is beyond 1, so ε grows with θ.
        double[] theta = [0.5, -3];
        static double Term(double value) => Math.Pow(value, 5);
        var expected = new double[2];
        for (var k = 0; k < 2; k++)
        {
            var e = 3e-4 * Math.Max(1, Math.Abs(theta[k]));
            expected[k] = ((8 * (Term(theta[k] + e) - Term(theta[k] - e))) - (Term(theta[k] + (2 * e)) - Term(theta[k] - (2 * e)))) / (12 * e);
        }

        var numeric = GradientCheck.Numeric(() => Term(theta[0]) + Term(theta[1]), theta);
        Assert.Equal(expected[0], numeric[0], 1e-9); // the other term's 243 costs digits
        Assert.Equal(expected[1], numeric[1], 1e-9 * Math.Abs(expected[1]));

        double[] g = [1, -2, 0.5], other = [1.1, -2.5, 0.5];
        Close([0.5 / 2.5], [GradientCheck.RelativeError(g, other)]);
    }

    /// <summary>Error terms by the book against every gradient by differences.</summary>
    [Fact]
    public void ErrorTerms_EqualDifferences()
    {
        var (_, _, dA) = ErrorTerms();
        var layer = new Recurrent(_cell);
        double Loss() => MeanSquaredError.Forward(_readout.Forward(layer.Forward(_x, [[new CellState(_h[0])]]).Y), _target);
        double[] dBias = [.. Enumerable.Range(0, H).Select(j => dA.Sum(row => row[j]))];
        Assert.True(GradientCheck.RelativeError(dBias, GradientCheck.Numeric(Loss, _cell.Parameters.BiasHh)) < 1e-7);
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 3)]
    [InlineData(3, 3)]
    [InlineData(2, 9)]
    [Equation("3.16", "TruncatedBptt.Backward")]
    public void TruncatedErrorTerms_EqualBook(int k1, int k2)
    {
        var (dY, _, _) = ErrorTerms();
        var truncated = new TruncatedBptt(new Recurrent(_cell), k1, k2, [[new CellState(_h[0])]]);
        for (var pieceStart = 0; pieceStart < T; pieceStart += k1)
        {
            var e = Math.Min(pieceStart + k1, T);
            var s = Math.Max(1, e - k2 + 1);
            var g = new Matrix(H, H);
            var next = new double[H]; // δᵃ_{t+1}
            for (var t = e; t >= s; t--)
            {
                var dA = new double[H];
                for (var j = 0; j < H; j++)
                {
                    var dH = 0.0;
                    for (var m = 0; m < H; m++)
                        dH += Whh(m, j) * next[m];
                    for (var k = 0; t > pieceStart && k < O; k++)
                        dH += Who(k, j) * dY[t][k];
                    dA[j] = (1 - (_h[t][j] * _h[t][j])) * dH;
                }

                for (var m = 0; m < H; m++)
                {
                    for (var j = 0; j < H; j++)
                        g[m, j] += dA[m] * _h[t - 1][j];
                }

                next = dA;
            }

            truncated.Forward(Views.Steps(_x, pieceStart, e));
            var gradients = truncated.Backward(Views.Steps(OutputErrors(dY, 0), pieceStart, e));
            Assert.Equal(s, gradients.FirstStep + 1);
            Close(g.Values, gradients.DParameters[0].WeightHh.Values);
        }
    }

    double Wih(int j, int k) => _cell.Parameters.WeightIh[j, k];

    double Whh(int j, int m) => _cell.Parameters.WeightHh[j, m];

    double Who(int k, int j) => _readout.Parameters.Weight[k, j];

    double[] X(int t) => _x[t - 1, 0].ToArray();

    double[] D(int t) => _target[t - 1, 0].ToArray();

    Sequence Outputs() => new(T, 1, O, Flat(_y).AsSpan());

    double[][] SquaredErrorTerms()
    {
        var dY = Rows(O);
        for (var t = 1; t <= T; t++)
        {
            for (var k = 0; k < O; k++)
                dY[t][k] = 2.0 / (O * T) * (_y[t][k] - D(t)[k]);
        }

        return dY;
    }

    /// <summary>δʸ, δʰ and δᵃ of the squared error by (3.4), (3.8) and (3.9).</summary>
    (double[][] DY, double[][] DH, double[][] DA) ErrorTerms()
    {
        var dY = SquaredErrorTerms();
        double[][] dH = Rows(H), dA = [.. Rows(H), new double[H]];
        for (var t = T; t >= 1; t--)
        {
            for (var j = 0; j < H; j++)
            {
                for (var k = 0; k < O; k++)
                    dH[t][j] += Who(k, j) * dY[t][k];
                for (var m = 0; m < H; m++)
                    dH[t][j] += Whh(m, j) * dA[t + 1][m];
                dA[t][j] = (1 - (_h[t][j] * _h[t][j])) * dH[t][j];
            }
        }

        return (dY, dH, dA);
    }

    /// <summary>W_hoᵀ δʸ of the steps t + 1 … T: what the recurrent layer receives from above.</summary>
    Sequence OutputErrors(double[][] dY, int t)
    {
        var errors = new Sequence(T - t, 1, H);
        for (var u = t + 1; u <= T; u++)
        {
            for (var j = 0; j < H; j++)
            {
                for (var k = 0; k < O; k++)
                    errors[u - t - 1, 0, j] += Who(k, j) * dY[u][k];
            }
        }

        return errors;
    }

    static double[][] Rows(int size) => [.. Enumerable.Range(0, T + 1).Select(_ => new double[size])];

    /// <summary>The rows 1 … T, one after the other.</summary>
    static double[] Flat(double[][] rows) => [.. rows.Skip(1).SelectMany(row => row)];

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], Tolerance * Math.Max(1, Math.Abs(expected[k])));
    }
}
