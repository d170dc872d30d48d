using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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
            for (; Avx.IsSupported && j + 8 <= rows; j += 8)
            {
                var k = 0;
                for (; k + 8 <= depth; k += 8)
                    Square(row + k, sourceRow, target + (k * destinationRow) + j, destinationRow);
                for (; k < depth; k++)
                {
                    Column(row + k, sourceRow, target + (k * destinationRow) + j);
                    Column(row + k + (4 * sourceRow), sourceRow, target + (k * destinationRow) + j + 4);
                }

                row += 8 * sourceRow;
            }

            for (; j + 4 <= rows; j += 4)
            {
                for (var k = 0; k < depth; k++)
                    Column(row + k, sourceRow, target + (k * destinationRow) + j);
                row += 4 * sourceRow;
            }

            for (; j < rows; j++)
            {
                for (var k = 0; k < depth; k++)
                    target[(k * destinationRow) + j] = row[k];
                row += sourceRow;
            }
        }
    }

    /// <summary>Four elements of a column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Column(float* source, nint sourceRow, float* destination) =>
        Vector128.Create(source[0], source[sourceRow], source[2 * sourceRow], source[3 * sourceRow]).Store(destination);

    /// <summary>8 × 8 elements: pairs of rows are interleaved, then pairs of these, then the halves of vectors are exchanged.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Square(float* source, nint sourceRow, float* destination, nint destinationRow)
    {
        var source4 = source + (4 * sourceRow);
        Quads(source, sourceRow, out var a0, out var a1, out var a2, out var a3);
        Quads(source4, sourceRow, out var b0, out var b1, out var b2, out var b3);
        var destination4 = destination + (4 * destinationRow);
        Avx.Permute2x128(a0, b0, 0x20).Store(destination);
        Avx.Permute2x128(a1, b1, 0x20).Store(destination + destinationRow);
        Avx.Permute2x128(a2, b2, 0x20).Store(destination + (2 * destinationRow));
        Avx.Permute2x128(a3, b3, 0x20).Store(destination + (3 * destinationRow));
        Avx.Permute2x128(a0, b0, 0x31).Store(destination4);
        Avx.Permute2x128(a1, b1, 0x31).Store(destination4 + destinationRow);
        Avx.Permute2x128(a2, b2, 0x31).Store(destination4 + (2 * destinationRow));
        Avx.Permute2x128(a3, b3, 0x31).Store(destination4 + (3 * destinationRow));
    }

    /// <summary>Of four rows of 8 elements columns k and k + 4, k &lt; 4, in the halves of a vector each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Quads(
        float* source, nint sourceRow, out Vector256<float> v0, out Vector256<float> v1, out Vector256<float> v2, out Vector256<float> v3)
    {
        Vector256<float> r0 = Vector256.Load(source), r1 = Vector256.Load(source + sourceRow);
        Vector256<float> r2 = Vector256.Load(source + (2 * sourceRow)), r3 = Vector256.Load(source + (3 * sourceRow));
        Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble(), high01 = Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble(), high23 = Avx.UnpackHigh(r2, r3).AsDouble();
        v0 = Avx.UnpackLow(low01, low23).AsSingle();
        v1 = Avx.UnpackHigh(low01, low23).AsSingle();
        v2 = Avx.UnpackLow(high01, high23).AsSingle();
        v3 = Avx.UnpackHigh(high01, high23).AsSingle();
    }
}
