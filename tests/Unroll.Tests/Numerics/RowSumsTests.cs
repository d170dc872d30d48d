using System.Runtime.Intrinsics;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

public unsafe class RowSumsTests
{
    [Fact]
    public void Sums_AreOfSixteenPartsInPairs_InEveryWidth()
    {
        var random = new Random(5);
        for (var count = 0; count <= 140; count++)
        {
            float[] x = new float[count + 8], y = new float[count + 8];
            foreach (var values in new[] { x, y })
            {
                foreach (ref var value in values.AsSpan())
                    value = (random.NextSingle() - 0.4f) * MathF.ScaleB(1, random.Next(-12, 12));
            }

            var sum = InPairs(count, (part, k) => part + x[k]);
            var dot = InPairs(count, (part, k) => MathF.FusedMultiplyAdd(x[k], y[k], part));
            Assert.Equal((sum, dot), Of<SimdScalar, float>(x, y, count));
            Assert.Equal((sum, dot), Of<Simd128, Vector128<float>>(x, y, count));
            Assert.Equal((sum, dot), Of<Simd256, Vector256<float>>(x, y, count));
            Assert.Equal((sum, dot), Of<Simd512, Vector512<float>>(x, y, count));

            double magnitude = 0, exact = 0;
            for (var k = 0; k < count; k++)
            {
                exact += (double)x[k] * y[k];
                magnitude += Math.Abs((double)x[k] * y[k]);
            }

            Assert.Equal(exact, dot, 1e-6 * magnitude);
        }

        // A row that the elements behind it must not join.
        static (float, float) Of<S, V>(float[] x, float[] y, int count)
            where S : struct, ISimd<V>
            where V : struct
        {
            fixed (float* px = x, py = y)
                return (RowSums.Sum<S, V>(px, count), RowSums.Dot<S, V>(px, py, count));
        }

        static float InPairs(int count, Func<float, int, float> add)
        {
            var parts = new float[16];
            for (var k = 0; k < count; k++)
                parts[k % 16] = add(parts[k % 16], k);
            while (parts.Length > 1)
                parts = [.. parts[..(parts.Length / 2)].Zip(parts[(parts.Length / 2)..], (a, b) => a + b)];
            return parts[0];
        }
    }
}
