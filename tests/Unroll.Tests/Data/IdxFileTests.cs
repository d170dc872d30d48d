using CsCheck;
using Unroll.Data;

namespace Unroll.Tests.Data;

public sealed class IdxFileTests : DataFileFixture
{
    static readonly byte[] s_six = [1, 2, 3, 250, 0, 6];
    static readonly byte[] s_good = Idx([1, 2, 3], s_six);
    static readonly byte[] s_packed = Gzip(s_good);

    /// <summary>Each file is wrong in one way as a file of images; the message must name it.</summary>
    static readonly Dictionary<string, (byte[] File, string Message)> s_malformed = new()
    {
        ["empty"] = ([], "the file is empty"),
        ["one byte"] = ([0], "begins with 00 where 00000803 was expected"),
        ["three bytes"] = ([0, 0, 8], "begins with 000008 where"),
        ["text"] = ("label,pixel1\n"u8.ToArray(), "begins with 6C616265 where 00000803"),
        ["little-endian magic"] = ([3, 8, 0, 0, .. s_good[4..]], "begins with 03080000 where"),
        ["second byte not 0"] = ([0, 1, .. s_good[2..]], "begins with 00010803 where"),
        ["signed bytes"] = (Idx([1, 2, 3], s_six, type: 9), "the type 0x09 where 0x08"),
        ["floats"] = (Idx([1, 2, 3], new byte[24], type: 0x0D), "the type 0x0D where 0x08"),
        ["no type"] = (Idx([1, 2, 3], s_six, type: 0), "the type 0x00 where 0x08"),
        ["labels for images"] = (Idx([6], s_six), "has 1 dimensions where 3 were expected"),
        ["four dimensions"] = (Idx([1, 2, 3, 1], s_six), "has 4 dimensions where 3 were"),
        ["no dimension"] = (Idx([], s_six), "has 0 dimensions where 3 were"),
        ["magic only"] = (s_good[..4], "holds 4 bytes where a header of 16"),
        ["header cut short"] = (s_good[..15], "holds 15 bytes where a header of 16"),
        ["header only"] = (s_good[..16], "holds 16 bytes where its dimensions [1,2,3] ask for 22. It is cut short"),
        ["one byte short"] = (s_good[..^1], "holds 21 bytes where its dimensions [1,2,3] ask for 22. It is cut short"),
        ["one byte more"] = ([.. s_good, 0], "holds 23 bytes where its dimensions [1,2,3] ask for 22: 1 too many"),
        ["no images"] = (Idx([0, 28, 28], []), "dimension 1 of 3 is 0"),
        ["no columns"] = (Idx([5, 28, 0], []), "dimension 3 of 3 is 0"),
        ["dimension of 2^31"] = (Idx([1, 2147483648, 1], s_six), "ask for more than 2147483591 values"),
        ["dimension of 2^32 − 1"] = (Idx([uint.MaxValue, 1, 1], s_six), "ask for more than 2147483591 values"),
        ["product overflows to 0"] = (Idx([65536, 65536, 65536], s_six), "ask for more than 2147483591 values"),
        ["product overflows to 6"] = (Idx([2147483647, 2147483647, 6], s_six), "ask for more than 2147483591 values"),
        ["2 billion values claimed"] = (Idx([2_000_000, 28, 28], s_six), "ask for 1568000016. It is cut short"),
        ["gzip magic only"] = ([0x1F, 0x8B], "the gzip file has 2 bytes, which hold nothing"),
        ["gzip header only"] = (s_packed[..10], "the gzip file has 10 bytes, which hold nothing"),
        ["gzip of nothing"] = (Gzip([]), "the file is empty"),
        ["gzip of text"] = (Gzip("not an IDX file"u8.ToArray()), "begins with 6E6F7420 where 00000803"),
        ["gzip of labels"] = (Gzip(Idx([6], s_six)), "has 1 dimensions where 3 were"),
        ["gzip, header cut short"] = (Gzip(s_good[..9]), "holds 9 bytes where a header of 16"),
        ["gzip, one value short"] = (Gzip(s_good[..^1]), "says that it holds 21 bytes where its dimensions [1,2,3] ask for 22"),
        ["gzip, one value more"] = (Gzip([.. s_good, 0]), "says that it holds 23 bytes where its dimensions [1,2,3] ask for 22"),
        ["gzip in gzip"] = (Gzip(s_packed), "begins with 1F8B0800 where 00000803"),
        ["gzip, wrong method"] = ([.. s_packed[..2], 7, .. s_packed[3..]], "the gzip data are damaged or cut short"),
        ["gzip, wrong check sum"] = ([.. s_packed[..^8], (byte)(s_packed[^8] ^ 1), .. s_packed[^7..]], "the gzip data are damaged or cut short"),
        ["gzip, length says one more"] = ([.. s_packed[..^4], 23, 0, 0, 0], "says that it holds 23 bytes"),
        ["gzip, length says 4 GB"] = ([.. s_packed[..^4], 255, 255, 255, 255], "says that it holds 4294967295, which is impossible"),
        ["gzip, dimensions and length agree on 9,000"] = ([.. Gzip(Idx([1, 90, 100], s_six))[..^4], 0x38, 0x23, 0, 0], "the gzip data are damaged or cut short"),
        ["gzip, a lie that fits"] = ([.. Gzip(Idx([1, 2, 2], s_six))[..^4], 20, 0, 0, 0], "more follows the 20 bytes"),
    };

