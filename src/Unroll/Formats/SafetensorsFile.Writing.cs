using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Unroll.Formats;

public sealed partial class SafetensorsFile
{
    const int Alignment = 8;

    /// <summary>Writes arrays as F32, in the order given, and replaces an older file only when all is on the disk.</summary>
    /// <remarks>
    /// The bytes depend on the arguments alone: no date, no machine, metadata in ordinal order. They go to a temporary
    /// file in the same directory, are flushed to the disk, and that file is renamed over the target, keeping the
    /// older file's Unix permissions. On any failure the temporary file is removed and the older file is untouched; a
    /// killed process may leave a file <c>.….tmp</c>. A symbolic link is replaced, not followed.
    /// The arrays must not change meanwhile: they are read twice, for the digest and for the file.
    /// </remarks>
    /// <param name="path">The file; its directory must exist.</param>
    /// <param name="tensors">The arrays, with different names; may be none.</param>
    /// <param name="metadata">Texts to keep with them; null for none.</param>
    /// <exception cref="ArgumentNullException"><paramref name="tensors"/> or an element is null.</exception>
    /// <exception cref="ArgumentException">
    /// The path is null or empty, two tensors have the same name, a metadata key is <c>sha256</c> or
    /// <c>sha256_header</c>, which this method writes itself, a text is null or has half of a surrogate pair, or the
    /// header would exceed 100 MB. No file was touched.
    /// </exception>
    /// <exception cref="ModelFileException">
    /// The target is a directory, its directory is missing or not writable, or the disk is full.
    /// </exception>
    public static void Write(string path, IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(path, tensors, metadata, CreateTemporary);

    internal static void Write(
        string path,
        IReadOnlyList<SafetensorsTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata,
        Func<string, long, FileStream> createTemporary)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        metadata ??= new Dictionary<string, string>();
        CheckArguments(tensors, metadata);

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var payloadLength = 0L;
        foreach (var tensor in tensors)
        {
            ForEachChunk(tensor.Data.Span, hash.AppendData);
            payloadLength += (long)tensor.Data.Length * sizeof(float);
        }

        var header = BuildHeader(tensors, metadata, Convert.ToHexStringLower(hash.GetHashAndReset()));
        if (header.Length > SafetensorsHeader.MaxLength)
            throw new ArgumentException($"The header would have {header.Length} bytes where at most {SafetensorsHeader.MaxLength} are allowed.", nameof(tensors));

        if (Directory.Exists(path))
            throw new ModelFileException(path, "this is a directory where a file to write was expected. Name a file inside it.");
        var fullPath = Path.GetFullPath(path);
        var directory = Path.GetDirectoryName(fullPath)!; // a path without one is a root, which is a directory
        if (!Directory.Exists(directory))
            throw new ModelFileException(path, $"there is no directory {directory} to write the file in. Create it first.");

        var temporary = Path.Combine(directory, $".{Path.GetRandomFileName()}.tmp");
        try
        {
            using (var stream = createTemporary(temporary, LengthBytes + header.Length + payloadLength))
            {
                if (!OperatingSystem.IsWindows() && File.Exists(fullPath))
                    File.SetUnixFileMode(temporary, File.GetUnixFileMode(fullPath));
                Span<byte> prefix = stackalloc byte[LengthBytes];
                BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
                stream.Write(prefix);
                stream.Write(header);
                foreach (var tensor in tensors)
                    ForEachChunk(tensor.Data.Span, stream.Write);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, fullPath, overwrite: true);
        }
        catch (Exception e)
        {
            RemoveTemporary(temporary);
            if (e is not IOException and not UnauthorizedAccessException)
                throw;
            throw new ModelFileException(
                path,
                $"the file cannot be written: {OneLine(e.Message)} Check the free space and the permissions; {(File.Exists(fullPath) ? "the older file is as it was" : "no file was made")}.",
                e);
        }
    }

