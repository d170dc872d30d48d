using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace Unroll.Plots;

/// <summary>Tick positions and number texts, the same in every culture.</summary>
static class AxisTicks
{
    /// <summary>Round numbers on a linear axis.</summary>
    public static ITickGenerator Linear(float minimumSpacing) =>
        new NumericAutomatic { LabelFormatter = Number, MinimumTickSpacing = minimumSpacing };

    /// <summary>
    /// Ticks of an axis whose coordinate is log10(value): powers of ten, with 2 and 5 between them
    /// where the range is short, and round numbers where it is shorter still.
    /// </summary>
    public static ITickGenerator Log(double minExponent, double maxExponent)
    {
        var ticks = new NumericManual();
        var first = (int)Math.Ceiling(minExponent - 1e-9);
        var last = (int)Math.Floor(maxExponent + 1e-9);
        var decades = last - first + 1;
        // Eight labels fit a chart of 450 units; more decades than that get every second, third, ... label.
        var stride = Math.Max(1, (decades + 7) / 8);
        int[] labelled = decades >= 3 ? [1] : [1, 2, 5];
        var powers = first < -3 || last > 4;

        var majors = new SortedDictionary<double, string>();
        for (var exponent = first - 1; exponent <= last; exponent++)
        {
            for (var digit = 1; digit <= 9; digit++)
            {
                var position = exponent + Math.Log10(digit);
                if (position < minExponent - 1e-9 || position > maxExponent + 1e-9)
                    continue;
                if (Array.IndexOf(labelled, digit) >= 0 && (exponent - first) % stride == 0)
                    majors[position] = powers ? $"{digit}e{exponent}" : Number(digit * Math.Pow(10, exponent));
                else if (stride == 1 || digit == 1)
                    ticks.AddMinor(position);
            }
        }
        if (majors.Count < 2)
        {
            majors.Clear();
            foreach (var value in RoundNumbers(Math.Pow(10, minExponent), Math.Pow(10, maxExponent)))
                majors[Math.Log10(value)] = Number(value);
        }
        foreach (var (position, label) in majors)
            ticks.AddMajor(position, label);
        return ticks;
    }

    /// <summary>One label per position 0, 1, ... of an axis, thinned out when there are more than <paramref name="most"/>.</summary>
    public static ITickGenerator Named(IReadOnlyList<string> labels, int count, int most, bool downwards)
    {
        var ticks = new NumericManual();
        var stride = Math.Max(1, (count + most - 1) / most);
        for (var i = 0; i < count; i += stride)
            ticks.AddMajor(downwards ? count - 1 - i : i, labels.Count == 0 ? i.ToString(CultureInfo.InvariantCulture) : labels[i]);
        return ticks;
    }

    /// <summary>A tick's number without noise digits: 0.1, 2500, 1e-5, 2e6.</summary>
    public static string Number(double value)
    {
        var size = Math.Abs(value);
        if (size < 1e-12)
            return "0";
        var text = size is >= 1e6 or < 9.999e-5
            ? value.ToString("0.#####e0", CultureInfo.InvariantCulture)
            : value.ToString("0.#########", CultureInfo.InvariantCulture);
        return text.Replace('-', '\u2212').Replace("e\u2212", "e-", StringComparison.Ordinal);
    }

    /// <summary>A measured value in about four significant digits: 0.0123, 0.9871, 12.35, 1.2e-5.</summary>
    public static string Value(double value)
    {
        var size = Math.Abs(value);
        if (size == 0)
            return "0";
        var text = size switch
        {
            >= 1e6 or < 1e-3 => value.ToString("0.##e0", CultureInfo.InvariantCulture),
            >= 1000 => value.ToString("0", CultureInfo.InvariantCulture),
            >= 100 => value.ToString("0.#", CultureInfo.InvariantCulture),
            >= 10 => value.ToString("0.##", CultureInfo.InvariantCulture),
            >= 1 => value.ToString("0.###", CultureInfo.InvariantCulture),
            _ => value.ToString("0.####", CultureInfo.InvariantCulture),
        };
        return text.Replace('-', '\u2212').Replace("e\u2212", "e-", StringComparison.Ordinal);
    }

    static IEnumerable<double> RoundNumbers(double min, double max)
    {
        var rough = (max - min) / 4;
        var unit = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = unit * (rough / unit) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        for (var k = Math.Ceiling(min / step); k * step <= max; k++)
            yield return k * step;
    }
}
