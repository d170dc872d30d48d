using System.Globalization;
using Unroll.Benchmarks.Measuring;

namespace Unroll.Benchmarks.Reporting;

/// <summary>Numbers as the tables show them: three significant digits.</summary>
static class Text
{
    public static string Milliseconds(double seconds) => Significant(1e3 * seconds);

    public static string Microseconds(double seconds) => Significant(1e6 * seconds);

    /// <summary>± of an outcome; a star where other processes disturbed most of its rounds.</summary>
    public static string Spread(Outcome outcome) => Percent(outcome.Spread) + (2 * outcome.DisturbedRounds > outcome.Rounds.Count ? " *" : "");

    public static string Percent(double fraction) => $"{100 * fraction:F0} %";

    public static string Ratio(double times) => $"{times:F2}×";

    public static string MiB(long bytes) => $"{bytes / 1048576.0:F0} MiB";

    static string Significant(double value) => value switch
    {
        >= 100 => value.ToString("F0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("F1", CultureInfo.InvariantCulture),
        >= 1 => value.ToString("F2", CultureInfo.InvariantCulture),
        _ => value.ToString("F3", CultureInfo.InvariantCulture),
    };
}
