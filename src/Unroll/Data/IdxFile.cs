using System.Buffers.Binary;
using System.IO.Compression;

namespace Unroll.Data;

/// <summary>An array of bytes in the IDX format of the MNIST files, plain or compressed with gzip.</summary>
/// <remarks>
/// <code>
/// 2 bytes    0, 0
/// 1 byte     type of the values: 8, an unsigned byte; the format's other types are refused
/// 1 byte     number of dimensions D: 3 for images [count, rows, columns], 1 for labels [count]
/// 4·D bytes  the dimensions, big-endian
/// the rest   the values, row by row
/// </code>
/// Gzip is known by its first two bytes, whatever the file is called, and must be one member, whose last four bytes
/// are the length of what it holds. So every size is held against the file before memory is taken for it.
/// Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".
/// </remarks>
public sealed class IdxFile
{
    const int MagicLength = 4;
    const byte UnsignedByte = 8;

    // Deflate codes at most 258 bytes in two bits, so nothing grows by more (zlib's technical details).
    const int MaxInflation = 1032;

    readonly int[] _shape;

    IdxFile(string filePath, int[] shape, byte[] values) => (FilePath, _shape, Values) = (filePath, shape, values);

    /// <summary>The file, as the caller named it.</summary>
    public string FilePath { get; }

