using Unroll.Plots;

namespace Unroll.Book;

/// <summary>A measured figure of the book: numbers that code computes, and a chart that shows nothing but them.</summary>
/// <remarks>
/// A class in this assembly with a constructor without parameters is found by <see cref="BookFigures.All"/>; there is no
/// list to add it to. Its files are <c>docs/book/figures/NAME.json</c>, <c>NAME.en.svg</c> and <c>NAME.ja.svg</c>.
/// </remarks>
public abstract class Figure
{
    /// <summary>The name of its files: lower-case letters, digits and hyphens, such as <c>gradient-norm</c>.</summary>
    public abstract string Name { get; }

    /// <summary>True if it is measured in less than 2 s on one core, so that the tests measure it again on every run.</summary>
    public virtual bool IsCheap => false;

    /// <summary>Width and height of the drawing.</summary>
    public virtual (int Width, int Height) Size => (800, 450);

    /// <summary>Computes the numbers.</summary>
    /// <remarks>
    /// The same numbers every time: all randomness comes from a seeded <see cref="Numerics.MersenneTwister"/>, nothing from
    /// the clock. Figures are measured side by side, so a training runs on an <see cref="Numerics.Engine"/> of one thread.
    /// </remarks>
    public abstract FigureData Measure();

    /// <summary>Draws the numbers, with title and labels in the language.</summary>
    /// <param name="data">What <see cref="Measure"/> returned, read from its file: the numbers are rounded as they stand there.</param>
    /// <param name="language">The language of all text.</param>
    public abstract Chart Draw(FigureData data, BookLanguage language);
}
