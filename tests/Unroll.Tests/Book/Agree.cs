namespace Unroll.Tests.Book;

/// <summary>Compares what a printed equation gives with what a member returns, to 10⁻¹² of the larger of the two and 1.</summary>
static class Agree
{
    const double Close = 1e-12;

    public static void Equal(double expected, double actual) => Assert.True(
        Math.Abs(expected - actual) <= Close * Math.Max(1, Math.Abs(expected)), $"the equation gives {expected:R}, the member {actual:R}");

    public static void Equal(double[] expected, ReadOnlySpan<double> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Equal(expected[k], actual[k]);
    }
}
