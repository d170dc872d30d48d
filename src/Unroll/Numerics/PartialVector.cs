using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>Partial loads and stores for machines without masked memory instructions.</summary>
static unsafe class PartialVector
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<float> Load128(float* source, int n)
    {
        var lanes = Vector128<float>.Zero;
        Unsafe.CopyBlockUnaligned(&lanes, source, (uint)n * sizeof(float));
        return lanes;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector256<float> Load256(float* source, int n)
    {
        var lanes = Vector256<float>.Zero;
        Unsafe.CopyBlockUnaligned(&lanes, source, (uint)n * sizeof(float));
        return lanes;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector512<float> Load512(float* source, int n)
    {
        var lanes = Vector512<float>.Zero;
        Unsafe.CopyBlockUnaligned(&lanes, source, (uint)n * sizeof(float));
        return lanes;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Store(float* destination, float* lanes, int n) =>
        Unsafe.CopyBlockUnaligned(destination, lanes, (uint)n * sizeof(float));
}
