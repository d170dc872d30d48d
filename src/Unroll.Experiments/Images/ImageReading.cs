namespace Unroll.Experiments.Images;

/// <summary>In which order of the rows a model reads an image.</summary>
/// <param name="Name">Its name in <c>metrics.json</c>.</param>
/// <param name="Title">What it is, in a few words.</param>
sealed record ImageReading(string Name, string Title)
{
    /// <summary>From top to bottom and from bottom to top.</summary>
    public static ImageReading Both { get; } = new("bidirectional", "both directions");

    /// <summary>From top to bottom.</summary>
    public static ImageReading Forward { get; } = new("forward", "forward alone, from the top row down");

    /// <summary>From bottom to top.</summary>
    public static ImageReading Backward { get; } = new("backward", "backward alone, from the bottom row up");
}
