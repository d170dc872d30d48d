using System.Buffers.Binary;
using System.Text.Json;

namespace Unroll.Tests.Experiments;

/// <summary>One run of an experiment in this process, and the folder it has left.</summary>
public abstract class ExperimentSession : IDisposable
{
    /// <summary>Runs a program in a folder of its own.</summary>
    /// <param name="run">The program: its command line, where it speaks and where its errors go; returns its exit code.</param>
    /// <param name="args">The command line but for <c>--out</c>; if empty, nothing is run yet.</param>
    protected ExperimentSession(Func<string[], TextWriter, TextWriter, int> run, string[] args)
    {
        Folder = Directory.CreateTempSubdirectory("unroll-experiment-").FullName;
        Program = run;
        (ExitCode, Output, Error) = args.Length > 0 ? Again(args) : (0, "", "");
    }

    public string Folder { get; }

    public int ExitCode { get; }

    public string Output { get; }

    public string Error { get; }

    public JsonElement Metrics => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "metrics.json"))).RootElement;

    Func<string[], TextWriter, TextWriter, int> Program { get; }

    /// <summary>A metric of one of the main runs.</summary>
    public double Metric(int run, string name) => Metrics.GetProperty("runs")[run].GetProperty(name).GetDouble();

    /// <summary>Runs the program in the same folder.</summary>
    public (int ExitCode, string Output, string Error) Again(params string[] args)
    {
        using StringWriter output = new(), error = new();
        var code = Program([.. args, "--out", Folder], output, error);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Asserts that the run ended well and left these files, its pictures and its report complete, and no others.</summary>
    public void AssertComplete(IEnumerable<string> files, IEnumerable<string> partsOfReport)
    {
        Assert.Equal((0, ""), (ExitCode, Error));
        Assert.Equal(files, Directory.GetFileSystemEntries(Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var picture in files.Where(file => file.EndsWith(".png", StringComparison.Ordinal)))
        {
            var bytes = File.ReadAllBytes(Path.Combine(Folder, picture));
            Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], bytes[..4]);
            Assert.InRange(BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(16)), 300, 10_000); // width
            Assert.InRange(BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(20)), 200, 10_000); // height
        }

        var report = File.ReadAllText(Path.Combine(Folder, "report.html"));
        Assert.StartsWith("<!doctype html>", report, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<script src", report, StringComparison.OrdinalIgnoreCase);
        foreach (var part in partsOfReport)
            Assert.Contains(part, report, StringComparison.Ordinal);
        Assert.Contains(Path.Combine(Folder, "report.html"), Output, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }
}
