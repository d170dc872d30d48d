using System.Text.Json.Serialization;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>A distribution of initial weights. For a matrix [rows, columns], fan-in is columns and fan-out rows.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WeightInitializer>))]
public enum WeightInitializer
{
    /// <summary>
    /// U(−1/√n, 1/√n) with n = H in a recurrent layer and n = fan-in in a linear one: the default of PyTorch's
    /// <c>nn.RNN</c>, <c>nn.LSTM</c>, <c>nn.GRU</c> and <c>nn.Linear</c>.
    /// </summary>
    PyTorchUniform,

    /// <summary>U(−a, a), a = √(6 / (fan-in + fan-out)): Glorot and Bengio, AISTATS 2010, eq. 16.</summary>
    GlorotUniform,

    /// <summary>A random orthogonal matrix, one per gate: Saxe, McClelland and Ganguli, arXiv:1312.6120.</summary>
    Orthogonal,

    /// <summary>0.</summary>
    Zero,

    /// <summary>1 on the diagonal of each gate, else 0: Le, Jaitly and Hinton, arXiv:1504.00941.</summary>
    Identity,
}

/// <summary>How a model's parameters start. Matrices of several gates are filled gate by gate; gains are 1.</summary>
public sealed record Initialization
{
    const int ShortestMemory = 2;

    /// <summary>W_ih of recurrent layers.</summary>
    public WeightInitializer InputWeights { get; init; }

    /// <summary>W_hh of recurrent layers.</summary>
    public WeightInitializer RecurrentWeights { get; init; }

    /// <summary>W of linear layers, and of an attention's score.</summary>
    public WeightInitializer LinearWeights { get; init; }

    /// <summary>All biases: <see cref="WeightInitializer.PyTorchUniform"/> or <see cref="WeightInitializer.Zero"/>.</summary>
    public WeightInitializer Biases { get; init; }

    /// <summary>
    /// If given, b_ih + b_hh of every forget gate. 1 keeps the memory open at first: Gers, Schmidhuber and Cummins
    /// (2000); Józefowicz, Zaremba and Sutskever (ICML 2015).
    /// </summary>
    public double? ForgetGateBias { get; init; }

    /// <summary>
    /// If given, T_max, at least 2: the longest time over which something is to be remembered, in steps. The gates then
    /// start with memories of every length up to it.
    /// </summary>
    /// <remarks>
    /// <code>
    /// LSTM:  b_f = ln u,  b_i = −b_f      u uniform on [1, T_max − 1), one per unit
    /// GRU:   b_z = ln u                   z keeps the state
    /// </code>
    /// where b stands for b_ih + b_hh. A gate σ(ln u) = u/(1 + u) forgets the share 1/(1 + u) in a step, so it remembers for
    /// about 1 + u steps. The other biases are those of <see cref="Biases"/>. Tallec and Ollivier, Can recurrent neural
    /// networks warp time?, ICLR 2018, arXiv:1804.11188; their GRU's update gate is 1 − z.
    /// </remarks>
    public int? LongestMemory { get; init; }

    /// <summary>What PyTorch does when it makes a layer.</summary>
    public static Initialization PyTorch { get; } = new();

    /// <summary>
    /// Orthogonal recurrent matrices and zero biases: the linear part of the recurrence then neither shrinks nor grows
    /// a state, which is where an oscillation can start from.
    /// </summary>
    public static Initialization OrthogonalRecurrence { get; } =
        new() { RecurrentWeights = WeightInitializer.Orthogonal, Biases = WeightInitializer.Zero };

    /// <summary>
    /// The identity for a recurrence and zero biases: with ReLU units a network that keeps its state until learning
    /// changes that, the IRNN of Le, Jaitly and Hinton (2015), arXiv:1504.00941.
    /// </summary>
    public static Initialization IdentityRecurrence { get; } =
        new() { RecurrentWeights = WeightInitializer.Identity, Biases = WeightInitializer.Zero };

