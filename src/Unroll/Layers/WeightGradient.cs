using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The gradient of an affine map over all rows at once: dW += dYᵀ·X, db += dYᵀ·1.</summary>
/// <remarks>Each element sums over the T·B rows in rising order, however the work is split.</remarks>
static unsafe class WeightGradient
{
    // The 1 that every row of dY is multiplied by for the bias.
    static readonly AlignedBuffer s_one = One();

    /// <summary>Adds one worker's share of the rows of dW [rows, columns] and db [rows].</summary>
    /// <param name="engine">What computes.</param>
    /// <param name="worker">This worker, from 0.</param>
    /// <param name="workers">Workers in all.</param>
    /// <param name="count">T·B rows of dY and X.</param>
    /// <param name="dY">dY [count, rows], <paramref name="dYStride"/> floats from row to row.</param>
    /// <param name="dYStride">At least <paramref name="rows"/>.</param>
    /// <param name="rows">Outputs of the map.</param>
    /// <param name="x">X [count, columns].</param>
    /// <param name="columns">Inputs of the map.</param>
    /// <param name="dWeight">Accumulated into.</param>
    /// <param name="dBias">Accumulated into.</param>
    public static void Accumulate(
        Engine engine, int worker, int workers, int count,
        float* dY, int dYStride, int rows, float* x, int columns, float* dWeight, float* dBias)
    {
        var start = (int)((long)rows * worker / workers);
        var end = (int)((long)rows * (worker + 1) / workers);
        if (start == end)
            return;
        engine.Multiply(new GemmProblem
        {
            M = end - start,
            N = columns,
            K = count,
            A = dY + start,
            ARow = 1,
            AStep = dYStride,
            B = x,
            BStep = columns,
            C = dWeight + ((nint)start * columns),
            CRow = columns,
            Start = TileStart.Destination,
        });
        engine.Multiply(new GemmProblem
        {
            M = 1,
            N = end - start,
            K = count,
            A = s_one.Pointer,
            ARow = 0,
            AStep = 0,
            B = dY + start,
            BStep = dYStride,
            C = dBias + start,
            CRow = end - start,
            Start = TileStart.Destination,
        });
    }

    static AlignedBuffer One()
    {
        var one = new AlignedBuffer(1);
        one.Span[0] = 1f;
        return one;
    }
}
