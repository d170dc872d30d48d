using System.Text;

namespace Unroll.Formats;

/// <summary>One named array of a safetensors file.</summary>
/// <remarks>
/// Values lie row by row (C order): the last dimension varies fastest. A scalar has the shape [] and one value; a tensor
/// with a dimension 0 has none.
/// </remarks>
public sealed class SafetensorsTensor
{
    readonly int[] _shape;

    /// <summary>Names an array and gives it a shape; the shape is copied, the values are not.</summary>
    /// <param name="name">Any Unicode text but <c>__metadata__</c>.</param>
    /// <param name="shape">Dimensions, each ≥ 0; empty for a scalar.</param>
    /// <param name="data">As many values as the product of the dimensions.</param>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException">
    /// The name is <c>__metadata__</c> or has half of a surrogate pair, a dimension is negative, or the number of values
    /// is not the product of the dimensions.
    /// </exception>
    public SafetensorsTensor(string name, ReadOnlySpan<int> shape, ReadOnlyMemory<float> data)
        : this(name, shape, data, "F32")
    {
    }

    internal SafetensorsTensor(string name, ReadOnlySpan<int> shape, ReadOnlyMemory<float> data, string storedType)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name == SafetensorsHeader.MetadataKey)
            throw new ArgumentException($"A tensor cannot be called {SafetensorsHeader.MetadataKey}: the format keeps that name.", nameof(name));
        ThrowIfNotUnicode(name, nameof(name));
        foreach (var dimension in shape)
        {
            if (dimension < 0)
                throw new ArgumentException($"The shape {Describe.Shape(shape)} of '{Describe.Text(name)}' has a negative dimension.", nameof(shape));
        }

        var count = ElementCount(shape);
        if (count != data.Length)
        {
            throw new ArgumentException(
                $"The shape {Describe.Shape(shape)} of '{Describe.Text(name)}' has {(count < 0 ? "too many" : count)} values where {data.Length} were given.",
                nameof(data));
        }

        Name = name;
        _shape = shape.ToArray();
        Data = data;
        StoredType = storedType;
    }

    /// <summary>The name, unique in its file.</summary>
    public string Name { get; }

    /// <summary>The dimensions; empty for a scalar.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>The values, row by row; the length is the product of <see cref="Shape"/>.</summary>
    public ReadOnlyMemory<float> Data { get; }

    /// <summary>
    /// The type in the file: <c>F32</c>, or <c>F64</c>, <c>F16</c> or <c>BF16</c> if the reader converted it.
    /// </summary>
    public string StoredType { get; }

    /// <summary>The product of the dimensions, or −1 if an array cannot have so many elements.</summary>
    internal static long ElementCount(ReadOnlySpan<int> shape)
    {
        if (shape.Contains(0))
            return 0;
        var count = 1L;
        foreach (var dimension in shape)
        {
            count *= dimension; // below 2^31 · 2^31
            if (count > Array.MaxLength)
                return -1;
        }

        return count;
    }

    internal static void ThrowIfNotUnicode(string text, string parameterName)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var used) != System.Buffers.OperationStatus.Done)
                throw new ArgumentException($"'{Describe.Text(text)}' has half of a surrogate pair, which a file cannot keep.", parameterName);
            rest = rest[used..];
        }
    }
}
