namespace Unroll.Benchmarks.Measuring;

/// <summary>
/// An allocator that keeps freed memory at hand. A process started with it in place of the C library's is how
/// PyTorch's own tuning guide speeds libtorch up; no program can do it from within.
/// </summary>
static class TcMalloc
{
    static readonly string[] s_folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    static readonly string[] s_names = ["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"];

    /// <summary>The library's file; null where it is not installed.</summary>
    public static string? Path { get; } = (from folder in s_folders from name in s_names select System.IO.Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
