namespace Unroll.Theory;

/// <summary>Batches of sequences of different lengths: each sample has its own number of valid steps, the rest is padding.</summary>
/// <remarks>
/// <code>step t of sample b is valid  ⇔  t &lt; lengths[b],   0 ≤ lengths[b] ≤ T</code>
/// A padded step is not read: it changes no state, its output is 0, and neither it nor the gradient on its output takes part in a backward pass.
/// So padding changes nothing. Shape: lengths [B], in any order.
/// </remarks>
public static class Lengths
{
    /// <summary>The weights of a loss that counts every valid step once and no padded step.</summary>
    /// <remarks><code>w[t, b] = 1 if t &lt; lengths[b], else 0</code></remarks>
    /// <param name="T">The number of steps.</param>
    /// <param name="lengths">The number of valid steps of each sample, [B], each in 0 … T.</param>
    /// <returns>The weights, [T, B].</returns>
    /// <exception cref="ArgumentException">There is no step or no sample, or a length is not in 0 … T.</exception>
    public static double[,] Weights(int T, int[] lengths)
    {
        ArgumentNullException.ThrowIfNull(lengths);
        Shape.Positive(T, nameof(T));
        Shape.Positive(lengths.Length, nameof(lengths));
        Check(T, lengths);
        var weights = new double[T, lengths.Length];
        for (var b = 0; b < lengths.Length; b++)
        {
            for (var t = 0; t < lengths[b]; t++)
                weights[t, b] = 1;
        }

        return weights;
    }

    /// <summary>A checked copy of the lengths, [B]; T for every sample if there are none.</summary>
    internal static int[] OrFull(int T, int B, int[]? lengths)
    {
        if (lengths is null)
            return [.. Enumerable.Repeat(T, B)];
        Shape.Equal(B, lengths.Length, "one length per sample, B =", nameof(lengths));
        Check(T, lengths);
        return [.. lengths];
    }

    static void Check(int T, int[] lengths)
    {
        foreach (var length in lengths)
        {
            if (length < 0 || length > T)
                throw new ArgumentException($"lengths: expected each from 0 to T = {T}, got {length}.", nameof(lengths));
        }
    }
}
