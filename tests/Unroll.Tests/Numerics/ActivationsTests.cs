using System.Runtime.Intrinsics;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

public class ActivationsTests(ITestOutputHelper output)
{
    const int Step = 997; // a prime stride through the bit patterns of all floats: 4.3 million of them

    [Fact]
    public void Exp_IsWithinTwoUlp_OfDoubleOverAllFloats() =>
        CheckError("exp", 2, x => x < -86.6 ? 0 : Math.Exp(x), Activations.Exp<SimdScalar, float>);

    [Fact]
    public void Sigmoid_IsWithinThreeUlp_OfDoubleOverAllFloats() =>
        CheckError("sigmoid", 3, x => 1 / (1 + Math.Exp(-Math.Clamp(x, -87, 87))), Activations.Sigmoid<SimdScalar, float>);

    [Fact]
    public void Tanh_IsWithinThreeUlp_OfDoubleOverAllFloats() =>
        CheckError("tanh", 3, Math.Tanh, Activations.Tanh<SimdScalar, float>);

    [Theory]
    [InlineData(float.NaN, float.NaN, float.NaN, float.NaN)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity, 1f, 1f)]
    [InlineData(0f, 1f, 0.5f, 0f)]
    public void Activations_KeepTheirLimits(float x, float exp, float sigmoid, float tanh)
    {
        Assert.Equal(exp, Activations.Exp<SimdScalar, float>(x));
        Assert.Equal(sigmoid, Activations.Sigmoid<SimdScalar, float>(x));
        Assert.Equal(tanh, Activations.Tanh<SimdScalar, float>(x));
    }

    [Fact]
    public void Four_GivesTheBitsOfEachAlone()
    {
        float[] special = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, 1e-40f, float.MaxValue, -87f, 9.02f];
        for (var start = 0L; start <= uint.MaxValue; start += 99_991)
        {
            var first = BitConverter.UInt32BitsToSingle((uint)start);
            var second = special[start % special.Length];
            var third = BitConverter.UInt32BitsToSingle((uint)(uint.MaxValue - start));
            var (a, b, c, d) = (first, second, third, first);
            Activations.Four<SimdScalar, float, Activations.SigmoidFunction, Activations.TanhFunction, Activations.SigmoidFunction, Activations.TanhFunction>(
                ref a, ref b, ref c, ref d);
            Assert.Equal(Bits(Activations.Sigmoid<SimdScalar, float>(first)), Bits(a));
            Assert.Equal(Bits(Activations.Tanh<SimdScalar, float>(second)), Bits(b));
            Assert.Equal(Bits(Activations.Sigmoid<SimdScalar, float>(third)), Bits(c));
            Assert.Equal(Bits(Activations.Tanh<SimdScalar, float>(first)), Bits(d));
        }
    }

    [Fact]
    public void Activations_GiveTheSameBits_InEveryWidth()
    {
        var lanes = new float[16];
        for (var start = 0L; start <= uint.MaxValue - (16 * Step); start += 16 * 9973)
        {
            for (var lane = 0; lane < 16; lane++)
                lanes[lane] = BitConverter.UInt32BitsToSingle((uint)(start + (lane * Step)));
            Compare(Activations.Exp<SimdScalar, float>, Activations.Exp<Simd128, Vector128<float>>, Activations.Exp<Simd256, Vector256<float>>, Activations.Exp<Simd512, Vector512<float>>);
            Compare(Activations.Sigmoid<SimdScalar, float>, Activations.Sigmoid<Simd128, Vector128<float>>, Activations.Sigmoid<Simd256, Vector256<float>>, Activations.Sigmoid<Simd512, Vector512<float>>);
            Compare(Activations.Tanh<SimdScalar, float>, Activations.Tanh<Simd128, Vector128<float>>, Activations.Tanh<Simd256, Vector256<float>>, Activations.Tanh<Simd512, Vector512<float>>);
        }

        void Compare(
            Func<float, float> scalar,
            Func<Vector128<float>, Vector128<float>> v128,
            Func<Vector256<float>, Vector256<float>> v256,
            Func<Vector512<float>, Vector512<float>> v512)
        {
            var r128 = v128(Vector128.Create(lanes));
            var r256 = v256(Vector256.Create(lanes));
            var r512 = v512(Vector512.Create(lanes));
            for (var lane = 0; lane < 16; lane++)
            {
                var expected = Bits(scalar(lanes[lane]));
                if (lane < 4)
                    Assert.Equal(expected, Bits(r128[lane]));
                if (lane < 8)
                    Assert.Equal(expected, Bits(r256[lane]));
                Assert.Equal(expected, Bits(r512[lane]));
            }
        }
    }

    // Every NaN is the same result.
    static int Bits(float value) => float.IsNaN(value) ? -1 : BitConverter.SingleToInt32Bits(value);

    void CheckError(string name, double bound, Func<double, double> exact, Func<float, float> fast)
    {
        double worst = 0;
        float worstAt = 0;
        for (var bits = 0L; bits <= uint.MaxValue; bits += Step)
        {
            var x = BitConverter.UInt32BitsToSingle((uint)bits);
            if (float.IsNaN(x))
                continue;
            var expected = exact(x);
            if ((float)expected == fast(x))
                continue;
            var ulp = Math.Max(Math.ScaleB(1, Math.ILogB(expected) - 23), float.Epsilon);
            var error = Math.Abs(fast(x) - expected) / ulp;
            if (error > worst)
                (worst, worstAt) = (error, x);
        }

        output.WriteLine($"{name}: worst error {worst:F3} ulp at {worstAt:R}");
        Assert.InRange(worst, 0, bound);
    }
}
