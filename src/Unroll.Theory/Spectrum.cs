namespace Unroll.Theory;

/// <summary>The two sizes of a matrix on which it hangs whether its powers vanish or explode.</summary>
/// <remarks>
/// <code>
/// ρ(A) ≤ ‖A‖₂,   ‖Aᵏ‖₂ ≤ ‖A‖₂ᵏ,   ‖Aᵏ‖₂^(1/k) → ρ(A)
/// </code>
/// One step may grow by as much as ‖A‖₂; many steps grow by ρ(A) each.
/// </remarks>
public static class Spectrum
{
    // 2⁶⁰ steps: what is left of the polynomial factor of a defective matrix of any size, (2⁶⁰)^(n/2⁶⁰), rounds to 1.
    const int Squarings = 60;

    /// <summary>The spectral radius: the largest absolute value of an eigenvalue.</summary>
    /// <remarks>
    /// <code>
    /// ρ(A) = lim ‖A^k‖_F^(1/k),   k = 1, 2, 4, … 2⁶⁰
    /// </code>
    /// by squaring, with the norm divided out each time. A is [n, n]. Source: I. M. Gelfand, "Normierte Ringe", Matematicheskii Sbornik 9 (1941).
    /// </remarks>
    /// <exception cref="ArgumentException">The matrix is not square.</exception>
    public static double Radius(Matrix a)
    {
        ArgumentNullException.ThrowIfNull(a);
        Shape.Equal(a.Rows, a.Cols, "as many columns as rows,", nameof(a));
        var logarithm = 0.0;
        var power = a;
        for (var m = 0; m < Squarings; m++)
        {
            // A^(2^m) = e^(logarithm · 2^m) · power
            var norm = FrobeniusNorm(power);
            if (norm == 0)
                return 0;
            logarithm += Math.Log(norm) / Math.Pow(2, m);
            power = power.Scaled(1 / norm);
            power = power.Times(power);
        }

        return Math.Exp(logarithm);
    }

    /// <summary>The largest singular value: the factor by which the matrix stretches a vector at most.</summary>
    /// <remarks>
    /// <code>
    /// ‖A‖₂ = max ‖A v‖ / ‖v‖ = √ρ(Aᵀ A)
    /// </code>
    /// </remarks>
    public static double Norm(Matrix a)
    {
        ArgumentNullException.ThrowIfNull(a);
        return Math.Sqrt(Radius(a.Transposed().Times(a)));
    }

    static double FrobeniusNorm(Matrix a) => Math.Sqrt(a.Values.Sum(value => value * value));
}
