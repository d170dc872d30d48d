namespace Unroll.Theory;

/// <summary>Where parameters start, as functions of the random numbers that are drawn for them.</summary>
public static class InitialWeights
{
    /// <summary>The bound a of U(−a, a) that PyTorch gives every weight and bias of a recurrent or linear layer.</summary>
    /// <remarks><code>a = 1 / √n,   n = H in a recurrent layer, the number of inputs in a linear one</code></remarks>
    public static double PyTorchBound(int size)
    {
        Shape.Positive(size, nameof(size));
        return 1 / Math.Sqrt(size);
    }

    /// <summary>The bound a of U(−a, a) that keeps the variance of values forward and of gradients backward as nearly as one number can.</summary>
    /// <remarks>
    /// <code>a = √(6 / (fanIn + fanOut))</code>
    /// Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, equation 16.
    /// </remarks>
    public static double GlorotBound(int fanIn, int fanOut)
    {
        Shape.Positive(fanIn, nameof(fanIn));
        Shape.Positive(fanOut, nameof(fanOut));
        return Math.Sqrt(6.0 / (fanIn + fanOut));
    }

    /// <summary>Makes the rows of a matrix orthonormal, one after another (Gram–Schmidt); of a Gaussian matrix it makes a uniformly random orthogonal one.</summary>
    /// <remarks>
    /// <code>
    /// u_r = a_r − Σ_{s&lt;r} (q_s · a_r) q_s
    /// q_r = u_r / ‖u_r‖
    /// </code>
    /// Sources: A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    /// ICLR 2014; F. Mezzadri, "How to generate random matrices from the classical compact groups", Notices of the AMS 54 (2007).
    /// </remarks>
    /// <param name="a">The rows a_r, at most as many as columns and linearly independent; not changed.</param>
    /// <returns>The rows q_r.</returns>
    /// <exception cref="ArgumentException">There are more rows than columns.</exception>
    public static Matrix Orthonormal(Matrix a)
    {
        ArgumentNullException.ThrowIfNull(a);
        if (a.Rows > a.Cols)
            throw new ArgumentException($"a: expected at most as many rows as columns, got [{a.Rows}, {a.Cols}].", nameof(a));
        var q = new Matrix(a.Rows, a.Cols);
        for (var r = 0; r < a.Rows; r++)
        {
            var u = q.Row(r);
            a.Row(r).CopyTo(u);
            for (var s = 0; s < r; s++)
            {
                // Against u rather than a_r: the same in exact arithmetic, and rounding errors do not add up.
                var along = Dot(q.Row(s), u);
                for (var k = 0; k < u.Length; k++)
                    u[k] -= along * q[s, k];
            }

            var norm = Math.Sqrt(Dot(u, u));
            for (var k = 0; k < u.Length; k++)
                u[k] /= norm;
        }

        return q;
    }

    /// <summary>The bias of a forget gate that alone would keep a value for a time on average.</summary>
    /// <remarks>
    /// <code>b = ln(memory − 1),   so that σ(b) = 1 − 1/memory</code>
    /// Drawn with memory − 1 uniform on [1, T_max − 1), and with −b for the input gate, this is the chrono start.
    /// Source: C. Tallec, Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 2.
    /// </remarks>
    /// <param name="memory">The time in steps, above 1.</param>
    public static double ChronoBias(double memory) => Math.Log(memory - 1);

    /// <summary>The time for which a forget gate keeps a value on average, if its bias alone opens it.</summary>
    /// <remarks><code>memory = 1 / (1 − σ(b)) = 1 + eᵇ</code></remarks>
    public static double Memory(double bias) => 1 / (1 - Activations.Sigmoid(bias));

    static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        var sum = 0.0;
        for (var k = 0; k < x.Length; k++)
            sum += x[k] * y[k];
        return sum;
    }
}
