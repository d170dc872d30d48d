using System.IO.Compression;
using ScottPlot;
using SkiaSharp;

namespace Unroll.Plots;

/// <summary>
/// The one font of all charts, embedded in the assembly so that labels appear on machines without fonts. Charts are drawn and
/// measured with the whole font: Latin, Greek, mathematics, kana and the kanji of JIS level 1.
/// </summary>
sealed class ChartFont : IFontResolver
{
    /// <summary>The family name of the embedded font.</summary>
    public const string Family = "Unroll Sans";

    const string Latin = "UnrollSans-Regular.ttf";
    const string Whole = "UnrollSansJP-Regular.ttf.br";

    static readonly Lazy<byte[]> s_latinBytes = new(() => Read(Latin).ToArray());
    static readonly Lazy<ChartFont> s_registered = new(Register);

    // Kept for the life of the process: ScottPlot caches the typeface.
    readonly SKTypeface _typeface;

    ChartFont(SKTypeface typeface) => _typeface = typeface;

    /// <summary>The file of the font without kana and kanji: what a page carries that shows charts.</summary>
    public static byte[] LatinBytes => s_latinBytes.Value;

    /// <summary>Makes <see cref="Family"/> known to ScottPlot; later calls do nothing.</summary>
    public static void EnsureRegistered() => _ = s_registered.Value;

    /// <summary>The characters of a text that the font cannot draw, each once; control characters are none.</summary>
    public static string Missing(string text) => string.Concat(
        text.EnumerateRunes().Distinct().Where(rune => !System.Text.Rune.IsControl(rune) && !s_registered.Value._typeface.ContainsGlyph(rune.Value)));

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
        fontName == Family ? _typeface : null;

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) =>
        fontName == Family ? _typeface : null;

    static ChartFont Register()
    {
        var whole = new MemoryStream();
        using (var compressed = new BrotliStream(Read(Whole), CompressionMode.Decompress))
            compressed.CopyTo(whole);
        whole.Position = 0;
        var typeface = SKTypeface.FromStream(whole)
            ?? throw new InvalidOperationException($"The embedded font {Whole} could not be read; the assembly is damaged. Build it again.");
        var font = new ChartFont(typeface);
        ScottPlot.Fonts.FontResolvers.Insert(0, font);
        return font;
    }

    static MemoryStream Read(string resource)
    {
        using var stream = typeof(ChartFont).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The assembly lacks the embedded font {resource}. Build it again.");
        var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        bytes.Position = 0;
        return bytes;
    }
}
