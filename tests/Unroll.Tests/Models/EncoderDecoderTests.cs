using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

public class EncoderDecoderTests(ITestOutputHelper output)
{
    /// <summary>
    /// Relative to the largest element of each tensor, or to a hundredth of the largest of all gradients if that is more:
    /// what is small is small because large terms cancel.
    /// </summary>
    const double Tolerance = 4e-5;

    static readonly AttentionOptions?[] s_attentions = [null, new AdditiveAttentionOptions(5), new MultiplicativeAttentionOptions()];

    // S, T, B, H: every edge of tiles and vectors.
    public static TheoryData<int, int, int, int> Sizes => new()
    {
        { 1, 1, 1, 1 }, { 2, 3, 1, 2 }, { 5, 4, 3, 8 }, { 7, 4, 7, 17 }, { 18, 7, 2, 16 }, { 3, 2, 13, 33 }, { 70, 3, 2, 5 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Pass_AgreesWithTheory_ForEveryCellAttentionAndKernel(int S, int T, int B, int H)
    {
        var worst = 0.0;
        foreach (var option in CellOptions.All(H))
        {
            // The normalised cell of two units is ±1 whatever they are: its gradient is the rest of a cancellation, in any precision.
            var cell = option is LayerNormLstmOptions && H < 5 ? new LayerNormLstmOptions(H + 5) : option;
            foreach (var attention in s_attentions)
            {
                foreach (var kernel in Kernels.All)
                    worst = Math.Max(worst, CompareWithTheory(Options(cell, attention), kernel, S, T, B, lengths: B > 1));
            }
        }

        output.WriteLine($"S={S} T={T} B={B} H={H}: worst relative error {worst:E2}");
    }

    [Fact]
    public void Bridges_AgreeWithTheory()
    {
        // Encoder and decoder of other sizes, kinds and numbers of layers.
        (LayerOptions[] Encoder, LayerOptions[] Decoder)[] stacks =
        [
            ([new LstmOptions(5)], [new OneHotOptions(4), new LstmOptions(7)]),
            ([new LstmOptions(6)], [new EmbeddingOptions(4, 3), new GruOptions(6)]),
            ([new GruOptions(6)], [new EmbeddingOptions(4, 3), new LstmOptions(6)]),
            ([new LstmOptions(6), new GruOptions(5)], [new OneHotOptions(4), new LstmOptions(7)]),
            ([new GruOptions(4), new LstmOptions(5)], [new OneHotOptions(4), new GruOptions(4), new LstmOptions(5)]),
            ([new BidirectionalOptions(new LstmOptions(3))], [new OneHotOptions(4), new LstmOptions(4)]),
            ([new BidirectionalOptions(new GruOptions(3)), new LstmOptions(2)], [new OneHotOptions(4), new LstmOptions(4)]),
            ([new RnnOptions(3), new LstmOptions(4), new GruOptions(5), new LstmOptions(6)], [new OneHotOptions(4), new LstmOptions(4), new RnnOptions(2)]),
        ];
        foreach (var (encoder, decoder) in stacks)
        {
            foreach (var attention in s_attentions)
            {
                foreach (var kernel in Kernels.All)
                {
                    CompareWithTheory(new EncoderDecoderOptions(2, encoder, decoder, 4, 0) { Attention = attention }, kernel, 4, 3, 5);
                    CompareWithTheory(new EncoderDecoderOptions(2, encoder, decoder, 4, 0) { Attention = attention }, kernel, 6, 3, 5, lengths: true);
                    CompareWithTheory(new EncoderDecoderOptions(1, [new EmbeddingOptions(6, 18), .. encoder], decoder, 3, 0) { Attention = attention }, kernel, 4, 3, 5, lengths: true);
                    CompareWithTheory(new EncoderDecoderOptions(1, [new OneHotOptions(6), .. encoder], decoder, 3, 0) { Attention = attention }, kernel, 4, 3, 5);
                }
            }
        }
    }

    [Fact]
    public void Pass_GivesTheSameBits_ForEveryKernelAndThreadCount()
    {
        foreach (var cell in new RecurrentOptions[] { new RnnOptions(35), new LstmOptions(35), new GruOptions(35) })
        {
            foreach (var attention in s_attentions)
            {
                var expected = Bits(cell, attention, new Engine(1, KernelKind.Naive));
                foreach (var kernel in Kernels.All)
                {
                    foreach (var threads in new[] { 1, 2, 3 })
                    {
                        using var engine = new Engine(threads, kernel);
                        Assert.Equal(expected, Bits(cell, attention, engine));
                    }
                }
            }
        }

        static float[] Bits(RecurrentOptions cell, AttentionOptions? attention, Engine engine)
        {
            var options = new EncoderDecoderOptions(1, [new EmbeddingOptions(9, 40), cell], [new EmbeddingOptions(6, 37), new DropoutOptions(0.2), cell], 6, 5) { Attention = attention };
            var model = Model(options, engine);
            var unrolled = Prepared(model, 19, 8, 67, out var feedback, lengths: true);
            unrolled.Forward(training: true, Flat(feedback), noise: 99);
            unrolled.Backward();
            return [.. unrolled.Output, .. model.Parameters.Gradients, .. unrolled.AttentionWeights];
        }
    }

    [Fact]
    public void Backward_WithoutAccumulating_GivesWhatAddingToZerosGives()
    {
        foreach (var attention in s_attentions)
        {
            foreach (var threads in new[] { 1, 2 })
            {
                using var engine = new Engine(threads, Kernels.Chosen);
                var options = new EncoderDecoderOptions(1, [new EmbeddingOptions(9, 40), new LstmOptions(35)], [new EmbeddingOptions(6, 37), new LstmOptions(35)], 6, 5)
                {
                    Attention = attention,
                };
                var model = Model(options, engine);
                var unrolled = Prepared(model, 9, 8, 21, out var feedback, lengths: true);
                float[] start = [.. unrolled.OutputGradient];
                unrolled.Forward(training: true, Flat(feedback), noise: 99);
                unrolled.Backward();
                float[] expected = [.. model.Parameters.Gradients];

                unrolled = Prepared(model, 9, 8, 21, out _, lengths: true, accumulate: false);
                model.Parameters.Gradients.Fill(float.NaN);
                unrolled.Forward(training: true, Flat(feedback), noise: 99);
                start.CopyTo(unrolled.OutputGradient);
                unrolled.Backward();
                Assert.Equal(expected, model.Parameters.Gradients);
            }
        }
    }

    [Fact]
    public void Batch_EqualsItsRowsAlone()
    {
        foreach (var attention in s_attentions)
        {
            var model = Model(Options(new LstmOptions(7), attention), Kernels.Engine(Kernels.Chosen));
            var batch = Prepared(model, 5, 4, 6, out _);
            batch.Forward();
            var single = model.Unroll(5, 4, 1);
            for (var row = 0; row < 6; row++)
            {
                for (var s = 0; s < 5; s++)
                    batch.Source.Slice(((s * 6) + row) * 2, 2).CopyTo(single.Source[(s * 2)..]);
                for (var t = 0; t < 4; t++)
                    single.Tokens[t] = batch.Tokens[(t * 6) + row];
                single.Forward();
                for (var t = 0; t < 4; t++)
                    Assert.Equal(batch.Output.Slice(((t * 6) + row) * 4, 4), single.Output.Slice(t * 4, 4));
            }
        }
    }

    [Fact]
    public void Padding_ChangesNothing()
    {
        foreach (var attention in s_attentions)
        {
            foreach (var cell in new LayerOptions[] { new LstmOptions(7), new BidirectionalOptions(new GruOptions(5)) })
            {
                var model = Model(new EncoderDecoderOptions(2, [cell], [new OneHotOptions(4), new LstmOptions(7)], 4, 0) { Attention = attention }, Kernels.Engine(Kernels.Chosen));
                var tight = Prepared(model, 5, 4, 6, out _, lengths: true);
                var padded = model.Unroll(9, 6, 6);
                padded.Source.Fill(float.NaN);
                tight.Source.CopyTo(padded.Source);
                padded.Tokens.Fill(1);
                tight.Tokens.CopyTo(padded.Tokens);
                tight.SourceLengths.CopyTo(padded.SourceLengths);
                padded.OutputGradient.Clear();
                tight.OutputGradient.CopyTo(padded.OutputGradient);
                float[][] results = [.. new[] { tight, padded }.Select(unrolled =>
                {
                    model.Parameters.ZeroGradients();
                    unrolled.Forward();
                    unrolled.Backward(sourceGradient: true);
                    return (float[])[.. unrolled.Output[..tight.Output.Length], .. model.Parameters.Gradients, .. unrolled.SourceGradient[..tight.Source.Length]];
                })];
                Assert.Equal(results[0], results[1]);
            }
        }
    }

    [Fact]
    public void Feedback_EqualsReadingTheArgMaxByHand_AndHasItsGradient()
    {
        foreach (var attention in s_attentions)
        {
            var model = Model(Options(new GruOptions(9), attention), Kernels.Engine(Kernels.Chosen));
            var free = Prepared(model, 4, 6, 5, out var feedback);
            var given = free.Tokens.ToArray();
            free.Forward(feedback: Flat(feedback));
            var read = free.Tokens.ToArray();
            Assert.NotEqual(given, read);
            for (var at = 0; at < read.Length; at++)
            {
                var logits = feedback[at / 5, at % 5] ? free.Output.Slice((at - 5) * 4, 4).ToArray() : [];
                Assert.Equal(logits.Length == 0 ? given[at] : Array.IndexOf(logits, logits.Max()), read[at]);
            }

            model.Parameters.ZeroGradients();
            free.Backward(sourceGradient: true);
            float[] expected = [.. free.Output, .. model.Parameters.Gradients, .. free.SourceGradient];

            var forced = Prepared(model, 4, 6, 5, out _);
            read.CopyTo(forced.Tokens);
            forced.Forward();
            model.Parameters.ZeroGradients();
            forced.Backward(sourceGradient: true);
            Assert.Equal(expected, (float[])[.. forced.Output, .. model.Parameters.Gradients, .. forced.SourceGradient]);
        }
    }

    [Fact]
    public void Resize_ComputesTheSmallerPassExactly()
    {
        foreach (var attention in s_attentions)
        {
            var model = Model(Options(new LstmOptions(9), attention), Kernels.Engine(Kernels.Chosen));
            var large = model.Unroll(20, 9, 16);
            large.Resize(5, 3, 4);
            var small = Prepared(model, 5, 3, 4, out _);
            small.Source.CopyTo(large.Source);
            small.Tokens.CopyTo(large.Tokens);
            small.OutputGradient.CopyTo(large.OutputGradient);
            float[][] results = [.. new[] { small, large }.Select(unrolled =>
            {
                model.Parameters.ZeroGradients();
                unrolled.Forward();
                unrolled.Backward(sourceGradient: true);
                return (float[])[.. unrolled.Output, .. model.Parameters.Gradients, .. unrolled.SourceGradient, .. unrolled.AttentionWeights];
            })];
            Assert.Equal(results[0], results[1]);
        }
    }

    [Fact]
    public void AttentionWeights_SumToOne()
    {
        var model = Model(Options(new GruOptions(6), new AdditiveAttentionOptions(4)), Kernels.Engine(Kernels.Chosen));
        var unrolled = Prepared(model, 6, 3, 2, out _);
        unrolled.Forward();
        Assert.Equal(3 * 2 * 6, unrolled.AttentionWeights.Length);
        for (var at = 0; at < 36; at += 6)
            Assert.Equal(1, unrolled.AttentionWeights.Slice(at, 6).ToArray().Sum(), 1e-6);
        Assert.True(Model(Options(new GruOptions(6), null), Kernels.Engine(Kernels.Chosen)).Unroll(1, 1, 1).AttentionWeights.IsEmpty);
    }

    [Fact]
    public void BadOptions_SayWhatWasExpected()
    {
        LayerOptions[] encoder = [new GruOptions(3)], decoder = [new OneHotOptions(4), new GruOptions(3)];
        Check("input size of 1 to 16384", new(0, encoder, decoder, 4, 0));
        Check("at least one recurrent layer in the encoder", new(2, [new LinearOptions(3)], decoder, 4, 0));
        Check("every step", new(2, [new GruOptions(3), new LastStepOptions()], decoder, 4, 0));
        Check("every step", new(2, [new GruOptions(3), new PoolingOptions(PoolingKind.Mean)], decoder, 4, 0));
        Check("got BidirectionalOptions", new(2, encoder, [new OneHotOptions(4), new BidirectionalOptions(new GruOptions(3))], 4, 0));
        Check("got null", new(2, [null!], decoder, 4, 0));
        Check("begins with an embedding or one-hot", new(2, encoder, [new GruOptions(3)], 4, 0));
        Check("begins with an embedding or one-hot", new(2, encoder, [], 4, 0));
        Check("got LinearOptions", new(2, encoder, [.. decoder, new LinearOptions(2)], 4, 0));
        Check("at least one recurrent layer in the decoder", new(2, encoder, [new OneHotOptions(4)], 4, 0));
        Check("output size of 1 to 4", new(2, encoder, decoder, 5, 0));
        Check("output size of 1 to 4", new(2, encoder, decoder, 0, 0));
        Check("start token of 0 to 3", new(2, encoder, decoder, 4, 4));
        Check("start token of 0 to 3", new(2, encoder, decoder, 4, -1));
        Check("multiple of the decoder's 2 recurrent layers in the encoder, got 1", new(2, encoder, [.. decoder, new GruOptions(2)], 4, 0));
        Check("one input feature", new(2, [new EmbeddingOptions(4, 3), new GruOptions(3)], decoder, 4, 0));
        Assert.Contains("1 to 16384", Assert.Throws<ArgumentOutOfRangeException>(() => new AdditiveAttentionOptions(0)).Message, StringComparison.Ordinal);

        static void Check(string part, EncoderDecoderOptions options) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(() => new Unroll.Models.EncoderDecoder(options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void BadCalls_SayWhatWasExpected()
    {
        var unrolled = Model(Options(new GruOptions(3), null), Kernels.Engine(Kernels.Chosen)).Unroll(4, 3, 2);
        Check<ArgumentOutOfRangeException>("Expected 1 to 4", () => unrolled.Resize(5, 3, 2));
        Check<ArgumentOutOfRangeException>("Expected 1 to 3", () => unrolled.Resize(4, 4, 2));
        Check<ArgumentOutOfRangeException>("Expected 1 to 2", () => unrolled.Resize(4, 3, 0));
        Check<InvalidOperationException>("call Forward first", () => unrolled.Backward());
        Check<ArgumentException>("T·B = 3·2 values, got 3", () => unrolled.Forward(feedback: [0, 0, 1]));
        Check<ArgumentException>("first step", () => unrolled.Forward(feedback: [1, 0, 0, 0, 0, 0]));
        unrolled.Tokens[3] = 4;
        Check<ArgumentException>("whole numbers from 0 to 3, got 4 in step 1 of row 1", () => unrolled.Forward());
        Check<InvalidOperationException>("call Forward first", () => unrolled.Backward());
        unrolled.Tokens[3] = 3;
        unrolled.SourceLengths[1] = 5;
        Check<ArgumentException>("lengths of 0 to T = 4, got 5 in row 1", () => unrolled.Forward());

        static void Check<TException>(string part, Action action)
            where TException : Exception => Assert.Contains(part, Assert.Throws<TException>(action).Message, StringComparison.Ordinal);
    }

    static EncoderDecoderOptions Options(RecurrentOptions cell, AttentionOptions? attention) =>
        new(2, [cell], [new OneHotOptions(4), cell], 4, 0) { Attention = attention };

    static double CompareWithTheory(EncoderDecoderOptions options, KernelKind kernel, int S, int T, int B, bool lengths = false)
    {
        var model = Model(options, Kernels.Engine(kernel));
        var unrolled = Prepared(model, S, T, B, out var feedback, lengths);
        var (logits, weights, gradients) = new EncoderDecoderTwin(model).Run(unrolled, feedback);
        unrolled.Forward(feedback: Flat(feedback));
        unrolled.Backward(sourceGradient: true);

        var least = 0.01 * gradients.Values.SelectMany(values => values).Max(Math.Abs);
        var worst = Compare("logits", logits, unrolled.Output);
        worst = Math.Max(worst, Compare("attention", weights, unrolled.AttentionWeights));
        foreach (var parameter in model.Parameters.All)
            worst = Math.Max(worst, Compare(parameter.Name, gradients[parameter.Name], model.Parameters.GradientOf(parameter)));
        if (options.Encoder[0].Recurrence is not null)
            worst = Math.Max(worst, Compare("x", gradients["x"], unrolled.SourceGradient));
        else
            Assert.DoesNotContain(unrolled.SourceGradient.ToArray(), gradient => gradient != 0);
        return worst;

        double Compare(string tensor, double[] expected, ReadOnlySpan<float> actual)
        {
            Assert.Equal(expected.Length, actual.Length);
            double scale = tensor is "logits" or "attention" ? 0 : least, error = 0;
            for (var i = 0; i < expected.Length; i++)
            {
                scale = Math.Max(scale, Math.Abs(expected[i]));
                error = Math.Max(error, Math.Abs(expected[i] - actual[i]));
            }

            var relative = error <= 1e-12 ? 0 : error / scale;
            Assert.True(relative <= Tolerance, $"{options.Encoder[^1]} {options.Decoder[^1]} {options.Attention} {kernel} {tensor}: relative error {relative:E2} of {scale:E2}");
            return relative;
        }
    }

    static Unroll.Models.EncoderDecoder Model(EncoderDecoderOptions options, Engine engine)
    {
        var model = new Unroll.Models.EncoderDecoder(options, engine);
        var random = new Random(17);
        random.NextParameters(model.Parameters, 2);
        return model;
    }

    /// <summary>Sources, tokens, the loss's direction and a mixed feedback mask, all random.</summary>
    static UnrolledEncoderDecoder Prepared(Unroll.Models.EncoderDecoder model, int S, int T, int B, out bool[,] feedback, bool lengths = false, bool accumulate = true)
    {
        var unrolled = model.Unroll(S, T, B, accumulate);
        var random = new Random(23);
        if (model.Options.Encoder[0].Recurrence is not null)
            random.NextValues(unrolled.Source);
        else
            Fill(unrolled.Source, 6);
        Fill(unrolled.Tokens, model.VocabularySize);
        for (var b = 0; lengths && b < B; b++)
            unrolled.SourceLengths[b] = random.Next(S + 1);
        random.NextValues(unrolled.OutputGradient);
        feedback = new bool[T, B];
        for (var t = 1; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                feedback[t, b] = random.Next(2) == 0;
        }

        return unrolled;

        void Fill(Span<float> tokens, int count)
        {
            foreach (ref var token in tokens)
                token = random.Next(count);
        }
    }

    static byte[] Flat(bool[,] feedback) => [.. feedback.Cast<bool>().Select(value => value ? (byte)1 : (byte)0)];
}
