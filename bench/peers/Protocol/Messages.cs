using System.Globalization;

namespace Unroll.Benchmarks.Protocol;

/// <summary>What a process says once its model is built.</summary>
/// <param name="Library">Whose code is measured.</param>
/// <param name="Version">Its version, without spaces.</param>
/// <remarks>Words with spaces between: a serializer took 6 MiB of the memory that is measured.</remarks>
public sealed record Ready(string Library, string Version)
{
    /// <summary>The version, then the library.</summary>
    public string ToLine() => $"{Version} {Library}";

    /// <summary>Reads such a line.</summary>
    /// <exception cref="FormatException">The line is something else.</exception>
    public static Ready Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.Split(' ', 2) is [var version, var library]
            ? new Ready(library, version)
            : throw new FormatException($"Expected VERSION LIBRARY, got '{line}'.");
    }
}

/// <summary>What a process says of one window of steps.</summary>
/// <param name="Seconds">The median time of a step.</param>
/// <param name="Best">The shortest; of a step in parts, the shortest of each part together.</param>
/// <param name="Steps">How many steps the window had.</param>
/// <param name="PeakBytes">The most memory the process has held so far (VmHWM), 0 where the system does not tell.</param>
public sealed record Window(double Seconds, double Best, int Steps, long PeakBytes)
{
    /// <summary>The four numbers with spaces between.</summary>
    public string ToLine() => string.Create(CultureInfo.InvariantCulture, $"{Seconds:R} {Best:R} {Steps} {PeakBytes}");

    /// <summary>Reads such a line.</summary>
    /// <exception cref="FormatException">The line is something else.</exception>
    public static Window Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var culture = CultureInfo.InvariantCulture;
        return line.Split(' ') is [var seconds, var best, var steps, var peak]
            ? new Window(double.Parse(seconds, culture), double.Parse(best, culture), int.Parse(steps, culture), long.Parse(peak, culture))
            : throw new FormatException($"Expected SECONDS BEST STEPS BYTES, got '{line}'.");
    }
}
