using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

public class TargetGeneratorTests
{
    static readonly AttentionOptions?[] s_attentions = [null, new AdditiveAttentionOptions(5), new MultiplicativeAttentionOptions()];

    static readonly (LayerOptions[] Encoder, LayerOptions[] Decoder)[] s_stacks =
    [
        ([new LstmOptions(6)], [new OneHotOptions(5), new DropoutOptions(0.5), new LstmOptions(6)]),
        ([new RnnOptions(6), new DropoutOptions(0.5), new GruOptions(5)], [new EmbeddingOptions(5, 3), new LstmOptions(4), new GruOptions(7) { ResetGate = ResetGate.BeforeProduct }]),
        ([new BidirectionalOptions(new GruOptions(4))], [new EmbeddingOptions(6, 3), new GruOptions(6)]),
    ];

    [Fact]
    public void Greedy_EqualsTheFreeRunningPass_ForEveryKernelAndThreadCount()
    {
        const int S = 6, T = 7, B = 5;
        foreach (var model in Models())
        {
            var unrolled = model.Unroll(S, T, B);
            new Random(5).NextValues(unrolled.Source);
            int[] lengths = [6, 3, 0, 1, 5];
            lengths.CopyTo(unrolled.SourceLengths);
            unrolled.Tokens.Fill(model.Options.StartToken);
            var source = unrolled.Source.ToArray();
            var feedback = new byte[T * B];
            feedback.AsSpan(B).Fill(1);
            unrolled.Forward(feedback: feedback);

            foreach (var kernel in Kernels.All)
            {
                using var engine = new Engine(2, kernel);
                var same = new EncoderDecoder(model.Options, engine);
                model.Parameters.Values.CopyTo(same.Parameters.Values);
                var written = same.CreateGenerator(new GenerationOptions { MaxSteps = T }, S, B).Generate(source, S, B, lengths);
                for (var b = 0; b < B; b++)
                {
                    var best = Assert.Single(written[b]);
                    var expected = Enumerable.Range(0, T).Select(t => ArgMax(unrolled.Output.Slice(((t * B) + b) * model.OutputSize, model.OutputSize))).ToArray();
                    Assert.Equal(expected, best.Tokens);
                    Assert.Equal(Enumerable.Range(0, T).Sum(t => LogProbability(unrolled.Output.Slice(((t * B) + b) * model.OutputSize, model.OutputSize), expected[t])), best.LogProbability, 1e-5);
                    Assert.Equal(best.LogProbability, best.Score);
                    for (var t = 0; t < T && model.Options.Attention is not null; t++)
                        Assert.Equal(unrolled.AttentionWeights.Slice(((t * B) + b) * S, S), best.Attention.Span.Slice(t * S, S));
                    Assert.Equal(model.Options.Attention is null ? 0 : T * S, best.Attention.Length);
                }
            }
        }
    }

    [Theory]
    [InlineData(null, 0)]
    [InlineData(null, 0.6)]
    [InlineData(2, 0)]
    [InlineData(2, 1)]
    [InlineData(2, 4)]
    public void BeamAsWideAsAllTargets_EqualsExhaustiveSearch(int? endToken, double penalty)
    {
        const int S = 4, T = 3, B = 2;
        foreach (var model in Models(outputSize: 4))
        {
            var source = new float[S * B * model.InputSize];
            new Random(7).NextValues(source);
            var options = new GenerationOptions { MaxSteps = T, BeamWidth = 64, EndToken = endToken, LengthPenalty = penalty };
            var written = model.CreateGenerator(options, S, B).Generate(source, S, B);
            for (var b = 0; b < B; b++)
            {
                var all = Exhaustive(model, source, S, B, b, T, endToken)
                    .Select(target => (target.Tokens, Score: target.LogProbability / Math.Pow((5.0 + target.Tokens.Length) / 6, penalty)))
                    .OrderByDescending(target => target.Score)
                    .ToArray();
                Assert.Equal(endToken is null ? 64 : 1 + 3 + (9 * 4), all.Length);
                Assert.Equal(all.Length, written[b].Length);
                Assert.Equal(all[0].Tokens, written[b][0].Tokens);
                for (var rank = 0; rank < all.Length; rank++)
                    Assert.Equal(all[rank].Score, written[b][rank].Score, 1e-4);
            }
        }
    }

