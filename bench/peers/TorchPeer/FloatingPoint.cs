using System.Runtime.InteropServices;

namespace Unroll.Benchmarks.Peers;

/// <summary>The processor's treatment of denormal numbers, which TorchSharp has no call for.</summary>
static unsafe partial class FloatingPoint
{
    // glibc's fenv_t on x86-64 is the 28-byte x87 environment and then MXCSR.
    const int EnvironmentBytes = 32;
    const int MxcsrOffset = 28;
    const uint FlushToZeroAndDenormalsAreZero = 0x8040;

    /// <summary>Sets flush-to-zero and denormals-are-zero on this thread, and so on the threads it starts from now on.</summary>
    /// <exception cref="NotSupportedException">Denormals are still there: another processor or C library.</exception>
    public static void FlushDenormals()
    {
        var environment = stackalloc byte[EnvironmentBytes];
        var done = OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64 && GetEnvironment(environment) == 0;
        if (done)
        {
            *(uint*)(environment + MxcsrOffset) |= FlushToZeroAndDenormalsAreZero;
            done = SetEnvironment(environment) == 0;
        }

        if (!done || TorchSharp.torch.tensor(1e-30f).mul(1e-10f).item<float>() != 0)
            throw new NotSupportedException("Flushing denormals needs Linux with glibc on x86-64.");
    }

    [LibraryImport("libm.so.6", EntryPoint = "fegetenv")]
    private static partial int GetEnvironment(byte* environment);

    [LibraryImport("libm.so.6", EntryPoint = "fesetenv")]
    private static partial int SetEnvironment(byte* environment);
}
