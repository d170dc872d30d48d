using System.Globalization;
using System.Xml.Linq;
using ScottPlot;

namespace Unroll.Plots;

/// <summary>A broken line. In an SVG it is an attribute of the stroke, which the drawing library cannot write.</summary>
/// <remarks>
/// So an SVG is drawn with solid lines whose width is a little odd, and <see cref="Restore"/> turns the oddness into
/// the attribute. Widths of charts are multiples of a quarter.
/// </remarks>
sealed record Dash(LinePattern Pattern, string Array, float Mark)
{
    public static Dash Dashes { get; } = new(new LinePattern([6, 4], 0, "Dashes"), "6 4", 1f / 512);

    public static Dash Dots { get; } = new(LinePattern.Dotted, "2 3", 1f / 256);

    /// <summary>How to draw a line of <paramref name="width"/> so that it comes out broken.</summary>
    public (LinePattern Pattern, float Width) For(double width, bool svg) =>
        svg ? (LinePattern.Solid, (float)width + Mark) : (Pattern, (float)width);

    /// <summary>Breaks the lines of a drawn SVG that were marked.</summary>
    public static void Restore(XElement root)
    {
        foreach (var stroke in root.Descendants().Attributes("stroke-width"))
        {
            var width = double.Parse(stroke.Value, CultureInfo.InvariantCulture);
            foreach (var dash in new[] { Dashes, Dots })
            {
                var plain = width - dash.Mark;
                if (Math.Abs((4 * plain) - Math.Round(4 * plain)) > 1e-5)
                    continue;
                stroke.Value = plain.ToString("0.##", CultureInfo.InvariantCulture);
                stroke.Parent!.SetAttributeValue("stroke-dasharray", dash.Array);
            }
        }
    }
}
