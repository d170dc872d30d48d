using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Unroll.Numerics;

/// <summary>Partial loads and stores where masked memory instructions are missing or slow.</summary>
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

    /// <summary>Stores the first 1 to 3 lanes.</summary>
    /// <remarks>In pieces: AVX2's masked store takes some 20 cycles on AMD processors before Zen 4.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector128<float> value, int n)
    {
        if (n >= 2)
        {
            if (Sse.IsSupported)
                Sse.StoreLow(destination, value);
            else
                value.GetLower().Store(destination);
            destination += 2;
            value = Vector128.Shuffle(value, Vector128.Create(2, 3, 2, 3));
        }

        if ((n & 1) != 0)
            *destination = value.ToScalar();
    }

    /// <summary>Stores the first 1 to 7 lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, Vector256<float> value, int n)
    {
        var part = value.GetLower();
        if (n >= 4)
        {
            part.Store(destination);
            destination += 4;
            part = value.GetUpper();
        }

        if ((n & 3) != 0)
            Store(destination, part, n & 3);
    }
}
