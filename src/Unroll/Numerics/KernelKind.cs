namespace Unroll.Numerics;

/// <summary>The instruction width the engine computes with. Every kernel gives the same bits.</summary>
public enum KernelKind
{
    /// <summary>Plain loops over single floats: the specification the others are held against.</summary>
    Naive,

    /// <summary>128-bit vectors (4 floats): SSE and FMA on x86, NEON on Arm.</summary>
    Vector128,

    /// <summary>256-bit vectors (8 floats): AVX2 and FMA.</summary>
    Vector256,

    /// <summary>512-bit vectors (16 floats): AVX-512.</summary>
    Vector512,
}
