using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class PoolingTests
{
    // Two samples of one feature, lengths 3 and 2: 2, 5, −4 and −3, −6; then one of length 0. The rest is padding.
    static readonly int[] s_lengths = [3, 2, 0];
    static readonly Sequence s_x = new(4, 3, 1, [2.0, -3, 9, 5, -6, 9, -4, 9, 9, 9, double.NaN, 9]);
    static readonly Sequence s_dY = new(1, 3, 1, [6.0, 8, 7]);

    [Theory]
    [InlineData(PoolingKind.Last, new[] { -4.0, -6, 0 }, new[] { 0.0, 0, 0, 0, 8, 0, 6, 0, 0, 0, 0, 0 })]
    [InlineData(PoolingKind.Mean, new[] { 1.0, -4.5, 0 }, new[] { 2.0, 4, 0, 2, 4, 0, 2, 0, 0, 0, 0, 0 })]
    [InlineData(PoolingKind.Max, new[] { 5.0, -3, 0 }, new[] { 0.0, 8, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0 })]
    public void Pooling_EqualsHandDerivation(PoolingKind kind, double[] y, double[] dX)
    {
        var pooling = new Pooling(kind);
        Assert.Equal(y, pooling.Forward(s_x, s_lengths).Values);
        Assert.Equal(dX, pooling.Backward(s_x, s_dY, s_lengths).Values);
    }

    [Fact]
    public void Max_SendsGradientToFirst_WhenStepsAreEqual()
    {
        var x = new Sequence(4, 1, 1, [1.0, 3, 3, 2]);
        Assert.Equal([0.0, 1, 0, 0], new Pooling(PoolingKind.Max).Backward(x, new Sequence(1, 1, 1, [1.0])).Values);
    }

    [Theory]
    [InlineData(PoolingKind.Last)]
    [InlineData(PoolingKind.Mean)]
    [InlineData(PoolingKind.Max)]
    public void Batch_EqualsSingleUnpaddedRuns(PoolingKind kind)
    {
        int[] lengths = [2, 5, 1];
        var random = new Random(1);
        var pooling = new Pooling(kind);
        var x = Draw.Sequence(random, 5, 3, 4);
        var dY = Draw.Sequence(random, 1, 3, 4);
        var (y, dX) = (pooling.Forward(x, lengths), pooling.Backward(x, dY, lengths));
        for (var b = 0; b < 3; b++)
        {
            var single = Views.Sample(x, b, lengths[b]);
            Assert.Equal(pooling.Forward(single).Values, y[0, b].ToArray());
            Assert.Equal(pooling.Backward(single, Views.Sample(dY, b, 1)).Values, Views.Sample(dX, b, lengths[b]).Values);
        }
    }

    [Fact]
    public void Pooling_Throws_WhenShapeDoesNotFit()
    {
        var pooling = new Pooling(PoolingKind.Mean);
        Assert.Contains("[1, 3, 1], got [2, 3, 1]", Assert.Throws<ArgumentException>(() => pooling.Backward(s_x, new Sequence(2, 3, 1))).Message, StringComparison.Ordinal);
        Assert.Contains("T = 4, got 5", Assert.Throws<ArgumentException>(() => pooling.Forward(s_x, [5, 0, 0])).Message, StringComparison.Ordinal);
    }
}
