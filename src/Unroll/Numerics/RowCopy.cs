using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>Copies rows whose distances differ: how operands come into panels.</summary>
static unsafe class RowCopy
{
    /// <summary>
    /// Rows that are fetched ahead: each lies on another page, where a processor foresees nothing. Weight gradients of H = 128
    /// to 512 gained 2 % on a Zen 2 core; on Zen 4, nothing.
    /// </summary>
    public const int FetchedRows = 6;

    /// <summary>Rows to be copied into all panels before the next are read: a panel ends within a cache line.</summary>
    public const int RowsAtOnce = 16;

    /// <summary>Sets the last vector of rows of whole vectors (see <see cref="PackedMatrix.Padded"/>) to 0, before columns are copied there that do not fill it.</summary>
    [MethodImpl(Kernel.Compilation)]
    public static void ClearPadding(float* destination, int padded, int rows, int lanes)
    {
        var last = destination + padded - Math.Min(lanes, Simd256.Count);
        for (var row = 0; row < rows; row++)
        {
            if (lanes < Simd256.Count)
                Simd128.Store(last, Vector128<float>.Zero);
            else
                Simd256.Store(last, Vector256<float>.Zero);
            last += padded;
        }
    }

    /// <summary>destination[row·destinationRow + j] = source[row·sourceRow + j] for j &lt; width.</summary>
    public static void Copy<S, V>(float* source, nint sourceRow, float* destination, nint destinationRow, int rows, int width)
        where S : struct, ISimd<V>
        where V : struct
    {
        // The columns of 1 for the biases, whose partial stores took 20 cycles each.
        if (width == 1)
        {
            for (var row = 0; row < rows; row++)
                destination[row * destinationRow] = source[row * sourceRow];
            return;
        }

        switch (width % S.Count)
        {
            case 0: Copy<S, V, C16>(source, sourceRow, destination, destinationRow, rows, width); break;
            case 2: Copy<S, V, C2>(source, sourceRow, destination, destinationRow, rows, width); break;
            case 4: Copy<S, V, C4>(source, sourceRow, destination, destinationRow, rows, width); break;
            default: Copy<S, V, C0>(source, sourceRow, destination, destinationRow, rows, width); break;
        }
    }

    /// <typeparam name="S">The kernel's vectors.</typeparam>
    /// <typeparam name="V">Their registers.</typeparam>
    /// <typeparam name="N">The lanes of a row's last vector (see <see cref="Lanes{S, V}.Valid"/>).</typeparam>
    [MethodImpl(Kernel.Compilation)]
    static void Copy<S, V, N>(float* source, nint sourceRow, float* destination, nint destinationRow, int rows, int width)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        var last = (width - 1) / S.Count * S.Count;
        var n = Lanes<S, V>.Valid<N>(width - last);
        for (var row = 0; row < rows; row++)
        {
            if (S.Registers == 16)
                Cache.Fetch(source + (FetchedRows * sourceRow), width);
            for (var j = 0; j < last; j += S.Count)
                S.Store(destination + j, S.Load(source + j));
            Lanes<S, V>.Store(destination + last, Lanes<S, V>.Load(source + last, n), n);
            source += sourceRow;
            destination += destinationRow;
        }
    }
}
