using System.Text;
using System.Text.Json.Nodes;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Tests.Models;

namespace Unroll.Tests.Formats;

/// <summary>Encoder–decoders saved, loaded and refused.</summary>
public sealed class EncoderDecoderFileTests : SafetensorsFixture
{
    const string OptionsKey = "unroll.encoderDecoder";

    static readonly EncoderDecoderOptions s_deep = new(
        1,
        [new EmbeddingOptions(9, 4), new BidirectionalOptions(new LstmOptions(3)), new DropoutOptions(0.1), new GruOptions(5), new LstmOptions(2)],
        [new EmbeddingOptions(7, 3), new LstmOptions(4), new DropoutOptions(0.2), new GruOptions(6)], 6, 5)
    {
        Attention = new AdditiveAttentionOptions(8),
    };

    [Fact]
    public void SaveAndLoad_KeepEveryBit()
    {
        foreach (var cell in CellOptions.All(5))
        {
            foreach (var attention in new AttentionOptions?[] { null, new AdditiveAttentionOptions(3), new MultiplicativeAttentionOptions() })
                RoundTrip(new EncoderDecoderOptions(2, [cell], [new OneHotOptions(4), cell], 3, 3) { Attention = attention });
        }

        RoundTrip(s_deep);
    }

    [Fact]
    public void Save_NamesTensorsAsPyTorchDoes()
    {
        ModelFile.Save(Target, Model(s_deep));
        Assert.Equal(
            [
                "encoder.embedding.weight [9,4]",
                "encoder.lstm.weight_ih_l0 [12,4]", "encoder.lstm.weight_hh_l0 [12,3]", "encoder.lstm.bias_ih_l0 [12]", "encoder.lstm.bias_hh_l0 [12]",
                "encoder.lstm.weight_ih_l0_reverse [12,4]", "encoder.lstm.weight_hh_l0_reverse [12,3]", "encoder.lstm.bias_ih_l0_reverse [12]", "encoder.lstm.bias_hh_l0_reverse [12]",
                "encoder.gru.weight_ih_l0 [15,6]", "encoder.gru.weight_hh_l0 [15,5]", "encoder.gru.bias_ih_l0 [15]", "encoder.gru.bias_hh_l0 [15]",
                "encoder.lstm.weight_ih_l1 [8,5]", "encoder.lstm.weight_hh_l1 [8,2]", "encoder.lstm.bias_ih_l1 [8]", "encoder.lstm.bias_hh_l1 [8]",
                "decoder.embedding.weight [7,3]",
                "decoder.lstm.weight_ih_l0 [16,3]", "decoder.lstm.weight_hh_l0 [16,4]", "decoder.lstm.bias_ih_l0 [16]", "decoder.lstm.bias_hh_l0 [16]",
                "decoder.gru.weight_ih_l0 [18,4]", "decoder.gru.weight_hh_l0 [18,6]", "decoder.gru.bias_ih_l0 [18]", "decoder.gru.bias_hh_l0 [18]",
                "bridge.hidden0.weight [4,6]", "bridge.hidden0.bias [4]", "bridge.cell0.weight [4,6]", "bridge.cell0.bias [4]",
                "bridge.hidden1.weight [6,7]", "bridge.hidden1.bias [6]",
                "attention.query.weight [8,6]", "attention.key.weight [8,2]", "attention.key.bias [8]", "attention.score.weight [8]",
                "combine.weight [6,8]", "combine.bias [6]", "readout.weight [6,6]", "readout.bias [6]",
            ],
            SafetensorsFile.Read(Target).Tensors.Select(tensor => $"{tensor.Name} [{string.Join(',', tensor.Shape.ToArray())}]"));
    }

    [Fact]
    public void Options_AreStoredAsReadableJson()
    {
        ModelFile.Save(Target, Model(s_deep));
        var root = JsonNode.Parse(SafetensorsFile.Read(Target).Metadata[OptionsKey])!;
        Assert.Equal((1, 6, 5), ((int)root["inputSize"]!, (int)root["outputSize"]!, (int)root["startToken"]!));
        Assert.Equal(["embedding", "bidirectional", "dropout", "gru", "lstm"], root["encoder"]!.AsArray().Select(layer => (string)layer!["type"]!));
        Assert.Equal(["embedding", "lstm", "dropout", "gru"], root["decoder"]!.AsArray().Select(layer => (string)layer!["type"]!));
        Assert.Equal("additive", (string)root["attention"]!["type"]!);
    }

