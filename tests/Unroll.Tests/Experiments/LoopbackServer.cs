using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;

namespace Unroll.Tests.Experiments;

/// <summary>How a server answers one request.</summary>
sealed record Reply(byte[] Content)
{
    public int Status { get; init; } = 200;

    /// <summary>Whether a range that is asked for is sent alone.</summary>
    public bool HonoursRanges { get; init; } = true;

    /// <summary>Added to where a range begins that is sent, and to where it is said to.</summary>
    public int RangeShift { get; init; }

    /// <summary>Whether the length is announced; otherwise the end of the connection is the end of the body.</summary>
    public bool AnnouncesLength { get; init; } = true;

    /// <summary>The bytes of the body after which nothing more comes; −1 for none, not even a head.</summary>
    public int? EndsAfter { get; init; }

    /// <summary>Whether the connection then stays open.</summary>
    public bool Stalls { get; init; }

    public string Headers { get; init; } = "";
}

/// <summary>A web server on the loopback address that misbehaves as told: a request takes the next reply, the last one stays.</summary>
sealed partial class LoopbackServer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _closing = new();
    readonly ConcurrentQueue<Reply> _replies;
    readonly ConcurrentQueue<string> _requests = new();
    readonly X509Certificate2? _certificate;
    readonly Task _accepting;

    public LoopbackServer(params Reply[] replies)
        : this(null, replies)
    {
    }

    public LoopbackServer(X509Certificate2? certificate, params Reply[] replies)
    {
        (_certificate, _replies) = (certificate, new ConcurrentQueue<Reply>(replies));
        _listener.Start();
        Address = new Uri($"{(certificate is null ? "http" : "https")}://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/data/");
        _accepting = AcceptAsync();
    }

    public Uri Address { get; }

    /// <summary>What was asked for: "whole" or the first byte of a range.</summary>
    public string[] Requests => [.. _requests];

    /// <summary>A certificate that nobody vouches for.</summary>
    public static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    public async ValueTask DisposeAsync()
    {
        // A listener that has stopped would refuse the next accept in another way than by the cancellation.
        await _closing.CancelAsync();
        await _accepting;
        _listener.Stop();
        _closing.Dispose();
    }

    async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
                connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_closing.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(connections);
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        try
        {
            Stream stream = client.GetStream();
            if (_certificate is not null)
            {
                var secure = new SslStream(stream);
                stream = secure;
                await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, _closing.Token);
            }

            await using var closing = stream;
            await AnswerAsync(stream);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or System.Security.Authentication.AuthenticationException)
        {
            // The client went away, or did not trust us: for a server, a day like any other.
        }
    }

    async Task AnswerAsync(Stream stream)
    {
        var head = await ReadHeadAsync(stream);
        var range = Range().Match(head);
        _requests.Enqueue(range.Success ? range.Groups[1].Value : "whole");
        Assert.StartsWith("GET /data/", head, StringComparison.Ordinal);
        var reply = _replies.Count > 1 && _replies.TryDequeue(out var next) ? next : _replies.First();
        var partial = range.Success && reply.HonoursRanges && reply.Status == 200;
        var start = partial ? int.Parse(range.Groups[1].Value, CultureInfo.InvariantCulture) + reply.RangeShift : 0;
        var body = reply.Content.AsMemory(start);
        var answer = new StringBuilder($"HTTP/1.1 {(partial ? 206 : reply.Status)} {"Answer"}\r\nConnection: close\r\n{reply.Headers}");
        if (partial)
            answer.Append(CultureInfo.InvariantCulture, $"Content-Range: bytes {start}-{reply.Content.Length - 1}/{reply.Content.Length}\r\n");
        if (reply.AnnouncesLength)
            answer.Append(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}\r\n");
        if (reply.EndsAfter is not -1)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer.Append("\r\n").ToString()), _closing.Token);
            await stream.WriteAsync(body[..Math.Min(body.Length, reply.EndsAfter ?? body.Length)], _closing.Token);
            await stream.FlushAsync(_closing.Token);
        }

        if (reply.Stalls)
            await Task.Delay(Timeout.Infinite, _closing.Token);
    }

    async Task<string> ReadHeadAsync(Stream stream)
    {
        var bytes = new List<byte>();
        var one = new byte[1];
        while (!(bytes.Count >= 4 && bytes[^4] == '\r' && bytes[^3] == '\n' && bytes[^2] == '\r' && bytes[^1] == '\n'))
        {
            await stream.ReadExactlyAsync(one, _closing.Token);
            bytes.Add(one[0]);
        }

        return Encoding.ASCII.GetString([.. bytes]);
    }

    [GeneratedRegex(@"\r\nRange: bytes=(\d+)-\r\n")]
    private static partial Regex Range();
}
