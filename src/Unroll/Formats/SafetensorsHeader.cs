using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Unicode;

namespace Unroll.Formats;

/// <summary>
/// The JSON header of a safetensors file, checked entry by entry; nothing it says is believed before it is checked.
/// </summary>
/// <remarks>
/// The reader is a loop over tokens without recursion, and every token that the format does not allow at its place ends
/// it, so nesting cannot grow. Memory is a small multiple of the header's own length.
/// </remarks>
sealed class SafetensorsHeader
{
    internal const string MetadataKey = "__metadata__";
    internal const string PayloadDigestKey = "sha256";
    internal const string HeaderDigestKey = "sha256_header";
    internal const int DigestLength = 64; // hexadecimal digits of a SHA-256
    internal const int MaxLength = 100_000_000; // the reference implementation's limit
    internal const string OtherFormatHint = "Is it a safetensors file? A PyTorch .pt file, a download pointer or a text file is not.";
    const string DamagedHint = "The file is damaged or its writer is wrong; get it again or save it again.";
    const int MaxDepth = 4;

    readonly string _path;
    readonly List<Entry> _entries = [];
    readonly HashSet<string> _names = new(StringComparer.Ordinal);
    readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    bool _hasMetadata;
    int _headerDigestStart = -1;

    SafetensorsHeader(string path) => _path = path;

    /// <summary>What the header says of one tensor: payload bytes [Begin, End).</summary>
    internal readonly record struct Entry(string Name, string StoredType, int[] Shape, int Count, long Begin, long End);

    /// <summary>The tensors in the order of their bytes, which follow each other without hole or overlap.</summary>
    internal IReadOnlyList<Entry> Entries => _entries;

    /// <summary>The metadata without the two digests.</summary>
    internal Dictionary<string, string> Metadata => _metadata;

    /// <summary>SHA-256 of the payload in hexadecimal, if the file gives one.</summary>
    internal string? PayloadDigest { get; private set; }

    /// <summary>Bytes per value of a type this library reads, or 0.</summary>
    internal static int SizeOf(string type) => type switch
    {
        "F64" => 8,
        "F32" => 4,
        "F16" or "BF16" => 2,
        _ => 0,
    };

