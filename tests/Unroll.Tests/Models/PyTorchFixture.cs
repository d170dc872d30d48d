using System.Text.Json;
using Unroll.Layers;

namespace Unroll.Tests.Models;

/// <summary>What PyTorch computed in double precision; tests/fixtures/README.md describes the files.</summary>
static class PyTorchFixture
{
    public static readonly string[] Cells = ["rnn-tanh", "rnn-relu", "lstm", "gru"];

    public static JsonElement Load(string name) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "fixtures", $"pytorch-{name}.json"))).RootElement;

    /// <summary>The cell of a fixture with its hidden size.</summary>
    public static RecurrentOptions Cell(string name, int hiddenSize) => name switch
    {
        "rnn-tanh" => new RnnOptions(hiddenSize),
        "rnn-relu" => new RnnOptions(hiddenSize) { Nonlinearity = Nonlinearity.Relu },
        "lstm" => new LstmOptions(hiddenSize),
        "gru" => new GruOptions(hiddenSize),
        _ => throw new ArgumentException($"no cell {name}"),
    };

    /// <summary>The file's name of a role, without the layer's number.</summary>
    public static string NameOf(ParameterRole role) => role switch
    {
        ParameterRole.WeightIh => "weight_ih",
        ParameterRole.WeightHh => "weight_hh",
        ParameterRole.BiasIh => "bias_ih",
        ParameterRole.BiasHh => "bias_hh",
        ParameterRole.Weight => "weight",
        ParameterRole.Bias => "bias",
        _ => throw new ArgumentException($"PyTorch has no {role}"),
    };

    public static int Whole(this JsonElement element, string name) => element.GetProperty(name).GetInt32();

    /// <summary>The values of a tensor or of a plain list, row by row; none if the file has no such tensor.</summary>
    public static double[] Numbers(this JsonElement element, string name)
    {
        if (!element.TryGetProperty(name, out var tensor))
            return [];
        var values = tensor.ValueKind == JsonValueKind.Array ? tensor : tensor.GetProperty("data");
        return [.. values.EnumerateArray().Select(value => value.GetDouble())];
    }

    public static float[] Floats(this JsonElement element, string name) => [.. element.Numbers(name).Select(value => (float)value)];

    public static int[] Shape(this JsonElement element, string name) =>
        [.. element.GetProperty(name).GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];

    public static double[] Wide(ReadOnlySpan<float> values)
    {
        var wide = new double[values.Length];
        for (var i = 0; i < wide.Length; i++)
            wide[i] = values[i];
        return wide;
    }

    /// <summary>The largest error, relative to the largest element that was expected.</summary>
    public static double Error(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = 0, error = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(double.IsFinite(actual[i]), $"element {i} is {actual[i]}");
            scale = Math.Max(scale, Math.Abs(expected[i]));
            error = Math.Max(error, Math.Abs(expected[i] - actual[i]));
        }

        return error == 0 ? 0 : error / scale;
    }
}
