using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>The most fused multiply-adds one core of this machine does: what the engine's speed is compared with.</summary>
public static class FmaPeak
{
    const int Chains = 12; // enough independent chains to hide the latency of two FMA units
    const int Repeats = 5;
    const int Iterations = 1_500_000;

    // Keeps the loop's result observable.
    static volatile float s_sink;

    /// <summary>
    /// The median rate in GFLOP/s, a multiply-add counting as two operations, with the vectors of
    /// <paramref name="kernel"/> and no memory traffic. Takes some tens of milliseconds.
    /// </summary>
    public static double Measure(KernelKind kernel) => kernel switch
    {
        KernelKind.Naive => Measure<SimdScalar, float>(),
        KernelKind.Vector128 => Measure<Simd128, Vector128<float>>(),
        KernelKind.Vector256 => Measure<Simd256, Vector256<float>>(),
        _ => Measure<Simd512, Vector512<float>>(),
    };

    static unsafe double Measure<S, V>()
        where S : struct, ISimd<V>
        where V : struct
    {
        var lanes = stackalloc float[S.Count];
        Loop<S, V>(Iterations, lanes);
        Span<double> rates = stackalloc double[Repeats];
        foreach (ref var rate in rates)
        {
            var start = Stopwatch.GetTimestamp();
            Loop<S, V>(Iterations, lanes);
            rate = 2.0 * S.Count * Chains * Iterations / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
        }

        s_sink = lanes[0];
        rates.Sort();
        return rates[Repeats / 2];
    }

    [MethodImpl(Kernel.Compilation)]
    static unsafe void Loop<S, V>(int n, float* destination)
        where S : struct, ISimd<V>
        where V : struct
    {
        V x = S.Broadcast(0.999f), y = S.Broadcast(0.001f);
        V a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (; n > 0; n--)
        {
            a = S.Fma(a, x, y);
            b = S.Fma(b, x, y);
            c = S.Fma(c, x, y);
            d = S.Fma(d, x, y);
            e = S.Fma(e, x, y);
            f = S.Fma(f, x, y);
            g = S.Fma(g, x, y);
            h = S.Fma(h, x, y);
            i = S.Fma(i, x, y);
            j = S.Fma(j, x, y);
            k = S.Fma(k, x, y);
            l = S.Fma(l, x, y);
        }

        var sum = S.Add(S.Add(S.Add(a, b), S.Add(c, d)), S.Add(S.Add(e, f), S.Add(g, h)));
        S.Store(destination, S.Add(sum, S.Add(S.Add(i, j), S.Add(k, l))));
    }
}
