namespace Unroll.Theory;

/// <summary>Dropout between layers: each element of each step is multiplied by its own mask element.</summary>
/// <remarks>
/// <code>
/// y = m ⊙ x,   m = 0 with probability p, else 1 / (1 − p)
/// </code>
/// The mask is an input, so the mathematics has no randomness; 1 / (1 − p) keeps the mean of y that of x. Shapes: x, y and m [T, B, F].
/// Source: N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A Simple Way to Prevent Neural Networks from
/// Overfitting", JMLR 15 (2014); between recurrent layers: W. Zaremba, I. Sutskever, O. Vinyals, arXiv:1409.2329 (2014), section 3.2.
/// For one mask per sequence see <see cref="VariationalMasks"/>.
/// </remarks>
public static class Dropout
{
    /// <summary>Multiplies by the mask.</summary>
    /// <remarks><code>y = m ⊙ x</code></remarks>
    /// <returns>y, [T, B, F].</returns>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Sequence Forward(Sequence x, Sequence mask)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(mask);
        Shape.Sequence(x.T, x.B, x.F, mask, nameof(mask));
        var y = new Sequence(x.T, x.B, x.F);
        for (var k = 0; k < y.Values.Length; k++)
            y.Values[k] = mask.Values[k] * x.Values[k];
        return y;
    }

    /// <summary>Takes the gradient on y back through the same mask.</summary>
    /// <remarks><code>dX = m ⊙ dY</code></remarks>
    /// <returns>dX, [T, B, F].</returns>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Sequence Backward(Sequence dY, Sequence mask) => Forward(dY, mask);
}
