using ScottPlot;
using SkiaSharp;

namespace Unroll.Plots;

/// <summary>The one font of all charts, embedded in the assembly so that labels appear on machines without fonts.</summary>
sealed class ChartFont : IFontResolver
{
    /// <summary>The family name of the embedded font.</summary>
    public const string Family = "Unroll Sans";

    const string Resource = "UnrollSans-Regular.ttf";

    static readonly Lazy<byte[]> s_bytes = new(ReadBytes);
    static readonly Lazy<bool> s_registered = new(Register);

    // Kept for the life of the process: ScottPlot caches the typeface.
    readonly SKTypeface _typeface;

    ChartFont(SKTypeface typeface) => _typeface = typeface;

    /// <summary>The font file.</summary>
    public static byte[] Bytes => s_bytes.Value;

    /// <summary>Makes <see cref="Family"/> known to ScottPlot; later calls do nothing.</summary>
    public static void EnsureRegistered() => _ = s_registered.Value;

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
        fontName == Family ? _typeface : null;

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) =>
        fontName == Family ? _typeface : null;

    static bool Register()
    {
        var typeface = SKTypeface.FromStream(new MemoryStream(Bytes))
            ?? throw new InvalidOperationException($"The embedded font {Resource} could not be read; the assembly is damaged. Build it again.");
        ScottPlot.Fonts.FontResolvers.Insert(0, new ChartFont(typeface));
        return true;
    }

    static byte[] ReadBytes()
    {
        using var stream = typeof(ChartFont).Assembly.GetManifestResourceStream(Resource)
            ?? throw new InvalidOperationException($"The assembly lacks the embedded font {Resource}. Build it again.");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
