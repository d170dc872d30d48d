using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Unroll.Formats;

namespace Unroll.Tests.Formats;

/// <summary>A directory of its own for each test, and files made by hand, so that the writer does not test itself.</summary>
public abstract class SafetensorsFixture : IDisposable
{
    protected string Folder { get; } = Directory.CreateTempSubdirectory("unroll-formats-").FullName;

    protected string Target => Path.Combine(Folder, "model.safetensors");

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "fixtures", name);

    /// <summary>Length, header, payload.</summary>
    protected static byte[] Bytes(string header, int payloadLength = 0) => Bytes(Encoding.UTF8.GetBytes(header), new byte[payloadLength]);

    protected static byte[] Bytes(byte[] header, byte[] payload)
    {
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. payload];
    }

    protected SafetensorsFile ReadBytes(byte[] bytes)
    {
        File.Delete(Target); // some file systems flush a file that is cut and rewritten, which costs 10 ms
        File.WriteAllBytes(Target, bytes);
        return SafetensorsFile.Read(Target);
    }

    protected static int[] Bits(SafetensorsTensor tensor) => MemoryMarshal.Cast<float, int>(tensor.Data.Span).ToArray();

    protected static SafetensorsTensor Tensor(string name, int[] shape, params float[] data) => new(name, shape, data);

    protected static void AssertSame(SafetensorsTensor expected, SafetensorsTensor actual)
    {
        Assert.Equal(expected.Name, actual.Name);
        Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
        Assert.Equal(Bits(expected), Bits(actual));
    }

    protected static void AssertOneLine(ModelFileException problem, string path)
    {
        Assert.Equal(path, problem.FilePath);
        Assert.StartsWith($"{path}: ", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(problem.Message, char.IsControl);
        Assert.InRange(problem.Message.Length, path.Length + 20, path.Length + 400);
    }

    /// <summary>A small file with every feature: metadata, two ranks, escapes and non-ASCII in a name.</summary>
    protected static SafetensorsTensor[] SmallModel() =>
    [
        Tensor("weight", [2, 3], 1, -2, 3.5f, float.NaN, -0f, float.Epsilon),
        Tensor("重み \"b\"\n", [2], 0.25f, float.PositiveInfinity),
        Tensor("none", [3, 0]),
        Tensor("scalar", [], 7),
    ];

    protected static Dictionary<string, string> SmallMetadata() => new() { ["model"] = "lstm", ["zeile"] = "a\tb\\ é" };
}
