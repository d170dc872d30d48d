namespace Unroll.Numerics;

/// <summary>Sums over the elements of a row, in one order for every kernel.</summary>
/// <remarks>
/// A row has 16 partial sums: the l-th takes the elements l, l + 16, l + 32, … as they come. The partial sums are then
/// added in pairs, l and l + 8, l and l + 4, … Vectors hold neighbouring partial sums, so their width changes no bit.
/// </remarks>
static unsafe class RowSums
{
    // The lanes of the widest vector; twice or four times as many measured no faster.
    const int Parts = 16;

    /// <summary>Σₖ x[k].</summary>
    public static float Sum<S, V>(float* x, int count)
        where S : struct, ISimd<V>
        where V : struct
    {
        var parts = stackalloc float[Parts];
        for (var part = 0; part < Parts; part += S.Count)
        {
            var sum = S.Broadcast(0f);
            for (var k = part; k < count; k += Parts)
                sum = S.Add(sum, Lanes<S, V>.Load(x + k, count - k));
            S.Store(parts + part, sum);
        }

        return Total<S, V>(parts);
    }

    /// <summary>Σₖ x[k]·y[k].</summary>
    public static float Dot<S, V>(float* x, float* y, int count)
        where S : struct, ISimd<V>
        where V : struct
    {
        var parts = stackalloc float[Parts];
        for (var part = 0; part < Parts; part += S.Count)
        {
            var sum = S.Broadcast(0f);
            for (var k = part; k < count; k += Parts)
                sum = S.Fma(Lanes<S, V>.Load(x + k, count - k), Lanes<S, V>.Load(y + k, count - k), sum);
            S.Store(parts + part, sum);
        }

        return Total<S, V>(parts);
    }

    static float Total<S, V>(float* parts)
        where S : struct, ISimd<V>
        where V : struct
    {
        var half = Parts / 2;
        for (; half >= S.Count; half /= 2)
        {
            for (var part = 0; part < half; part += S.Count)
                S.Store(parts + part, S.Add(S.Load(parts + part), S.Load(parts + part + half)));
        }

        for (; half >= 1; half /= 2)
        {
            for (var part = 0; part < half; part++)
                parts[part] += parts[part + half];
        }

        return parts[0];
    }
}
