using System.Globalization;
using System.Text.RegularExpressions;
using Unroll.Experiments.Hosting;

namespace Unroll.Benchmarks.Reporting;

/// <summary>A name for this machine's processor that tells its generation even where a cloud hides the model.</summary>
static partial class Processor
{
    /// <summary>Such as <c>amd-epyc-zen4</c>.</summary>
    public static string FileName()
    {
        var name = Noise().Replace(Machine.Measure().Cpu, " ");
        return NotWord().Replace($"{name} {Generation()}".ToLowerInvariant(), "-").Trim('-');
    }

    /// <summary>The microarchitecture by the processor's family and model, or these two numbers.</summary>
    static string Generation()
    {
        const string info = "/proc/cpuinfo";
        if (!File.Exists(info))
            return "";
        var lines = File.ReadLines(info).TakeWhile(line => line.Length > 0).ToArray();
        if (!int.TryParse(Field("cpu family"), CultureInfo.InvariantCulture, out var family) || !int.TryParse(Field("model\t"), CultureInfo.InvariantCulture, out var model))
            return "";
        return (Field("vendor_id"), family, model) switch
        {
            ("AuthenticAMD", 23, < 48) => "zen",
            ("AuthenticAMD", 23, _) => "zen2",
            ("AuthenticAMD", 25, (>= 16 and < 32) or (>= 96 and < 128) or (>= 160 and < 176)) => "zen4",
            ("AuthenticAMD", 25, _) => "zen3",
            ("AuthenticAMD", 26, _) => "zen5",
            ("GenuineIntel", 6, 85) => "skylake-sp",
            ("GenuineIntel", 6, 106 or 108) => "ice-lake-sp",
            ("GenuineIntel", 6, 143) => "sapphire-rapids",
            ("GenuineIntel", 6, 207) => "emerald-rapids",
            _ => $"family-{family}-model-{model}",
        };

        string Field(string key)
        {
            var line = lines.FirstOrDefault(text => text.StartsWith(key, StringComparison.Ordinal)) ?? ":";
            return line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        }
    }

    [GeneratedRegex(@"\((R|TM|tm)\)|\bCPU\b|\bProcessor\b|@.*$|\d+-Core")]
    private static partial Regex Noise();

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NotWord();
}