    [Fact]
    public void BeamAsWideAsTheVocabulary_EqualsExhaustiveSearch_OverTwoSteps()
    {
        foreach (var model in Models())
        {
            var source = new float[4 * model.InputSize];
            new Random(8).NextValues(source);
            var written = model.CreateGenerator(new GenerationOptions { MaxSteps = 2, BeamWidth = model.OutputSize }, 4, 1).Generate(source, 4, 1)[0];
            var best = Exhaustive(model, source, 4, 1, 0, 2, null).OrderByDescending(target => target.LogProbability).Take(model.OutputSize).ToArray();
            Assert.Equal(best.Select(target => target.Tokens), written.Select(target => target.Tokens.ToArray()));
        }
    }

    [Fact]
    public void WiderBeams_FindNoWorseTargets_AndBatchesEqualSingles()
    {
        const int S = 5, B = 4, T = 6;
        foreach (var model in Models())
        {
            var source = new float[S * B * model.InputSize];
            new Random(9).NextValues(source);
            var greedy = Write(1);
            var wide = Write(model.OutputSize * model.OutputSize);
            for (var b = 0; b < B; b++)
                Assert.True(wide[b][0].Score >= greedy[b][0].Score - 1e-9);

            var options = new GenerationOptions { MaxSteps = T, BeamWidth = 3, EndToken = 1 };
            var batch = model.CreateGenerator(options, S, B).Generate(source, S, B);
            var single = model.CreateGenerator(options, 9, 1);
            for (var b = 0; b < B; b++)
            {
                float[] alone = [.. Enumerable.Range(0, S).SelectMany(s => source.Skip(((s * B) + b) * model.InputSize).Take(model.InputSize))];
                AssertSame(batch[b], single.Generate(alone, S, 1)[0]);
                float[] padded = [.. alone, .. Enumerable.Repeat(float.NaN, 4 * model.InputSize)];
                AssertSame(batch[b], single.Generate(padded, 9, 1, [S])[0]);
            }

            GeneratedSequence[][] Write(int width) =>
                model.CreateGenerator(new GenerationOptions { MaxSteps = T, BeamWidth = width }, S, B).Generate(source, S, B);
        }

        static void AssertSame(GeneratedSequence[] expected, GeneratedSequence[] actual)
        {
            Assert.Equal(expected.Select(target => target.Score), actual.Select(target => target.Score));
            Assert.Equal(expected.SelectMany(target => target.Tokens), actual.SelectMany(target => target.Tokens));
            Assert.Equal(Attended(expected), Attended(actual));

            // Weights of padded steps are 0.
            static float[] Attended(GeneratedSequence[] targets) => [.. targets.SelectMany(target => target.Attention.ToArray()).Where(weight => weight != 0)];
        }
    }

    [Fact]
    public void EqualTargets_KeepTheOrderOfTheirTokens()
    {
        // Zero parameters: every target is as likely as any other.
        var model = new EncoderDecoder(new EncoderDecoderOptions(1, [new GruOptions(3)], [new OneHotOptions(4), new GruOptions(3)], 4, 0), Kernels.Engine(Kernels.Chosen));
        var written = model.CreateGenerator(new GenerationOptions { MaxSteps = 2, BeamWidth = 6 }, 1, 1).Generate([1f], 1, 1)[0];
        Assert.Equal(["00", "01", "02", "03", "10", "11"], written.Select(target => string.Concat(target.Tokens)));
        Assert.All(written, target => Assert.Equal(-2 * Math.Log(4), target.LogProbability, 1e-9));

        // With an end token the shorter target is likelier.
        written = model.CreateGenerator(new GenerationOptions { MaxSteps = 3, BeamWidth = 3, EndToken = 1 }, 1, 1).Generate([1f], 1, 1)[0];
        Assert.Equal("1", string.Concat(written[0].Tokens));
        Assert.Equal(3, written.Length);
    }

