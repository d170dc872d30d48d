namespace Unroll.Experiments.Downloads;

/// <summary>A file that mirrors offer, known beforehand to the last byte.</summary>
/// <param name="Name">Its name, on the mirrors and on the disk.</param>
/// <param name="Length">Its length in bytes; no more are ever taken.</param>
/// <param name="Md5">Its MD5, 32 lower-case hexadecimal digits. It tells damage and mix-ups, as the publishers state it.</param>
public sealed record RemoteFile(string Name, long Length, string Md5);

/// <summary>How far the download of a file is.</summary>
/// <param name="File">The file.</param>
/// <param name="Received">The bytes on the disk, those of earlier runs included.</param>
/// <param name="Mirror">Where they come from; null if all were there.</param>
public readonly record struct DownloadProgress(RemoteFile File, long Received, Uri? Mirror);

/// <summary>A file could not be downloaded, or not be written.</summary>
/// <remarks>The message is one line: the file, what went wrong, what to do.</remarks>
public class DownloadException(string message, Exception? innerException = null) : IOException(message, innerException);
