using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class LayerNormTests
{
    const int T = 5, B = 2, I = 3, H = 4;

    [Fact]
    public void LayerNorm_EqualsHandDerivation()
    {
        // a = (2, 4, 6, 8): μ = 5, σ² = 5, n = (−3, −1, 1, 3) / √(5 + 10⁻⁵).
        // dN = gain ⊙ dY = (1, 0, 0, 4): mean 5/4, mean(dN ⊙ n) = 9/4 · 1/s; dA = (dN − 5/4 − n · 9/4s) / s.
        var s = Math.Sqrt(5 + 1e-5);
        double[] gain = [1, 2, 3, 4];
        var cache = LayerNorm.Forward([2, 4, 6, 8], gain, [0.5, 0, 0, -0.5]);
        Close([0.5 - (3 / s), -2 / s, 3 / s, (12 / s) - 0.5], cache.Y);

        var (dGain, dBias) = (new double[4], new double[4]);
        var dA = LayerNorm.Backward(cache, gain, [1, 0, 0, 1], dGain, dBias);
        var along = 9 / (4 * s);
        Close([(-0.25 + (3 * along / s)) / s, (-1.25 + (along / s)) / s, (-1.25 - (along / s)) / s, (2.75 - (3 * along / s)) / s], dA);
        Close([-3 / s, 0, 0, 3 / s], dGain);
        Assert.Equal([1.0, 0, 0, 1], dBias);
    }

    [Fact]
    public void EqualElements_GiveBias()
    {
        var cache = LayerNorm.Forward([0.3, 0.3, 0.3], [1, 2, 3], [4, 5, 6]);
        Close([4, 5, 6], cache.Y);
        Assert.Equal(Math.Sqrt(1e-5), cache.Deviation, 1e-15);
    }

    /// <summary>
    /// One step, H = 1, x = 2, h₀ = −1, c₀ = 0.5, W_ih = (1, 2, 3, 4), W_hh = (3, 1, −1, −3), gains 1, b_ih = (0.1, 0.2, 0.3, 0.4), b_hh = 0.
    /// <code>
    /// W_ih x  = ( 2,  4, 6, 8)    n = (−3, −1, 1, 3)/√5
    /// W_hh h₀ = (−3, −1, 1, 3)    n = (−3, −1, 1, 3)/√5
    /// gates   = 2 (−3, −1, 1, 3)/√5 + b_ih = (−2.583282, −0.694427, 1.194427, 3.083282)
    /// c = σ(gates_f)·0.5 + σ(gates_i)·tanh(gates_g)
    /// LN(c) of one element is its bias, 0.7:   h = σ(gates_o)·tanh(0.7)
    /// </code>
    /// </summary>
    [Fact]
    public void Cell_EqualsHandDerivation_OverOneStep()
    {
        var cell = new LayerNormLstmCell(1, 1);
        double[][] values = [[1, 2, 3, 4], [3, 1, -1, -3], [0.1, 0.2, 0.3, 0.4], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [2], [0.7]];
        foreach (var (tensor, value) in cell.Parameters.Tensors.Zip(values))
            tensor.CopyFrom(value);

        var step = cell.Forward([2], new CellState([-1], [0.5]));

        // √5 and √(5 + ε) differ by 10⁻⁶ of themselves.
        const double Tolerance = 1e-5;
        static double Sigmoid(double a) => 1 / (1 + Math.Exp(-a));
        Assert.Equal(Sigmoid(-2.583282), step.I[0], Tolerance);
        Assert.Equal(Sigmoid(-0.694427), step.F[0], Tolerance);
        Assert.Equal(Math.Tanh(1.194427), step.G[0], Tolerance);
        Assert.Equal(Sigmoid(3.083282), step.O[0], Tolerance);
        Assert.Equal((Sigmoid(-0.694427) * 0.5) + (Sigmoid(-2.583282) * Math.Tanh(1.194427)), step.State.C[0], Tolerance);
        Assert.Equal(Sigmoid(3.083282) * Math.Tanh(0.7), step.State.H[0], Tolerance);
    }

    /// <summary>The law of the paper (section 5.1): scaling a whole weight matrix changes nothing, but for ε.</summary>
    [Fact]
    public void Cell_DoesNotSeeScaleOfWeights()
    {
        var random = new Random(1);
        var cell = new LayerNormLstmCell(I, H);
        Draw.Parameters(random, [cell]);
        foreach (var weight in cell.Parameters.Tensors.Take(2))
            weight.CopyFrom([.. weight.Values.Select(value => 100 * value)]);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, [cell], B);
        var layer = new Recurrent(cell);
        var y = layer.Forward(x, states).Y.Values;

        foreach (var weight in cell.Parameters.Tensors.Take(2))
            weight.CopyFrom([.. weight.Values.Select(value => 1000 * value)]);

        Close(y, layer.Forward(x, states).Y.Values, 1e-6);
        cell.Parameters.GainIh[0] *= 1.5;
        Assert.NotEqual(y[0], layer.Forward(x, states).Y.Values[0], 1e-6);
    }

    [Fact]
    public void LayerNorm_Throws_WhenLengthDiffers()
    {
        Assert.Contains("gain: expected length 2, got 1", Assert.Throws<ArgumentException>(() => LayerNorm.Forward([1, 2], [1], [1, 2])).Message, StringComparison.Ordinal);
        var cell = new LayerNormLstmCell(I, H);
        var step = cell.Forward(new double[I], cell.ZeroState());
        var error = Assert.Throws<ArgumentException>(() => cell.Backward(step, cell.ZeroState(), new double[I], new LstmCell(I, H).CreateGradients()));
        Assert.Contains("length of GainIh 16, got 0", error.Message, StringComparison.Ordinal);
    }

    static void Close(double[] expected, double[] actual, double tolerance = 1e-14)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], tolerance);
    }
}
