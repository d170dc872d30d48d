using Unroll.Numerics;

namespace Unroll.Tests;

/// <summary>One single-threaded engine per kernel; those wider than the machine run in software, at the same bits.</summary>
static class Kernels
{
    public static readonly KernelKind[] All = Enum.GetValues<KernelKind>();

    static readonly Dictionary<KernelKind, Engine> s_engines = All.ToDictionary(kernel => kernel, kernel => new Engine(1, kernel));

    public static Engine Engine(KernelKind kernel) => s_engines[kernel];

    /// <summary>The kernel that the environment forces, or the machine's widest.</summary>
    public static KernelKind Chosen { get; } = new Engine().Kernel;
}
