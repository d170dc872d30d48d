using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Unroll.Experiments.Downloads;
using Unroll.Tests.Data;

namespace Unroll.Tests.Experiments;

public sealed class DownloaderTests : DataFileFixture
{
    const int Length = 200_000; // several chunks
    const int Half = 90_000;
    const int HangLimit = 120_000; // ms; what stalls for ever is a failure, not a hanging test run
    const string Name = "images.gz";

    static readonly byte[] s_content = Content(1);
    static readonly RemoteFile s_file = new(Name, Length, Md5(s_content));
    static readonly Reply s_good = new(s_content);

    string Target => Path.Combine(Folder, Name);

    string Part => Target + ".part";

    [Fact]
    public async Task Fetch_BringsTheFile_WithOneRequest_AndLeavesNothingElse()
    {
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal(["whole"], server.Requests);
    }

    [Fact]
    public async Task Fetch_MakesTheFolder()
    {
        await using var server = new LoopbackServer(s_good);
        using var downloader = Downloader(server);
        var folder = Path.Combine(Folder, "a", "b");
        await downloader.FetchAsync(s_file, folder, TestContext.Current.CancellationToken);
        Assert.Equal(s_content, File.ReadAllBytes(Path.Combine(folder, Name)));
    }

    [Fact]
    public async Task Fetch_AsksNobody_WhereTheFileIsThere()
    {
        File.WriteAllBytes(Target, s_content);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(Length)]
    [InlineData(100)]
    [InlineData(0)]
    public async Task Fetch_ReplacesAFileWithOtherBytes(int length)
    {
        File.WriteAllBytes(Target, Content(2)[..length]);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
    }

