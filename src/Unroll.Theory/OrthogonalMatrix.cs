namespace Unroll.Theory;

/// <summary>Matrices that turn and mirror, but change no length: starts for W_hh through which a gradient neither vanishes nor explodes.</summary>
/// <remarks>
/// <code>
/// Qᵀ Q = 1,   so   ‖Q v‖ = ‖v‖ for every v
/// </code>
/// Source: A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
/// ICLR 2014, arXiv:1312.6120.
/// </remarks>
public static class OrthogonalMatrix
{
    // What rounding leaves of a row that is a combination of others is about 10⁻¹⁶ of it.
    const double Independent = 1e-12;

    /// <summary>Makes the rows of a matrix orthonormal, one after the other (Gram and Schmidt).</summary>
    /// <remarks>
    /// <code>
    /// u_i = g_i − Σ_{k &lt; i} (q_k · g_i) q_k,   q_i = u_i / ‖u_i‖
    /// </code>
    /// The rows of G are g_i, those of Q are q_i; both are [n, n]. If the elements of G are independent and normal, every direction of Q is as likely as
    /// every other. The sum is taken twice, the second time with u_i for g_i: it is then zero but for what the first left by rounding.
    /// </remarks>
    /// <param name="g">A matrix of random numbers; it is not changed.</param>
    /// <returns>Q, orthogonal.</returns>
    /// <exception cref="ArgumentException">The matrix is not square, or a row is a combination of the rows above it.</exception>
    public static Matrix Of(Matrix g)
    {
        ArgumentNullException.ThrowIfNull(g);
        Shape.Equal(g.Rows, g.Cols, "as many columns as rows,", nameof(g));
        var q = new Matrix(g.Rows, g.Cols);
        for (var i = 0; i < g.Rows; i++)
        {
            var u = q.Row(i);
            g.Row(i).CopyTo(u);
            for (var pass = 0; pass < 2; pass++)
            {
                var before = u.ToArray();
                for (var k = 0; k < i; k++)
                {
                    var share = Dot(q.Row(k), before);
                    for (var j = 0; j < u.Length; j++)
                        u[j] -= share * q[k, j];
                }
            }

            var norm = Math.Sqrt(Dot(u, u));
            if (!(norm > Independent * Math.Sqrt(Dot(g.Row(i), g.Row(i)))))
                throw new ArgumentException($"g: expected rows that are independent, got row {i} as a combination of those above; draw other numbers.", nameof(g));
            for (var j = 0; j < u.Length; j++)
                u[j] /= norm;
        }

        return q;
    }

    static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var sum = 0.0;
        for (var k = 0; k < x.Length; k++)
            sum += x[k] * y[k];
        return sum;
    }
}
