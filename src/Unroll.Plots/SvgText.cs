using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Unroll.Plots;

/// <summary>Small repairs of the SVG that the drawing library writes.</summary>
static partial class SvgText
{
    static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    /// <summary>Adds the view box, a text for screen readers and fall-back fonts, and drops the XML declaration.</summary>
    public static string Tidy(string xml, string title, int width, int height)
    {
        var root = XDocument.Parse(xml).Root
            ?? throw new InvalidOperationException("The chart library wrote an SVG without an element.");
        root.SetAttributeValue("viewBox", string.Create(CultureInfo.InvariantCulture, $"0 0 {width} {height}"));
        root.SetAttributeValue("role", "img");
        if (!string.IsNullOrEmpty(title))
            root.SetAttributeValue("aria-label", title);
        foreach (var text in root.Descendants(s_svg + "text"))
        {
            text.SetAttributeValue("font-family", $"'{ChartFont.Family}', system-ui, sans-serif");
            // The writer indents the text itself, which would make it part of the label.
            text.Value = text.Value.Trim();
            // The lists of glyph positions end with a comma, which the SVG grammar does not allow.
            foreach (var position in text.Attributes().Where(a => a.Name == "x" || a.Name == "y"))
                position.Value = position.Value.TrimEnd(',', ' ');
        }
        // A browser would blur the pixels of a heat map or a small picture when it enlarges them.
        foreach (var image in root.Descendants(s_svg + "image"))
            image.SetAttributeValue("style", "image-rendering:pixelated");
        Dash.Restore(root);
        NumberIds(root);
        return root.ToString(SaveOptions.DisableFormatting);
    }

    /// <summary>Puts <paramref name="prefix"/> before every id and every reference to one, so that several drawings can share a page.</summary>
    public static string WithIdPrefix(string svg, string prefix)
    {
        var root = XElement.Parse(svg, LoadOptions.PreserveWhitespace);
        RenameIds(root, id => prefix + id);
        return root.ToString(SaveOptions.DisableFormatting);
    }

    /// <summary>Numbers the ids from 0 in each drawing. The drawing library counts them through the life of the process, so that the same chart would give other text.</summary>
    static void NumberIds(XElement root)
    {
        var numbers = root.Descendants().Attributes("id").Select((id, number) => (id.Value, number)).ToDictionary(pair => pair.Value, pair => pair.number);
        RenameIds(root, id => numbers.TryGetValue(id, out var number) ? string.Create(CultureInfo.InvariantCulture, $"c{number}") : id);
    }

    static void RenameIds(XElement root, Func<string, string> name)
    {
        foreach (var attribute in root.DescendantsAndSelf().Attributes().Where(a => !a.IsNamespaceDeclaration))
        {
            if (attribute.Name == "id")
                attribute.Value = name(attribute.Value);
            else if (attribute.Name.LocalName == "href" && attribute.Value.StartsWith('#'))
                attribute.Value = $"#{name(attribute.Value[1..])}";
            else if (attribute.Value.Contains("url(#", StringComparison.Ordinal))
                attribute.Value = UrlReference().Replace(attribute.Value, match => $"url(#{name(match.Groups[1].Value)}");
        }
    }

    [GeneratedRegex(@"url\(#([^)]+)")]
    private static partial Regex UrlReference();
}
