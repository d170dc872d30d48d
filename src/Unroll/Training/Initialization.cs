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
}

/// <summary>How a model's parameters start. Matrices of several gates are filled gate by gate; gains are 1.</summary>
public sealed record Initialization
{
    /// <summary>W_ih of recurrent layers.</summary>
    public WeightInitializer InputWeights { get; init; }

    /// <summary>W_hh of recurrent layers.</summary>
    public WeightInitializer RecurrentWeights { get; init; }

    /// <summary>W of linear layers.</summary>
    public WeightInitializer LinearWeights { get; init; }

    /// <summary>All biases: <see cref="WeightInitializer.PyTorchUniform"/> or <see cref="WeightInitializer.Zero"/>.</summary>
    public WeightInitializer Biases { get; init; }

    /// <summary>
    /// If given, b_ih + b_hh of every forget gate. 1 keeps the memory open at first: Gers, Schmidhuber and Cummins
    /// (2000); Józefowicz, Zaremba and Sutskever (ICML 2015).
    /// </summary>
    public double? ForgetGateBias { get; init; }

    /// <summary>What PyTorch does when it makes a layer.</summary>
    public static Initialization PyTorch { get; } = new();

    /// <summary>
    /// Orthogonal recurrent matrices and zero biases: the linear part of the recurrence then neither shrinks nor grows
    /// a state, which is where an oscillation can start from.
    /// </summary>
    public static Initialization OrthogonalRecurrence { get; } =
        new() { RecurrentWeights = WeightInitializer.Orthogonal, Biases = WeightInitializer.Zero };

    /// <summary>Fills every parameter of <paramref name="model"/>, drawing in the order of its buffer.</summary>
    /// <exception cref="InvalidOperationException"><see cref="Biases"/> is an initialiser of matrices.</exception>
    public void Apply(SequenceModel model, MersenneTwister random)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(random);
        if (Biases is not (WeightInitializer.PyTorchUniform or WeightInitializer.Zero))
            throw new InvalidOperationException($"Expected biases of {WeightInitializer.PyTorchUniform} or {WeightInitializer.Zero}, got {Biases}, which is for matrices.");
        foreach (var parameter in model.Parameters.All)
            Fill(model, parameter, random);
    }

    void Fill(SequenceModel model, Parameter parameter, MersenneTwister random)
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
            case ParameterRole.WeightPeephole:
                Uniform(values, 1 / Math.Sqrt(fanIn), random);
                break;
            case ParameterRole.GainIh or ParameterRole.GainHh or ParameterRole.GainCell:
                values.Fill(1f);
                break;
            default:
                FillGates(Biases, values, values.Length, 1, fanIn, random);
                if (parameter.Role is ParameterRole.BiasIh or ParameterRole.BiasHh)
                    SetForgetGateBias(layer.Options, parameter.Role, values);
                break;
        }
    }

    void SetForgetGateBias(LayerOptions options, ParameterRole role, Span<float> bias)
    {
        var gate = options.Recurrence switch
        {
            LstmOptions { ForgetGate: true } lstm => lstm.InputGate ? 1 : 0,
            LayerNormLstmOptions => 1,
            _ => -1,
        };
        if (ForgetGateBias is not { } value || gate < 0)
            return;
        var h = options.Recurrence!.HiddenSize;
        bias.Slice(gate * h, h).Fill(role == ParameterRole.BiasIh ? (float)value : 0f);
    }

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
