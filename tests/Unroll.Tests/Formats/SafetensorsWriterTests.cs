using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Unroll.Formats;

namespace Unroll.Tests.Formats;

public sealed class SafetensorsWriterTests : SafetensorsFixture
{
    static readonly int[] s_specialBits =
    [
        0x7FC00001, unchecked((int)0xFFC12345), 0x7F800001, unchecked((int)0xFF800001), // NaNs, quiet and signalling
        unchecked((int)0x80000000), 1, 0x007FFFFF, unchecked((int)0x80000001), // −0 and denormals
        0x7F800000, unchecked((int)0xFF800000), 0x7F7FFFFF,
    ];

    static readonly Gen<string> s_text = Gen.OneOf(
        Gen.Int[0, 0x7F],
        Gen.Int[0x80, 0xD7FF],
        Gen.Int[0xE000, 0x10FFFF],
        Gen.OneOf('"', '\\', '/', '\n', '\0', '\u2028', '\u007F', 0x1F600)).Array[0, 12].Select(points => string.Concat(points.Select(char.ConvertFromUtf32)));

    static readonly Gen<SafetensorsTensor> s_tensor =
        from name in s_text
        from shape in Gen.Int[0, 4].Array[0, 4]
        let count = shape.Aggregate(1, (product, dimension) => product * dimension)
        from bits in Gen.OneOf(Gen.Int, Gen.OneOf(s_specialBits)).Array[count]
        select new SafetensorsTensor(name == "__metadata__" ? "" : name, shape, bits.Select(BitConverter.Int32BitsToSingle).ToArray());

