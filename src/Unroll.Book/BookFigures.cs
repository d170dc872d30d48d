using System.Reflection;
using System.Text;
using Unroll.Plots;

namespace Unroll.Book;

/// <summary>The figures of the book and their files.</summary>
public static class BookFigures
{
    /// <summary>Every <see cref="Figure"/> of this assembly, by name.</summary>
    /// <exception cref="InvalidOperationException">Two figures have the same name.</exception>
    public static IReadOnlyList<Figure> All { get; } = Find();

    /// <summary>The file of a figure's numbers.</summary>
    public static string DataPath(string folder, string name) => Path.Combine(folder, $"{name}.json");

    /// <summary>The file of a figure's drawing.</summary>
    public static string DrawingPath(string folder, string name, BookLanguage language) => Path.Combine(folder, $"{name}.{language.Code()}.svg");

    /// <summary>Reads the numbers of a figure.</summary>
    /// <exception cref="IOException">There is no such file, or it cannot be read.</exception>
    /// <exception cref="FormatException">The file holds something else.</exception>
    public static FigureData Load(string folder, string name)
    {
        var path = DataPath(folder, name);
        if (!File.Exists(path))
            throw new FileNotFoundException($"Expected the numbers of the figure {name} in '{path}', found no such file. Make it: dotnet run -c Release docs/book/figures.cs {name}", path);
        return FigureData.FromJson(File.ReadAllText(path), path);
    }

    /// <summary>Writes the numbers of a figure.</summary>
    public static void Save(string folder, string name, FigureData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        AtomicFile.Write(DataPath(folder, name), Encoding.UTF8.GetBytes(data.ToJson()));
    }

    /// <summary>Draws a figure from its file, in each language.</summary>
    public static void Draw(string folder, Figure figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        var data = Load(folder, figure.Name);
        foreach (var language in BookLanguages.All)
            AtomicFile.Write(DrawingPath(folder, figure.Name, language), Encoding.UTF8.GetBytes(Svg(figure, data, language)));
    }

    /// <summary>The drawing of a figure, as its file holds it.</summary>
    public static string Svg(Figure figure, FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(figure);
        return ChartRenderer.ToSvg(figure.Draw(data, language), figure.Size.Width, figure.Size.Height) + "\n";
    }

    static List<Figure> Find()
    {
        List<Figure> figures =
        [
            .. Assembly.GetExecutingAssembly().GetTypes()
                .Where(type => type.IsSubclassOf(typeof(Figure)) && !type.IsAbstract)
                .Select(type => (Figure)Activator.CreateInstance(type)!)
                .OrderBy(figure => figure.Name, StringComparer.Ordinal),
        ];
        foreach (var (first, second) in figures.Zip(figures.Skip(1)).Where(pair => pair.First.Name == pair.Second.Name))
            throw new InvalidOperationException($"{first.GetType().Name} and {second.GetType().Name} are both called \"{first.Name}\"; give one another name.");
        return figures;
    }
}