    [Fact]
    public async Task File_IsNotThereUnderItsName_BeforeItIsWhole()
    {
        await using var server = new LoopbackServer(s_good);
        var seen = new List<long>();
        using var downloader = new Downloader([server.Address], Handler())
        {
            Progress = progress =>
            {
                Assert.False(File.Exists(Target));
                Assert.Equal((s_file, server.Address), (progress.File, progress.Mirror));
                seen.Add(progress.Received);
            },
        };
        await downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken);
        AssertOnlyTheFile();
        Assert.Equal(seen.Order().Distinct(), seen);
        Assert.Equal(Length, seen[^1]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task NextMirror_GoesOn_WhereTheFirstWasCutOff(bool announcesLength)
    {
        await using var first = new LoopbackServer(s_good with { EndsAfter = Half, AnnouncesLength = announcesLength });
        await using var second = new LoopbackServer(s_good);
        await FetchAsync(first, second);
        AssertOnlyTheFile();
        Assert.Equal(["whole"], first.Requests);
        Assert.Equal([Half.ToString()], second.Requests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task NextRun_GoesOn_WhereTheLastWasCutOff(bool announcesLength)
    {
        await using (var broken = new LoopbackServer(s_good with { EndsAfter = Half, AnnouncesLength = announcesLength }))
        {
            var problem = await FailsAsync(broken);
            Assert.Contains($"{Half} of {Length} bytes are kept", problem, StringComparison.Ordinal);
            Assert.Contains(broken.Address.ToString(), problem, StringComparison.Ordinal);
        }

        AssertOnlyThePart(s_content[..Half]);
        await using var server = new LoopbackServer(s_good);
        var received = new List<long>();
        using var downloader = new Downloader([server.Address], Handler()) { Progress = progress => received.Add(progress.Received) };
        await downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken);
        AssertOnlyTheFile();
        Assert.Equal([Half.ToString()], server.Requests);
        Assert.All(received, bytes => Assert.InRange(bytes, Half + 1, Length));
    }

    [Fact]
    public async Task MirrorThatIgnoresRanges_IsTakenFromTheStart()
    {
        File.WriteAllBytes(Part, s_content[..Half]);
        await using var server = new LoopbackServer(s_good with { HonoursRanges = false });
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal([Half.ToString()], server.Requests);
    }

    [Fact]
    public async Task DamagedPart_IsDropped_AndTheFileTakenAnew()
    {
        var damaged = s_content[..Half];
        damaged[500] ^= 1;
        File.WriteAllBytes(Part, damaged);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal([Half.ToString(), "whole"], server.Requests);
    }

    [Fact]
    public async Task FileThatChangedSinceTheLastRun_IsTakenAnew()
    {
        await using (var old = new LoopbackServer(new Reply(Content(2)) { EndsAfter = Half }))
            await FailsAsync(old);
        AssertOnlyThePart(Content(2)[..Half]);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal([Half.ToString(), "whole"], server.Requests);
    }

    [Fact]
    public async Task WholePart_IsOnlyRenamed()
    {
        File.WriteAllBytes(Part, s_content);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(Length)]
    [InlineData(Length + 1)]
    public async Task WrongPart_OfWholeLengthOrLonger_IsDropped(int length)
    {
        File.WriteAllBytes(Part, new byte[length]);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal(["whole"], server.Requests);
    }

    [Fact]
    public async Task CorruptBytes_AreTakenOnceMore_ThenFromTheNextMirror()
    {
        await using var bad = new LoopbackServer(new Reply(Content(2)));
        await using var good = new LoopbackServer(s_good);
        await FetchAsync(bad, good);
        AssertOnlyTheFile();
        Assert.Equal(["whole", "whole"], bad.Requests);
        Assert.Equal(["whole"], good.Requests);
    }

    [Fact]
    public async Task CorruptBytes_AreHealed_BySecondHelping()
    {
        await using var server = new LoopbackServer(new Reply(Content(2)), s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal(["whole", "whole"], server.Requests);
    }

    [Fact]
    public async Task CorruptBytes_OfEveryMirror_LeaveNothing()
    {
        await using var one = new LoopbackServer(new Reply(Content(2)));
        await using var two = new LoopbackServer(new Reply(Content(3)));
        var problem = await FailsAsync(one, two);
        Assert.Contains($"sent bytes with the MD5 {Md5(Content(2))} where {s_file.Md5} was expected", problem, StringComparison.Ordinal);
        Assert.Contains(Md5(Content(3)), problem, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Theory]
    [InlineData(404, "answered 404 (NotFound)")]
    [InlineData(403, "answered 403 (Forbidden)")]
    [InlineData(416, "answered 416 (RequestedRangeNotSatisfiable)")]
    [InlineData(500, "answered 500 (InternalServerError)")]
    [InlineData(503, "answered 503 (ServiceUnavailable)")]
    [InlineData(204, "answered 204 (NoContent)")]
    public async Task Refusal_IsNamed_AndKeepsThePart_AndTheNextMirrorIsAsked(int status, string message)
    {
        File.WriteAllBytes(Part, s_content[..Half]);
        var refusal = new Reply([]) { Status = status };
        await using (var bad = new LoopbackServer(refusal))
            Assert.Contains($"{bad.Address} {message}", await FailsAsync(bad), StringComparison.Ordinal);
        AssertOnlyThePart(s_content[..Half]);
        await using var refusing = new LoopbackServer(refusal);
        await using var good = new LoopbackServer(s_good);
        await FetchAsync(refusing, good);
        AssertOnlyTheFile();
        Assert.Equal([Half.ToString()], good.Requests);
    }

    [Fact]
    public async Task Refusal_OfAll_NamesEachMirror_AndLeavesNothing()
    {
        await using var one = new LoopbackServer(new Reply([]) { Status = 404 });
        await using var two = new LoopbackServer(new Reply([]) { Status = 500 });
        var problem = await FailsAsync(one, two);
        Assert.Contains($"{one.Address} answered 404", problem, StringComparison.Ordinal);
        Assert.Contains($"{two.Address} answered 500", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("kept", problem, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Theory]
    [InlineData(Length - 1)]
    [InlineData(Length + 1)]
    [InlineData(0)]
    public async Task OtherLength_IsRefused_BeforeAByteIsTaken(int length)
    {
        File.WriteAllBytes(Part, s_content[..Half]);
        await using var server = new LoopbackServer(new Reply(new byte[length]) { HonoursRanges = false });
        Assert.Contains($"announced {length} bytes where {Length} were expected", await FailsAsync(server), StringComparison.Ordinal);
        AssertOnlyThePart(s_content[..Half]);
    }

    [Theory]
    [InlineData(Length + 1)]
    [InlineData(5 * Length)]
    public async Task MoreBytesThanExpected_AreNeverKept(int length)
    {
        File.WriteAllBytes(Part, s_content[..Half]);
        await using var server = new LoopbackServer(new Reply([.. s_content, .. new byte[length - Length]]) { AnnouncesLength = false });
        Assert.Contains($"sent more than the {Length - Half} bytes", await FailsAsync(server), StringComparison.Ordinal);
        AssertOnlyThePart(s_content[..Half]);
    }

    [Fact]
    public async Task AnotherRange_ThanWasAskedFor_IsRefused()
    {
        File.WriteAllBytes(Part, s_content[..Half]);
        await using var server = new LoopbackServer(s_good with { RangeShift = -10 });
        Assert.Contains("answered with another part than was asked for", await FailsAsync(server), StringComparison.Ordinal);
        AssertOnlyThePart(s_content[..Half]);
    }

    [Fact]
    public async Task PackedFile_IsStoredAsItIs()
    {
        // Some mirrors say of a .gz file that gzip is but its coding on the way.
        var packed = Gzip(s_content);
        await using var server = new LoopbackServer(new Reply(packed) { Headers = "Content-Encoding: gzip\r\n" });
        using var downloader = Downloader(server);
        await downloader.FetchAsync(new RemoteFile(Name, packed.Length, Md5(packed)), Folder, TestContext.Current.CancellationToken);
        Assert.Equal(packed, File.ReadAllBytes(Target));
    }

    [Theory(Timeout = HangLimit)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(Half)]
    public async Task Stall_EndsInTheNextMirror(int endsAfter)
    {
        await using var stalling = new LoopbackServer(s_good with { EndsAfter = endsAfter, Stalls = true });
        await using var good = new LoopbackServer(s_good);
        // On a busy machine the good one may be found too slow as well; then the next run goes on.
        var patience = TimeSpan.FromSeconds(0.5);
        for (var attempt = 0; !File.Exists(Target); attempt++)
        {
            Assert.InRange(attempt, 0, 20);
            using var downloader = new Downloader([stalling.Address, good.Address], Handler()) { StallTimeout = patience };
            try
            {
                await downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken);
            }
            catch (DownloadException problem)
            {
                Assert.Contains("sent nothing for 0.5 s", problem.Message, StringComparison.Ordinal);
            }
        }

        AssertOnlyTheFile();
        Assert.NotEmpty(stalling.Requests);
        Assert.NotEmpty(good.Requests);
    }

    [Fact(Timeout = HangLimit)]
    public async Task Stall_OfTheOnlyMirror_IsNamed_AndThePartIsKept()
    {
        await using (var stalling = new LoopbackServer(s_good with { EndsAfter = Half, Stalls = true }))
        {
            using var downloader = new Downloader([stalling.Address], Handler()) { StallTimeout = TimeSpan.FromSeconds(0.5) };
            var problem = await Assert.ThrowsAsync<DownloadException>(() => downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken));
            Assert.Contains($"{stalling.Address} sent nothing for 0.5 s", problem.Message, StringComparison.Ordinal);
        }

        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
    }

    [Fact]
    public async Task Cancellation_LeavesThePart_AndTheNextRunGoesOn()
    {
        await using (var stalling = new LoopbackServer(s_good with { EndsAfter = Half, Stalls = true }))
        {
            using var stop = new CancellationTokenSource();
            using var downloader = new Downloader([stalling.Address], Handler())
            {
                Progress = progress =>
                {
                    if (progress.Received == Half)
                        stop.Cancel();
                },
            };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => downloader.FetchAsync(s_file, Folder, stop.Token));
        }

        AssertOnlyThePart(s_content[..Half]);
        await using var server = new LoopbackServer(s_good);
        await FetchAsync(server);
        AssertOnlyTheFile();
        Assert.Equal([Half.ToString()], server.Requests);
    }

    [Fact]
    public async Task Cancellation_BeforeTheFirstByte_LeavesNothing()
    {
        await using var server = new LoopbackServer(s_good);
        using var downloader = Downloader(server);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => downloader.FetchAsync(s_file, Folder, new CancellationToken(canceled: true)));
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public async Task Certificate_ThatNobodyVouchesFor_IsRefused_AndNamed()
    {
        using var certificate = LoopbackServer.SelfSigned();
        await using var impostor = new LoopbackServer(certificate, s_good);
        var problem = await FailsAsync(impostor);
        Assert.Contains($"{impostor.Address} has no certificate that this machine trusts", problem, StringComparison.Ordinal);
        Assert.Empty(impostor.Requests);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));

        await using var good = new LoopbackServer(s_good);
        await FetchAsync(impostor, good);
        AssertOnlyTheFile();
    }

    [Fact]
    public async Task Mirror_ThatIsNotThere_IsNamed()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/data/");
        listener.Stop();
        using var downloader = new Downloader([address], Handler());
        var problem = await Assert.ThrowsAsync<DownloadException>(() => downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken));
        Assert.Contains($"{address} failed: ", problem.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public async Task FullDisk_IsOneLine_AndNothingIsLost()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "There is no device that is always full.");
        var older = Content(2);
        File.WriteAllBytes(Target, older);
        File.WriteAllText(Path.Combine(Folder, "other"), "another file");
        File.CreateSymbolicLink(Part, "/dev/full");
        await using var one = new LoopbackServer(s_good);
        await using var two = new LoopbackServer(s_good);
        var problem = await FailsAsync(one, two);
        Assert.StartsWith($"{Part}: the file cannot be written or read: No space left on device", problem, StringComparison.Ordinal);
        Assert.Equal(["whole"], one.Requests);
        Assert.Empty(two.Requests); // no other mirror makes room
        Assert.Equal(older, File.ReadAllBytes(Target));
        Assert.Equal([Target, Part, Path.Combine(Folder, "other")], Directory.GetFileSystemEntries(Folder).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Folder_ThatIsAFile_IsOneLine()
    {
        var path = Path.Combine(Folder, "taken");
        File.WriteAllText(path, "a file");
        await using var server = new LoopbackServer(s_good);
        using var downloader = Downloader(server);
        var problem = await Assert.ThrowsAsync<DownloadException>(() => downloader.FetchAsync(s_file, path, TestContext.Current.CancellationToken));
        Assert.StartsWith(path, problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem.Message);
        Assert.Equal("a file", File.ReadAllText(path));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Target_ThatIsAFolder_IsOneLine_AndThePartStays()
    {
        Directory.CreateDirectory(Target);
        await using var server = new LoopbackServer(s_good);
        Assert.StartsWith($"{Target}: ", await FailsAsync(server), StringComparison.Ordinal);
        Assert.Equal(s_content, File.ReadAllBytes(Part));
    }

    [Fact]
    public async Task SecondProcess_IsTurnedAway_AndTheFirstGoesOn()
    {
        await using var server = new LoopbackServer(s_good);
        string? problem = null;
        using var downloader = new Downloader([server.Address], Handler())
        {
            Progress = progress => problem ??= FailsAsync(server).GetAwaiter().GetResult(),
        };
        await downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken);
        Assert.StartsWith($"{Part}: ", problem, StringComparison.Ordinal);
        Assert.Contains("no other program uses it", problem, StringComparison.Ordinal);
        Assert.Equal(["whole"], server.Requests);
        AssertOnlyTheFile();
    }

    [Fact]
    public async Task MirrorThatDelivered_IsAskedFirst_ForTheNextFile()
    {
        await using var missing = new LoopbackServer(new Reply([]) { Status = 404 });
        await using var good = new LoopbackServer(s_good);
        using var downloader = Downloader(missing, good);
        await downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken);
        await downloader.FetchAsync(s_file with { Name = "labels.gz" }, Folder, TestContext.Current.CancellationToken);
        Assert.Single(missing.Requests);
        Assert.Equal(2, good.Requests.Length);
    }

