using System.Security.Cryptography;

namespace Unroll.Experiments.Downloads;

/// <summary>The beginning of a file, in a file of its own called NAME.part, until it is whole and right.</summary>
/// <remarks>One process at a time has it. What it holds stays when it is closed, for the next run; an empty one is removed.</remarks>
sealed class PartFile : IDisposable
{
    readonly string _target;
    readonly string _path;
    readonly bool _created;
    readonly FileStream _stream;

    /// <summary>Opens what an earlier run left, or makes a new file; the folder is made where it is missing.</summary>
    /// <exception cref="DownloadException">The folder or the file cannot be made or written to, or another process has it.</exception>
    public PartFile(string target)
    {
        (_target, _path) = (target, target + ".part");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            _created = !File.Exists(_path);
            // Without a buffer every write is on its way when it returns, and closing writes nothing.
            _stream = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (Exception e) when (IsDiskError(e))
        {
            throw Failure(_path, e);
        }
    }

    /// <summary>The bytes there are.</summary>
    public long Length => _stream.Length;

    /// <summary>Writes bytes after the last.</summary>
    /// <exception cref="DownloadException">The disk is full or fails; what was there stays.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _stream.Position = _stream.Length;
            _stream.Write(bytes);
        }
        catch (Exception e) when (IsDiskError(e))
        {
            throw Failure(_path, e);
        }
    }

    /// <summary>Forgets all bytes from a place on.</summary>
    /// <exception cref="DownloadException">The disk fails.</exception>
    public void Cut(long length)
    {
        try
        {
            if (length < _stream.Length)
                _stream.SetLength(length);
        }
        catch (Exception e) when (IsDiskError(e))
        {
            throw Failure(_path, e);
        }
    }

    /// <summary>The MD5 of all bytes, read back from the disk.</summary>
    /// <exception cref="DownloadException">The disk fails.</exception>
    public string Md5()
    {
        try
        {
            _stream.Position = 0;
            return Md5Of(_stream);
        }
        catch (Exception e) when (IsDiskError(e))
        {
            throw Failure(_path, e);
        }
    }

    /// <summary>Gives the file its name, in place of an older one; this is then closed.</summary>
    /// <exception cref="DownloadException">The disk fails; an older file is as it was.</exception>
    public void Complete()
    {
        try
        {
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_path, _target, overwrite: true);
        }
        catch (Exception e) when (IsDiskError(e))
        {
            throw Failure(_target, e);
        }
    }

    /// <summary>Whether a file is there, whole and right.</summary>
    /// <exception cref="DownloadException">It is there and cannot be read.</exception>
    public static bool IsComplete(string target, RemoteFile file)
    {
        try
        {
            if (!File.Exists(target) || new FileInfo(target).Length != file.Length)
                return false;
            using var stream = new FileStream(target, FileMode.Open, FileAccess.Read, FileShare.Read);
            return Md5Of(stream) == file.Md5;
        }
        catch (Exception e) when (IsDiskError(e))
        {
            throw Failure(target, e);
        }
    }

    /// <summary>Closes it; nothing but a file that this object made and left empty is removed.</summary>
    public void Dispose()
    {
        if (!_stream.CanRead)
            return; // complete
        var remove = _created && _stream.Length == 0;
        _stream.Dispose();
        if (remove)
            File.Delete(_path);
    }

#pragma warning disable CA5351 // MD5 is what the publishers of the files state; it tells damage, and need not withstand forgers.
    static string Md5Of(Stream stream) => Convert.ToHexStringLower(MD5.HashData(stream));
#pragma warning restore CA5351

    static bool IsDiskError(Exception e) => e is (IOException and not DownloadException) or UnauthorizedAccessException;

    static DownloadException Failure(string path, Exception e) => new(
        $"{path}: the file cannot be written or read: {e.Message.ReplaceLineEndings(" ").TrimEnd('.')}. Check the free space, the permissions and that no other program uses it, or choose another folder; what has been received stays for the next run.", e);
}
