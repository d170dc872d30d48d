namespace Unroll.Theory;

/// <summary>The network whose only memory is its own output: each step reads the input and the output of the step before.</summary>
/// <remarks>
/// <code>
/// ỹ_{t−1} = y_{t−1}, or with a teacher the target of step t − 1
/// a_t = W_ih x_t + W_oh ỹ_{t−1} + b_h
/// h_t = tanh(a_t)
/// y_t = W_ho h_t + b_o
/// </code>
/// Shapes: x [T, B, I], h [T, B, H], y and targets [T, B, O]; W_ih [H, I], W_oh [H, O], b_h [H], W_ho [O, H], b_o [O].
/// There is no connection from h_{t−1} to h_t. So with a teacher the steps are independent of each other, and no gradient goes back through time.
/// Sources: M. I. Jordan, "Attractor Dynamics and Parallelism in a Connectionist Sequential Machine", Proc. 8th Conf. of the Cognitive Science Society
/// (1986), whose state units moreover keep a decaying sum of outputs; I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning" (2016), section 10.2.1.
/// </remarks>
public sealed class OutputRecurrence
{
    /// <summary>Makes a network with all parameters zero.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public OutputRecurrence(int inputSize, int hiddenSize, int outputSize)
    {
        Shape.Positive(inputSize, nameof(inputSize));
        Shape.Positive(hiddenSize, nameof(hiddenSize));
        Shape.Positive(outputSize, nameof(outputSize));
        (InputSize, HiddenSize, OutputSize) = (inputSize, hiddenSize, outputSize);
        Parameters = CreateGradients();
    }

    /// <summary>The length I of x.</summary>
    public int InputSize { get; }

    /// <summary>The length H of h.</summary>
    public int HiddenSize { get; }

    /// <summary>The length O of y.</summary>
    public int OutputSize { get; }

    /// <summary>The parameters; zeros until they are set.</summary>
    public OutputRecurrenceParameters Parameters { get; }

    /// <summary>Zeros in the shape of <see cref="Parameters"/>: where gradients are accumulated.</summary>
    public OutputRecurrenceParameters CreateGradients() => new(InputSize, HiddenSize, OutputSize);

    /// <summary>Runs all steps, on the network's own outputs or on the teacher's.</summary>
    /// <remarks>
    /// <code>
    /// a_t = W_ih x_t + W_oh ỹ_{t−1} + b_h,   h_t = tanh(a_t),   y_t = W_ho h_t + b_o
    /// ỹ_{t−1} = initialOutputs at the first step, then teacher_{t−1}, or y_{t−1} without a teacher
    /// </code>
    /// </remarks>
    /// <param name="x">The inputs, [T, B, I].</param>
    /// <param name="teacher">The targets, [T, B, O], of which all but the last step are fed back; the network's own outputs are if null.</param>
    /// <param name="initialOutputs">What the first step reads for the output before it, [B, O]; zeros if null.</param>
    /// <returns>The outputs and what <see cref="Backward"/> needs.</returns>
    /// <exception cref="ArgumentException">A shape does not fit.</exception>
    public OutputRecurrenceCache Forward(Sequence x, Sequence? teacher = null, Matrix? initialOutputs = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        var (T, B, H, O) = (x.T, x.B, HiddenSize, OutputSize);
        Shape.Equal(InputSize, x.F, "features inputSize =", nameof(x));
        if (teacher is not null)
            Shape.Sequence(T, B, O, teacher, nameof(teacher));
        if (initialOutputs is not null && (initialOutputs.Rows != B || initialOutputs.Cols != O))
            throw new ArgumentException($"initialOutputs: expected shape [{B}, {O}], got [{initialOutputs.Rows}, {initialOutputs.Cols}].", nameof(initialOutputs));

        var fedBack = new Sequence(T, B, O);
        var h = new Sequence(T, B, H);
        var y = new Sequence(T, B, O);
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                if (t > 0)
                    (teacher ?? y)[t - 1, b].CopyTo(fedBack[t, b]);
                else
                    initialOutputs?.Row(b).CopyTo(fedBack[t, b]);

                var a = Parameters.BiasH.ToArray();
                Parameters.WeightIh.MultiplyAdd(x[t, b], a);
                Parameters.WeightOh.MultiplyAdd(fedBack[t, b], a);
                for (var j = 0; j < H; j++)
                    h[t, b, j] = Activations.Tanh(a[j]);

                Parameters.BiasO.CopyTo(y[t, b]);
                Parameters.WeightHo.MultiplyAdd(h[t, b], y[t, b]);
            }
        }

        return new OutputRecurrenceCache(this, x, fedBack, h, y, teacher is not null);
    }

    /// <summary>Takes the gradient on the outputs back: through time where the network read its own outputs, step by step where a teacher spoke.</summary>
    /// <remarks>
    /// <code>
    /// dY_t  += W_ohᵀ dA_{t+1}          without a teacher, t &lt; T
    /// dH_t   = W_hoᵀ dY_t
    /// dA_t   = dH_t ⊙ (1 − h_t²)
    /// dX_t   = W_ihᵀ dA_t              dY_0 = W_ohᵀ dA_1
    /// dWeightHo = Σ dY_t h_tᵀ          dBiasO = Σ dY_t
    /// dWeightIh = Σ dA_t x_tᵀ          dBiasH = Σ dA_t          dWeightOh = Σ dA_t ỹ_{t−1}ᵀ
    /// </code>
    /// A teacher's targets are data: they receive no gradient.
    /// </remarks>
    /// <param name="cache">What <see cref="Forward"/> returned.</param>
    /// <param name="dY">The gradient of the loss on the outputs, [T, B, O], without what comes through the feedback.</param>
    /// <returns>The gradients of inputs, parameters and initial outputs.</returns>
    /// <exception cref="ArgumentException">A shape or the cache does not fit.</exception>
    public OutputRecurrenceGradients Backward(OutputRecurrenceCache cache, Sequence dY)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(dY);
        if (!ReferenceEquals(cache.Model, this))
            throw new ArgumentException("cache: expected the cache of this OutputRecurrence, got that of another.", nameof(cache));
        var (T, B, H, O) = (cache.Y.T, cache.Y.B, HiddenSize, OutputSize);
        Shape.Sequence(T, B, O, dY, nameof(dY));

        var dX = new Sequence(T, B, InputSize);
        var dParameters = CreateGradients();
        var dInitialOutputs = new Matrix(B, O);
        var dYTotal = new Sequence(T, B, O, dY.Values);
        for (var t = T - 1; t >= 0; t--)
        {
            for (var b = 0; b < B; b++)
            {
                var dH = new double[H];
                Parameters.WeightHo.TransposeMultiplyAdd(dYTotal[t, b], dH);
                dParameters.WeightHo.OuterProductAdd(dYTotal[t, b], cache.H[t, b]);
                Cell.Add(dYTotal[t, b], dParameters.BiasO);

                var dA = new double[H];
                for (var j = 0; j < H; j++)
                    dA[j] = dH[j] * Activations.TanhDerivative(cache.H[t, b, j]);
                dParameters.WeightIh.OuterProductAdd(dA, cache.X[t, b]);
                dParameters.WeightOh.OuterProductAdd(dA, cache.FedBack[t, b]);
                Cell.Add(dA, dParameters.BiasH);

                Parameters.WeightIh.TransposeMultiplyAdd(dA, dX[t, b]);
                if (t == 0)
                    Parameters.WeightOh.TransposeMultiplyAdd(dA, dInitialOutputs.Row(b));
                else if (!cache.IsTeacherForced)
                    Parameters.WeightOh.TransposeMultiplyAdd(dA, dYTotal[t - 1, b]);
            }
        }

        return new OutputRecurrenceGradients(dX, dParameters, dInitialOutputs);
    }
}

