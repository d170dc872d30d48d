using System.Globalization;
using System.Runtime.InteropServices;
using Unroll.Numerics;

namespace Unroll.Experiments.Hosting;

/// <summary>Where a result was computed.</summary>
/// <param name="Cpu">The processor's name for itself.</param>
/// <param name="Cores">Logical cores.</param>
/// <param name="Kernel">The engine's vectors.</param>
/// <param name="FmaPeakGflops">The measured peak of one core with its widest vectors, see <see cref="FmaPeak"/>.</param>
public sealed record Machine(string Cpu, int Cores, KernelKind Kernel, double FmaPeakGflops)
{
    /// <summary>Looks at this machine; measures its peak.</summary>
    public static Machine Measure() => new(CpuName(), Environment.ProcessorCount, Engine.Default.Kernel, FmaPeak.Measure(Engine.WidestKernel));

    /// <summary>Names and values for the settings of a report.</summary>
    public IReadOnlyList<(string Name, string Value)> Describe() =>
    [
        ("processor", $"{Cpu}, {Cores} cores"),
        ("kernel", $"{Kernel}"),
        ("FMA peak of one core, measured", string.Create(CultureInfo.InvariantCulture, $"{FmaPeakGflops:F0} GFLOP/s")),
        ("training time", "per seed, on one thread while the other cores train others"),
    ];

    static string CpuName()
    {
        if (OperatingSystem.IsLinux() && File.Exists("/proc/cpuinfo"))
        {
            var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal));
            if (line is not null)
                return line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        }

        return Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
