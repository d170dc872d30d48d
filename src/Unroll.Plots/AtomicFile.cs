namespace Unroll.Plots;

/// <summary>Writes whole files: a reader sees the old file or the new one, never a part.</summary>
public static class AtomicFile
{
    /// <summary>Writes <paramref name="bytes"/>, creating the folder; an existing file is replaced when all is written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytes">Its content.</param>
    /// <exception cref="IOException">The file cannot be written; the message says why and what to do.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        string? temporary = null;
        try
        {
            var full = Path.GetFullPath(path);
            var folder = Path.GetDirectoryName(full)
                ?? throw new IOException("the path names no file");
            Directory.CreateDirectory(folder);
            temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}.tmp");
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            Discard(temporary);
            throw new IOException(
                $"Cannot write '{path}': {e.Message.TrimEnd('.')}. Check that its folder can be created and written to and that the disk is not full, or choose another path.", e);
        }
    }

    static void Discard(string? temporary)
    {
        try
        {
            if (temporary is not null)
                File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The write has already failed for the same reason; that error is the one to report.
        }
    }
}