    /// <summary>Opens a new file, unbuffered, with its space reserved, so that a full disk is met before the first byte.</summary>
    static FileStream CreateTemporary(string path, long length) => new(
        path,
        new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = 0,
            PreallocationSize = length,
        });

    static void RemoveTemporary(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure that led here is the one to report.
        }
    }

    static void CheckArguments(IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            ArgumentNullException.ThrowIfNull(tensor, nameof(tensors));
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"Two tensors are called '{Describe.Text(tensor.Name)}'; names must differ.", nameof(tensors));
        }

        foreach (var (key, text) in metadata)
        {
            if (key is SafetensorsHeader.PayloadDigestKey or SafetensorsHeader.HeaderDigestKey)
                throw new ArgumentException($"The metadata key '{key}' is kept for the digest that is computed here.", nameof(metadata));
            if (text is null)
                throw new ArgumentException($"The metadata '{Describe.Text(key)}' is null where a text was expected.", nameof(metadata));
            SafetensorsTensor.ThrowIfNotUnicode(key, nameof(metadata));
            SafetensorsTensor.ThrowIfNotUnicode(text, nameof(metadata));
        }
    }

    /// <summary>The header's bytes, padded with spaces to a multiple of 8, both digests filled in.</summary>
    static byte[] BuildHeader(IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata, string payloadDigest)
    {
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            [SafetensorsHeader.PayloadDigestKey] = payloadDigest,
            [SafetensorsHeader.HeaderDigestKey] = new string('0', SafetensorsHeader.DigestLength),
        };
        foreach (var (key, text) in metadata)
            all.Add(key, text);

        var json = new StringBuilder("{");
        AppendJsonString(json, SafetensorsHeader.MetadataKey);
        json.Append(":{");
        var digestAt = 0;
        foreach (var (key, text) in all)
        {
            if (json[^1] != '{')
                json.Append(',');
            AppendJsonString(json, key);
            json.Append(':');
            if (key == SafetensorsHeader.HeaderDigestKey)
                digestAt = Encoding.UTF8.GetByteCount(json.ToString()) + 1;
            AppendJsonString(json, text);
        }

        json.Append('}');
        var begin = 0L;
        foreach (var tensor in tensors)
        {
            json.Append(',');
            AppendJsonString(json, tensor.Name);
            json.Append(":{\"dtype\":\"F32\",\"shape\":[");
            foreach (var dimension in tensor.Shape)
            {
                if (json[^1] != '[')
                    json.Append(',');
                json.Append(dimension.ToString(CultureInfo.InvariantCulture));
            }

            var end = begin + ((long)tensor.Data.Length * sizeof(float));
            json.Append(CultureInfo.InvariantCulture, $"],\"data_offsets\":[{begin},{end}]}}");
            begin = end;
        }

        json.Append('}');
        var length = Encoding.UTF8.GetByteCount(json.ToString());
        json.Append(' ', (Alignment - (length % Alignment)) % Alignment);
        var header = Encoding.UTF8.GetBytes(json.ToString());
        Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(header)), header.AsSpan(digestAt));
        return header;
    }

    /// <summary>
    /// Quotes a text with the fewest escapes JSON allows, which are those of serde_json and of Python's json module with
    /// ensure_ascii=False: independent of Unicode tables, so the bytes do not change with the version of .NET.
    /// </summary>
    static void AppendJsonString(StringBuilder json, string text)
    {
        json.Append('"');
        foreach (var c in text)
        {
            switch (c)
            {
                case '"' or '\\':
                    json.Append('\\').Append(c);
                    break;
                case '\b':
                    json.Append("\\b");
                    break;
                case '\t':
                    json.Append("\\t");
                    break;
                case '\n':
                    json.Append("\\n");
                    break;
                case '\f':
                    json.Append("\\f");
                    break;
                case '\r':
                    json.Append("\\r");
                    break;
                case < ' ':
                    json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    break;
                default:
                    json.Append(c);
                    break;
            }
        }

        json.Append('"');
    }

    /// <summary>Hands over the values as little-endian bytes, 1 MiB at a time.</summary>
    static void ForEachChunk(ReadOnlySpan<float> data, Action<ReadOnlySpan<byte>> consume)
    {
        var swapped = BitConverter.IsLittleEndian ? [] : new int[Math.Min(data.Length, ChunkLength)];
        while (!data.IsEmpty)
        {
            var bits = MemoryMarshal.Cast<float, int>(data[..Math.Min(data.Length, ChunkLength)]);
            data = data[bits.Length..];
            if (!BitConverter.IsLittleEndian)
            {
                BinaryPrimitives.ReverseEndianness(bits, swapped);
                bits = swapped.AsSpan(0, bits.Length);
            }

            consume(MemoryMarshal.AsBytes(bits));
        }
    }
}
