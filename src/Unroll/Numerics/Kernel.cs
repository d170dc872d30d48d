using System.Runtime.CompilerServices;

namespace Unroll.Numerics;

/// <summary>How the methods whose loops take the time are compiled.</summary>
static class Kernel
{
    /// <summary>
    /// Fully from the first call, and never as a part of its caller: there the profile-guided tier runs out of its budget
    /// for inlining and leaves vector operations as calls.
    /// </summary>
    public const MethodImplOptions Compilation = MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining;
}
