using System.Runtime.CompilerServices;

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

    /// <summary>
    /// destination[row·destinationRow + j] = source[row·sourceRow + j] for j &lt; width, and 0 for <paramref name="padding"/>
    /// more, fewer than a vector has.
    /// </summary>
    [MethodImpl(Kernel.Compilation)]
    public static void Copy<S, V>(float* source, nint sourceRow, float* destination, nint destinationRow, int rows, int width, int padding = 0)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var row = 0; padding > 0 && row < rows; row++)
            S.StorePartial(destination + (row * destinationRow) + width, S.Broadcast(0f), padding);

        // The columns of 1 for the biases, whose partial stores took 20 cycles each.
        if (width == 1)
        {
            for (var row = 0; row < rows; row++)
                destination[row * destinationRow] = source[row * sourceRow];
            return;
        }

        var whole = width / S.Count * S.Count;
        for (var row = 0; row < rows; row++)
        {
            if (S.Registers == 16)
                Cache.Fetch(source + (FetchedRows * sourceRow), width);
            for (var j = 0; j < whole; j += S.Count)
                S.Store(destination + j, S.Load(source + j));
            if (whole < width)
                S.StorePartial(destination + whole, S.LoadPartial(source + whole, width - whole), width - whole);
            source += sourceRow;
            destination += destinationRow;
        }
    }
}
