using System.Buffers.Binary;
using System.IO.Compression;
using Unroll.Data;
using Unroll.Tests.Documentation;

namespace Unroll.Tests.Data;

/// <summary>A directory of its own for each test, IDX files made by hand, and the real MNIST where it lies beside the repository.</summary>
public abstract class DataFileFixture : IDisposable
{
    protected string Folder { get; } = Directory.CreateTempSubdirectory("unroll-data-").FullName;

    /// <summary>The first 20,000 training images and all test images; the test is skipped where they are not at hand.</summary>
    protected static string Mnist
    {
        get
        {
            var folder = Path.Combine(Repository.Root, "..", "shared", "data", "mnist");
            Assert.SkipUnless(Directory.Exists(folder), "The MNIST files do not lie beside this checkout, in ../shared/data/mnist.");
            return folder;
        }
    }

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>An IDX file: magic, dimensions, values.</summary>
    protected static byte[] Idx(uint[] shape, byte[] values, byte type = 8, int? dimensions = null)
    {
        var bytes = new byte[4 + (4 * shape.Length) + values.Length];
        bytes[2] = type;
        bytes[3] = (byte)(dimensions ?? shape.Length);
        for (var i = 0; i < shape.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4 + (4 * i)), shape[i]);
        values.CopyTo(bytes, 4 + (4 * shape.Length));
        return bytes;
    }

    protected static byte[] Gzip(byte[] bytes)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Optimal, leaveOpen: true))
            gzip.Write(bytes);
        return stream.ToArray();
    }

    protected string Write(string name, byte[] bytes)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    protected static void AssertOneLine(DataFileException problem, string path)
    {
        Assert.Equal(path, problem.FilePath);
        Assert.StartsWith($"{path}: ", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(problem.Message, char.IsControl);
        Assert.InRange(problem.Message.Length, path.Length + 20, path.Length + 400);
    }
}