    [Fact]
    public void Mnist_IsFourFiles_WithTheirSums()
    {
        Assert.Equal(4, MnistDownload.Files.Select(file => file.Name).Distinct().Count());
        Assert.All(MnistDownload.Files, file => Assert.Matches("^[0-9a-f]{32}$", file.Md5));
        Assert.All(MnistDownload.Mirrors, mirror => Assert.EndsWith("/mnist/", mirror.AbsoluteUri, StringComparison.Ordinal));
        // The test files beside the checkout are the published ones; of the training files these are shorter.
        foreach (var file in MnistDownload.Files.Where(file => file.Name.StartsWith("t10k", StringComparison.Ordinal)))
        {
            var bytes = File.ReadAllBytes(Path.Combine(Mnist, file.Name));
            Assert.Equal((file.Length, file.Md5), (bytes.Length, Md5(bytes)));
        }
    }

    [Fact]
    public void NoMirror_IsRefused() => Assert.Throws<ArgumentException>(() => new Downloader([]));

    static byte[] Content(int seed)
    {
        var bytes = new byte[Length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

#pragma warning disable CA5351 // it is what the files are published with
    static string Md5(byte[] bytes) => Convert.ToHexStringLower(MD5.HashData(bytes));
#pragma warning restore CA5351

    static SocketsHttpHandler Handler() => new() { UseProxy = false };

    static Downloader Downloader(params LoopbackServer[] mirrors) => new([.. mirrors.Select(mirror => mirror.Address)], Handler());

    async Task FetchAsync(params LoopbackServer[] mirrors)
    {
        using var downloader = Downloader(mirrors);
        await downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken);
    }

    /// <summary>The message of a download that fails: one line, and no file of the name that was not there before.</summary>
    async Task<string> FailsAsync(params LoopbackServer[] mirrors)
    {
        var before = File.Exists(Target);
        using var downloader = Downloader(mirrors);
        var problem = await Assert.ThrowsAsync<DownloadException>(() => downloader.FetchAsync(s_file, Folder, TestContext.Current.CancellationToken));
        Assert.Equal(before, File.Exists(Target));
        AssertOneLine(problem.Message);
        return problem.Message;
    }

    static void AssertOneLine(string message)
    {
        Assert.DoesNotContain(message, char.IsControl);
        Assert.InRange(message.Length, 40, 600);
    }

    void AssertOnlyTheFile()
    {
        Assert.Equal([Target], Directory.GetFileSystemEntries(Folder));
        Assert.Equal(s_content, File.ReadAllBytes(Target));
    }

    void AssertOnlyThePart(byte[] bytes)
    {
        Assert.Equal([Part], Directory.GetFileSystemEntries(Folder));
        Assert.Equal(bytes, File.ReadAllBytes(Part));
    }
}
