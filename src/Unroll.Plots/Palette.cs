using ScottPlot;

namespace Unroll.Plots;

/// <summary>
/// Okabe and Ito's colours, which stay apart for colour-blind readers, without the yellow that vanishes on white;
/// and the colour maps beside them.
/// </summary>
static class Palette
{
    public static readonly Color Ink = Color.FromHex("#1f2328");
    public static readonly Color Axis = Color.FromHex("#6b7280");
    public static readonly Color Grid = Color.FromHex("#e5e7eb");
    public static readonly Color Marker = Color.FromHex("#4b5563");

    static readonly Color[] s_colors =
    [
        Color.FromHex("#0072b2"), // blue
        Color.FromHex("#d55e00"), // vermillion
        Color.FromHex("#009e73"), // bluish green
        Color.FromHex("#cc79a7"), // reddish purple
        Color.FromHex("#e69f00"), // orange
        Color.FromHex("#56b4e9"), // sky blue
        Color.FromHex("#3d3d3d"), // near black
    ];

    public static Color Of(int index) => s_colors[index % s_colors.Length];

    /// <summary>White to dark blue.</summary>
    public static IColormap Sequential { get; } = new Stops("Sequential", "#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b");

    /// <summary>Blue over white to vermillion.</summary>
    public static IColormap Diverging { get; } = new Stops("Diverging", "#084f7d", "#66a9d1", "#f7f7f7", "#eda26b", "#9c4400");

    /// <summary>Near white, so that a picture stands out from the page, to ink.</summary>
    public static IColormap Grey { get; } = new Stops("Grey", "#eef0f3", "#1f2328");

    /// <summary>Straight lines between equally spaced colours.</summary>
    sealed class Stops(string name, params string[] stops) : IColormap
    {
        readonly Color[] _stops = [.. stops.Select(Color.FromHex)];

        public string Name => name;

        public Color GetColor(double position)
        {
            var scaled = Math.Clamp(double.IsFinite(position) ? position : 0, 0, 1) * (_stops.Length - 1);
            var i = Math.Min((int)scaled, _stops.Length - 2);
            return _stops[i].InterpolateRgb(_stops[i + 1], scaled - i);
        }
    }
}
