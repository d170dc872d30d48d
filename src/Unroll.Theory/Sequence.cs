namespace Unroll.Theory;

/// <summary>A batch of sequences, time-major [T, B, F]: T steps, B samples, F features, one flat array.</summary>
/// <remarks>
/// <code>this[t, b, k] = Values[(t · B + b) · F + k]</code>
/// All inputs, outputs and gradients that have a time axis are of this type.
/// </remarks>
public sealed class Sequence
{
    /// <summary>Makes a sequence of zeros, [T, B, F].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public Sequence(int T, int B, int F)
    {
        Shape.Positive(T, nameof(T));
        Shape.Positive(B, nameof(B));
        Shape.Positive(F, nameof(F));
        this.T = T;
        this.B = B;
        this.F = F;
        Values = new double[T * B * F];
    }

    /// <summary>Makes a sequence from flat time-major values, [T · B · F], which are copied.</summary>
    /// <exception cref="ArgumentException">The number of values is not T · B · F.</exception>
    public Sequence(int T, int B, int F, ReadOnlySpan<double> values)
        : this(T, B, F)
    {
        Shape.Equal(Values.Length, values.Length, "length T·B·F =", nameof(values));
        values.CopyTo(Values);
    }

    /// <inheritdoc cref="Sequence(int, int, int, ReadOnlySpan{double})"/>
    public Sequence(int T, int B, int F, ReadOnlySpan<float> values)
        : this(T, B, F)
    {
        Shape.Equal(Values.Length, values.Length, "length T·B·F =", nameof(values));
        for (var k = 0; k < values.Length; k++)
            Values[k] = values[k];
    }

    /// <summary>The number of steps.</summary>
    public int T { get; }

    /// <summary>The number of samples.</summary>
    public int B { get; }

    /// <summary>The number of features of one step of one sample.</summary>
    public int F { get; }

    /// <summary>The values, flat and time-major, [T · B · F].</summary>
    public double[] Values { get; }

    /// <summary>The feature vector of step <paramref name="t"/> of sample <paramref name="b"/>, [F]; writing to it writes to the sequence.</summary>
    public Span<double> this[int t, int b] => Values.AsSpan(((t * B) + b) * F, F);

    /// <summary>Feature <paramref name="k"/> of step <paramref name="t"/> of sample <paramref name="b"/>.</summary>
    public double this[int t, int b, int k]
    {
        get => this[t, b][k];
        set => this[t, b][k] = value;
    }

    /// <summary>Copies the values, rounded to float, into a flat time-major destination, [T · B · F], which is overwritten.</summary>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public void CopyTo(Span<float> destination)
    {
        Shape.Equal(Values.Length, destination.Length, "length T·B·F =", nameof(destination));
        for (var k = 0; k < Values.Length; k++)
            destination[k] = (float)Values[k];
    }
}
