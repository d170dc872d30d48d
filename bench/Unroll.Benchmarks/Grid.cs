using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks;

/// <summary>What is measured against what.</summary>
static class Grid
{
    /// <summary>Cell and shape of every training and inference row.</summary>
    public static IReadOnlyList<(string Cell, Shape Shape)> Sequences { get; } =
    [
        .. from shape in new Shape[] { new(10, 25, 1, 50), new(32, 28, 28, 128), new(100, 7, 12, 128), new(32, 100, 64, 256), new(200, 250, 2, 100) }
           from cell in Configuration.Cells
           select (cell, shape),
        ("lstm", new Shape(64, 50, 128, 512)),
        ("lstm", new Shape(64, 50, 256, 1024)),
    ];

    /// <summary>Cell and shape of every streaming row.</summary>
    public static IReadOnlyList<(string Cell, Shape Shape)> Streams { get; } =
    [
        .. from size in new[] { 32, 128, 512 }
           from cell in Configuration.Cells
           select (cell, new Shape(1, 1, size, size)),
    ];

    /// <summary>Unroll, every way of using every peer that has the mode, and the machine's peak, for each number of threads.</summary>
    public static IReadOnlyList<Entry> Contenders(string mode, string cell, Shape shape, IReadOnlyList<int> threads)
    {
        (Library Library, string Variant)[] peers = mode switch
        {
            "train" or "grad" => [(Library.TorchSharp, "default"), (Library.TorchSharp, "flush-denormal")],
            "infer" => [(Library.TorchSharp, "default"), (Library.OnnxRuntime, "run"), (Library.OnnxRuntime, "iobinding")],
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
}
