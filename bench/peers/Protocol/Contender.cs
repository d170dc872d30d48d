using System.Diagnostics;
using System.Globalization;

namespace Unroll.Benchmarks.Protocol;

/// <summary>
/// The measuring process's side: builds one step, says <see cref="Ready"/>, then answers each line <c>go SECONDS</c> with
/// the <see cref="Window"/> it timed, until <c>quit</c> or the end of its input. The first window is its warm-up.
/// </summary>
public static class Contender
{
    /// <summary>The line that ends the process.</summary>
    public const string Quit = "quit";

    const string Go = "go ";
    const int FewestSteps = 3;

    // A sample is a batch of steps of a millisecond or more, so that the clock's own cost does not show.
    const double ShortestSample = 0.001;

    /// <summary>Runs the process: its exit code is 0, or 2 after one line on the error stream.</summary>
    /// <param name="arguments">The command line, see <see cref="Configuration"/>.</param>
    /// <param name="library">Whose code is measured.</param>
    /// <param name="version">Its version.</param>
    /// <param name="build">Makes what measures a window of so many seconds, see <see cref="Timed"/>.</param>
    public static int Run(string[] arguments, string library, string version, Func<Configuration, Func<double, Window>> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        Func<double, Window> measure;
        try
        {
            measure = build(Configuration.Parse(arguments));
        }
        catch (Exception exception) when (exception is FormatException or NotSupportedException or ArgumentException or OverflowException)
        {
            Console.Error.WriteLine(exception.Message.ReplaceLineEndings(" "));
            return 2;
        }

        Console.WriteLine(new Ready(library, version).ToLine());
        while (Console.ReadLine() is { } line && line != Quit)
            Console.WriteLine(measure(double.Parse(line[Go.Length..], CultureInfo.InvariantCulture)).ToLine());
        return 0;
    }

    /// <summary>The line that asks for a window.</summary>
    public static string GoLine(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{Go}{seconds}");

    /// <summary>Measures windows of a step, which is made of <paramref name="parts"/> one after another.</summary>
    public static Func<double, Window> Timed(params Action[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var batch = 1;
        return seconds =>
        {
            var window = batch == 1 ? Measure(parts, seconds, 1) : Measure([Repeat], seconds, batch);
            batch = Math.Max(1, (int)Math.Ceiling(ShortestSample / window.Seconds));
            return window;
        };

        void Repeat()
        {
            for (var i = 0; i < batch; i++)
            {
                foreach (var part in parts)
                    part();
            }
        }
    }

    /// <summary>The most memory this process has held so far, 0 where the system does not tell.</summary>
    public static long PeakBytes()
    {
        const string status = "/proc/self/status";
        if (!File.Exists(status))
            return 0;
        var line = File.ReadLines(status).First(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>Samples of <paramref name="steps"/> steps each, which all <paramref name="parts"/> together are.</summary>
    static Window Measure(Action[] parts, double seconds, int steps)
    {
        var samples = new List<double>();
        var shortest = new double[parts.Length];
        shortest.AsSpan().Fill(double.MaxValue);
        var start = Stopwatch.GetTimestamp();
        do
        {
            var sample = Stopwatch.GetTimestamp();
            var before = sample;
            for (var index = 0; index < parts.Length; index++)
            {
                parts[index]();
                var after = Stopwatch.GetTimestamp();
                shortest[index] = Math.Min(shortest[index], Stopwatch.GetElapsedTime(before, after).TotalSeconds / steps);
                before = after;
            }

            samples.Add(Stopwatch.GetElapsedTime(sample, before).TotalSeconds / steps);
        }
        while (samples.Count * steps < FewestSteps || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);

        samples.Sort();
        return new Window(samples[samples.Count / 2], shortest.Sum(), samples.Count * steps, PeakBytes());
    }
}
