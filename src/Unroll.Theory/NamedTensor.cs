namespace Unroll.Theory;

/// <summary>One parameter tensor under its name: a view, not a copy.</summary>
/// <param name="Name">The name, such as <c>WeightIh</c>.</param>
/// <param name="Values">The elements, row after row; writing to them writes to the parameter.</param>
public sealed record NamedTensor(string Name, double[] Values)
{
    /// <summary>Overwrites the tensor with flat values in the same order.</summary>
    /// <exception cref="ArgumentException">The number of values is not that of the tensor.</exception>
    public void CopyFrom(ReadOnlySpan<double> values)
    {
        Shape.Equal(Values.Length, values.Length, $"length of {Name}", nameof(values));
        values.CopyTo(Values);
    }

    /// <inheritdoc cref="CopyFrom(ReadOnlySpan{double})"/>
    public void CopyFrom(ReadOnlySpan<float> values)
    {
        Shape.Equal(Values.Length, values.Length, $"length of {Name}", nameof(values));
        for (var k = 0; k < values.Length; k++)
            Values[k] = values[k];
    }

    /// <summary>Copies the tensor, rounded to float, into a destination of the same length, which is overwritten.</summary>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public void CopyTo(Span<float> destination)
    {
        Shape.Equal(Values.Length, destination.Length, $"length of {Name}", nameof(destination));
        for (var k = 0; k < Values.Length; k++)
            destination[k] = (float)Values[k];
    }
}