    public static TheoryData<string> MalformedNames => [.. s_malformed.Keys];

    [Theory]
    [MemberData(nameof(MalformedNames))]
    public void Read_RefusesInOneLineNamingTheProblem_WhenMalformed(string name)
    {
        var (file, message) = s_malformed[name];
        var path = Write("images", file);
        var problem = Assert.Throws<DataFileException>(() => IdxFile.Read(path, 3));
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, path);
        using var stream = new MemoryStream(file);
        AssertOneLine(Assert.Throws<DataFileException>(() => IdxFile.Read(stream, "in memory", 3)), "in memory");
    }

    [Fact]
    public void Read_Refuses_EveryGzipFileCutShort_OrFollowedByBytes()
    {
        var whole = Gzip(Idx([40, 5, 5], [.. Enumerable.Range(0, 1000).Select(i => (byte)(i * i))]));
        for (var length = 0; length < whole.Length; length++)
        {
            using var cut = new MemoryStream(whole[..length]);
            AssertOneLine(Assert.Throws<DataFileException>(() => IdxFile.Read(cut, "cut", 3)), "cut");
        }

        foreach (byte[] more in new byte[][] { [0], [0, 0, 0, 0], [1, 2, 3, 4, 5], whole[..10] })
        {
            using var longer = new MemoryStream([.. whole, .. more]);
            AssertOneLine(Assert.Throws<DataFileException>(() => IdxFile.Read(longer, "longer", 3)), "longer");
        }
    }

    [Fact]
    public void Read_Refuses_EveryGzipFileWithAByteChanged_OrGivesTheSameValues()
    {
        var content = Idx([40, 5, 5], [.. Enumerable.Range(0, 1000).Select(i => (byte)(i * i))]);
        var whole = Gzip(content);
        var refused = 0;
        for (var at = 0; at < whole.Length; at++)
        {
            var changed = (byte[])whole.Clone();
            changed[at] ^= 0x5A;
            using var stream = new MemoryStream(changed);
            try
            {
                Assert.Equal(content[16..], IdxFile.Read(stream, "changed", 3).Values.ToArray()); // a time stamp, say
            }
            catch (DataFileException problem)
            {
                AssertOneLine(problem, "changed");
                refused++;
            }
        }

        Assert.InRange(refused, whole.Length - 10, whole.Length); // of the 10 bytes of its header some mean nothing
    }

    [Fact]
    public void Read_Refuses_WhenTheFileIsMissingOrADirectory()
    {
        var missing = Path.Combine(Folder, "absent", "labels");
        var problem = Assert.Throws<DataFileException>(() => IdxFile.Read(missing, 1));
        Assert.Contains("there is no such file", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, missing);
        problem = Assert.Throws<DataFileException>(() => IdxFile.Read(Folder, 1));
        Assert.Contains("this is a directory", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Folder);
    }

    [Fact]
    public void Read_Refuses_WhatAnotherProcessHolds()
    {
        var path = Write("held", s_good);
        using var held = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        var problem = Assert.Throws<DataFileException>(() => IdxFile.Read(path, 3));
        Assert.Contains("the file cannot be read", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, path);
    }

    [Fact]
    public void Read_Refuses_APipe()
    {
        using var pipe = new System.IO.Pipes.AnonymousPipeServerStream();
        AssertOneLine(Assert.Throws<DataFileException>(() => IdxFile.Read(pipe, "pipe", 3)), "pipe");
    }

    [Fact]
    public void Read_ChecksItsArguments()
    {
        using var stream = new MemoryStream(s_good);
        Assert.Throws<ArgumentException>(() => IdxFile.Read("", 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => IdxFile.Read(stream, "a", 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => IdxFile.Read(stream, "a", 256));
    }

    [Fact]
    public void Read_TakesNoMemory_OnTheWordOfTheHeaderAlone()
    {
        var path = Write("claims-much", Idx([2_000_000, 28, 28], s_six));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<DataFileException>(() => IdxFile.Read(path, 3));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20); // 1.6 GB are claimed
    }

    [Fact]
    public void Read_GivesShapeAndValues_OfAPlainAndAPackedFile_WhateverItsName()
    {
        foreach (var (name, bytes) in new[] { ("plain", s_good), ("packed", s_packed), ("plain.gz", s_good) })
        {
            var file = IdxFile.Read(Write(name, bytes), 3);
            Assert.Equal([1, 2, 3], file.Shape.ToArray());
            Assert.Equal(s_six, file.Values.ToArray());
            Assert.Equal(Path.Combine(Folder, name), file.FilePath);
        }
    }

    [Fact]
    public void Read_GivesBack_WhatWasWritten() =>
        Gen.Select(Gen.UInt[1, 9].Array[1, 5], Gen.Bool, Gen.Int).Sample(
            (shape, packed, seed) =>
            {
                var values = new byte[shape.Aggregate(1u, (product, size) => product * size)];
                new Random(seed).NextBytes(values);
                var bytes = Idx(shape, values);
                using var stream = new MemoryStream(packed ? Gzip(bytes) : bytes);
                var file = IdxFile.Read(stream, "round trip", shape.Length);
                Assert.Equal(shape.Select(size => (int)size), file.Shape.ToArray());
                Assert.Equal(values, file.Values.ToArray());
            },
            iter: 300, seed: "0000Kx9eUnR0", threads: 1);

    [Fact]
    public void Mnist_IsReadWhole()
    {
        // Counts and the sum of all pixels, as another program (Python's gzip) finds them.
        var images = IdxFile.Read(Path.Combine(Mnist, "t10k-images-idx3-ubyte.gz"), 3);
        Assert.Equal([10_000, 28, 28], images.Shape.ToArray());
        var sum = 0;
        foreach (var pixel in images.Values.Span)
            sum += pixel;
        Assert.Equal(264_923_200, sum);
        var labels = IdxFile.Read(Path.Combine(Mnist, "t10k-labels-idx1-ubyte.gz"), 1);
        Assert.Equal([10_000], labels.Shape.ToArray());
        Assert.Equal([7, 2, 1, 0, 4, 1, 4, 9], labels.Values.ToArray()[..8]);
        int[] counts = [.. Enumerable.Range(0, 10).Select(label => labels.Values.Span.Count((byte)label))];
        Assert.Equal([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], counts);
    }
}