    [Fact]
    public void Refresh_TakesThePresentParameters()
    {
        var model = Models().First();
        var source = new float[3 * model.InputSize];
        new Random(3).NextValues(source);
        var generator = model.CreateGenerator(new GenerationOptions { MaxSteps = 3 }, 3, 1);
        var before = generator.Generate(source, 3, 1)[0][0].LogProbability;
        foreach (ref var value in model.Parameters.Values)
            value *= 0.5f;
        Assert.Equal(before, generator.Generate(source, 3, 1)[0][0].LogProbability);
        generator.Refresh();
        Assert.NotEqual(before, generator.Generate(source, 3, 1)[0][0].LogProbability);
    }

    [Fact]
    public void BadCalls_SayWhatWasExpected()
    {
        var model = Models().First();
        Check("at least 1 token", () => model.CreateGenerator(new GenerationOptions { MaxSteps = 0 }, 1, 1));
        Check("beam width of 1 to 4096", () => model.CreateGenerator(new GenerationOptions { MaxSteps = 1, BeamWidth = 0 }, 1, 1));
        Check("end token of 0 to 4", () => model.CreateGenerator(new GenerationOptions { MaxSteps = 1, EndToken = 5 }, 1, 1));
        Check("length penalty of 0 to 10", () => model.CreateGenerator(new GenerationOptions { MaxSteps = 1, LengthPenalty = double.NaN }, 1, 1));
        var generator = model.CreateGenerator(new GenerationOptions { MaxSteps = 1 }, 3, 2);
        Check("Expected 1 to 3", () => generator.Generate(new float[16], 4, 2));
        Check("Expected 1 to 2", () => generator.Generate(new float[18], 3, 3));
        Check("Expected 12 inputs [S, B, I], got 11", () => generator.Generate(new float[11], 3, 2));
        Check("lengths of 0 to T = 3, got 4 in row 1", () => generator.Generate(new float[12], 3, 2, [1, 4]));

        static void Check(string part, Func<object> action) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(() => action()).Message, StringComparison.Ordinal);
    }

    static IEnumerable<EncoderDecoder> Models(int? outputSize = null)
    {
        foreach (var (encoder, decoder) in s_stacks)
        {
            foreach (var attention in s_attentions)
            {
                var model = new EncoderDecoder(new EncoderDecoderOptions(2, encoder, decoder, outputSize ?? 5, 3) { Attention = attention }, Kernels.Engine(Kernels.Chosen));
                var random = new Random(11);
                random.NextParameters(model.Parameters, 3);
                yield return model;
            }
        }
    }

    /// <summary>Every target and its probability, by teacher forcing.</summary>
    static List<(int[] Tokens, double LogProbability)> Exhaustive(EncoderDecoder model, float[] source, int S, int B, int b, int T, int? endToken)
    {
        var targets = new List<(int[], double)>();
        var unrolled = model.Unroll(S, T, 1);
        for (var s = 0; s < S; s++)
            source.AsSpan(((s * B) + b) * model.InputSize, model.InputSize).CopyTo(unrolled.Source[(s * model.InputSize)..]);
        Extend([]);
        return targets;

        void Extend(int[] tokens)
        {
            if (tokens.Length == T || (tokens.Length > 0 && tokens[^1] == endToken))
            {
                unrolled.Tokens.Clear();
                unrolled.Tokens[0] = model.Options.StartToken;
                for (var t = 1; t < tokens.Length; t++)
                    unrolled.Tokens[t] = tokens[t - 1];
                unrolled.Forward();
                var sum = 0.0;
                for (var t = 0; t < tokens.Length; t++)
                    sum += LogProbability(unrolled.Output.Slice(t * model.OutputSize, model.OutputSize), tokens[t]);
                targets.Add((tokens, sum));
                return;
            }

            for (var token = 0; token < model.OutputSize; token++)
                Extend([.. tokens, token]);
        }
    }

    static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        var sum = 0.0;
        foreach (var logit in logits)
            sum += Math.Exp(logit);
        return logits[token] - Math.Log(sum);
    }

    static int ArgMax(ReadOnlySpan<float> logits)
    {
        var best = 0;
        for (var token = 1; token < logits.Length; token++)
            best = logits[token] > logits[best] ? token : best;
        return best;
    }
}
