using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class LossTests
{
    [Fact]
    public void Softmax_EqualsHandDerivation()
    {
        // e⁰ : e^(ln 2) : e^(ln 5) = 1 : 2 : 5, so p = (1, 2, 5) / 8.
        var p = new double[3];
        Softmax.Forward([0, Math.Log(2), Math.Log(5)], p);
        Assert.Equal(0.125, p[0], 1e-15);
        Assert.Equal(0.25, p[1], 1e-15);
        Assert.Equal(0.625, p[2], 1e-15);
    }

    [Fact]
    public void Softmax_StaysExact_WhenLogitsAreHuge()
    {
        var p = new double[3];
        Softmax.Forward([1000, 1000 + Math.Log(3), -1000], p);
        Assert.Equal(0.25, p[0], 1e-12);
        Assert.Equal(0.75, p[1], 1e-12);
        Assert.Equal(0, p[2]);
    }

    [Fact]
    public void SoftmaxCrossEntropy_EqualsHandDerivation()
    {
        // p = (1, 2, 5) / 8 at both steps; targets 2 and 0: L = (−log 5/8 − log 1/8) / 2 = log(64 / 5) / 2.
        double[] a = [0, Math.Log(2), Math.Log(5)];
        var logits = new Sequence(2, 1, 3, [.. a, .. a]);
        var targets = new[,] { { 2 }, { 0 } };

        Assert.Equal(Math.Log(64.0 / 5) / 2, SoftmaxCrossEntropy.Forward(logits, targets), 1e-14);
        double[] expected = [0.0625, 0.125, -0.1875, -0.4375, 0.125, 0.3125];
        var dLogits = SoftmaxCrossEntropy.Backward(logits, targets);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], dLogits.Values[k], 1e-14);
    }

    [Fact]
    public void SoftmaxCrossEntropy_IsFinite_WhenProbabilityUnderflows()
    {
        // p of class 1 is e⁻²⁰⁰⁰, which rounds to 0; its logarithm is −2000 all the same.
        var logits = new Sequence(1, 1, 2, [1000.0, -1000.0]);
        Assert.Equal(2000, SoftmaxCrossEntropy.Forward(logits, new[,] { { 1 } }), 1e-9);
    }

    [Fact]
    public void MeanSquaredError_EqualsHandDerivation()
    {
        // differences (1, −2): L = (1 + 4) / 2 = 2.5, dY = 2/2 · (1, −2).
        var y = new Sequence(2, 1, 1, [3.0, 1.0]);
        var target = new Sequence(2, 1, 1, [2.0, 3.0]);
        Assert.Equal(2.5, MeanSquaredError.Forward(y, target));
        Assert.Equal([1.0, -2.0], MeanSquaredError.Backward(y, target).Values);
    }

    [Fact]
    public void WeightedLosses_EqualHandDerivation()
    {
        // −log p = log 8/5 and log 8, weights 3 and 1: L = (3 log 8/5 + log 8) / 4; dLogits = w/4 (p − one-hot). The NaN has weight 0.
        double[] a = [0, Math.Log(2), Math.Log(5)];
        var logits = new Sequence(3, 1, 3, [.. a, .. a, double.NaN, 0, 0]);
        var (targets, weights) = (new[,] { { 2 }, { 0 }, { -1 } }, new double[,] { { 3 }, { 1 }, { 0 } });
        Assert.Equal(((3 * Math.Log(1.6)) + Math.Log(8)) / 4, SoftmaxCrossEntropy.Forward(logits, targets, weights), 1e-14);
        double[] expected = [0.09375, 0.1875, -0.28125, -0.21875, 0.0625, 0.15625, 0, 0, 0];
        var dLogits = SoftmaxCrossEntropy.Backward(logits, targets, weights);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], dLogits.Values[k], 1e-14);

        // differences (1, 2) of weight 3 and (4, 0) of weight 1: L = (3·5 + 16) / (2·4), dY = w/4 · difference.
        var y = new Sequence(3, 1, 2, [1.0, 2, 4, 0, double.NaN, 0]);
        var target = new Sequence(3, 1, 2);
        Assert.Equal(31.0 / 8, MeanSquaredError.Forward(y, target, weights));
        Assert.Equal([0.75, 1.5, 1, 0, 0, 0], MeanSquaredError.Backward(y, target, weights).Values);
    }

    [Fact]
    public void Linear_EqualsHandDerivation()
    {
        // W = (1 2; 3 4; 5 6), b = (0.5, −0.5, 1), x = (2, −1): y = (0.5, 1.5, 5).
        // dY = (1, 0, −1): dX = Wᵀ dY = (−4, −4), dW = dY xᵀ, db = dY.
        var linear = new Linear(2, 3);
        linear.Parameters.Tensors[0].CopyFrom([1f, 2f, 3f, 4f, 5f, 6f]);
        linear.Parameters.Tensors[1].CopyFrom([0.5f, -0.5f, 1f]);
        var x = new Sequence(1, 1, 2, [2f, -1f]);

        Assert.Equal([0.5, 1.5, 5], linear.Forward(x).Values);
        var gradients = linear.Backward(x, new Sequence(1, 1, 3, [1f, 0f, -1f]));
        Assert.Equal([-4.0, -4.0], gradients.DX.Values);
        Assert.Equal([2.0, -1.0, 0.0, 0.0, -2.0, 1.0], gradients.DParameters.Weight.Values);
        Assert.Equal([1.0, 0.0, -1.0], gradients.DParameters.Bias);
    }
}
