namespace Unroll.Experiments.Baselines;

/// <summary>The spectral radius of a matrix: the largest modulus of its eigenvalues.</summary>
public static class SpectralRadius
{
    const int Squarings = 12;

    /// <summary>ρ(A) = lim ‖Aᵏ‖^(1/k) (Gelfand), at k = 2¹² by repeated squaring with rescaling.</summary>
    /// <param name="matrix">A [n, n], row-major.</param>
    /// <param name="n">Rows and columns.</param>
    /// <exception cref="ArgumentException">The matrix is not of that size.</exception>
    public static double Of(ReadOnlySpan<float> matrix, int n)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        if (matrix.Length != n * n)
            throw new ArgumentException($"Expected {n}·{n} values, got {matrix.Length}.", nameof(matrix));
        var power = new double[n * n];
        for (var i = 0; i < power.Length; i++)
            power[i] = matrix[i];

        // log‖Aᵏ‖ is kept apart from the rescaled Aᵏ, so that nothing overflows.
        var logNorm = Rescale(power);
        for (var squaring = 0; squaring < Squarings; squaring++)
        {
            power = Square(power, n);
            logNorm = (2 * logNorm) + Rescale(power);
        }

        return Math.Exp(logNorm / (1 << Squarings));
    }

    /// <summary>Divides by the Frobenius norm and returns its logarithm.</summary>
    static double Rescale(double[] matrix)
    {
        var norm = Math.Sqrt(matrix.Sum(value => value * value));
        if (norm == 0)
            return double.NegativeInfinity;
        for (var i = 0; i < matrix.Length; i++)
            matrix[i] /= norm;
        return Math.Log(norm);
    }

    static double[] Square(double[] a, int n)
    {
        var result = new double[n * n];
        for (var i = 0; i < n; i++)
        {
            for (var k = 0; k < n; k++)
            {
                for (var j = 0; j < n; j++)
                    result[(i * n) + j] += a[(i * n) + k] * a[(k * n) + j];
            }
        }

        return result;
    }
}