    /// <summary>The dimensions, none of them 0.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>The values, row by row: as many as the product of the dimensions.</summary>
    public ReadOnlyMemory<byte> Values { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="dimensions">The number of dimensions it must have: 3 for images, 1 for labels.</param>
    /// <returns>Its shape and its values.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty, or <paramref name="dimensions"/> is not 1 to 255.</exception>
    /// <exception cref="DataFileException">
    /// The file is missing, is a directory, cannot be read, is no IDX file of unsigned bytes with that many dimensions, is
    /// cut short, has bytes too many, is broken gzip, or is too large for an array. The message is one line.
    /// </exception>
    public static IdxFile Read(string path, int dimensions)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
            throw new DataFileException(path, "this is a directory where an IDX file was expected. Name the file inside it.");
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            return Read(stream, path, dimensions);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataFileException(path, "there is no such file where an IDX file was expected. Check the path.", e);
        }
        catch (Exception e) when (e is IOException and not DataFileException or UnauthorizedAccessException)
        {
            throw new DataFileException(path, $"the file cannot be read: {e.Message.ReplaceLineEndings(" ")} Check the disk and the permissions.", e);
        }
    }

    /// <summary>Reads from the start of a stream to its end.</summary>
    /// <param name="stream">A file, or bytes in memory; it must be able to seek.</param>
    /// <param name="name">What errors call it.</param>
    /// <param name="dimensions">The number of dimensions it must have: 3 for images, 1 for labels.</param>
    /// <returns>Its shape and its values.</returns>
    /// <exception cref="ArgumentException">An argument is null, or <paramref name="dimensions"/> is not 1 to 255.</exception>
    /// <exception cref="DataFileException">As for a file.</exception>
    public static IdxFile Read(Stream stream, string name, int dimensions)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimensions, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(dimensions, byte.MaxValue);
        if (!stream.CanSeek)
            throw new DataFileException(name, "this is a pipe or a device where a regular file was expected. Save the data to a file first.");

        if (ContentLengthOfGzip(stream, name) is not { } length)
            return ReadContent(stream, stream.Length, compressed: false, name, dimensions);
        try
        {
            using var content = new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true);
            return ReadContent(content, length, compressed: true, name, dimensions);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new DataFileException(name, "the gzip data are damaged or cut short. Get the file again.", e);
        }
    }

    /// <summary>The length of what a gzip file says it holds; null if this is none. Leaves the stream at its start.</summary>
    static long? ContentLengthOfGzip(Stream stream, string name)
    {
        const int Shortest = 18; // header 10, CRC 4, length 4
        Span<byte> word = stackalloc byte[4];
        stream.Position = 0;
        var read = stream.ReadAtLeast(word, word.Length, throwOnEndOfStream: false);
        stream.Position = 0;
        if (read < 2 || word[0] != 0x1F || word[1] != 0x8B)
            return null;
        if (stream.Length <= Shortest)
            throw new DataFileException(name, $"the gzip file has {stream.Length} bytes, which hold nothing. It is cut short; get it again.");
        stream.Position = stream.Length - word.Length;
        stream.ReadExactly(word);
        stream.Position = 0;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(word);
        return length <= stream.Length * MaxInflation
            ? length
            : throw new DataFileException(name, $"the gzip file of {stream.Length} bytes says that it holds {length}, which is impossible. It is cut short, or other bytes follow it; get it again.");
    }

    /// <summary>Reads what is not compressed, or no longer.</summary>
    static IdxFile ReadContent(Stream content, long length, bool compressed, string name, int dimensions)
    {
        var headerLength = MagicLength + (4 * dimensions);
        Span<byte> header = stackalloc byte[headerLength];
        header = header[..content.ReadAtLeast(header, headerLength, throwOnEndOfStream: false)];
        CheckMagic(header, name, dimensions);
        if (header.Length < headerLength)
            throw new DataFileException(name, $"the file holds {header.Length} bytes where a header of {headerLength} was expected. It is cut short; get it again.");

        var shape = new int[dimensions];
        var count = 1L;
        for (var i = 0; i < dimensions; i++)
        {
            var size = BinaryPrimitives.ReadUInt32BigEndian(header[(MagicLength + (4 * i))..]);
            count *= size; // below 2^31 · 2^32 before each check
            if (size == 0)
                throw new DataFileException(name, $"dimension {i + 1} of {dimensions} is 0: the file holds no value. Get it again.");
            if (size > int.MaxValue || count > Array.MaxLength)
                throw new DataFileException(name, $"its dimensions ask for more than {Array.MaxLength} values, the most an array holds. The header is damaged; get the file again.");
            shape[i] = (int)size;
        }

        var expected = headerLength + count;
        if (length != expected)
        {
            throw new DataFileException(name, (compressed, length < expected) switch
            {
                (true, _) => $"the gzip file says that it holds {length} bytes where its dimensions [{string.Join(',', shape)}] ask for {expected}. It is cut short, or other bytes follow it; get it again.",
                (false, true) => $"the file holds {length} bytes where its dimensions [{string.Join(',', shape)}] ask for {expected}. It is cut short; get it again.",
                (false, false) => $"the file holds {length} bytes where its dimensions [{string.Join(',', shape)}] ask for {expected}: {length - expected} too many. Get it again.",
            });
        }

        var values = new byte[count];
        content.ReadExactly(values);
        // At its end the decompressor compares the check sum.
        if (content.ReadByte() >= 0)
            throw new DataFileException(name, $"more follows the {expected} bytes that its dimensions [{string.Join(',', shape)}] ask for. Get the file again.");
        return new IdxFile(name, shape, values);
    }

    static void CheckMagic(ReadOnlySpan<byte> header, string name, int dimensions)
    {
        if (header.IsEmpty)
            throw new DataFileException(name, "the file is empty where an IDX file was expected. Get it again.");
        if (header.Length < MagicLength || header[0] != 0 || header[1] != 0)
        {
            throw new DataFileException(
                name, $"the file begins with {Convert.ToHexString(header[..Math.Min(header.Length, MagicLength)])} where 000008{dimensions:X2} was expected. Is it an IDX file?");
        }

        if (header[2] != UnsignedByte)
            throw new DataFileException(name, $"its values have the type 0x{header[2]:X2} where 0x08, unsigned bytes, was expected. Save them as bytes.");
        if (header[3] != dimensions)
            throw new DataFileException(name, $"it has {header[3]} dimensions where {dimensions} {(dimensions == 1 ? "was" : "were")} expected; images have 3, labels 1. Were two files mixed up?");
    }
}
