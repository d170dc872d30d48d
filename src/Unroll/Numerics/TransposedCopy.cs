using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Unroll.Numerics;

/// <summary>Copies rows into columns: how weights [outputs, inputs] come into panels [inputs, outputs].</summary>
static unsafe class TransposedCopy
{
    // Floats of a row that are read together: one cache line, whose columns are written before the next is read.
    const int Line = 16;

    /// <summary>destination[k·destinationRow + j] = source[j·sourceRow + k] for j &lt; rows, k &lt; columns.</summary>
    [MethodImpl(Kernel.Compilation)]
    public static void Copy(float* source, nint sourceRow, int rows, int columns, float* destination, nint destinationRow)
    {
        for (var k0 = 0; k0 < columns; k0 += Line)
        {
            var depth = Math.Min(Line, columns - k0);
            var row = source + k0;
            var target = destination + (k0 * destinationRow);
            var j = 0;
            for (; j + 4 <= rows; j += 4)
            {
                float* r0 = row, r1 = r0 + sourceRow, r2 = r1 + sourceRow, r3 = r2 + sourceRow;
                for (var k = 0; k < depth; k++)
                    Vector128.Create(r0[k], r1[k], r2[k], r3[k]).Store(target + (k * destinationRow) + j);
                row = r3 + sourceRow;
            }

            for (; j < rows; j++)
            {
                for (var k = 0; k < depth; k++)
                    target[(k * destinationRow) + j] = row[k];
                row += sourceRow;
            }
        }
    }
}
