using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;

namespace Unroll.Book;

/// <summary>The command that makes the figures of the book, or checks that they can be made again.</summary>
/// <param name="folder">The folder of the figures' files.</param>
/// <param name="figures">The figures; those of the book if null.</param>
/// <param name="output">Where it tells what it does; the console if null.</param>
/// <param name="error">Where it tells what went wrong; the console's error stream if null.</param>
public sealed class FigureCommand(string folder, IReadOnlyList<Figure>? figures = null, TextWriter? output = null, TextWriter? error = null)
{
    readonly IReadOnlyList<Figure> _figures = figures ?? BookFigures.All;
    readonly TextWriter _output = TextWriter.Synchronized(output ?? Console.Out);
    readonly TextWriter _error = error ?? Console.Error;

    /// <summary>Makes, draws or checks figures, as many at a time as there are cores.</summary>
    /// <param name="args">The command line: names of figures, none for all; <c>--check</c>, <c>--draw</c>, <c>--list</c>.</param>
    /// <returns>0 when all is well; 1 when a figure failed or differs; 2 when the command line is wrong.</returns>
    public int Run(string[] args)
    {
        var names = new Argument<string[]>("NAME") { Description = "The figures; all if none is named.", Arity = ArgumentArity.ZeroOrMore };
        var check = new Option<bool>("--check") { Description = "Measure again and compare with the files; write nothing." };
        var draw = new Option<bool>("--draw") { Description = "Draw from the numbers in the files; measure nothing." };
        var list = new Option<bool>("--list") { Description = "Tell the names." };
        var root = new RootCommand("Measures and draws the figures of the book.") { names, check, draw, list };
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
            return Wrong($"{parsed.Errors[0].Message} See --help.");
        if (parsed.Action is not null)
            return parsed.Invoke();
        if (parsed.GetValue(check) && parsed.GetValue(draw))
            return Wrong("expected --check or --draw, got both; use one.");
        var chosen = new List<Figure>();
        foreach (var name in parsed.GetValue(names)!.Distinct())
        {
            if (_figures.FirstOrDefault(figure => figure.Name == name) is not { } figure)
                return Wrong($"there is no figure \"{name}\"; the figures are {string.Join(", ", _figures.Select(f => f.Name))}.");
            chosen.Add(figure);
        }

        if (chosen.Count == 0)
            chosen.AddRange(_figures);
        if (parsed.GetValue(list))
        {
            foreach (var figure in chosen)
                _output.WriteLine(figure.Name);
            return 0;
        }

        return RunAll(chosen, parsed.GetValue(check) ? Check : parsed.GetValue(draw) ? Draw : Make);
    }

    int RunAll(List<Figure> chosen, Func<Figure, string> work)
    {
        var clock = Stopwatch.GetTimestamp();
        var failures = new ConcurrentDictionary<string, string>();
        Parallel.ForEach(
            Partitioner.Create(chosen, EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            figure =>
            {
                var start = Stopwatch.GetTimestamp();
                try
                {
                    var told = work(figure);
                    _output.WriteLine($"{figure.Name}: {told}, {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or FormatException or InvalidOperationException or ArgumentException)
                {
                    failures[figure.Name] = exception.Message;
                    _output.WriteLine($"{figure.Name}: failed, {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
                }
            });
        foreach (var (name, message) in failures.OrderBy(failure => failure.Key, StringComparer.Ordinal))
            _error.WriteLine($"error: {name}: {message}");
        _output.WriteLine($"{chosen.Count - failures.Count} of {chosen.Count} figures in {Stopwatch.GetElapsedTime(clock).TotalSeconds:F1} s.");
        return failures.IsEmpty ? 0 : 1;
    }

    string Make(Figure figure)
    {
        BookFigures.Save(folder, figure.Name, figure.Measure());
        BookFigures.Draw(folder, figure);
        return "measured and drawn";
    }

    string Draw(Figure figure)
    {
        BookFigures.Draw(folder, figure);
        return "drawn";
    }

    string Check(Figure figure)
    {
        var committed = BookFigures.Load(folder, figure.Name);
        var measured = figure.Measure();
        var differences = measured.Differences(committed);
        if (differences.Count > 0)
            throw new InvalidOperationException($"measured again, it differs from its file: {string.Join("; ", differences.Take(3))}{(differences.Count > 3 ? $"; and {differences.Count - 3} more" : "")}.");
        if (measured.ToJson() != File.ReadAllText(BookFigures.DataPath(folder, figure.Name)))
            throw new InvalidOperationException("its file holds the same numbers in another form; make it again.");
        foreach (var path in BookLanguages.All.Select(language => BookFigures.DrawingPath(folder, figure.Name, language)))
        {
            if (!File.Exists(path))
                throw new InvalidOperationException($"expected its drawing '{path}', found no such file; make it with --draw.");
        }

        return "the same";
    }

    int Wrong(string message)
    {
        _error.WriteLine($"error: {message}");
        return 2;
    }
}
