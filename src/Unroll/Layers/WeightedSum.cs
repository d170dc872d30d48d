using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>A few rows, each times a number: what attention makes of keys and queries.</summary>
static unsafe class WeightedSum
{
    /// <summary>y (+)= Σ_n w_n·x_n over <paramref name="count"/> rows in rising order: y and each x_n [width].</summary>
    /// <param name="y">Accumulated into, or overwritten.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="w">The weights, <paramref name="wStep"/> floats from one to the next.</param>
    /// <param name="wStep">Floats from weight to weight.</param>
    /// <param name="x">The rows, <paramref name="xRow"/> floats from one to the next.</param>
    /// <param name="xRow">Floats from row to row.</param>
    /// <param name="count">Rows.</param>
    /// <param name="accumulate">Whether y counts as well.</param>
    [MethodImpl(Kernel.Compilation)]
    public static void Of<S, V>(float* y, int width, float* w, nint wStep, float* x, nint xRow, int count, bool accumulate)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var j = 0; j < width; j += S.Count)
        {
            var sum = accumulate ? Lanes<S, V>.Load(y + j, width - j) : S.Broadcast(0f);
            for (var n = 0; n < count; n++)
                sum = S.Fma(S.Broadcast(w[n * wStep]), Lanes<S, V>.Load(x + (n * xRow) + j, width - j), sum);
            Lanes<S, V>.Store(y + j, sum, width - j);
        }
    }
}
