namespace Unroll.Theory;

/// <summary>The parameters of a <see cref="Linear"/> layer, or their gradients.</summary>
public sealed class LinearParameters : TensorGroup
{
    internal LinearParameters(int inputSize, int outputSize)
    {
        Weight = new Matrix(outputSize, inputSize);
        Bias = new double[outputSize];
    }

    /// <summary>The weight W, [outputSize, inputSize].</summary>
    public Matrix Weight { get; }

    /// <summary>The bias b, [outputSize].</summary>
    public double[] Bias { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors => [new(nameof(Weight), Weight.Values), new(nameof(Bias), Bias)];
}

/// <summary>The affine map, applied to every step of every sample alike.</summary>
/// <remarks>
/// <code>y = W x + b</code>
/// Shapes: x [inputSize] or [T, B, inputSize]; y [outputSize] or [T, B, outputSize]; W [outputSize, inputSize]; b [outputSize].
/// </remarks>
public sealed class Linear
{
    /// <summary>Makes a layer with all parameters zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public Linear(int inputSize, int outputSize)
    {
        Shape.Positive(inputSize, nameof(inputSize));
        Shape.Positive(outputSize, nameof(outputSize));
        InputSize = inputSize;
        OutputSize = outputSize;
        Parameters = CreateGradients();
    }

    /// <summary>The length of x.</summary>
    public int InputSize { get; }

    /// <summary>The length of y.</summary>
    public int OutputSize { get; }

    /// <summary>The parameters; zeros until they are set.</summary>
    public LinearParameters Parameters { get; }

    /// <summary>Zeros in the shape of <see cref="Parameters"/>: where gradients are accumulated.</summary>
    public LinearParameters CreateGradients() => new(InputSize, OutputSize);

    /// <summary>Maps one vector.</summary>
    /// <remarks><code>y = W x + b</code> x is [inputSize]; y is [outputSize] and is overwritten.</remarks>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void Forward(ReadOnlySpan<double> x, Span<double> y)
    {
        Shape.Equal(OutputSize, y.Length, "length outputSize =", nameof(y));
        Parameters.Bias.CopyTo(y);
        Parameters.Weight.MultiplyAdd(x, y);
    }

    /// <summary>Takes the gradient on y of one vector back.</summary>
    /// <remarks>
    /// <code>
    /// dX      += Wᵀ dY
    /// dWeight += dY xᵀ
    /// dBias   += dY
    /// </code>
    /// x and dX are [inputSize], dY is [outputSize]; <paramref name="dX"/> and <paramref name="dParameters"/> are accumulated into.
    /// </remarks>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void Backward(ReadOnlySpan<double> x, ReadOnlySpan<double> dY, Span<double> dX, LinearParameters dParameters)
    {
        ArgumentNullException.ThrowIfNull(dParameters);
        Parameters.Weight.TransposeMultiplyAdd(dY, dX);
        dParameters.Weight.OuterProductAdd(dY, x);
        for (var k = 0; k < OutputSize; k++)
            dParameters.Bias[k] += dY[k];
    }

    /// <summary>Maps every step of every sample, [T, B, inputSize] to [T, B, outputSize].</summary>
    /// <exception cref="ArgumentException">The number of features is not inputSize.</exception>
    public Sequence Forward(Sequence x)
    {
        ArgumentNullException.ThrowIfNull(x);
        Shape.Equal(InputSize, x.F, "features inputSize =", nameof(x));
        var y = new Sequence(x.T, x.B, OutputSize);
        for (var t = 0; t < x.T; t++)
        {
            for (var b = 0; b < x.B; b++)
                Forward(x[t, b], y[t, b]);
        }

        return y;
    }

    /// <summary>Takes the gradient on all outputs back.</summary>
    /// <param name="x">The inputs of <see cref="Forward(Sequence)"/>, [T, B, inputSize].</param>
    /// <param name="dY">The gradient on its outputs, [T, B, outputSize].</param>
    /// <returns>The gradients of the inputs, [T, B, inputSize], and of the parameters.</returns>
    /// <exception cref="ArgumentException">A shape does not fit.</exception>
    public LinearGradients Backward(Sequence x, Sequence dY)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(dY);
        Shape.Equal(InputSize, x.F, "features inputSize =", nameof(x));
        Shape.Sequence(x.T, x.B, OutputSize, dY, nameof(dY));
        var dX = new Sequence(x.T, x.B, InputSize);
        var dParameters = CreateGradients();
        for (var t = 0; t < x.T; t++)
        {
            for (var b = 0; b < x.B; b++)
                Backward(x[t, b], dY[t, b], dX[t, b], dParameters);
        }

        return new LinearGradients(dX, dParameters);
    }
}

/// <summary>What a backward pass of <see cref="Linear"/> returns.</summary>
/// <param name="DX">The gradient on the inputs, [T, B, inputSize].</param>
/// <param name="DParameters">The gradients of the parameters.</param>
public sealed record LinearGradients(Sequence DX, LinearParameters DParameters);