    [Fact]
    public void WriteThenRead_GivesTheSameBits()
    {
        var number = 0;
        Gen.Select(s_tensor.Array[0, 6], Gen.Dictionary(s_text, s_text)[0, 4]).Sample((tensors, metadata) =>
        {
            var path = Path.Combine(Folder, $"{Interlocked.Increment(ref number)}.safetensors");
            SafetensorsTensor[] distinct = [.. tensors.DistinctBy(t => t.Name)];
            metadata.Remove("sha256");
            metadata.Remove("sha256_header");
            SafetensorsFile.Write(path, distinct, metadata);
            var file = SafetensorsFile.Read(path);

            Assert.Equal(distinct.Length, file.Tensors.Count);
            Assert.All(distinct.Zip(file.Tensors), pair => AssertSame(pair.First, pair.Second));
            Assert.All(distinct, tensor => AssertSame(tensor, file.Get(tensor.Name, tensor.Shape)));
            Assert.Equal(metadata.Count, file.Metadata.Count);
            Assert.All(metadata, text => Assert.Equal(text.Value, file.Metadata[text.Key]));

            // Same arguments, same bytes; what was read writes the same file again.
            var again = path + ".again";
            SafetensorsFile.Write(again, file.Tensors, file.Metadata.Reverse().ToDictionary());
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(again));
            File.Delete(path);
            File.Delete(again);
        });
    }

    [Fact]
    public void Write_GivesTheBytesOfTheIndependentWriter()
    {
        var golden = Fixture("unroll.safetensors");
        var file = SafetensorsFile.Read(golden);
        SafetensorsFile.Write(Target, file.Tensors, file.Metadata);
        Assert.Equal(File.ReadAllBytes(golden), File.ReadAllBytes(Target));
    }

    [Fact]
    public void Write_IsReadByTheIndependentReader()
    {
        SafetensorsFile.Write(Target, SmallModel(), SmallMetadata());
        Process? python;
        try
        {
            python = Process.Start(new ProcessStartInfo("python3", [Fixture("make_safetensors_golden.py"), Target])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["PYTHONIOENCODING"] = "utf-8" },
            });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("python3 is not on this machine.");
            return;
        }

        using (python)
        {
            var lines = python!.StandardOutput.ReadToEnd();
            Assert.Equal("", python.StandardError.ReadToEnd());
            python.WaitForExit();
            Assert.Equal(0, python.ExitCode);
            Assert.Contains("weight F32 [2, 3] [1065353216, 3221225472, 1080033280, 4290772992]", lines, StringComparison.Ordinal);
            Assert.Contains("scalar F32 [] [1088421888]", lines, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Write_AlignsThePayloadAndAddsItsDigest()
    {
        for (var length = 0; length < 9; length++)
        {
            SafetensorsFile.Write(Target, [Tensor(new string('n', length), [2], 1, 2)]);
            var bytes = File.ReadAllBytes(Target);
            var headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
            Assert.Equal(0, headerLength % 8);
            Assert.Equal(bytes.Length, 8 + headerLength + 8);
            var header = Encoding.UTF8.GetString(bytes, 8, headerLength);
            var digest = Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(8 + headerLength)));
            Assert.StartsWith($"{{\"__metadata__\":{{\"sha256\":\"{digest}\",\"sha256_header\":\"", header, StringComparison.Ordinal);
            Assert.InRange(header.Length - header.TrimEnd(' ').Length, 0, 7);
            Assert.Equal(digest, SafetensorsFile.Read(Target).Sha256);
        }
    }

    [Fact]
    public void Write_GivesTheSameBits_WhenATensorIsLargerThanOneChunk()
    {
        var data = new float[(1 << 19) + 17];
        for (var i = 0; i < data.Length; i++)
            data[i] = BitConverter.Int32BitsToSingle(i * 5);
        var tensor = new SafetensorsTensor("large", [data.Length], data);
        SafetensorsFile.Write(Target, [tensor, Tensor("b", [], 1)]);
        AssertSame(tensor, SafetensorsFile.Read(Target).Get("large"));
    }

    [Fact]
    public void Write_ReplacesTheOlderFile_AndLeavesNothingElse()
    {
        File.WriteAllText(Target, new string('x', 100_000));
        SafetensorsFile.Write(Target, SmallModel());
        Assert.Equal(4, SafetensorsFile.Read(Target).Tensors.Count);
        Assert.Equal([Target], Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public void Write_KeepsThePermissionsOfTheOlderFile()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Unix permissions are needed.");
            return;
        }

        SafetensorsFile.Write(Target, SmallModel());
        File.SetUnixFileMode(Target, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        SafetensorsFile.Write(Target, SmallModel());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Target));
    }

    [Fact]
    public void Write_Refuses_WhenTheDirectoryIsMissing()
    {
        var path = Path.Combine(Folder, "absent", "model.safetensors");
        var problem = Assert.Throws<ModelFileException>(() => SafetensorsFile.Write(path, SmallModel()));
        Assert.Contains("there is no directory", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, path);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public void Write_Refuses_WhenTheTargetIsADirectory()
    {
        Directory.CreateDirectory(Target);
        var problem = Assert.Throws<ModelFileException>(() => SafetensorsFile.Write(Target, SmallModel()));
        Assert.Contains("this is a directory", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Target);
        Assert.Equal([Target], Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public void Write_KeepsTheOlderFile_WhenTheDirectoryIsReadOnly()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Unix permissions are needed.");
            return;
        }

        Assert.SkipWhen(Environment.IsPrivilegedProcess, "A privileged process may write in every directory.");
        SafetensorsFile.Write(Target, SmallModel());
        var before = File.ReadAllBytes(Target);
        File.SetUnixFileMode(Folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            var problem = Assert.Throws<ModelFileException>(() => SafetensorsFile.Write(Target, [Tensor("new", [1], 1)]));
            Assert.Contains("the older file is as it was", problem.Message, StringComparison.Ordinal);
            AssertOneLine(problem, Target);
        }
        finally
        {
            File.SetUnixFileMode(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        Assert.Equal(before, File.ReadAllBytes(Target));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Write_KeepsTheOlderFile_WhenTheDiskIsFull(bool hasOlderFile)
    {
        const string Full = "/dev/full"; // a Linux device that answers every write as a full disk does
        Assert.SkipUnless(File.Exists(Full), "There is no /dev/full on this machine.");
        if (hasOlderFile)
            File.WriteAllText(Target, "older");
        string? made = null;
        var problem = Assert.Throws<ModelFileException>(() => SafetensorsFile.Write(Target, SmallModel(), null, (temporary, length) =>
        {
            made = temporary;
            File.WriteAllBytes(temporary, new byte[length]);
            return new FileStream(Full, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        }));
        Assert.Contains("the file cannot be written: No space left on device", problem.Message, StringComparison.Ordinal);
        Assert.EndsWith(hasOlderFile ? "the older file is as it was." : "no file was made.", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Target);
        Assert.Equal(Folder, Path.GetDirectoryName(made));
        Assert.Equal(hasOlderFile ? [Target] : [], Directory.GetFileSystemEntries(Folder));
        if (hasOlderFile)
            Assert.Equal("older", File.ReadAllText(Target));
    }

    [Fact]
    public void Write_KeepsTheOlderFile_WhereverItFails()
    {
        // The values are asked for once per tensor for the digest and once for the file; fail at each of the four.
        for (var failAt = 1; failAt <= 5; failAt++)
        {
            File.WriteAllText(Target, "older");
            using var values = new FailingMemory(failAt);
            SafetensorsTensor[] tensors = [new("a", [3], values.Memory), new("b", [3], values.Memory)];
            if (failAt == 5)
            {
                SafetensorsFile.Write(Target, tensors);
                Assert.Equal(2, SafetensorsFile.Read(Target).Tensors.Count);
            }
            else
            {
                Assert.ThrowsAny<InvalidDataException>(() => SafetensorsFile.Write(Target, tensors));
                Assert.Equal("older", File.ReadAllText(Target));
            }

            Assert.Equal([Target], Directory.GetFileSystemEntries(Folder));
        }
    }

    [Fact]
    public void Write_RefusesWrongArguments_BeforeItTouchesAFile()
    {
        var tensor = Tensor("a", [1], 1);
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write("", [tensor]));
        Assert.Throws<ArgumentNullException>(() => SafetensorsFile.Write(Target, null!));
        Assert.Throws<ArgumentNullException>(() => SafetensorsFile.Write(Target, [null!]));
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(Target, [tensor, tensor])).Message, StringComparison.Ordinal);
        foreach (var key in new[] { "sha256", "sha256_header", "half \uD800" })
            Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(Target, [tensor], new Dictionary<string, string> { [key] = "" }));
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(Target, [tensor], new Dictionary<string, string> { ["k"] = "\uDC00" }));
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(Target, [tensor], new Dictionary<string, string> { ["k"] = null! }));
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public void Tensor_RefusesShapesAndNamesThatCannotBe()
    {
        Assert.Contains("[2,2]", Assert.Throws<ArgumentException>(() => Tensor("a", [2, 2], 1, 2, 3)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Tensor("a", [-1], 1));
        Assert.Throws<ArgumentException>(() => Tensor("a", [65536, 65536, 65536, 65536]));
        Assert.Throws<ArgumentException>(() => Tensor("a", []));
        Assert.Throws<ArgumentException>(() => Tensor("__metadata__", [1], 1));
        Assert.Throws<ArgumentException>(() => Tensor("\uD83D", [1], 1));
        Assert.Throws<ArgumentNullException>(() => Tensor(null!, [1], 1));
        int[] shape = [1];
        var tensor = Tensor("a", shape, 1);
        shape[0] = 9;
        Assert.Equal([1], tensor.Shape.ToArray());
        Assert.Equal("F32", tensor.StoredType);
    }

    /// <summary>Three values that can be asked for a few times, as if memory went bad.</summary>
    sealed class FailingMemory(int failAt) : MemoryManager<float>
    {
        readonly float[] _values = [1, 2, 3];
        int _asked;

        public override Memory<float> Memory => CreateMemory(_values.Length);

        public override Span<float> GetSpan() =>
            ++_asked == failAt ? throw new InvalidDataException("The values are gone.") : _values;

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin() => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
        }
    }
}
