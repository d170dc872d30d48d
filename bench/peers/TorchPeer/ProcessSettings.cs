using System.Runtime.InteropServices;

namespace Unroll.Benchmarks.Peers;

/// <summary>Settings of the process that help libtorch and that TorchSharp has no call for.</summary>
static unsafe partial class ProcessSettings
{
    // glibc's fenv_t on x86-64 is the 28-byte x87 environment and then MXCSR.
    const int EnvironmentBytes = 32;
    const int MxcsrOffset = 28;
    const uint FlushToZeroAndDenormalsAreZero = 0x8040;

    // malloc.h
    const int TrimThreshold = -1;
    const int MaximumMaps = -4;

    /// <summary>Sets flush-to-zero and denormals-are-zero on this thread, and so on the threads it starts from now on.</summary>
    /// <exception cref="NotSupportedException">Denormals are still there: another processor or C library.</exception>
    public static void FlushDenormals()
    {
        var environment = stackalloc byte[EnvironmentBytes];
        var done = IsGlibc && RuntimeInformation.ProcessArchitecture == Architecture.X64 && GetEnvironment(environment) == 0;
        if (done)
        {
            *(uint*)(environment + MxcsrOffset) |= FlushToZeroAndDenormalsAreZero;
            done = SetEnvironment(environment) == 0;
        }

        if (!done || TorchSharp.torch.tensor(1e-30f).mul(1e-10f).item<float>() != 0)
            throw new NotSupportedException("Flushing denormals needs Linux with glibc on x86-64.");
    }

    /// <summary>
    /// Has the allocator keep freed memory. By default it gives every block of some megabytes back, so that each training
    /// step takes and clears its pages anew.
    /// </summary>
    /// <exception cref="NotSupportedException">Another C library.</exception>
    public static void KeepMemory()
    {
        if (!IsGlibc || SetAllocator(MaximumMaps, 0) == 0 || SetAllocator(TrimThreshold, int.MaxValue) == 0)
            throw new NotSupportedException("Keeping memory needs Linux with glibc.");
    }

    static bool IsGlibc => OperatingSystem.IsLinux() && !RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal);

    [LibraryImport("libm.so.6", EntryPoint = "fegetenv")]
    private static partial int GetEnvironment(byte* environment);

    [LibraryImport("libm.so.6", EntryPoint = "fesetenv")]
    private static partial int SetEnvironment(byte* environment);

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    private static partial int SetAllocator(int parameter, int value);
}