/// <summary>The parameters of an <see cref="OutputRecurrence"/>, or their gradients.</summary>
public sealed class OutputRecurrenceParameters : TensorGroup
{
    internal OutputRecurrenceParameters(int inputSize, int hiddenSize, int outputSize)
    {
        WeightIh = new Matrix(hiddenSize, inputSize);
        WeightOh = new Matrix(hiddenSize, outputSize);
        BiasH = new double[hiddenSize];
        WeightHo = new Matrix(outputSize, hiddenSize);
        BiasO = new double[outputSize];
    }

    /// <summary>The weights from the input, W_ih, [H, I].</summary>
    public Matrix WeightIh { get; }

    /// <summary>The weights from the output of the step before, W_oh, [H, O].</summary>
    public Matrix WeightOh { get; }

    /// <summary>The bias of the hidden units, b_h, [H].</summary>
    public double[] BiasH { get; }

    /// <summary>The weights of the output, W_ho, [O, H].</summary>
    public Matrix WeightHo { get; }

    /// <summary>The bias of the output, b_o, [O].</summary>
    public double[] BiasO { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors =>
    [
        new(nameof(WeightIh), WeightIh.Values),
        new(nameof(WeightOh), WeightOh.Values),
        new(nameof(BiasH), BiasH),
        new(nameof(WeightHo), WeightHo.Values),
        new(nameof(BiasO), BiasO),
    ];
}

/// <summary>What a forward pass of <see cref="OutputRecurrence"/> returns and keeps.</summary>
public sealed class OutputRecurrenceCache
{
    internal OutputRecurrenceCache(OutputRecurrence model, Sequence x, Sequence fedBack, Sequence h, Sequence y, bool isTeacherForced) =>
        (Model, X, FedBack, H, Y, IsTeacherForced) = (model, x, fedBack, h, y, isTeacherForced);

    /// <summary>The inputs, [T, B, I].</summary>
    public Sequence X { get; }

    /// <summary>What each step read for the output of the step before, ỹ_{t−1} at step t, [T, B, O].</summary>
    public Sequence FedBack { get; }

    /// <summary>The hidden units, [T, B, H].</summary>
    public Sequence H { get; }

    /// <summary>The outputs, [T, B, O].</summary>
    public Sequence Y { get; }

    /// <summary>Whether the teacher's targets were fed back rather than the outputs.</summary>
    public bool IsTeacherForced { get; }

    internal OutputRecurrence Model { get; }
}

/// <summary>What a backward pass of <see cref="OutputRecurrence"/> returns.</summary>
/// <param name="DX">The gradient on the inputs, [T, B, I].</param>
/// <param name="DParameters">The gradients of the parameters.</param>
/// <param name="DInitialOutputs">The gradient on the initial outputs, [B, O].</param>
public sealed record OutputRecurrenceGradients(Sequence DX, OutputRecurrenceParameters DParameters, Matrix DInitialOutputs);
