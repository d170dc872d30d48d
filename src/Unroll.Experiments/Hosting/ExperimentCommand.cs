using System.CommandLine;
using System.Runtime.InteropServices;
using Unroll.Training;

namespace Unroll.Experiments.Hosting;

/// <summary>What every experiment is started with.</summary>
/// <param name="Name">The experiment, which also names its output folder.</param>
/// <param name="Seed">The first seed.</param>
/// <param name="Seeds">How many seeds, counted up from the first.</param>
/// <param name="Quick">Whether a few seconds are to do.</param>
/// <param name="Folder">Where results go; exists and can be written to.</param>
/// <param name="Output">Where progress and results are told.</param>
/// <param name="Cancellation">Fires on Ctrl+C.</param>
public sealed record ExperimentContext(
    string Name, uint Seed, int Seeds, bool Quick, string Folder, TextWriter Output, CancellationToken Cancellation)
{
    /// <summary>The seeds to run.</summary>
    public IReadOnlyList<uint> SeedList { get; } = [.. Enumerable.Range(0, Seeds).Select(i => Seed + (uint)i)];

    /// <summary>The seeds in words: "3" or "1 to 10".</summary>
    public string SeedText => Seeds == 1 ? $"{Seed}" : $"{SeedList[0]} to {SeedList[^1]}";
}

/// <summary>The command line of an experiment: the options all of them have, one clear line per error, exit codes.</summary>
/// <remarks>Exit code 0: done. 1: something failed while running. 2: the command line is wrong. 130: Ctrl+C.</remarks>
public sealed class ExperimentCommand
{
    const int MaximumSeeds = 1000;
    const int Interrupted = 130;

    readonly string _name;
    readonly RootCommand _root;
    readonly Option<long> _seed;
    readonly Option<int> _seeds;
    readonly Option<bool> _quick = new("--quick") { Description = "A few seconds only: fewer updates." };
    readonly Option<string> _out;

    /// <summary>Makes the command of the experiment <paramref name="name"/>.</summary>
    public ExperimentCommand(string name, string description)
    {
        _name = name;
        _root = new RootCommand(description);
        _seed = Whole<long>("--seed", "The seed of everything random.", 1, 0, uint.MaxValue - MaximumSeeds);
        _seeds = Whole<int>("--seeds", "How many seeds to run, counted up from --seed.", 1, 1, MaximumSeeds);
        _out = new Option<string>("--out") { Description = "The folder for the results.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("results", name) };
        _out.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && string.IsNullOrWhiteSpace(result.Tokens[0].Value))
                result.AddError("Option '--out' expects the name of a folder, got an empty one.");
        });
        foreach (var option in new Option[] { _seed, _seeds, _quick, _out })
            _root.Options.Add(option);
    }

    /// <summary>Adds an option of the experiment's own.</summary>
    public TOption Add<TOption>(TOption option)
        where TOption : Option
    {
        _root.Options.Add(option);
        return option;
    }

    /// <summary>An option that takes a whole number within bounds; 0 when it is left out and has no default.</summary>
    public static Option<T> Whole<T>(string name, string description, T? defaultValue, T minimum, T maximum)
        where T : struct, IComparable<T>, ISpanParsable<T>
    {
        var option = new Option<T>(name) { Description = $"{description} {minimum} to {maximum}.", HelpName = "N" };
        if (defaultValue is { } value)
            option.DefaultValueFactory = _ => value;
        option.CustomParser = result =>
        {
            var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (T.TryParse(text, null, out var number) && number.CompareTo(minimum) >= 0 && number.CompareTo(maximum) <= 0)
                return number;
            result.AddError($"Option '{name}' expects a whole number from {minimum} to {maximum}, got '{text}'.");
            return default;
        };
        return option;
    }

    /// <summary>An option that takes one of a few words.</summary>
    public static Option<string> OneOf(string name, string description, params string[] words)
    {
        var option = new Option<string>(name) { Description = description, HelpName = string.Join('|', words), DefaultValueFactory = _ => words[0] };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !words.Contains(result.Tokens[0].Value))
                result.AddError($"Option '{name}' expects {string.Join(" or ", words.Select(word => $"'{word}'"))}, got '{result.Tokens[0].Value}'.");
        });
        return option;
    }

    /// <summary>Parses and runs.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="body">The experiment.</param>
    /// <param name="output">Where it speaks; the console if null.</param>
    /// <param name="error">Where errors go; the console if null.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, Action<ExperimentContext, ParseResult> body, TextWriter? output = null, TextWriter? error = null)
    {
        ArgumentNullException.ThrowIfNull(body);
        output ??= Console.Out;
        error ??= Console.Error;
        var parsed = _root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            error.WriteLine($"error: {OneLine(parsed.Errors[0].Message)} See --help.");
            return 2;
        }

        // Of an option with a value the parser says so itself.
        if (_root.Options.FirstOrDefault(option => parsed.GetResult(option)?.IdentifierTokenCount > 1) is { } repeated)
        {
            error.WriteLine($"error: Option '{repeated.Name}' is given more than once. See --help.");
            return 2;
        }

        if (parsed.Action is not null)
            return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error });

        using var cancellation = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal =>
        {
            signal.Cancel = true;
            cancellation.Cancel();
        });
        try
        {
            var folder = OutputFolder.Prepare(parsed.GetValue(_out)!);
            var context = new ExperimentContext(
                _name, (uint)parsed.GetValue(_seed), parsed.GetValue(_seeds), parsed.GetValue(_quick), folder, output, cancellation.Token);
            body(context, parsed);
            return cancellation.IsCancellationRequested ? Interrupted : 0;
        }
        catch (Exception exception) when (Cause(exception) is { } cause)
        {
            if (cause is OperationCanceledException)
            {
                error.WriteLine("Stopped before the first result; nothing was written.");
                return Interrupted;
            }

            error.WriteLine($"error: {OneLine(cause.Message)}");
            return 1;
        }
    }

    /// <summary>What a user can be told in one line; null for a mistake of ours, which is to keep its stack.</summary>
    static Exception? Cause(Exception exception) => exception switch
    {
        // Runs on several threads fail together; the first to be known tells what was wrong.
        AggregateException several => several.Flatten().InnerExceptions.Select(Cause).FirstOrDefault(),
        OperationCanceledException or IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException
            or TrainingDivergedException => exception,
        _ => null,
    };

    static string OneLine(string message) => message.ReplaceLineEndings(" ").Trim();
}
