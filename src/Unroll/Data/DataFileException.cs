namespace Unroll.Data;

/// <summary>A data file cannot be read, or does not hold the data that were asked for.</summary>
/// <remarks>The message is one line: the path, what came, what was expected, and what to do.</remarks>
public class DataFileException : IOException
{
    /// <summary>Makes the exception; the message is prefixed with the path.</summary>
    /// <param name="filePath">The file, as the caller named it.</param>
    /// <param name="problem">What came, what was expected, what to do: one line.</param>
    /// <param name="innerException">The operating system's or the decompressor's own exception, if there is one.</param>
    public DataFileException(string filePath, string problem, Exception? innerException = null)
        : base($"{filePath}: {problem}", innerException) => FilePath = filePath;

    /// <summary>The file, as the caller named it.</summary>
    public string FilePath { get; }
}
