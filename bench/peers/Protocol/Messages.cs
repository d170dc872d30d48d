using System.Text.Json;

namespace Unroll.Benchmarks.Protocol;

/// <summary>What a process says once its model is built.</summary>
/// <param name="Library">Whose code is measured.</param>
/// <param name="Version">Its version.</param>
public sealed record Ready(string Library, string Version)
{
    /// <summary>One line of JSON.</summary>
    public string ToLine() => JsonSerializer.Serialize(this);

    /// <summary>Reads such a line.</summary>
    /// <exception cref="JsonException">The line is something else.</exception>
    public static Ready Parse(string line) => JsonSerializer.Deserialize<Ready>(line) ?? throw new JsonException("Expected an object, got null.");
}

/// <summary>What a process says of one window of steps.</summary>
/// <param name="Seconds">The median time of a step.</param>
/// <param name="Best">The shortest.</param>
/// <param name="Steps">How many steps the window had.</param>
/// <param name="PeakBytes">The most memory the process has held so far (VmHWM), 0 where the system does not tell.</param>
public sealed record Window(double Seconds, double Best, int Steps, long PeakBytes)
{
    /// <summary>One line of JSON.</summary>
    public string ToLine() => JsonSerializer.Serialize(this);

    /// <summary>Reads such a line.</summary>
    /// <exception cref="JsonException">The line is something else.</exception>
    public static Window Parse(string line) => JsonSerializer.Deserialize<Window>(line) ?? throw new JsonException("Expected an object, got null.");
}
