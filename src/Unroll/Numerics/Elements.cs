namespace Unroll.Numerics;

/// <summary>Short sums outside the kernels.</summary>
static unsafe class Elements
{
    /// <summary>destination = x + y, element by element; the destination may be one of them.</summary>
    public static void Add(float* x, float* y, float* destination, int count)
    {
        var j = 0;
        for (; j + Simd128.Count <= count; j += Simd128.Count)
            Simd128.Store(destination + j, Simd128.Add(Simd128.Load(x + j), Simd128.Load(y + j)));
        for (; j < count; j++)
            destination[j] = x[j] + y[j];
    }
}
