using System.Diagnostics;

namespace Unroll.Benchmarks.Measuring;

/// <summary>A library that is measured: the program that uses it, in <c>bench/peers</c>.</summary>
/// <param name="Name">The library's name.</param>
/// <param name="Program">The project and its assembly.</param>
sealed record Library(string Name, string Program)
{
    const string SymbolOfGcc13 = "_ZSt21ios_base_library_initv";
    const string VersionOfGcc13 = "GLIBCXX_3.4.32";

    /// <summary>This repository's library, built with the benchmarks themselves.</summary>
    public static Library Unroll { get; } = new("Unroll", "UnrollPeer");

    public static Library TorchSharp { get; } = new("TorchSharp", "TorchPeer");

    public static Library OnnxRuntime { get; } = new("ONNX Runtime", "OrtPeer");

    /// <summary>The folder that holds the solution.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>The program, ready to be run by <c>dotnet</c>.</summary>
    public string Assembly => this == Unroll
        ? Path.Combine(AppContext.BaseDirectory, Program + ".dll")
        : Path.Combine(Repository, "artifacts", "bench", Program, Program + ".dll");

    /// <summary>Builds the program if it is missing or older than its sources.</summary>
    /// <exception cref="InvalidOperationException">The build failed.</exception>
    public void Build()
    {
        var project = Path.Combine(Repository, "bench", "peers", Program);
        if (this == Unroll || File.GetLastWriteTimeUtc(Assembly) > NewestSource(project, Path.Combine(project, "..", "Protocol")))
            return;
        Console.Error.WriteLine($"Building {Program} ...");
        var folder = Path.GetDirectoryName(Assembly)!;
        var start = new ProcessStartInfo("dotnet", ["build", project, "-c", "Release", "--nologo", "-v", "quiet", "-o", folder])
        {
            RedirectStandardOutput = true,
        };
        using (var build = Process.Start(start)!)
        {
            var output = build.StandardOutput.ReadToEnd();
            build.WaitForExit();
            if (build.ExitCode != 0)
            {
                var error = output.Split('\n').FirstOrDefault(line => line.Contains("error", StringComparison.Ordinal)) ?? output;
                throw new InvalidOperationException($"bench/peers/{Program} does not build: {error.Trim()}");
            }
        }

        var native = Path.Combine(folder, "libLibTorchSharp.so");
        if (File.Exists(native))
            MissingSymbolVersion.MakeOptional(native, SymbolOfGcc13, VersionOfGcc13);
        // An up-to-date assembly is not written again; its date says that it was looked at.
        File.SetLastWriteTimeUtc(Assembly, DateTime.UtcNow);
    }

    static DateTime NewestSource(params string[] folders) => folders
        .SelectMany(folder => Directory.EnumerateFiles(folder))
        .Max(File.GetLastWriteTimeUtc);

    static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Unroll.slnx")))
                return folder;
        }

        throw new InvalidOperationException($"Expected the benchmarks inside the repository, found no Unroll.slnx above {AppContext.BaseDirectory}.");
    }
}
