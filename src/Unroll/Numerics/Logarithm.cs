namespace Unroll.Numerics;

/// <summary>The natural logarithm in double precision; the framework's own differs in its last bit by platform.</summary>
static class Logarithm
{
    /// <summary>The natural logarithm from IEEE operations only, so with the same bits on every platform.</summary>
    /// <remarks>
    /// <code>
    /// x = 2^k · (1 + f),  √½ ≤ 1 + f ≤ √2;   s = f / (2 + f)
    /// ln(1 + f) = 2 artanh s = 2s + s·R,  R = Σ_{j ≥ 1} 2 s^{2j} / (2j + 1)
    ///           = f − (f²/2 − s (f²/2 + R))          because 2s = f − f²/2 + s·f²/2
    /// </code>
    /// The last form adds a small correction to the exact f, which keeps the error below 1 ulp. |s| ≤ 0.1716, so the
    /// series stops at j = 11 with a remainder below 2^−60. k·ln 2 is split so that k·<c>Ln2High</c> is exact.
    /// </remarks>
    public static double Of(double x)
    {
        const double Ln2High = 0.6931471803691238; // ln 2 cut to 32 significant bits
        const double Ln2Low = 1.9082149292705877e-10; // ln 2 − Ln2High
        const double MinNormal = 2.2250738585072014e-308;
        const double TwoTo54 = 18014398509481984;
        const double Sqrt2 = 1.4142135623730951;

        if (!(x > 0))
            return x == 0 ? double.NegativeInfinity : double.NaN;
        if (double.IsPositiveInfinity(x))
            return x;

        var k = 0;
        if (x < MinNormal)
        {
            x *= TwoTo54;
            k = -54;
        }

        var bits = BitConverter.DoubleToInt64Bits(x);
        k += (int)(bits >> 52) - 1023;
        var mantissa = BitConverter.Int64BitsToDouble((bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000);
        if (mantissa > Sqrt2)
        {
            mantissa *= 0.5;
            k++;
        }

        var f = mantissa - 1;
        var s = f / (2 + f);
        var z = s * s;
        var r = 2.0 / 23;
        r = (r * z) + (2.0 / 21);
        r = (r * z) + (2.0 / 19);
        r = (r * z) + (2.0 / 17);
        r = (r * z) + (2.0 / 15);
        r = (r * z) + (2.0 / 13);
        r = (r * z) + (2.0 / 11);
        r = (r * z) + (2.0 / 9);
        r = (r * z) + (2.0 / 7);
        r = (r * z) + (2.0 / 5);
        r = (r * z) + (2.0 / 3);
        r *= z;

        var half = 0.5 * f * f;
        return (k * Ln2High) - (half - ((s * (half + r)) + (k * Ln2Low)) - f);
    }
}
