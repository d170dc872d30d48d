namespace Unroll.Experiments.Baselines;

/// <summary>Linear least squares by Householder reflections.</summary>
public static class LeastSquares
{
    /// <summary>The x that makes ‖A·x − b‖ smallest.</summary>
    /// <param name="a">A [rows, columns], rows ≥ columns, of full column rank.</param>
    /// <param name="b">b [rows].</param>
    /// <returns>x [columns].</returns>
    /// <exception cref="ArgumentException">The sizes do not fit, or the columns depend on each other.</exception>
    public static double[] Solve(double[,] a, double[] b)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        int rows = a.GetLength(0), columns = a.GetLength(1);
        if (rows < columns || b.Length != rows)
            throw new ArgumentException($"Expected at least {columns} rows and as many right sides, got {rows} rows and {b.Length}.", nameof(a));
        var r = (double[,])a.Clone();
        var y = (double[])b.Clone();
        for (var k = 0; k < columns; k++)
            Reflect(r, y, k);

        var x = new double[columns];
        for (var k = columns - 1; k >= 0; k--)
        {
            var sum = y[k];
            for (var j = k + 1; j < columns; j++)
                sum -= r[k, j] * x[j];
            // The reflections keep a column's length; what is left of it on the diagonal is independent of those before.
            if (Math.Abs(r[k, k]) <= 1e-12 * Length(a, k))
                throw new ArgumentException($"Expected independent columns; column {k} depends on those before it.", nameof(a));
            x[k] = sum / r[k, k];
        }

        return x;
    }

    static double Length(double[,] a, int column)
    {
        var square = 0.0;
        for (var row = 0; row < a.GetLength(0); row++)
            square += a[row, column] * a[row, column];
        return Math.Sqrt(square);
    }

    /// <summary>Clears column k below the diagonal (Golub and Van Loan, Matrix Computations, 5.2.1).</summary>
    static void Reflect(double[,] r, double[] y, int k)
    {
        int rows = r.GetLength(0), columns = r.GetLength(1);
        var norm = 0.0;
        for (var i = k; i < rows; i++)
            norm += r[i, k] * r[i, k];
        norm = Math.Sqrt(norm);
        if (norm == 0)
            return;
        var alpha = r[k, k] > 0 ? -norm : norm;
        var v = new double[rows - k];
        for (var i = k; i < rows; i++)
            v[i - k] = r[i, k];
        v[0] -= alpha;
        var square = 0.0;
        foreach (var value in v)
            square += value * value;
        for (var j = k; j < columns; j++)
        {
            var dot = 0.0;
            for (var i = k; i < rows; i++)
                dot += v[i - k] * r[i, j];
            for (var i = k; i < rows; i++)
                r[i, j] -= 2 * dot / square * v[i - k];
        }

        var dotY = 0.0;
        for (var i = k; i < rows; i++)
            dotY += v[i - k] * y[i];
        for (var i = k; i < rows; i++)
            y[i] -= 2 * dotY / square * v[i - k];
    }
}
