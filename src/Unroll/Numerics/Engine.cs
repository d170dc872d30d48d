using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Unroll.Numerics;

/// <summary>Work that runs on the vectors of whichever kernel the engine uses.</summary>
interface IKernelAction
{
    void Invoke<S, V>()
        where S : struct, ISimd<V>
        where V : struct;
}

/// <summary>
/// What computes: a kernel (vector width) and a team of threads. Neither changes a single bit of any result.
/// </summary>
/// <remarks>
/// The default engine takes the widest vectors the machine accelerates and every core. <c>UNROLL_KERNEL</c>
/// (<c>naive</c>, <c>vector128</c>, <c>vector256</c>, <c>vector512</c>) and <c>UNROLL_THREADS</c> force another choice.
/// An engine may serve several models, one at a time per thread team; give models that train concurrently their own.
/// </remarks>
public sealed class Engine : IDisposable
{
    const int MaximumThreads = 1024;

    static readonly Lazy<Engine> s_default = new(() => new Engine());

    // Kernels are compiled once, at their first call. What is not initialized by then, they would ask for in every turn of a
    // loop, and keep their vectors in memory for the call that may follow.
    static Engine() => RuntimeHelpers.RunClassConstructor(typeof(Activations).TypeHandle);

    /// <summary>Makes an engine.</summary>
    /// <param name="threads">Threads that share the work, at least 1; by default <c>UNROLL_THREADS</c>, else every core.</param>
    /// <param name="kernel">The kernel; by default <c>UNROLL_KERNEL</c>, else the widest the machine accelerates.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is below 1 or above 1024.</exception>
    /// <exception cref="InvalidOperationException">An environment variable holds no known value.</exception>
    public Engine(int? threads = null, KernelKind? kernel = null)
    {
        Threads = threads ?? ThreadsFromEnvironment();
        if (Threads is < 1 or > MaximumThreads)
            throw new ArgumentOutOfRangeException(nameof(threads), Threads, $"Expected 1 to {MaximumThreads} threads.");
        Kernel = kernel ?? KernelFromEnvironment();
        Team = new WorkerTeam(Threads);
    }

    /// <summary>The engine used where none is given.</summary>
    public static Engine Default => s_default.Value;

    /// <summary>Threads that share the work.</summary>
    public int Threads { get; }

    /// <summary>The vector width in use.</summary>
    public KernelKind Kernel { get; }

    internal WorkerTeam Team { get; }

    /// <summary>The widest kernel this machine runs in hardware.</summary>
    public static KernelKind WidestKernel =>
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? KernelKind.Vector512
        : Vector256.IsHardwareAccelerated && Fma.IsSupported ? KernelKind.Vector256
        : KernelKind.Vector128;

    /// <summary>Ends the team's threads. Models on this engine cannot compute afterwards.</summary>
    public void Dispose() => Team.Dispose();

    /// <summary>Runs <paramref name="action"/> with the vectors of this engine's kernel.</summary>
    internal void Run<TAction>(ref TAction action)
        where TAction : struct, IKernelAction, allows ref struct
    {
        switch (Kernel)
        {
            case KernelKind.Naive:
                action.Invoke<SimdScalar, float>();
                break;
            case KernelKind.Vector128:
                action.Invoke<Simd128, Vector128<float>>();
                break;
            case KernelKind.Vector256:
                action.Invoke<Simd256, Vector256<float>>();
                break;
            default:
                action.Invoke<Simd512, Vector512<float>>();
                break;
        }
    }

    /// <summary>One matrix product on the calling thread.</summary>
    internal void Multiply(scoped in GemmProblem problem)
    {
        switch (Kernel)
        {
            case KernelKind.Naive:
                Gemm.MultiplyNaive(problem);
                break;
            case KernelKind.Vector128:
                Gemm.Multiply<Simd128, Vector128<float>>(problem);
                break;
            case KernelKind.Vector256:
                Gemm.Multiply<Simd256, Vector256<float>>(problem);
                break;
            default:
                Gemm.Multiply<Simd512, Vector512<float>>(problem);
                break;
        }
    }

    static int ThreadsFromEnvironment()
    {
        var text = Environment.GetEnvironmentVariable("UNROLL_THREADS");
        if (string.IsNullOrEmpty(text))
            return Environment.ProcessorCount;
        return int.TryParse(text, out var threads) && threads is >= 1 and <= MaximumThreads
            ? threads
            : throw new InvalidOperationException($"UNROLL_THREADS is '{text}'; expected a whole number from 1 to {MaximumThreads}.");
    }

    static KernelKind KernelFromEnvironment()
    {
        var text = Environment.GetEnvironmentVariable("UNROLL_KERNEL");
        if (string.IsNullOrEmpty(text))
            return WidestKernel;
        foreach (var kind in Enum.GetValues<KernelKind>())
        {
            if (kind.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
                return kind;
        }

        throw new InvalidOperationException($"UNROLL_KERNEL is '{text}'; expected naive, vector128, vector256 or vector512.");
    }
}
