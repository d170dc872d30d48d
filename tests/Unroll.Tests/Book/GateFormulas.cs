using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The pieces of which the printed formulas of chapters 5 and 6 are put together, as plain loops over elements.</summary>
static class GateFormulas
{
    public static double Sigma(double a) => 1 / (1 + Math.Exp(-a));

    /// <summary>Element j of W x + b + W' h + b' of one block of H rows.</summary>
    public static double PreActivation(CellParameters p, int block, int j, double[] x, double[] h) =>
        InputPart(p, block, j, x) + HiddenPart(p, block, j, h);

    /// <summary>Element j of W_ih x + b_ih of one block.</summary>
    public static double InputPart(CellParameters p, int block, int j, double[] x)
    {
        var row = Row(p, block, j);
        var sum = p.BiasIh[row];
        for (var k = 0; k < x.Length; k++)
            sum += p.WeightIh[row, k] * x[k];
        return sum;
    }

    /// <summary>Element j of W_hh h + b_hh of one block.</summary>
    public static double HiddenPart(CellParameters p, int block, int j, double[] h)
    {
        var row = Row(p, block, j);
        var sum = p.BiasHh[row];
        for (var k = 0; k < h.Length; k++)
            sum += p.WeightHh[row, k] * h[k];
        return sum;
    }

    /// <summary>Element k of the transpose of one block times a vector: Σ_j W_jk v_j.</summary>
    public static double TransposeProduct(Matrix w, int block, int k, double[] v)
    {
        var sum = 0.0;
        for (var j = 0; j < v.Length; j++)
            sum += w[(block * v.Length) + j, k] * v[j];
        return sum;
    }

    /// <summary>Adds v uᵀ to one block.</summary>
    public static void AddOuter(Matrix w, int block, double[] v, double[] u)
    {
        for (var j = 0; j < v.Length; j++)
        {
            for (var k = 0; k < u.Length; k++)
                w[(block * v.Length) + j, k] += v[j] * u[k];
        }
    }

    /// <summary>Adds v to one block.</summary>
    public static void AddTo(double[] stacked, int block, double[] v)
    {
        for (var j = 0; j < v.Length; j++)
            stacked[(block * v.Length) + j] += v[j];
    }

    /// <summary>A vector of H elements by a formula of the element.</summary>
    public static double[] Each(int H, Func<int, double> formula) => [.. Enumerable.Range(0, H).Select(formula)];

    /// <summary>Equality to 10⁻¹² of the largest element, and values that are worth comparing.</summary>
    public static void Close(double[] printed, double[] computed)
    {
        Assert.Equal(printed.Length, computed.Length);
        var largest = printed.Max(Math.Abs);
        Assert.True(largest > 1e-4, $"expected values away from 0, got at most {largest}");
        for (var j = 0; j < printed.Length; j++)
            Assert.True(Math.Abs(printed[j] - computed[j]) <= 1e-12 * largest, $"element {j}: the book has {printed[j]:R}, the member {computed[j]:R}");
    }

    static int Row(CellParameters p, int block, int j) => (block * p.WeightHh.Cols) + j;
}
