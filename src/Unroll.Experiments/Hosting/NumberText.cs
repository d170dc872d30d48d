using System.Globalization;

namespace Unroll.Experiments.Hosting;

/// <summary>Numbers as tables and sentences show them, the same in every culture.</summary>
static class NumberText
{
    public static string One(double value) => value.ToString("F1", CultureInfo.InvariantCulture);

    public static string Two(double value) => value.ToString("F2", CultureInfo.InvariantCulture);

    public static string Four(double value) => value.ToString("F4", CultureInfo.InvariantCulture);

    public static string Scientific(double value) => value.ToString("0.00e+0", CultureInfo.InvariantCulture);

    public static string Count(int count, string noun) => count == 1 ? $"1 {noun}" : string.Create(CultureInfo.InvariantCulture, $"{count:N0} {noun}s");
}
