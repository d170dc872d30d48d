namespace Unroll.Numerics;

/// <summary>The natural logarithm in double, the same bits on every platform.</summary>
internal static class Logarithm
{
    private const double Ln2High = 6.93147180369123816490e-01; // its low 21 bits are 0: n·Ln2High is exact
    private const double Ln2Low = 1.90821492927058770002e-10;

    /// <summary>
    /// ln x for x &gt; 0: x = 2ⁿ·m with m in [√½, √2), ln m = 2·artanh(s) = 2(s + s³/3 + s⁵/5 + …), s = (m − 1)/(m + 1).
    /// </summary>
    public static double Of(double x)
    {
        if (!(x > 0) || double.IsPositiveInfinity(x))
            return x == 0 ? double.NegativeInfinity : x > 0 ? x : double.NaN;
        var n = Math.ILogB(x);
        var m = Math.ScaleB(x, -n);
        if (m > 1.4142135623730951)
        {
            m /= 2;
            n++;
        }

        var s = (m - 1) / (m + 1);
        var square = s * s;

        // |s| ≤ 0.1716: the first term left out, s²³/23, is below 1e-19.
        var series = 0.0;
        for (var k = 21; k >= 3; k -= 2)
            series = (series + (1.0 / k)) * square;
        return (n * Ln2High) + ((n * Ln2Low) + (2 * s * series)) + (2 * s);
    }
}
