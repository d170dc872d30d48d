namespace Unroll.Numerics;

/// <summary>Lanes per register of each kernel.</summary>
static class KernelLanes
{
    public static int Of(KernelKind kernel) => kernel switch
    {
        KernelKind.Naive => SimdScalar.Count,
        KernelKind.Vector128 => Simd128.Count,
        KernelKind.Vector256 => Simd256.Count,
        _ => Simd512.Count,
    };
}
