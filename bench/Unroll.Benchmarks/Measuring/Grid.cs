using System.Runtime.InteropServices;
using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks.Measuring;

/// <summary>What is measured, and against what.</summary>
/// <param name="Sequences">Cell and shape of every training and inference row.</param>
/// <param name="Streams">Cell and shape of every streaming row.</param>
/// <param name="NeighbourShape">The shape trained beside a busy process.</param>
/// <param name="LongShape">The long sequence whose loss sits on its last step or on every step.</param>
/// <param name="Effort">How long each row takes.</param>
/// <param name="LongEffort">How long a row on shared cores takes, measured once more without the peers.</param>
/// <param name="GrowthEffort">How long each growth curve takes; its many sizes make up for short windows.</param>
sealed record Grid(
    IReadOnlyList<(string Cell, Shape Shape)> Sequences,
    IReadOnlyList<(string Cell, Shape Shape)> Streams,
    Shape NeighbourShape,
    Shape LongShape,
    Effort Effort,
    Effort LongEffort,
    Effort GrowthEffort)
{
    /// <summary>The smallest shape, where fixed costs rule.</summary>
    public static Shape Small { get; } = new(10, 25, 1, 50);

    /// <summary>The whole grid.</summary>
    public static Grid Full { get; } = new(
        [
            .. EachCell(Small, new(32, 28, 28, 128), new(100, 7, 12, 128), new(32, 100, 64, 256), new(200, 250, 2, 100)),
            ("lstm", new Shape(64, 50, 128, 512)),
            ("lstm", new Shape(64, 50, 256, 1024)),
        ],
        EachCell(StreamOf(32), StreamOf(128), StreamOf(512)),
        new Shape(32, 100, 64, 256),
        new Shape(200, 250, 2, 100),
        Effort.Full,
        Effort.Long,
        Effort.Short);

    /// <summary>A few rows of each kind, for a look within two minutes.</summary>
    public static Grid Quick { get; } = new(
        [("lstm", Small), ("lstm", new Shape(32, 28, 28, 128))],
        [("lstm", StreamOf(128))],
        new Shape(32, 28, 28, 128),
        new Shape(32, 250, 2, 100),
        Effort.Short,
        Effort.Short,
        Effort.Short);

    /// <summary>The ways TorchSharp trains on this machine.</summary>
    public static IReadOnlyList<string> TorchSharpTraining { get; } =
    [
        Configuration.DefaultVariant,
        .. CanFlushDenormals ? ["flush-denormal"] : Array.Empty<string>(),
        .. CanFlushDenormals && TcMalloc.Path is not null ? [Configuration.TcMallocVariant] : Array.Empty<string>(),
    ];

    static bool CanFlushDenormals => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>Unroll, every way of using every peer that has the mode, and the machine's peak, for each number of threads.</summary>
    public static IReadOnlyList<Entry> Contenders(string mode, string cell, Shape shape, IReadOnlyList<int> threads)
    {
        (Library Library, string Variant)[] peers = mode switch
        {
            "train" or "grad" => [.. TorchSharpTraining.Select(variant => (Library.TorchSharp, variant))],
            "infer" => [(Library.TorchSharp, Configuration.DefaultVariant), (Library.OnnxRuntime, "run"), (Library.OnnxRuntime, "iobinding")],
            "stream" => [(Library.TorchSharp, "layer"), (Library.TorchSharp, "cell"), (Library.OnnxRuntime, "run"), (Library.OnnxRuntime, "iobinding")],
            _ => [],
        };
        var entries = new List<Entry>();
        foreach (var count in threads)
        {
            var configuration = new Configuration(mode, cell, shape, count);
            entries.Add(new Entry(Library.Unroll, configuration));
            entries.AddRange(peers.Select(peer => new Entry(peer.Library, configuration with { Variant = peer.Variant })));
            entries.Add(new Entry(Library.Unroll, configuration with { Mode = Configuration.PeakMode }));
        }

        return entries;
    }

    static Shape StreamOf(int size) => new(1, 1, size, size);

    static (string Cell, Shape Shape)[] EachCell(params Shape[] shapes) =>
        [.. from shape in shapes from cell in Configuration.Cells select (cell, shape)];
}
