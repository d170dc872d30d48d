using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Tests.Models;

namespace Unroll.Tests.Formats;

/// <summary>Models saved, loaded, taken over from PyTorch, and refused.</summary>
public sealed class ModelFileTests : SafetensorsFixture
{
    const string OptionsKey = "unroll.model";

    static readonly SequenceModelOptions s_deep = new(2,
    [
        new LstmOptions(5) { Peepholes = true }, new DropoutOptions(0.1), new LstmOptions(4), new GruOptions(3) { ResetGate = ResetGate.BeforeProduct },
        new RnnOptions(6) { Nonlinearity = Nonlinearity.Relu }, new DropoutOptions(0.5) { PerSequence = true }, new LinearOptions(4), new GruOptions(2),
        new LastStepOptions(), new LinearOptions(3), new LinearOptions(2),
    ]);

    [Fact]
    public void SaveAndLoad_KeepEveryBit_ForEveryCell()
    {
        foreach (var cell in CellOptions.All(7))
        {
            RoundTrip(new SequenceModelOptions(3, [cell]));
            RoundTrip(new SequenceModelOptions(1, [cell, new DropoutOptions(0.25), cell, new LinearOptions(2)]));
        }

        RoundTrip(s_deep);
        RoundTrip(new SequenceModelOptions(4, [new DropoutOptions(0.5)]));
    }

    [Fact]
    public void SaveAndLoad_KeepEveryFloat()
    {
        var model = Model(new SequenceModelOptions(3, [new LinearOptions(2)]));
        ReadOnlySpan<float> odd = [-0f, float.Epsilon, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, 1e-40f, MathF.PI];
        odd.CopyTo(model.Parameters.Values);
        ModelFile.Save(Target, model);
        Assert.Equal(Bits(model), Bits(ModelFile.Load(Target, Kernels.Engine(Kernels.Chosen))));
    }

    [Fact]
    public void Save_ReplacesAnOlderFile_AndGivesTheSameBytesAgain()
    {
        ModelFile.Save(Target, Model(s_deep));
        var bytes = File.ReadAllBytes(Target);
        ModelFile.Save(Target, Model(new SequenceModelOptions(1, [new RnnOptions(1)])));
        Assert.NotEqual(bytes, File.ReadAllBytes(Target));
        ModelFile.Save(Target, Model(s_deep));
        Assert.Equal(bytes, File.ReadAllBytes(Target));
        Assert.Equal([Target], Directory.GetFileSystemEntries(Folder));
    }

    [Fact]
    public void Save_NamesTensorsAsPyTorchDoes()
    {
        ModelFile.Save(Target, Model(new SequenceModelOptions(2, [new LstmOptions(3), new DropoutOptions(0.1), new LstmOptions(5), new LinearOptions(1)])));
        Assert.Equal(
            [
                ("lstm.weight_ih_l0", "12,2"), ("lstm.weight_hh_l0", "12,3"), ("lstm.bias_ih_l0", "12"), ("lstm.bias_hh_l0", "12"),
                ("lstm.weight_ih_l1", "20,3"), ("lstm.weight_hh_l1", "20,5"), ("lstm.bias_ih_l1", "20"), ("lstm.bias_hh_l1", "20"),
                ("linear.weight", "1,5"), ("linear.bias", "1"),
            ],
            SafetensorsFile.Read(Target).Tensors.Select(tensor => (tensor.Name, string.Join(',', tensor.Shape.ToArray()))));

        ModelFile.Save(Target, Model(s_deep));
        var names = SafetensorsFile.Read(Target).Tensors.Select(tensor => tensor.Name).ToArray();
        Assert.Equal(names.Length, names.Distinct().Count());
        foreach (var name in new[] { "lstm.weight_peephole_l0", "lstm.weight_ih_l1", "gru.bias_hh_l0", "gru.bias_hh_l1", "rnn.weight_hh_l0", "linear.weight", "linear1.weight", "linear2.bias" })
            Assert.Contains(name, names);
    }

