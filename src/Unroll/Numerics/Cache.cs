using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Unroll.Numerics;

/// <summary>Hints to the processor about memory.</summary>
static unsafe class Cache
{
    /// <summary>Floats of a line.</summary>
    public const int Line = 16;

    /// <summary>Begins to bring the line at <paramref name="source"/> into the first-level cache, where the processor has an instruction for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(float* source)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(source);
    }

    /// <summary>Begins to bring so many floats into the first-level cache, where the processor has an instruction for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(float* source, int count)
    {
        if (!Sse.IsSupported)
            return;
        for (var j = 0; j < count; j += Line)
            Fetch(source + j);
    }
}
