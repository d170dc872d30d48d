using System.Globalization;

namespace Unroll.Benchmarks.Protocol;

/// <summary>What one process measures, written on its command line as <c>MODE CELL B,T,I,H THREADS [VARIANT]</c>.</summary>
/// <param name="Mode">One of <see cref="Modes"/>, or <see cref="PeakMode"/>.</param>
/// <param name="Cell">One of <see cref="Cells"/>.</param>
/// <param name="Shape">The sizes.</param>
/// <param name="Threads">Threads that compute, at least 1.</param>
/// <param name="Variant">Which of the library's ways of doing it.</param>
public sealed record Configuration(string Mode, string Cell, Shape Shape, int Threads, string Variant = Configuration.DefaultVariant)
{
    /// <summary>The way a library is used when there is only one worth measuring.</summary>
    public const string DefaultVariant = "default";

    /// <summary>Beyond what a library's own interface offers: the process started on another allocator.</summary>
    public const string TcMallocVariant = "tcmalloc";

    /// <summary>The machine's multiply-adds without a model: a step is 1 GFLOP.</summary>
    public const string PeakMode = "peak";

    /// <summary>
    /// <c>train</c>: forward, mean squared error of a dense layer H → 1 on the last state, backward, Adam. <c>grad</c>: the
    /// same without Adam. <c>train-every</c>: the dense layer and its loss on every step. <c>infer</c>: the last hidden
    /// state. <c>stream</c>: one step of one sequence, the state carried on.
    /// </summary>
    public static IReadOnlyList<string> Modes { get; } = ["train", "grad", "train-every", "infer", "stream"];

    /// <summary>The cells every library has.</summary>
    public static IReadOnlyList<string> Cells { get; } = ["rnn", "lstm", "gru"];

    /// <summary>
    /// Floating-point operations of a step: 2·B·T·G·H·(I + H) in the forward products, G = 1, 3, 4, and three times that
    /// in training. Elementwise work, the dense layer and the optimizer are not counted, for any library.
    /// </summary>
    public double Flops
    {
        get
        {
            if (Mode == PeakMode)
                return 1e9;
            var gates = Cell switch { "rnn" => 1, "gru" => 3, _ => 4 };
            var forward = 2.0 * Shape.B * Shape.T * gates * Shape.H * (Shape.I + Shape.H);
            return IsTraining ? 3 * forward : forward;
        }
    }

    /// <summary>Whether a step has a backward pass.</summary>
    public bool IsTraining => Mode is "train" or "grad" or "train-every";

    /// <summary>The command line of the process that measures it.</summary>
    public IEnumerable<string> ToArguments() => [Mode, Cell, Shape.ToString(), Threads.ToString(CultureInfo.InvariantCulture), Variant];

    /// <summary>Reads a command line.</summary>
    /// <exception cref="FormatException">It is not one.</exception>
    public static Configuration Parse(IReadOnlyList<string> arguments)
    {
        if (arguments.Count is < 4 or > 5)
            throw new FormatException($"Expected MODE CELL B,T,I,H THREADS [VARIANT], got {arguments.Count} arguments.");
        if (!Modes.Contains(arguments[0]) && arguments[0] != PeakMode)
            throw new FormatException($"Expected a mode of {string.Join(", ", Modes)}, got '{arguments[0]}'.");
        if (!Cells.Contains(arguments[1]))
            throw new FormatException($"Expected a cell of {string.Join(", ", Cells)}, got '{arguments[1]}'.");
        if (!int.TryParse(arguments[3], NumberStyles.None, CultureInfo.InvariantCulture, out var threads) || threads < 1)
            throw new FormatException($"Expected a number of threads of at least 1, got '{arguments[3]}'.");
        return new Configuration(
            arguments[0], arguments[1], Shape.Parse(arguments[2]), threads, arguments.Count == 5 ? arguments[4] : DefaultVariant);
    }
}

/// <summary>Sizes, written <c>B,T,I,H</c>.</summary>
/// <param name="B">Batch.</param>
/// <param name="T">Steps.</param>
/// <param name="I">Input features.</param>
/// <param name="H">Hidden units.</param>
public readonly record struct Shape(int B, int T, int I, int H)
{
    /// <summary>Reads four sizes of at least 1 with commas between.</summary>
    /// <exception cref="FormatException">The text is something else.</exception>
    public static Shape Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var sizes = text.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : 0).ToArray();
        return sizes is [> 0, > 0, > 0, > 0]
            ? new Shape(sizes[0], sizes[1], sizes[2], sizes[3])
            : throw new FormatException($"Expected a shape B,T,I,H of four whole numbers from 1, such as 32,100,64,256; got '{text}'.");
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{B},{T},{I},{H}");
}
