namespace Unroll.Theory;

/// <summary>The parameters of one part of a model, or their gradients: a few named tensors.</summary>
public abstract class TensorGroup
{
    private protected TensorGroup()
    {
    }

    /// <summary>All tensors that have elements, under their names, always in the same order.</summary>
    public abstract IReadOnlyList<NamedTensor> Tensors { get; }

    /// <summary>Overwrites every element, tensor after tensor, with the values <paramref name="next"/> returns.</summary>
    /// <param name="next">Draws one value, for example from a seeded generator.</param>
    public void Fill(Func<double> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        foreach (var tensor in Tensors)
        {
            for (var k = 0; k < tensor.Values.Length; k++)
                tensor.Values[k] = next();
        }
    }

    /// <summary>Adds the elements of a group of the same shape: gradients of several passes into one.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public void Add(TensorGroup other)
    {
        ArgumentNullException.ThrowIfNull(other);
        var (tensors, others) = (Tensors, other.Tensors);
        Shape.Equal(tensors.Count, others.Count, "number of tensors", nameof(other));
        for (var n = 0; n < tensors.Count; n++)
        {
            var (sum, values) = (tensors[n].Values, others[n].Values);
            Shape.Equal(sum.Length, values.Length, $"length of {tensors[n].Name}", nameof(other));
            for (var k = 0; k < sum.Length; k++)
                sum[k] += values[k];
        }
    }

    /// <summary>The tensors of a part of this group, under names that begin with the part's; none without the part.</summary>
    private protected static IEnumerable<NamedTensor> Prefixed(string prefix, TensorGroup? part) =>
        part is null ? [] : part.Tensors.Select(tensor => tensor with { Name = prefix + tensor.Name });

    private protected static IReadOnlyList<NamedTensor> NotEmpty(params NamedTensor[] tensors) => [.. tensors.Where(tensor => tensor.Values.Length > 0)];
}
