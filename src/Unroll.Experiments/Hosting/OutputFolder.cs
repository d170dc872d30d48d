namespace Unroll.Experiments.Hosting;

/// <summary>The folder an experiment writes to.</summary>
public static class OutputFolder
{
    /// <summary>Creates the folder and tries a file in it, so that a long training does not end in an error.</summary>
    /// <exception cref="IOException">The folder cannot be made or written to; the message says which and what to do.</exception>
    public static string Prepare(string path)
    {
        try
        {
            var full = Path.GetFullPath(path);
            Directory.CreateDirectory(full);
            var probe = Path.Combine(full, $".unroll-{Environment.ProcessId}.tmp");
            File.WriteAllBytes(probe, [0]);
            File.Delete(probe);
            return full;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new IOException($"Cannot write to the folder '{path}': {exception.Message} Choose another with --out.", exception);
        }
    }
}