    /// <summary>
    /// The chrono initialisation of Tallec and Ollivier (2018): the gates' biases by <see cref="LongestMemory"/>, the
    /// other biases 0.
    /// </summary>
    /// <param name="longestMemory">T_max, at least 2: about the length of the sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">T_max is below 2.</exception>
    public static Initialization Chrono(int longestMemory)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(longestMemory, ShortestMemory);
        return new() { Biases = WeightInitializer.Zero, LongestMemory = longestMemory };
    }

    /// <summary>Fills every parameter of <paramref name="model"/>, drawing in the order of its buffer.</summary>
    /// <exception cref="InvalidOperationException">
    /// <see cref="Biases"/> is an initialiser of matrices, <see cref="LongestMemory"/> is below 2, or
    /// <see cref="ForgetGateBias"/> is given beside it.
    /// </exception>
    public void Apply(TrainableModel model, MersenneTwister random)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(random);
        if (Biases is not (WeightInitializer.PyTorchUniform or WeightInitializer.Zero))
            throw new InvalidOperationException($"Expected biases of {WeightInitializer.PyTorchUniform} or {WeightInitializer.Zero}, got {Biases}, which is for matrices.");
        if (LongestMemory is < ShortestMemory)
            throw new InvalidOperationException($"Expected a longest memory of at least {ShortestMemory} steps, got {LongestMemory}.");
        if (LongestMemory is not null && ForgetGateBias is not null)
            throw new InvalidOperationException($"Expected a bias for the forget gate or a longest memory, got both: {ForgetGateBias} and {LongestMemory}. Leave one out.");
        foreach (var parameter in model.Parameters.All)
            Fill(model, parameter, random);
    }

    void Fill(TrainableModel model, Parameter parameter, MersenneTwister random)
    {
        var values = model.Parameters.ValuesOf(parameter);
        var layer = model.Layers[parameter.LayerIndex];
        var fanIn = layer.Options.Recurrence is { } recurrence ? recurrence.HiddenSize : layer.InputSize;
        switch (parameter.Role)
        {
            case ParameterRole.WeightIh:
                FillGates(InputWeights, values, fanIn, parameter.Shape[1], fanIn, random);
                break;
            case ParameterRole.WeightHh:
                FillGates(RecurrentWeights, values, fanIn, fanIn, fanIn, random);
                break;
            case ParameterRole.Weight:
                FillGates(LinearWeights, values, parameter.Shape[0], parameter.Shape[1], fanIn, random);
                break;
            case ParameterRole.WeightQuery or ParameterRole.WeightKey:
                FillGates(LinearWeights, values, parameter.Shape[0], parameter.Shape[1], parameter.Shape[1], random);
                break;
            case ParameterRole.WeightScore:
                FillGates(LinearWeights, values, 1, values.Length, values.Length, random);
                break;
            case ParameterRole.WeightEmbedding:
                foreach (ref var value in values)
                    value = (float)random.Normal(); // as nn.Embedding
                break;
            case ParameterRole.WeightPeephole:
                Uniform(values, 1 / Math.Sqrt(fanIn), random);
                break;
            case ParameterRole.GainIh or ParameterRole.GainHh or ParameterRole.GainCell:
                values.Fill(1f);
                break;
            default:
                FillGates(Biases, values, values.Length, 1, fanIn, random);
                if (parameter.Role is ParameterRole.BiasIh or ParameterRole.BiasHh)
                    SetGateBiases(layer.Options.Recurrence!, values, inputBias: parameter.Role == ParameterRole.BiasIh, random);
                break;
        }
    }

    /// <summary>The gates that have a start of their own: it stands in b_ih, and b_hh is 0 there.</summary>
    void SetGateBiases(RecurrentOptions options, Span<float> bias, bool inputBias, MersenneTwister random)
    {
        var keep = options switch
        {
            LstmOptions { ForgetGate: true } lstm => Gate(bias, lstm.InputGate ? 1 : 0, lstm.HiddenSize),
            LayerNormLstmOptions => Gate(bias, 1, options.HiddenSize),
            GruOptions => Gate(bias, 1, options.HiddenSize), // z
            _ => [],
        };
        if (ForgetGateBias is { } value && options is not GruOptions)
            keep.Fill(inputBias ? (float)value : 0f);
        if (LongestMemory is not { } longest)
            return;
        foreach (ref var logit in keep)
            logit = inputBias ? (float)Logarithm.Of(random.Uniform(1, longest - 1)) : 0f;
        if (options is LstmOptions { InputGate: true, ForgetGate: true } or LayerNormLstmOptions)
        {
            var write = Gate(bias, 0, keep.Length);
            for (var unit = 0; unit < keep.Length; unit++)
                write[unit] = 0f - keep[unit];
        }
    }

    static Span<float> Gate(Span<float> bias, int gate, int hidden) => bias.Slice(gate * hidden, hidden);

    static void FillGates(WeightInitializer initializer, Span<float> values, int rows, int columns, int fanIn, MersenneTwister random)
    {
        for (var start = 0; start < values.Length; start += rows * columns)
        {
            var block = values.Slice(start, rows * columns);
            switch (initializer)
            {
                case WeightInitializer.PyTorchUniform:
                    Uniform(block, 1 / Math.Sqrt(fanIn), random);
                    break;
                case WeightInitializer.GlorotUniform:
                    Uniform(block, Math.Sqrt(6.0 / (rows + columns)), random);
                    break;
                case WeightInitializer.Orthogonal:
                    Orthogonal(block, rows, columns, random);
                    break;
                case WeightInitializer.Identity:
                    block.Clear();
                    for (var i = 0; i < Math.Min(rows, columns); i++)
                        block[(i * columns) + i] = 1f;
                    break;
                default:
                    block.Clear();
                    break;
            }
        }
    }

    static void Uniform(Span<float> values, double bound, MersenneTwister random)
    {
        foreach (ref var value in values)
            value = (float)random.Uniform(-bound, bound);
    }

    /// <summary>
    /// A matrix with orthonormal rows (columns, if there are more rows), uniform over all such matrices: a Gaussian
    /// matrix, orthonormalised by Gram–Schmidt with positive norms (Mezzadri, Notices of the AMS 54, 2007).
    /// </summary>
    static void Orthogonal(Span<float> values, int rows, int columns, MersenneTwister random)
    {
        var count = Math.Min(rows, columns);
        var length = Math.Max(rows, columns);
        var basis = new double[count][];
        for (var i = 0; i < count; i++)
        {
            var vector = new double[length];
            for (var j = 0; j < length; j++)
                vector[j] = random.Normal();

            // Twice is enough (Kahan; Parlett 1980) for orthogonality to working precision.
            for (var pass = 0; pass < 2; pass++)
            {
                for (var k = 0; k < i; k++)
                    AddScaled(vector, basis[k], -Dot(vector, basis[k]));
            }

            var norm = Math.Sqrt(Dot(vector, vector));
            for (var j = 0; j < length; j++)
                vector[j] /= norm;
            basis[i] = vector;
        }

        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
                values[(row * columns) + column] = (float)(rows <= columns ? basis[row][column] : basis[column][row]);
        }
    }

    static double Dot(double[] x, double[] y)
    {
        var sum = 0.0;
        for (var i = 0; i < x.Length; i++)
            sum += x[i] * y[i];
        return sum;
    }

    static void AddScaled(double[] x, double[] y, double factor)
    {
        for (var i = 0; i < x.Length; i++)
            x[i] += factor * y[i];
    }
}