    /// <summary>Reads and checks a header.</summary>
    /// <param name="text">The header's bytes, at least one; the digest inside is overwritten with zeros.</param>
    /// <param name="payloadLength">How many bytes follow the header in the file.</param>
    /// <param name="path">For the message.</param>
    /// <exception cref="ModelFileException">The header breaks a rule of the format.</exception>
    internal static SafetensorsHeader Parse(byte[] text, long payloadLength, string path)
    {
        var header = new SafetensorsHeader(path);
        if (text[0] != '{')
            throw header.Problem($"the header begins with byte 0x{text[0]:X2} where '{{', a JSON object, was expected. {OtherFormatHint}");
        if (!Utf8.IsValid(text))
            throw header.Problem($"the header is not UTF-8 text. {DamagedHint}");

        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = MaxDepth });
        try
        {
            header.ReadObject(ref reader);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escape in a string stands for half of a surrogate pair.
            throw header.Problem($"the header is not valid JSON near its byte {reader.BytesConsumed}. {DamagedHint}", e);
        }

        header.CheckDigest(text);
        header.CheckLayout(payloadLength);
        return header;
    }

    void ReadObject(ref Utf8JsonReader reader)
    {
        reader.Read(); // '{', checked above
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (name == MetadataKey)
                ReadMetadata(ref reader);
            else if (_names.Add(name))
                ReadEntry(ref reader, name);
            else
                throw Problem($"the header names the tensor '{Describe.Text(name)}' twice; names must differ. {DamagedHint}");
        }

        reader.Read(); // throws if anything but white space follows the object
    }

    void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (_hasMetadata)
            throw Problem($"the header has '{MetadataKey}' twice where at most one was expected. {DamagedHint}");
        _hasMetadata = true;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Problem($"'{MetadataKey}' is {Kind(reader.TokenType)} where an object of strings was expected. {DamagedHint}");

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Problem($"the metadata '{Describe.Text(key)}' is {Kind(reader.TokenType)} where a string was expected. {DamagedHint}");
            if (!_metadata.TryAdd(key, reader.GetString()!))
                throw Problem($"the metadata '{Describe.Text(key)}' is there twice; keys must differ. {DamagedHint}");
            if (key == HeaderDigestKey && !reader.ValueIsEscaped)
                _headerDigestStart = (int)reader.TokenStartIndex + 1;
        }
    }

    void ReadEntry(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Problem(name, $"is {Kind(reader.TokenType)} where an object with dtype, shape and data_offsets was expected");

        string? type = null;
        int[]? shape = null;
        (long Begin, long End)? range = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var field = reader.GetString()!;
            var seen = field switch
            {
                "dtype" => type is not null,
                "shape" => shape is not null,
                "data_offsets" => range is not null,
                _ => throw Problem(name, $"has a field '{Describe.Text(field)}' where only dtype, shape and data_offsets were expected"),
            };
            if (seen)
                throw Problem(name, $"has the field '{field}' twice");
            reader.Read();
            switch (field)
            {
                case "dtype":
                    type = ReadType(ref reader, name);
                    break;
                case "shape":
                    shape = ReadShape(ref reader, name);
                    break;
                default:
                    range = ReadRange(ref reader, name);
                    break;
            }
        }

        if (type is null)
            throw Problem(name, "has no field 'dtype'");
        if (shape is null)
            throw Problem(name, "has no field 'shape'");
        if (range is not var (begin, end))
            throw Problem(name, "has no field 'data_offsets'");

        var count = SafetensorsTensor.ElementCount(shape);
        if (count < 0)
            throw Problem(name, $"has the shape {Describe.Shape(shape)}, which is more than {Array.MaxLength} values");
        if (begin > end)
            throw Problem(name, $"begins at byte {begin} after its end {end}");
        if (count * SizeOf(type) != end - begin)
        {
            throw Problem(
                name,
                $"has the shape {Describe.Shape(shape)} of {type}, which is {count * SizeOf(type)} bytes, where its data_offsets hold {end - begin}");
        }

        _entries.Add(new Entry(name, type, shape, (int)count, begin, end));
    }

    string ReadType(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw Problem(name, $"has {Kind(reader.TokenType)} as dtype where a string was expected");
        var type = reader.GetString()!;
        return SizeOf(type) > 0
            ? type
            : throw new ModelFileException(
                _path,
                $"the tensor '{Describe.Text(name)}' has the dtype '{Describe.Text(type)}' where F32, F64, F16 or BF16 was expected. Convert it to float32 before saving.");
    }

    int[] ReadShape(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Problem(name, $"has {Kind(reader.TokenType)} as shape where an array of integers was expected");
        var shape = new List<int>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var dimension = ReadInteger(ref reader, name, "shape");
            if (dimension > int.MaxValue)
                throw Problem(name, $"has a dimension {dimension} where at most {int.MaxValue} was expected");
            shape.Add((int)dimension);
        }

        return [.. shape];
    }

    (long Begin, long End) ReadRange(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Problem(name, $"has {Kind(reader.TokenType)} as data_offsets where an array of two integers was expected");
        Span<long> ends = stackalloc long[2];
        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (count == 2)
                throw Problem(name, "has more than two data_offsets where begin and end were expected");
            ends[count++] = ReadInteger(ref reader, name, "data_offsets");
        }

        return count == 2
            ? (ends[0], ends[1])
            : throw Problem(name, $"has {count} data_offsets where begin and end were expected");
    }

    long ReadInteger(ref Utf8JsonReader reader, string name, string field)
    {
        if (reader.TokenType != JsonTokenType.Number)
            throw Problem(name, $"has {Kind(reader.TokenType)} in its {field} where an integer was expected");
        if (!reader.TryGetInt64(out var value))
            throw Problem(name, $"has a number in its {field} that is not an integer below 2^63");
        return value >= 0
            ? value
            : throw Problem(name, $"has {value} in its {field} where no negative number was expected");
    }

    /// <summary>Takes the digests out of the metadata and holds the header against its own.</summary>
    void CheckDigest(byte[] text)
    {
        if (_metadata.Remove(PayloadDigestKey, out var payloadDigest))
        {
            CheckIsDigest(PayloadDigestKey, payloadDigest);
            PayloadDigest = payloadDigest;
        }

        if (!_metadata.Remove(HeaderDigestKey, out var expected))
            return;
        CheckIsDigest(HeaderDigestKey, expected);
        if (_headerDigestStart < 0)
            throw Problem($"the metadata '{HeaderDigestKey}' is written with escapes where plain digits were expected. {DamagedHint}");
        text.AsSpan(_headerDigestStart, DigestLength).Fill((byte)'0');
        var actual = Convert.ToHexStringLower(SHA256.HashData(text));
        if (!actual.Equals(expected, StringComparison.OrdinalIgnoreCase))
            throw Problem($"the header has the SHA-256 {actual} where its metadata say {expected}. {DamagedHint}");
    }

    void CheckIsDigest(string key, string value)
    {
        if (value.Length != DigestLength || !value.All(char.IsAsciiHexDigit))
            throw Problem($"the metadata '{key}' is '{Describe.Text(value)}' where a SHA-256 of {DigestLength} hexadecimal digits was expected. {DamagedHint}");
    }

    /// <summary>Every byte of the payload must belong to exactly one tensor.</summary>
    void CheckLayout(long payloadLength)
    {
        var sorted = _entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End).ToList();
        _entries.Clear();
        _entries.AddRange(sorted);

        var position = 0L;
        var previous = "";
        foreach (var (name, _, _, _, begin, end) in sorted)
        {
            if (begin < position)
                throw Problem(name, $"begins at byte {begin} of the payload, where '{Describe.Text(previous)}' reaches to {position}: they overlap");
            if (begin > position)
                throw Problem(name, $"begins at byte {begin} of the payload where {position} was expected: a hole that belongs to no tensor");
            if (end > payloadLength)
                throw Problem(name, $"ends at byte {end} of the payload, which has only {payloadLength}: the file is cut short or the offsets are wrong");
            position = end;
            previous = name;
        }

        if (position < payloadLength)
            throw Problem($"{payloadLength - position} bytes follow the last tensor where the end of the file was expected. {DamagedHint}");
    }

    static string Kind(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "a boolean",
        _ => "null",
    };

    ModelFileException Problem(string problem, Exception? inner = null) => new(_path, problem, inner);

    ModelFileException Problem(string name, string problem) =>
        new(_path, $"the tensor '{Describe.Text(name)}' {problem}. {DamagedHint}");
}
