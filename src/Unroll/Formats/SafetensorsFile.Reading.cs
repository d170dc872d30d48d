using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Unroll.Formats;

public sealed partial class SafetensorsFile
{
    /// <summary>Reads a whole file into memory and checks every rule of the format and the digests it carries.</summary>
    /// <remarks>
    /// F32 is taken bit for bit; F16 and BF16 are widened exactly; F64 is rounded to the nearest float. Nothing is
    /// allocated on the word of the header alone: every size is first held against the length of the file.
    /// </remarks>
    /// <param name="path">The file.</param>
    /// <returns>The arrays and the metadata.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="ModelFileException">
    /// The file is missing, is a directory, cannot be read, is cut short, has bytes too many, breaks the format, has a
    /// type other than F32, F64, F16 and BF16, or does not have the digests its metadata state. The message is one line.
    /// </exception>
    public static SafetensorsFile Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new ModelFileException(path, "this is a directory where a model file was expected. Name the file inside it.");

        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            return ReadFrom(stream, path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelFileException(path, "there is no such file where a model file was expected. Check the path.", e);
        }
        catch (EndOfStreamException e)
        {
            throw new ModelFileException(path, "the file became shorter while it was read. Try again when nothing writes to it.", e);
        }
        catch (Exception e) when (e is IOException and not ModelFileException or UnauthorizedAccessException)
        {
            throw new ModelFileException(path, $"the file cannot be read: {OneLine(e.Message)} Check the disk and the permissions.", e);
        }
    }

    internal static SafetensorsFile ReadFrom(Stream stream, string path)
    {
        if (!stream.CanSeek)
            throw new ModelFileException(path, "this is a pipe or a device where a regular file was expected. Save the data to a file first.");

        var fileLength = stream.Length;
        if (fileLength == 0)
            throw new ModelFileException(path, "the file is empty where a model file was expected. Was its writer interrupted?");
        if (fileLength < LengthBytes)
            throw new ModelFileException(path, $"the file has {fileLength} bytes where at least {LengthBytes}, the length of the header, were expected. It is cut short.");

        Span<byte> prefix = stackalloc byte[LengthBytes];
        stream.ReadExactly(prefix);
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        var available = fileLength - LengthBytes;
        if (headerLength == 0)
            throw new ModelFileException(path, $"the header has length 0 where at least {{}} was expected. {SafetensorsHeader.OtherFormatHint}");
        if (headerLength > SafetensorsHeader.MaxLength)
            throw new ModelFileException(path, $"the header has length {headerLength} where at most {SafetensorsHeader.MaxLength} was expected. {SafetensorsHeader.OtherFormatHint}");
        if (headerLength > (ulong)available)
            throw new ModelFileException(path, $"the header has length {headerLength} where {available} bytes are left in the file. It is cut short, or not a safetensors file.");

        var text = new byte[headerLength];
        stream.ReadExactly(text);
        var header = SafetensorsHeader.Parse(text, available - text.Length, path);

        using var hash = header.PayloadDigest is null ? null : IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var tensors = new SafetensorsTensor[header.Entries.Count];
        for (var i = 0; i < tensors.Length; i++)
        {
            var (name, type, shape, count, _, _) = header.Entries[i];
            var data = new float[count];
            ReadValues(stream, type, data, hash);
            tensors[i] = new SafetensorsTensor(name, shape, data, type);
        }

        if (hash is not null)
        {
            var actual = Convert.ToHexStringLower(hash.GetHashAndReset());
            if (!actual.Equals(header.PayloadDigest, StringComparison.OrdinalIgnoreCase))
                throw new ModelFileException(path, $"the payload has the SHA-256 {actual} where the metadata say {header.PayloadDigest}. The file is damaged; get it again or save it again.");
        }

        return new SafetensorsFile(path, tensors, header.Metadata, header.PayloadDigest?.ToLowerInvariant());
    }

    /// <summary>Reads the next values of the payload, overwriting the destination.</summary>
    static void ReadValues(Stream stream, string type, Span<float> destination, IncrementalHash? hash)
    {
        var size = SafetensorsHeader.SizeOf(type);
        var direct = type == "F32" && BitConverter.IsLittleEndian;
        var buffer = direct ? [] : new byte[Math.Min(destination.Length, ChunkLength) * size];
        while (!destination.IsEmpty)
        {
            var chunk = destination[..Math.Min(destination.Length, ChunkLength)];
            var bytes = direct ? MemoryMarshal.AsBytes(chunk) : buffer.AsSpan(0, chunk.Length * size);
            stream.ReadExactly(bytes);
            hash?.AppendData(bytes);
            if (!direct)
                ConvertValues(type, bytes, chunk);
            destination = destination[chunk.Length..];
        }
    }

    static void ConvertValues(string type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = type switch
            {
                "F32" => BinaryPrimitives.ReadSingleLittleEndian(source[(4 * i)..]),
                "F64" => (float)BinaryPrimitives.ReadDoubleLittleEndian(source[(8 * i)..]),
                "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(source[(2 * i)..]),
                _ => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(source[(2 * i)..]) << 16),
            };
        }
    }

    static string OneLine(string message) => message.ReplaceLineEndings(" ");
}
