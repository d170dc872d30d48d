using System.Text;
using System.Text.Json;
using Unroll.Formats;
using Unroll.Numerics;

namespace Unroll.Tests.Formats;

public sealed class SafetensorsReaderTests : SafetensorsFixture
{
    const string Good = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";
    const string Two = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[%,%]}}""";
    const string Zeros = "0000000000000000000000000000000000000000000000000000000000000000";

    /// <summary>Each file is wrong in one way; the message must name it.</summary>
    static readonly Dictionary<string, (byte[] File, string Message)> s_malformed = new()
    {
        ["empty file"] = ([], "the file is empty"),
        ["one byte"] = ([1], "has 1 bytes where at least 8"),
        ["seven bytes"] = ([0, 0, 0, 0, 0, 0, 0], "has 7 bytes where at least 8"),
        ["length only, 0"] = (new byte[8], "the header has length 0"),
        ["length 0, bytes after"] = (new byte[64], "the header has length 0"),
        ["header longer than file"] = ([200, 0, 0, 0, 0, 0, 0, 0, .. "{}"u8], "length 200 where 2 bytes are left"),
        ["header above 100 MB"] = ([1, 0xE1, 0xF5, 5, 0, 0, 0, 0, .. "{}"u8], "length 100000001 where at most 100000000"),
        ["header above 2^63"] = ([0, 0, 0, 0, 0, 0, 0, 0x80, .. "{}"u8], "length 9223372036854775808 where at most"),
        ["a zip, as .pt files are"] = ("PK\u0003\u0004\0\0\b\b archive/data.pkl"u8.ToArray(), "Is it a safetensors file?"),
        ["not UTF-8"] = (Bytes([.. "{\"a"u8, 0xFF, 0xFE, .. "\":1}"u8], []), "the header is not UTF-8"),
        ["overlong UTF-8"] = (Bytes([.. "{\"a"u8, 0xC0, 0xAF, .. "\":1}"u8], []), "the header is not UTF-8"),
        ["not JSON"] = (Bytes("{not json at all}"), "the header is not valid JSON near its byte"),
        ["JSON cut short"] = (Bytes(Good[..20], 8), "the header is not valid JSON"),
        ["trailing comma"] = (Bytes(Good[..^1] + ",}", 8), "the header is not valid JSON"),
        ["two objects"] = (Bytes(Good + "{}", 8), "the header is not valid JSON"),
        ["comment"] = (Bytes("{/* a */}"), "the header is not valid JSON"),
        ["padded with zero bytes"] = (Bytes(Good + "\0\0", 8), "the header is not valid JSON"),
        ["half a surrogate pair"] = (Bytes("""{"a\ud800":{}}"""), "the header is not valid JSON"),
        ["array"] = (Bytes("[1,2]"), "begins with byte 0x5B where '{'"),
        ["string"] = (Bytes("\"text\""), "begins with byte 0x22 where '{'"),
        ["space before the object"] = (Bytes(" " + Good, 8), "begins with byte 0x20 where '{'"),
        ["byte order mark"] = (Bytes([0xEF, 0xBB, 0xBF, .. "{}"u8], []), "begins with byte 0xEF where '{'"),
        ["nested arrays"] = (Bytes("{\"a\":" + new string('[', 100_000)), "'a' is an array where an object"),
        ["nested objects"] = (Bytes("{" + string.Concat(Enumerable.Repeat("\"a\":{", 100_000))), "has a field 'a' where only dtype"),
        ["duplicate tensor"] = (Bytes("{" + Good[1..^1] + "," + Good[1..], 8), "names the tensor 'a' twice"),
        ["duplicate through an escape"] = (Bytes("{" + Good[1..^1] + "," + Good[1..].Replace("\"a\"", "\"\\u0061\""), 8), "names the tensor 'a' twice"),
        ["tensor is a number"] = (Bytes("""{"a":3}"""), "'a' is a number where an object"),
        ["tensor is null"] = (Bytes("""{"a":null}"""), "'a' is null where an object"),
        ["no dtype"] = (Bytes("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8), "has no field 'dtype'"),
        ["no shape"] = (Bytes("""{"a":{"dtype":"F32","data_offsets":[0,8]}}""", 8), "has no field 'shape'"),
        ["no data_offsets"] = (Bytes("""{"a":{"dtype":"F32","shape":[2]}}""", 8), "has no field 'data_offsets'"),
        ["empty tensor entry"] = (Bytes("""{"a":{}}"""), "has no field 'dtype'"),
        ["unknown field"] = (Bytes(Good.Replace("\"dtype\"", "\"kind\":1,\"dtype\""), 8), "has a field 'kind'"),
        ["field twice"] = (Bytes(Good.Replace("\"dtype\"", "\"dtype\":\"F32\",\"dtype\""), 8), "has the field 'dtype' twice"),
        ["dtype is a number"] = (Bytes(Good.Replace("\"F32\"", "32"), 8), "has a number as dtype"),
        ["shape is a number"] = (Bytes(Good.Replace("[2]", "2"), 8), "has a number as shape"),
        ["shape of strings"] = (Bytes(Good.Replace("[2]", "[\"2\"]"), 8), "has a string in its shape"),
        ["shape in shape"] = (Bytes(Good.Replace("[2]", "[[2]]"), 8), "has an array in its shape"),
        ["shape of a fraction"] = (Bytes(Good.Replace("[2]", "[2.5]"), 8), "not an integer below 2^63"),
        ["data_offsets is an object"] = (Bytes(Good.Replace("[0,8]", "{\"0\":8}"), 8), "has an object as data_offsets"),
        ["one offset"] = (Bytes(Good.Replace("[0,8]", "[0]"), 8), "has 1 data_offsets"),
        ["three offsets"] = (Bytes(Good.Replace("[0,8]", "[0,4,8]"), 8), "more than two data_offsets"),
        ["negative offset"] = (Bytes(Good.Replace("[0,8]", "[-8,0]"), 8), "has -8 in its data_offsets"),
        ["unknown dtype"] = (Bytes(Good.Replace("F32", "F31"), 8), "the dtype 'F31' where F32, F64, F16 or BF16"),
        ["dtype of integers"] = (Bytes(Good.Replace("F32", "I32"), 8), "the dtype 'I32' where F32, F64, F16 or BF16"),
        ["dtype in lower case"] = (Bytes(Good.Replace("F32", "f32"), 8), "the dtype 'f32' where F32"),
        ["negative dimension"] = (Bytes(Good.Replace("[2]", "[-2]"), 8), "has -2 in its shape"),
        ["two negative dimensions"] = (Bytes(Good.Replace("[2]", "[-1,-2]"), 8), "has -1 in its shape"),
        ["dimension of 2^31"] = (Bytes(Good.Replace("[2]", "[2147483648]"), 8), "a dimension 2147483648"),
        ["dimension of 2^64"] = (Bytes(Good.Replace("[2]", "[18446744073709551616]"), 8), "not an integer below 2^63"),
        ["product of dimensions overflows to 0"] = (Bytes(Good.Replace("[2]", "[65536,65536,65536,65536]"), 8), "more than 2147483591 values"),
        ["product of dimensions overflows to 2"] = (Bytes(Good.Replace("[2]", "[2147483647,2147483647,2]"), 8), "more than 2147483591 values"),
        ["4 billion values claimed"] = (Bytes(Good.Replace("[2]", "[2000000000]").Replace("0,8", "0,8000000000"), 8), "which has only 8: the file is cut short"),
        ["shape too large"] = (Bytes(Good.Replace("[2]", "[3]"), 8), "which is 12 bytes, where its data_offsets hold 8"),
        ["shape too small"] = (Bytes(Good.Replace("[2]", "[1]"), 8), "which is 4 bytes, where its data_offsets hold 8"),
        ["scalar of two values"] = (Bytes(Good.Replace("[2]", "[]"), 8), "the shape [] of F32, which is 4 bytes"),
        ["empty shape of two values"] = (Bytes(Good.Replace("[2]", "[0,2]"), 8), "the shape [0,2] of F32, which is 0 bytes"),
        ["begin after end"] = (Bytes(Good.Replace("[0,8]", "[8,0]"), 8), "begins at byte 8 after its end 0"),
        ["overlap"] = (Bytes(With(4, 8), 8), "'b' begins at byte 4 of the payload, where 'a' reaches to 8: they overlap"),
        ["same range"] = (Bytes(With(0, 4), 8), "they overlap"),
        ["hole between"] = (Bytes(With(12, 16), 16), "begins at byte 12 of the payload where 8 was expected: a hole"),
        ["hole at the start"] = (Bytes(Good.Replace("[0,8]", "[4,12]"), 12), "begins at byte 4 of the payload where 0 was expected: a hole"),
        ["payload missing"] = (Bytes(Good), "which has only 0: the file is cut short"),
        ["payload cut short"] = (Bytes(Good, 7), "ends at byte 8 of the payload, which has only 7"),
        ["second tensor beyond the payload"] = (Bytes(With(8, 12), 11), "'b' ends at byte 12 of the payload, which has only 11"),
        ["bytes after the last tensor"] = (Bytes(Good, 10), "2 bytes follow the last tensor"),
        ["bytes and no tensor"] = (Bytes("{}", 4), "4 bytes follow the last tensor"),
        ["metadata is an array"] = (Bytes("""{"__metadata__":["a"]}"""), "'__metadata__' is an array where an object of strings"),
        ["metadata is a string"] = (Bytes("""{"__metadata__":"a"}"""), "'__metadata__' is a string where an object of strings"),
        ["metadata value is a number"] = (Bytes("""{"__metadata__":{"epoch":3}}"""), "the metadata 'epoch' is a number"),
        ["metadata value is null"] = (Bytes("""{"__metadata__":{"epoch":null}}"""), "the metadata 'epoch' is null"),
        ["metadata value is an object"] = (Bytes("""{"__metadata__":{"epoch":{}}}"""), "the metadata 'epoch' is an object"),
        ["metadata twice"] = (Bytes("""{"__metadata__":{},"__metadata__":{}}"""), "has '__metadata__' twice"),
        ["metadata key twice"] = (Bytes("""{"__metadata__":{"k":"1","k":"2"}}"""), "the metadata 'k' is there twice"),
        ["payload digest wrong"] = (Bytes(Good.Replace("{\"a\"", "{\"__metadata__\":{\"sha256\":\"" + Zeros + "\"},\"a\""), 8), "the payload has the SHA-256 af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc where"),
        ["payload digest is no digest"] = (Bytes("""{"__metadata__":{"sha256":"abc"}}"""), "the metadata 'sha256' is 'abc' where a SHA-256"),
        ["header digest wrong"] = (Bytes("{\"__metadata__\":{\"sha256_header\":\"" + Zeros + "\"}}"), "the header has the SHA-256"),
        ["header digest is no digest"] = (Bytes("{\"__metadata__\":{\"sha256_header\":\"" + Zeros[1..] + "x\"}}"), "the metadata 'sha256_header' is"),
        ["header digest in escapes"] = (Bytes("{\"__metadata__\":{\"sha256_header\":\"\\u0030" + Zeros[1..] + "\"}}"), "is written with escapes"),
        ["long name with line breaks"] = (Bytes("{\"" + string.Concat(Enumerable.Repeat("ab\\r\\n\\u2028\\u0000", 5000)) + "\":1}"), "'ab\\u000d\\u000a\\u2028\\u0000ab"),
        ["long shape"] = (Bytes(Good.Replace("[2]", "[2" + string.Concat(Enumerable.Repeat(",2", 5000)) + "]"), 8), "the shape [2,2,2,2,2,2,2,2,…], which is more than"),
    };

    public static TheoryData<string> MalformedNames => [.. s_malformed.Keys];

    static string With(int begin, int end) => Two.Replace("%,%", $"{begin},{end}");

    [Theory]
    [MemberData(nameof(MalformedNames))]
    public void Read_RefusesInOneLineNamingTheProblem_WhenMalformed(string name)
    {
        var (file, message) = s_malformed[name];
        var problem = Assert.Throws<ModelFileException>(() => ReadBytes(file));
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Target);
    }

    [Fact]
    public void Read_Refuses_WhenTheFileIsMissingOrADirectory()
    {
        var missing = Assert.Throws<ModelFileException>(() => SafetensorsFile.Read(Target));
        Assert.Contains("there is no such file", missing.Message, StringComparison.Ordinal);
        AssertOneLine(missing, Target);

        var below = Path.Combine(Folder, "absent", "model.safetensors");
        Assert.Contains("there is no such file", Assert.Throws<ModelFileException>(() => SafetensorsFile.Read(below)).Message, StringComparison.Ordinal);

        var directory = Assert.Throws<ModelFileException>(() => SafetensorsFile.Read(Folder));
        Assert.Contains("this is a directory", directory.Message, StringComparison.Ordinal);
        AssertOneLine(directory, Folder);

        Assert.Throws<ArgumentException>(() => SafetensorsFile.Read(""));
    }

    [Fact]
    public void Read_Refuses_WhenTheFileIsNotReadable()
    {
        File.WriteAllBytes(Target, Bytes(Good, 8));
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Unix permissions are needed.");
            return;
        }

        File.SetUnixFileMode(Target, UnixFileMode.None);
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "A privileged process may read every file.");
        var problem = Assert.Throws<ModelFileException>(() => SafetensorsFile.Read(Target));
        Assert.Contains("cannot be read", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Target);
    }

    [Fact]
    public void Read_AllocatesLittle_WhenAHostileHeaderClaimsMuch()
    {
        File.WriteAllBytes(Target, Bytes(Good.Replace("[2]", "[2000000000]").Replace("0,8", "0,8000000000"), 8));
        Assert.Throws<ModelFileException>(() => SafetensorsFile.Read(Target));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<ModelFileException>(() => SafetensorsFile.Read(Target));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Read_ReturnsWhatPythonWrote(bool foreign)
    {
        var name = foreign ? "foreign" : "unroll";
        var expected = JsonDocument.Parse(File.ReadAllBytes(Fixture("safetensors-golden.json"))).RootElement.GetProperty(name);
        var file = SafetensorsFile.Read(Fixture(name + ".safetensors"));

        var metadata = expected.GetProperty("metadata").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
        Assert.Equal(metadata.OrderBy(p => p.Key, StringComparer.Ordinal), file.Metadata.OrderBy(p => p.Key, StringComparer.Ordinal));
        Assert.Equal(foreign, file.Sha256 is null);

        var tensors = expected.GetProperty("tensors").EnumerateArray().ToArray();
        Assert.Equal(tensors.Length, file.Tensors.Count);
        foreach (var (e, tensor) in tensors.Zip(file.Tensors))
        {
            Assert.Equal(e.GetProperty("name").GetString(), tensor.Name);
            Assert.Equal(e.GetProperty("storedType").GetString(), tensor.StoredType);
            Assert.Equal(e.GetProperty("shape").EnumerateArray().Select(d => d.GetInt32()), tensor.Shape.ToArray());
            Assert.Equal(e.GetProperty("bits").EnumerateArray().Select(b => (int)b.GetUInt32()), Bits(tensor));
        }
    }

    [Fact]
    public void Read_AcceptsAFileWithoutTensors()
    {
        var file = ReadBytes(Bytes("{}"));
        Assert.Empty(file.Tensors);
        Assert.Empty(file.Metadata);
        Assert.Null(file.Sha256);
        Assert.Equal(Target, file.FilePath);
    }

    [Fact]
    public void Read_AcceptsThePayloadDigestAlone_InEitherCase()
    {
        const string Digest = "AF5570F5A1810B7AF78CAF4BC70A660F0DF51E42BAF91D4DE5B2328DE0E83DFC"; // of eight zero bytes
        var file = ReadBytes(Bytes(Good.Replace("{\"a\"", "{\"__metadata__\":{\"sha256\":\"" + Digest + "\"},\"a\""), 8));
        Assert.Equal(Digest.ToLowerInvariant(), file.Sha256);
        Assert.Empty(file.Metadata);
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("\n\t  \r\n")]
    public void Read_AcceptsWhiteSpaceAfterAndInTheHeader(string space) =>
        Assert.Single(ReadBytes(Bytes(Good.Replace(":", ":" + space) + space, 8)).Tensors);

    [Fact]
    public void Read_ConvertsEveryHalfAndBrainFloatAsTheFormatSays()
    {
        var halves = new byte[65536 * 2];
        for (var i = 0; i < 65536; i++)
            BitConverter.TryWriteBytes(halves.AsSpan(2 * i), (ushort)i);
        foreach (var type in new[] { "F16", "BF16" })
        {
            var header = Encoding.UTF8.GetBytes($$$"""{"a":{"dtype":"{{{type}}}","shape":[65536],"data_offsets":[0,131072]}}""");
            var data = ReadBytes(Bytes(header, halves)).Get("a").Data.ToArray();
            for (var i = 0; i < 65536; i++)
            {
                var expected = type == "F16" ? FromHalf(i) : BitConverter.UInt32BitsToSingle((uint)i << 16);
                Assert.Equal(expected, data[i]);
            }
        }

        // (−1)^sign · 2^(exponent − 15) · (1 + fraction/1024); exponent 0: 2^−14 · fraction/1024; exponent 31: inf, NaN
        static float FromHalf(int bits)
        {
            var sign = (bits & 0x8000) == 0 ? 1f : -1f;
            var exponent = (bits >> 10) & 31;
            var fraction = bits & 1023;
            return exponent switch
            {
                31 => fraction == 0 ? sign * float.PositiveInfinity : float.NaN,
                0 => sign * MathF.ScaleB(fraction, -24),
                _ => sign * MathF.ScaleB(1024 + fraction, exponent - 25),
            };
        }
    }

    [Fact]
    public void Read_Refuses_WhenCutAtAnyByte()
    {
        SafetensorsFile.Write(Target, SmallModel(), SmallMetadata());
        foreach (var whole in new[] { File.ReadAllBytes(Target), File.ReadAllBytes(Fixture("foreign.safetensors")) })
        {
            for (var length = 0; length < whole.Length; length++)
                AssertOneLine(Assert.Throws<ModelFileException>(() => ReadBytes(whole[..length])), Target);
        }
    }

    [Fact]
    public void Read_FindsOrIsNotHarmedBy_AnyFlippedBit()
    {
        // Every bit once, then random whole bytes. What stays unfound must leave every tensor and every own text as it
        // was: a changed name of a digest, which takes it out of use, and the case of a digest's letters.
        SafetensorsFile.Write(Target, SmallModel(), SmallMetadata());
        var whole = File.ReadAllBytes(Target);
        var random = new MersenneTwister(20);
        var unfound = 0;
        for (var k = 0; k < (whole.Length * 8) + 3000; k++)
        {
            var bytes = (byte[])whole.Clone();
            if (k < whole.Length * 8)
                bytes[k / 8] ^= (byte)(1 << (k % 8));
            else
                bytes[random.NextInterval(whole.Length - 1)] ^= (byte)(1 + random.NextInterval(254));

            SafetensorsFile file;
            try
            {
                file = SafetensorsFile.ReadFrom(new MemoryStream(bytes), Target);
            }
            catch (ModelFileException problem)
            {
                AssertOneLine(problem, Target);
                continue;
            }

            unfound++;
            Assert.All(SmallModel().Zip(file.Tensors), pair => AssertSame(pair.First, pair.Second));
            Assert.Equal(SmallModel().Length, file.Tensors.Count);
            Assert.All(SmallMetadata(), text => Assert.Equal(text.Value, file.Metadata[text.Key]));
        }

        Assert.InRange(unfound, 0, 150); // measured: 134; a checksum out of use would give thousands
    }

    [Fact]
    public void Read_ThrowsNothingElse_WhenManyBytesOfAForeignFileAreRandom()
    {
        var whole = File.ReadAllBytes(Fixture("foreign.safetensors"));
        var random = new MersenneTwister(21);
        for (var k = 0; k < 5000; k++)
        {
            var bytes = (byte[])whole.Clone();
            for (var n = random.NextInterval(6); n >= 0; n--)
                bytes[random.NextInterval(bytes.Length - 1)] = "{}[]\":,0123456789-.eE\\u \0\xFFaF"u8[random.NextInterval(27)];
            try
            {
                SafetensorsFile.ReadFrom(new MemoryStream(bytes), Target);
            }
            catch (ModelFileException problem)
            {
                AssertOneLine(problem, Target);
            }
        }
    }

    [Fact]
    public void Get_NamesTheMissingTensor_AndTheWrongShape()
    {
        SafetensorsFile.Write(Target, SmallModel());
        var file = SafetensorsFile.Read(Target);
        Assert.Equal(6, file.Get("weight", [2, 3]).Data.Length);
        Assert.Equal(1, file.Get("scalar", []).Data.Length);
        Assert.True(file.TryGet("none", out _));
        Assert.False(file.TryGet("absent", out _));

        var missing = Assert.Throws<ModelFileException>(() => file.Get("bias"));
        Assert.Contains("missing tensor: 'bias' was expected and the file has 'weight', '重み \"b\"\\u000a', 'none', 'scalar'", missing.Message, StringComparison.Ordinal);
        AssertOneLine(missing, Target);

        var shape = Assert.Throws<ModelFileException>(() => file.Get("weight", [3, 2]));
        Assert.Contains("'weight' has the shape [2,3] where [3,2] was expected", shape.Message, StringComparison.Ordinal);
        AssertOneLine(shape, Target);
        Assert.Throws<ModelFileException>(() => file.Get("weight", []));
        Assert.Throws<ModelFileException>(() => file.Get("weight", [6]));
    }

    [Fact]
    public void RequireOnly_NamesTheUnknownTensors()
    {
        SafetensorsFile.Write(Target, [.. Enumerable.Range(0, 9).Select(i => Tensor($"t{i}", [1], i))]);
        var file = SafetensorsFile.Read(Target);
        file.RequireOnly(file.Tensors.Select(t => t.Name).Append("one more"));

        var one = Assert.Throws<ModelFileException>(() => file.RequireOnly(Enumerable.Range(0, 8).Select(i => $"t{i}")));
        Assert.Contains("unknown tensor: 't8' where only the model's 8 were expected", one.Message, StringComparison.Ordinal);
        AssertOneLine(one, Target);

        var many = Assert.Throws<ModelFileException>(() => file.RequireOnly(["t0"]));
        Assert.Contains("unknown tensors: 't1', 't2', 't3', 't4', 't5' and 3 more where only the model's 1 was expected", many.Message, StringComparison.Ordinal);
        AssertOneLine(many, Target);
    }

    [Fact]
    public void GetMetadata_NamesTheMissingKey()
    {
        SafetensorsFile.Write(Target, [], SmallMetadata());
        var file = SafetensorsFile.Read(Target);
        Assert.Equal("lstm", file.GetMetadata("model"));
        var problem = Assert.Throws<ModelFileException>(() => file.GetMetadata("options"));
        Assert.Contains("missing metadata: 'options' was expected and the file has 'model', 'zeile'", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Target);

        var foreign = ReadBytes(Bytes("{}"));
        Assert.Contains("the file has none", Assert.Throws<ModelFileException>(() => foreign.GetMetadata("options")).Message, StringComparison.Ordinal);
        Assert.Contains("no tensor at all", Assert.Throws<ModelFileException>(() => foreign.Get("a")).Message, StringComparison.Ordinal);
    }
}