    [Fact]
    public void EachKind_IsLoadedByItsOwnMethod()
    {
        ModelFile.Save(Target, Model(s_deep));
        AssertOneLine("LoadEncoderDecoder", () => ModelFile.Load(Target));
        ModelFile.Save(Target, new SequenceModel(new SequenceModelOptions(1, [new GruOptions(2)]), Kernels.Engine(Kernels.Chosen)));
        AssertOneLine("load it with Load.", () => ModelFile.LoadEncoderDecoder(Target));
        AssertOneLine("no such file", () => ModelFile.LoadEncoderDecoder(Path.Combine(Folder, "none")));
        SafetensorsFile.Write(Target, [new("readout.bias", [1], new float[1])], new Dictionary<string, string> { ["format"] = "pt" });
        AssertOneLine($"missing metadata: '{OptionsKey}'", () => ModelFile.LoadEncoderDecoder(Target));
    }

    public static TheoryData<string, string> BadOptions => new()
    {
        { "", "" },
        { "null", "null" },
        { "", "{}" },
        { "startToken", """{"inputSize":2,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3}""" },
        { "", """{"inputSize":2,"encoder":null,"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0}""" },
        { "got null", """{"inputSize":2,"encoder":[null],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0}""" },
        { "start token of 0 to 2", """{"inputSize":2,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":3}""" },
        { "output size of 1 to 3", """{"inputSize":2,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":4,"startToken":0}""" },
        { "cosine", """{"inputSize":2,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0,"attention":{"type":"cosine"}}""" },
        { "1 to 16384", """{"inputSize":2,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0,"attention":{"type":"additive","size":0}}""" },
        { "colour", """{"inputSize":2,"colour":1,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0}""" },
        { "parameters", """{"inputSize":2,"encoder":[{"type":"gru","hiddenSize":900}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0}""" },
        { "shape", """{"inputSize":1,"encoder":[{"type":"gru","hiddenSize":2}],"decoder":[{"type":"oneHot","vocabularySize":3},{"type":"gru","hiddenSize":2}],"outputSize":3,"startToken":0}""" },
    };

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Load_RefusesMetadataThatAreNoModel_InOneLine(string part, string json)
    {
        ModelFile.Save(Target, Model(new EncoderDecoderOptions(2, [new GruOptions(2)], [new OneHotOptions(3), new GruOptions(2)], 3, 0)));
        SafetensorsFile.Write(Target, [.. SafetensorsFile.Read(Target).Tensors], new Dictionary<string, string> { [OptionsKey] = json });
        AssertOneLine(part, () => ModelFile.LoadEncoderDecoder(Target, Kernels.Engine(Kernels.Chosen)));
    }

    [Fact]
    public void LoadParameters_LeavesTheModelAsItIs_WhenAnythingDoesNotFit()
    {
        ModelFile.Save(Target, Model(s_deep));
        SafetensorsTensor[] whole = [.. SafetensorsFile.Read(Target).Tensors];
        var model = Model(s_deep, seed: 5);
        var before = model.Parameters.Values.ToArray();
        SafetensorsFile.Write(Target, [.. whole.Where(tensor => tensor.Name != "bridge.cell0.bias")]);
        AssertOneLine("missing tensor: 'bridge.cell0.bias'", () => ModelFile.LoadParameters(Target, model));
        SafetensorsFile.Write(Target, [.. whole, new("decoder.lstm.weight_ih_l1", [1], new float[1])]);
        AssertOneLine("unknown tensor: 'decoder.lstm.weight_ih_l1'", () => ModelFile.LoadParameters(Target, model));
        Assert.Equal(before, model.Parameters.Values);
        SafetensorsFile.Write(Target, whole);
        ModelFile.LoadParameters(Target, model);
        Assert.NotEqual(before, model.Parameters.Values.ToArray());
    }

    void RoundTrip(EncoderDecoderOptions options)
    {
        var model = Model(options);
        ModelFile.Save(Target, model);
        var loaded = ModelFile.LoadEncoderDecoder(Target, Kernels.Engine(Kernels.Chosen));
        Assert.Equal(options, loaded.Options);
        Assert.Equal(model.Parameters.Values, loaded.Parameters.Values);
        Assert.Equal(Output(model), Output(loaded));

        static float[] Output(EncoderDecoder model)
        {
            var unrolled = model.Unroll(5, 3, 2);
            if (model.InputSize > 1)
                new Random(4).NextValues(unrolled.Source);
            unrolled.Forward();
            return unrolled.Output.ToArray();
        }
    }

    static EncoderDecoder Model(EncoderDecoderOptions options, int seed = 17)
    {
        var model = new EncoderDecoder(options, Kernels.Engine(Kernels.Chosen));
        new Random(seed).NextValues(model.Parameters.Values);
        return model;
    }

    static void AssertOneLine(string part, Action action)
    {
        var message = Assert.Throws<ModelFileException>(action).Message;
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.DoesNotContain(message.EnumerateRunes(), rune => Rune.IsControl(rune));
        Assert.InRange(message.Length, 20, 600);
    }
}