    [Theory]
    [InlineData("rnn-tanh", "rnn")]
    [InlineData("rnn-relu", "rnn")]
    [InlineData("lstm", "lstm")]
    [InlineData("gru", "gru")]
    public void LoadParameters_TakesAFileWithPyTorchsNamesAlone(string cell, string module)
    {
        // The state dictionary of nn.LSTM(3, 5, num_layers=2), stored as a module's attribute.
        var fixture = PyTorchFixture.Load(cell);
        var data = fixture.GetProperty("cases").GetProperty("2layer");
        var parameters = data.GetProperty("parameters");
        SafetensorsFile.Write(Target,
        [
            .. parameters.EnumerateObject().OrderBy(tensor => tensor.Name, StringComparer.Ordinal).Select(tensor =>
                new SafetensorsTensor($"{module}.{tensor.Name}", parameters.Shape(tensor.Name), parameters.Floats(tensor.Name))),
        ]);
        var options = PyTorchFixture.Cell(cell, fixture.Whole("H"));
        var model = Model(new SequenceModelOptions(fixture.Whole("I"), [options, options]));
        ModelFile.LoadParameters(Target, model);

        var unrolled = model.Unroll(fixture.Whole("T"), fixture.Whole("B"));
        data.Floats("x").CopyTo(unrolled.Input);
        float[] h = data.Floats("h0"), c = data.Floats("c0");
        for (var layer = 0; layer < 2; layer++)
        {
            h.AsSpan(layer * h.Length / 2, h.Length / 2).CopyTo(unrolled.InitialState.Hidden(layer));
            c.AsSpan(layer * c.Length / 2, c.Length / 2).CopyTo(unrolled.InitialState.Cell(layer));
        }

        unrolled.Forward();
        Assert.True(PyTorchFixture.Error(data.Numbers("y"), PyTorchFixture.Wide(unrolled.Output)) < 1e-6);
    }

    [Fact]
    public void LoadParameters_LeavesTheModelAsItIs_WhenAnythingDoesNotFit()
    {
        var options = new SequenceModelOptions(2, [new GruOptions(3), new LinearOptions(2)]);
        var whole = TensorsOf(Model(options));
        Check("missing tensor: 'gru.bias_hh_l0'", [.. whole.Where(tensor => tensor.Name != "gru.bias_hh_l0")]);
        Check("missing tensor: 'linear.bias'", [.. whole.SkipLast(1)]);
        Check("missing tensor", []);
        Check("unknown tensor: 'linear1.bias'", [.. whole, new("linear1.bias", [2], new float[2])]);
        Check("unknown tensor: 'gru.weight_ih_l1'", [.. whole, new("gru.weight_ih_l1", [9, 3], new float[27])]);
        Check("'linear.weight' has the shape [3,2] where [2,3]", Replaced("linear.weight", 3, 2));
        Check("'linear.bias' has the shape [2,1] where [2]", Replaced("linear.bias", 2, 1));
        Check("'linear.bias' has the shape [3] where [2]", Replaced("linear.bias", 3));
        Check("'gru.weight_ih_l0' has the shape [2,9] where [9,2]", Replaced("gru.weight_ih_l0", 2, 9));

        void Check(string part, SafetensorsTensor[] tensors)
        {
            var model = Model(options, seed: 5);
            var before = Bits(model);
            SafetensorsFile.Write(Target, tensors);
            AssertOneLine(part, () => ModelFile.LoadParameters(Target, model));
            Assert.Equal(before, Bits(model));
        }

        SafetensorsTensor[] Replaced(string name, params int[] shape) =>
        [
            .. whole.Select(tensor => tensor.Name == name
                ? new SafetensorsTensor(name, shape, new float[shape.Aggregate(1, (product, size) => product * size)])
                : tensor),
        ];
    }

    [Fact]
    public void LoadParameters_NamesAMissingOrDamagedFile_AndLeavesTheModel()
    {
        var model = Model(s_deep);
        ModelFile.Save(Target, model);
        var bytes = File.ReadAllBytes(Target);
        var before = Bits(model);
        AssertOneLine("no such file", () => ModelFile.LoadParameters(Path.Combine(Folder, "none"), model));
        AssertOneLine("directory", () => ModelFile.LoadParameters(Folder, model));
        foreach (var length in new[] { 0, 4, 8, 100, bytes.Length / 2, bytes.Length - 1 })
        {
            File.WriteAllBytes(Target, bytes[..length]);
            AssertOneLine("", () => ModelFile.LoadParameters(Target, model));
            AssertOneLine("", () => ModelFile.Load(Target));
        }

        foreach (var position in new[] { bytes.Length - 1, bytes.Length - 77, 40, 300 })
        {
            var damaged = bytes.ToArray();
            damaged[position] ^= 1;
            File.WriteAllBytes(Target, damaged);
            AssertOneLine("", () => ModelFile.LoadParameters(Target, model));
            AssertOneLine("", () => ModelFile.Load(Target));
        }

        var longer = bytes.ToArray();
        longer[^1] ^= 0x80;
        File.WriteAllBytes(Target, longer);
        AssertOneLine("SHA-256", () => ModelFile.Load(Target));
        Assert.Equal(before, Bits(model));
    }

