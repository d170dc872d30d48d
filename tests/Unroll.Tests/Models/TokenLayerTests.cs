using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Theory;
using LstmOptions = Unroll.Layers.LstmOptions;
using TheoryEmbedding = Unroll.Theory.Embedding;
using TheoryOneHot = Unroll.Theory.OneHot;

namespace Unroll.Tests.Models;

/// <summary>Embeddings and one-hot vectors as layers of a sequence model, and activations behind linear layers.</summary>
public class TokenLayerTests
{
    const double Tolerance = 2e-5;

    public static TheoryData<int, int, int, int> Sizes => new() { { 1, 1, 1, 1 }, { 5, 3, 4, 7 }, { 9, 7, 3, 16 }, { 3, 2, 40, 33 }, { 20, 11, 6, 70 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void EmbeddingUnderACell_AgreesWithTheory(int T, int B, int vocabulary, int size)
    {
        foreach (var kernel in Kernels.All)
        {
            var model = Model(new SequenceModelOptions(1, [new EmbeddingOptions(vocabulary, size), new GruOptions(5)]), Kernels.Engine(kernel));
            var unrolled = Prepared(model, T, B, vocabulary);
            var embedding = new TheoryEmbedding(vocabulary, size);
            Widen(model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightEmbedding))).CopyTo(embedding.Parameters.Weight.Values, 0);
            var tokens = Tokens(unrolled, T, B);
            var (y, dX, dCell) = RunCell(model, embedding.Forward(tokens), unrolled);

            unrolled.Forward();
            unrolled.Backward(inputGradient: true);
            Close(y, unrolled.Output);
            Close(dCell, model.Parameters.GradientOf(model.Parameters.Find(1, ParameterRole.WeightIh)));
            Close(embedding.Backward(tokens, dX).Weight.Values, model.Parameters.GradientOf(model.Parameters.Find(0, ParameterRole.WeightEmbedding)));
            Assert.DoesNotContain(unrolled.InputGradient.ToArray(), gradient => gradient != 0);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void OneHotUnderACell_AgreesWithTheory(int T, int B, int vocabulary, int size)
    {
        _ = size;
        foreach (var kernel in Kernels.All)
        {
            var model = Model(new SequenceModelOptions(1, [new OneHotOptions(vocabulary), new GruOptions(5)]), Kernels.Engine(kernel));
            var unrolled = Prepared(model, T, B, vocabulary);
            var (y, _, dCell) = RunCell(model, TheoryOneHot.Forward(vocabulary, Tokens(unrolled, T, B)), unrolled);
            unrolled.Forward();
            unrolled.Backward(inputGradient: true);
            Close(y, unrolled.Output);
            Close(dCell, model.Parameters.GradientOf(model.Parameters.Find(1, ParameterRole.WeightIh)));
            Assert.DoesNotContain(unrolled.InputGradient.ToArray(), gradient => gradient != 0);
        }
    }

    [Fact]
    public void Embedding_GivesTheSameBits_ForEveryKernelAndThreadCount()
    {
        var expected = Bits(new Engine(1, KernelKind.Naive));
        foreach (var kernel in Kernels.All)
        {
            foreach (var threads in new[] { 1, 2, 3 })
            {
                using var engine = new Engine(threads, kernel);
                Assert.Equal(expected, Bits(engine));
            }
        }

        static float[] Bits(Engine engine)
        {
            var model = Model(new SequenceModelOptions(1, [new EmbeddingOptions(7, 75), new DropoutOptions(0.2), new LstmOptions(33)]), engine);
            var unrolled = Prepared(model, 21, 40, 7);
            unrolled.Forward(training: true, noise: 5);
            unrolled.Backward();
            return [.. unrolled.Output, .. model.Parameters.Gradients];
        }
    }

    [Fact]
    public void Predictor_AndStream_GiveTheBitsOfAPass()
    {
        foreach (var tokens in new LayerOptions[] { new EmbeddingOptions(6, 5), new OneHotOptions(6) })
        {
            var model = Model(new SequenceModelOptions(1, [tokens, new DropoutOptions(0.5), new GruOptions(4), new LinearOptions(3) { Activation = Nonlinearity.Tanh }]), Kernels.Engine(Kernels.Chosen));
            var unrolled = Prepared(model, 8, 2, 6);
            unrolled.Forward();
            Assert.Equal(unrolled.Output, model.CreatePredictor(8, 2).Predict(unrolled.Input, 8, 2));
            var stream = model.CreateStream(2);
            var y = new float[2 * 3];
            for (var t = 0; t < 8; t++)
            {
                stream.Step(unrolled.Input.Slice(t * 2, 2), y);
                Assert.Equal(unrolled.Output.Slice(t * 6, 6), y);
            }
        }
    }

    [Theory]
    [InlineData(Nonlinearity.Tanh)]
    [InlineData(Nonlinearity.Relu)]
    public void LinearActivation_IsThatOfAnRnnWithoutRecurrence(Nonlinearity activation)
    {
        foreach (var kernel in Kernels.All)
        {
            var linear = Model(new SequenceModelOptions(3, [new LinearOptions(19) { Activation = activation }, new LinearOptions(2)]), Kernels.Engine(kernel));
            var rnn = Model(new SequenceModelOptions(3, [new RnnOptions(19) { Nonlinearity = activation }, new LinearOptions(2)]), Kernels.Engine(kernel));
            rnn.Parameters.Values.Clear();
            foreach (var (from, to) in new[] { (ParameterRole.Weight, ParameterRole.WeightIh), (ParameterRole.Bias, ParameterRole.BiasIh) })
                linear.Parameters.ValuesOf(linear.Parameters.Find(0, from)).CopyTo(rnn.Parameters.ValuesOf(rnn.Parameters.Find(0, to)));
            foreach (var role in new[] { ParameterRole.Weight, ParameterRole.Bias })
                linear.Parameters.ValuesOf(linear.Parameters.Find(1, role)).CopyTo(rnn.Parameters.ValuesOf(rnn.Parameters.Find(1, role)));
            var (a, b) = (linear.Unroll(4, 7), rnn.Unroll(4, 7));
            var random = new Random(3);
            random.NextValues(a.Input);
            random.NextValues(a.OutputGradient);
            a.Input.CopyTo(b.Input);
            a.OutputGradient.CopyTo(b.OutputGradient);
            a.Forward();
            b.Forward();
            a.Backward(inputGradient: true);
            b.Backward(inputGradient: true);
            Close(Widen(b.Output), a.Output);
            Close(Widen(b.InputGradient), a.InputGradient);
            Close(Widen(rnn.Parameters.GradientOf(rnn.Parameters.Find(0, ParameterRole.WeightIh))), linear.Parameters.GradientOf(linear.Parameters.Find(0, ParameterRole.Weight)));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(6)]
    [InlineData(1.5)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(1e10)]
    public void WhatIsNoToken_IsNamedWithItsPlace(float value)
    {
        foreach (var tokens in new LayerOptions[] { new EmbeddingOptions(6, 5), new OneHotOptions(6) })
        {
            foreach (var threads in new[] { 1, 2 })
            {
                using var engine = new Engine(threads);
                var model = Model(new SequenceModelOptions(1, [tokens, new GruOptions(64)]), engine);
                var unrolled = Prepared(model, 30, 40, 6);
                unrolled.Input[(17 * 40) + 33] = value;
                var message = Assert.Throws<ArgumentException>(() => unrolled.Forward()).Message;
                Assert.Equal(FormattableString.Invariant($"Expected tokens as whole numbers from 0 to 5, got {value} in step 17 of row 33."), message);
                unrolled.Input[(17 * 40) + 33] = 5;
                unrolled.Forward();
            }
        }
    }

    [Fact]
    public void BadOptions_SayWhatWasExpected()
    {
        Check("16777216 tokens", () => new EmbeddingOptions(0, 1));
        Check("16777216 tokens", () => new EmbeddingOptions((1 << 24) + 1, 1));
        Check("1 to 16384", () => new EmbeddingOptions(1, 0));
        Check("1 to 16384", () => new OneHotOptions(16385));
        Check("one input feature", () => new SequenceModel(new SequenceModelOptions(2, [new EmbeddingOptions(3, 3)])));
        Check("one input feature", () => new SequenceModel(new SequenceModelOptions(1, [new GruOptions(2), new OneHotOptions(3)])));
        Check("Expected a layer after the one-hot vectors", () => new SequenceModel(new SequenceModelOptions(1, [new OneHotOptions(3)])));

        static void Check(string part, Func<object> action) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(() => action()).Message, StringComparison.Ordinal);
    }

    static (double[] Y, Sequence DX, double[] DWeightIh) RunCell(SequenceModel model, Sequence x, UnrolledModel unrolled)
    {
        var cell = new global::Unroll.Theory.GruCell(x.F, 5);
        foreach (var parameter in model.Parameters.All.Where(parameter => parameter.LayerIndex == 1))
            Widen(model.Parameters.ValuesOf(parameter)).CopyTo(TheoryTwin.TensorOf(parameter.Role, cell.Parameters), 0);
        var layer = new Recurrent(cell);
        var cache = layer.Forward(x);
        var back = layer.Backward(cache, new Sequence(x.T, x.B, 5, unrolled.OutputGradient));
        return (cache.Y.Values, back.DX, back.DParameters[0].WeightIh.Values);
    }

    static SequenceModel Model(SequenceModelOptions options, Engine engine)
    {
        var model = new SequenceModel(options, engine);
        new Random(17).NextValues(model.Parameters.Values, 0.5f);
        return model;
    }

    static UnrolledModel Prepared(SequenceModel model, int T, int B, int vocabulary)
    {
        var unrolled = model.Unroll(T, B);
        var random = new Random(23);
        foreach (ref var token in unrolled.Input)
            token = random.Next(vocabulary);
        random.NextValues(unrolled.OutputGradient);
        return unrolled;
    }

    static int[,] Tokens(UnrolledModel unrolled, int T, int B)
    {
        var tokens = new int[T, B];
        for (var at = 0; at < T * B; at++)
            tokens[at / B, at % B] = (int)unrolled.Input[at];
        return tokens;
    }

    static double[] Widen(ReadOnlySpan<float> values)
    {
        var wide = new double[values.Length];
        for (var i = 0; i < wide.Length; i++)
            wide[i] = values[i];
        return wide;
    }

    static void Close(double[] expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = Math.Max(expected.Max(Math.Abs), 1e-12);
        for (var i = 0; i < expected.Length; i++)
            Assert.InRange(Math.Abs(expected[i] - actual[i]) / scale, 0, Tolerance);
    }
}
