using Unroll.Experiments.Images;

namespace Unroll.Experiments.Downloads;

/// <summary>The four files of MNIST on public mirrors; the project itself does not contain them.</summary>
public static class MnistDownload
{
    /// <summary>Where they are to be had, in the order they are tried.</summary>
    public static IReadOnlyList<Uri> Mirrors { get; } =
    [
        new("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        new("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        new("http://yann.lecun.com/exdb/mnist/"),
    ];

    /// <summary>The files: 60,000 training images, 10,000 test images, and their labels; about 11.6 MB.</summary>
    public static IReadOnlyList<RemoteFile> Files { get; } =
    [
        new($"{MnistFolder.TrainingImages}.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        new($"{MnistFolder.TrainingLabels}.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        new($"{MnistFolder.TestImages}.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        new($"{MnistFolder.TestLabels}.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ];

    /// <summary>Sees to it that all four are in a folder, whole and right, see <see cref="Downloader.FetchAsync"/>.</summary>
    /// <param name="folder">The folder; made if it is missing.</param>
    /// <param name="progress">Is told of every piece that arrives.</param>
    /// <param name="cancellation">Stops; the next run goes on from there.</param>
    /// <exception cref="DownloadException">No mirror could deliver a file, or the disk is full or fails.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static async Task FetchAsync(string folder, Action<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var downloader = new Downloader(Mirrors) { Progress = progress };
        foreach (var file in Files)
            await downloader.FetchAsync(file, folder, cancellation).ConfigureAwait(false);
    }
}