    public static TheoryData<string, string> BadOptions => new()
    {
        // What the message says; the metadata in place of {"inputSize":1,"layers":[{"type":"rnn",…,"hiddenSize":2}]}.
        { "", "" },
        { "", "not JSON" },
        { "", "{\"inputSize\":1," },
        { "null", "null" },
        { "", "[]" },
        { "", "7" },
        { "", "{}" },
        { "layers", """{"inputSize":1}""" },
        { "inputSize", """{"layers":[{"type":"rnn","hiddenSize":2}]}""" },
        { "transformer", """{"inputSize":1,"layers":[{"type":"transformer","hiddenSize":2}]}""" },
        { "", """{"inputSize":1,"layers":[{"hiddenSize":2}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":7,"hiddenSize":2}]}""" },
        { "hiddenSize", """{"inputSize":1,"layers":[{"type":"rnn"}]}""" },
        { "colour", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2,"colour":"red"}]}""" },
        { "extra", """{"inputSize":1,"extra":2,"layers":[{"type":"rnn","hiddenSize":2}]}""" },
        { "1 to 16384", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":0}]}""" },
        { "1 to 16384", """{"inputSize":1,"layers":[{"type":"lstm","hiddenSize":-2}]}""" },
        { "1 to 16384", """{"inputSize":1,"layers":[{"type":"gru","hiddenSize":1000000000}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":100000000000000000000}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2.5}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":"two"}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":null}]}""" },
        { "1 to 16384", """{"inputSize":1,"layers":[{"type":"linear","outputSize":0}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2,"nonlinearity":"softplus"}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"lstm","hiddenSize":2,"forgetGate":"yes"}]}""" },
        { "input size", """{"inputSize":0,"layers":[{"type":"rnn","hiddenSize":2}]}""" },
        { "input size", """{"inputSize":-1,"layers":[{"type":"rnn","hiddenSize":2}]}""" },
        { "input size", """{"inputSize":1000000000,"layers":[{"type":"rnn","hiddenSize":2}]}""" },
        { "at least one layer", """{"inputSize":1,"layers":[]}""" },
        { "null", """{"inputSize":1,"layers":[null]}""" },
        { "", """{"inputSize":1,"layers":null}""" },
        { "", """{"inputSize":1,"layers":{"type":"rnn","hiddenSize":2}}""" },
        { "", """{"inputSize":1,"layers":"rnn"}""" },
        { "dropout rate", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2},{"type":"dropout","rate":2}]}""" },
        { "dropout rate", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2},{"type":"dropout","rate":1}]}""" },
        { "dropout rate", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2},{"type":"dropout","rate":-0.1}]}""" },
        { "", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":2},{"type":"dropout","rate":"NaN"}]}""" },
        { "parameters", """{"inputSize":1,"layers":[{"type":"rnn","hiddenSize":3}]}""" },
        { "parameters", """{"inputSize":1,"layers":[{"type":"lstm","hiddenSize":16384}]}""" },
        { "", """{"inputSize":16384,"layers":[{"type":"lstm","hiddenSize":16384},{"type":"lstm","hiddenSize":16384},{"type":"lstm","hiddenSize":16384}]}""" },
        { "unknown tensor", """{"inputSize":1,"layers":[{"type":"dropout","rate":0.5}]}""" },
        { "shape [2,1] where [1,2]", """{"inputSize":2,"layers":[{"type":"rnn","hiddenSize":1}]}""" },
        { "", "{\"inputSize\":1,\"layers\":[{\"type\":\"line\\nbreak\",\"hiddenSize\":2}]}" },
        { "", "{\"inputSize\":1,\"line\\r\\nbreak\":1,\"layers\":[{\"type\":\"rnn\",\"hiddenSize\":2}]}" },
        { "", "{\"inputSize\":1,\"layers\":" + new string('[', 3000) },
    };

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Load_RefusesMetadataThatAreNoModel_InOneLine(string part, string json)
    {
        var model = Model(new SequenceModelOptions(1, [new RnnOptions(2)]));
        SafetensorsFile.Write(Target, TensorsOf(model), new Dictionary<string, string> { [OptionsKey] = json });
        var clock = Stopwatch.GetTimestamp();
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        AssertOneLine(part, () => ModelFile.Load(Target, Kernels.Engine(Kernels.Chosen)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 16 << 20);
        Assert.True(Stopwatch.GetElapsedTime(clock).TotalSeconds < 5);
    }

    [Fact]
    public void Load_RefusesAFileWithoutOptions()
    {
        SafetensorsFile.Write(Target, TensorsOf(Model(s_deep)), new Dictionary<string, string> { ["format"] = "pt" });
        AssertOneLine("missing metadata: 'unroll.model'", () => ModelFile.Load(Target));
        AssertOneLine("no such file", () => ModelFile.Load(Path.Combine(Folder, "none")));
        AssertOneLine("directory", () => ModelFile.Load(Folder));
    }

    [Fact]
    public void Load_RefusesTensorsThatAreNotTheModels()
    {
        var model = Model(new SequenceModelOptions(1, [new RnnOptions(2)]));
        ModelFile.Save(Target, model);
        var metadata = SafetensorsFile.Read(Target).Metadata;
        var whole = TensorsOf(model);
        SafetensorsFile.Write(Target, [.. whole, new("other", [1], new float[1])], metadata);
        AssertOneLine("unknown tensor: 'other'", () => ModelFile.Load(Target));
        SafetensorsFile.Write(Target, [.. whole.SkipLast(1), new("other", [2], new float[2])], metadata);
        AssertOneLine("'other'", () => ModelFile.Load(Target));
        SafetensorsFile.Write(Target, [new("rnn.weight_ih_l0", [1, 2], new float[2]), .. whole.Skip(1)], metadata);
        AssertOneLine("shape [1,2] where [2,1]", () => ModelFile.Load(Target));
    }

    [Fact]
    public void Options_AreStoredAsReadableJson()
    {
        ModelFile.Save(Target, Model(s_deep));
        var root = JsonNode.Parse(SafetensorsFile.Read(Target).Metadata[OptionsKey])!;
        Assert.Equal(2, (int)root["inputSize"]!);
        var layers = root["layers"]!.AsArray();
        Assert.Equal(
            ["lstm", "dropout", "lstm", "gru", "rnn", "dropout", "linear", "gru", "lastStep", "linear", "linear"], layers.Select(layer => (string)layer!["type"]!));
        Assert.True((bool)layers[0]!["peepholes"]!);
        Assert.Equal("BeforeProduct", (string)layers[3]!["resetGate"]!);
        Assert.Equal("Relu", (string)layers[4]!["nonlinearity"]!);
    }

    void RoundTrip(SequenceModelOptions options)
    {
        var model = Model(options);
        ModelFile.Save(Target, model);
        var loaded = ModelFile.Load(Target, Kernels.Engine(Kernels.Chosen));
        Assert.Equal(options, loaded.Options);
        Assert.Equal(Bits(model), Bits(loaded));
        Assert.Equal(Output(model), Output(loaded));

        var given = Model(options, seed: 9);
        ModelFile.LoadParameters(Target, given);
        Assert.Equal(Bits(model), Bits(given));

        static float[] Output(SequenceModel model)
        {
            var unrolled = model.Unroll(5, 3);
            new Random(4).NextValues(unrolled.Input);
            unrolled.Forward();
            return unrolled.Output.ToArray();
        }
    }

    static SequenceModel Model(SequenceModelOptions options, int seed = 17)
    {
        var model = new SequenceModel(options, Kernels.Engine(Kernels.Chosen));
        new Random(seed).NextValues(model.Parameters.Values);
        return model;
    }

    SafetensorsTensor[] TensorsOf(SequenceModel model)
    {
        ModelFile.Save(Target, model);
        return [.. SafetensorsFile.Read(Target).Tensors];
    }

    static int[] Bits(SequenceModel model) => [.. model.Parameters.Values.ToArray().Select(BitConverter.SingleToInt32Bits)];

    static void AssertOneLine(string part, Action action)
    {
        var message = Assert.Throws<ModelFileException>(action).Message;
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.DoesNotContain(message.EnumerateRunes(), rune => Rune.IsControl(rune));
        Assert.InRange(message.Length, 20, 600);
    }
}
