using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Unroll.Experiments.Downloads;

/// <summary>Downloads files from several mirrors, tried in turn, so that what is there under its name is whole and right.</summary>
/// <remarks>
/// Bytes go to NAME.part. Where a mirror fails, the next goes on after the last byte (HTTP Range); so does the next run
/// after an interruption. A mirror that ignores the range sends all, and all is taken anew. When the file has its length
/// its MD5 is compared: only then does it get its name, by a rename. If the MD5 is another, be it that the part was damaged,
/// of another version or of a bad mirror, all of it is dropped and taken anew, once from each mirror. The MD5 is known
/// beforehand, so it says more than a mirror's own mark of a version (ETag), and a part of one mirror can go on at another.
/// </remarks>
public sealed class Downloader : IDisposable
{
    const int ChunkLength = 1 << 16; // the usual size of a socket's buffer

    readonly IReadOnlyList<Uri> _mirrors;
    readonly HttpClient _client;
    int _preferred;

    /// <summary>Makes a downloader.</summary>
    /// <param name="mirrors">Addresses that end in a slash, to which a file's name is appended; at least one.</param>
    /// <param name="handler">How to connect, disposed with this; null for the usual way, with the proxy of the system.</param>
    /// <exception cref="ArgumentException">There is no mirror.</exception>
    public Downloader(IReadOnlyList<Uri> mirrors, HttpMessageHandler? handler = null)
    {
        ArgumentNullException.ThrowIfNull(mirrors);
        if (mirrors.Count == 0)
            throw new ArgumentException("Expected at least one mirror, got none.", nameof(mirrors));
        _mirrors = mirrors;
        _client = new HttpClient(handler ?? new SocketsHttpHandler()) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Unroll", null));
    }

    /// <summary>How long a mirror may send nothing before the next is tried.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Is told of every piece that arrives.</summary>
    public Action<DownloadProgress>? Progress { get; init; }

    /// <summary>Sees to it that a file is in a folder, whole and right; one that is there already is only checked.</summary>
    /// <param name="file">The file. One of this name with other bytes is replaced when the right one has arrived.</param>
    /// <param name="folder">The folder; made if it is missing.</param>
    /// <param name="cancellation">Stops; what has arrived stays as NAME.part, and the next run goes on from there.</param>
    /// <exception cref="DownloadException">No mirror could deliver the file, or the disk is full or fails.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public async Task FetchAsync(RemoteFile file, string folder, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var target = Path.GetFullPath(Path.Combine(folder, file.Name));
        if (PartFile.IsComplete(target, file))
        {
            Progress?.Invoke(new DownloadProgress(file, file.Length, null));
            return;
        }

        using var part = new PartFile(target);
        if (part.Length > file.Length || (part.Length == file.Length && part.Md5() != file.Md5))
            part.Cut(0);
        if (part.Length == file.Length)
            Progress?.Invoke(new DownloadProgress(file, file.Length, null));
        else
            await ReceiveFromAnyAsync(file, part, cancellation).ConfigureAwait(false);
        part.Complete();
    }

    /// <summary>Ends the connections.</summary>
    public void Dispose() => _client.Dispose();

    async Task ReceiveFromAnyAsync(RemoteFile file, PartFile part, CancellationToken cancellation)
    {
        var failures = new List<string>();
        for (var i = 0; i < _mirrors.Count; i++)
        {
            // What delivered the last file is asked first for this one.
            var index = (_preferred + i) % _mirrors.Count;
            try
            {
                await ReceiveRightAsync(file, part, _mirrors[index], cancellation).ConfigureAwait(false);
                _preferred = index;
                return;
            }
            catch (MirrorException e)
            {
                failures.Add($"{_mirrors[index]} {e.Message}");
            }
        }

        var kept = part.Length > 0 ? string.Create(CultureInfo.InvariantCulture, $" {part.Length} of {file.Length} bytes are kept for it.") : "";
        throw new DownloadException($"{file.Name} could not be downloaded: {string.Join("; ", failures)}. Check the connection and try again.{kept}");
    }

    /// <summary>Brings the part to its whole length, and to the right bytes.</summary>
    async Task ReceiveRightAsync(RemoteFile file, PartFile part, Uri mirror, CancellationToken cancellation)
    {
        await ReceiveAsync(file, part, mirror, cancellation).ConfigureAwait(false);
        if (part.Md5() == file.Md5)
            return;
        part.Cut(0);
        await ReceiveAsync(file, part, mirror, cancellation).ConfigureAwait(false);
        if (part.Md5() is var md5 && md5 != file.Md5)
        {
            part.Cut(0);
            throw new MirrorException($"sent bytes with the MD5 {md5} where {file.Md5} was expected");
        }
    }

    /// <summary>Brings the part to its whole length.</summary>
    async Task ReceiveAsync(RemoteFile file, PartFile part, Uri mirror, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(mirror, file.Name));
        if (part.Length > 0)
            request.Headers.Range = new RangeHeaderValue(part.Length, null);
        using var response = await BeforeStallAsync(
            token => _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token), cancellation).ConfigureAwait(false);
        var start = Start(response, part.Length);
        var expected = file.Length - start;
        if (response.Content.Headers.ContentLength is { } announced && announced != expected)
            throw new MirrorException($"announced {announced} bytes where {expected} were expected");

        part.Cut(start);
        var body = await BeforeStallAsync(response.Content.ReadAsStreamAsync, cancellation).ConfigureAwait(false);
        var chunk = new byte[ChunkLength];
        while (true)
        {
            var read = await BeforeStallAsync(token => body.ReadAsync(chunk, token).AsTask(), cancellation).ConfigureAwait(false);
            if (read == 0)
                break;
            if (part.Length + read > file.Length)
            {
                part.Cut(start);
                throw new MirrorException($"sent more than the {expected} bytes that were expected");
            }

            part.Append(chunk.AsSpan(0, read));
            Progress?.Invoke(new DownloadProgress(file, part.Length, mirror));
        }

        if (part.Length < file.Length)
            throw new MirrorException($"ended after {part.Length} of {file.Length} bytes");
    }

    /// <summary>Where the answer's first byte belongs.</summary>
    static long Start(HttpResponseMessage response, long asked) => response.StatusCode switch
    {
        HttpStatusCode.OK => 0,
        HttpStatusCode.PartialContent when response.Content.Headers.ContentRange is { Unit: "bytes", From: { } from } && from == asked => asked,
        HttpStatusCode.PartialContent => throw new MirrorException("answered with another part than was asked for"),
        var status => throw new MirrorException($"answered {(int)status} ({status})"),
    };

    /// <summary>Waits for the mirror, but not for ever.</summary>
    async Task<T> BeforeStallAsync<T>(Func<CancellationToken, Task<T>> receive, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(StallTimeout);
        try
        {
            return await receive(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new MirrorException(string.Create(CultureInfo.InvariantCulture, $"sent nothing for {StallTimeout.TotalSeconds} s"));
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            throw new MirrorException($"has no certificate that this machine trusts, check its clock and its certificates: {OneLine(e.InnerException ?? e)}", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new MirrorException($"failed: {OneLine(e)}", e);
        }
    }

    static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ").TrimEnd('.');

    /// <summary>A mirror failed; another may not.</summary>
    sealed class MirrorException(string message, Exception? innerException = null) : Exception(message, innerException);
}
