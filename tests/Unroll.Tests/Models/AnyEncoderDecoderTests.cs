using CsCheck;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

/// <summary>
/// Whatever layers and attention an encoder–decoder has: every kernel, number of threads and room gives the bits of the naive kernel
/// on one thread, and the same answers.
/// </summary>
public class AnyEncoderDecoderTests
{
    static readonly Gen<Pass> s_passes =
        from layers in Any.Layer.Array[0, 1]
        from encoder in Any.Recurrent
        from decoder in Any.Recurrent.Array[1, 2]
        from dropout in Gen.Bool
        from attention in Gen.OneOf<AttentionOptions?>(
            Gen.Const((AttentionOptions?)null), Gen.Const((AttentionOptions?)new MultiplicativeAttentionOptions()),
            Gen.Int[1, 40].Select(AttentionOptions? (size) => new AdditiveAttentionOptions(size)))
        from size in Gen.Int[1, 20]
        from vocabulary in Gen.Int[2, 20]
        from sourceSteps in Gen.Int[1, 7]
        from targetSteps in Gen.Int[1, 5]
        from rows in Gen.OneOf(Gen.Int[1, 9], Gen.Int[10, 40])
        from lengths in Any.Lengths(sourceSteps, rows)
        from feedback in Gen.OneOf(Gen.Const(Array.Empty<byte>()), Gen.Byte[0, 1].Array[targetSteps * rows])
        from beam in Gen.Int[1, 3]
        from seed in Gen.Int[0, 1_000_000]
        select new Pass(
            new EncoderDecoderOptions(
                size,
                decoder.Length == 1 ? [.. layers, encoder] : [encoder, .. layers.Where(layer => layer is not RecurrentOptions and not BidirectionalOptions), decoder[1]],
                [size % 2 == 0 ? new OneHotOptions(vocabulary) : new EmbeddingOptions(vocabulary, size), .. decoder, .. dropout ? [new DropoutOptions(0.2)] : Array.Empty<LayerOptions>()],
                vocabulary,
                seed % vocabulary)
            { Attention = attention },
            sourceSteps,
            targetSteps,
            rows,
            lengths,
            [.. feedback.Select((value, index) => index < rows ? (byte)0 : value)],
            Math.Min(beam, vocabulary),
            seed);

    [Fact]
    public void PassesAndAnswers_AreTheSameBits_InEveryWay() => Gen.Select(s_passes, Any.Way.Array[3]).Sample(
        (pass, ways) => Any.AssertSame(pass.Results, ways), iter: 150, seed: "0000Kx9eUnR0", threads: 1);

    /// <summary>A model and a pass over it.</summary>
    sealed record Pass(EncoderDecoderOptions Options, int SourceSteps, int TargetSteps, int Rows, int[] Lengths, byte[] Feedback, int Beam, int Seed)
    {
        /// <summary>All that the pass gives, there and back, and the answers to its sources.</summary>
        public Dictionary<string, float[]> Results(Way way)
        {
            using var engine = new Engine(way.Threads, way.Kernel);
            var model = new Unroll.Models.EncoderDecoder(Options, engine);
            var random = new Random(Seed);
            random.NextParameters(model.Parameters, 1);
            var unrolled = model.Unroll(SourceSteps + way.MoreSteps, TargetSteps + way.MoreSteps, Rows + way.MoreRows, way.Accumulate);
            if (way.IsUsed)
            {
                Fill(unrolled);
                unrolled.Forward();
                unrolled.Backward();
            }

            unrolled.Resize(SourceSteps, TargetSteps, Rows);
            Fill(unrolled);
            Lengths.CopyTo(unrolled.SourceLengths);
            model.Parameters.Gradients.Fill(way.Accumulate ? 0 : float.NaN);
            unrolled.Forward(training: true, Feedback, noise: 7);
            var results = new Dictionary<string, float[]> { ["output"] = [.. unrolled.Output], ["attention"] = [.. unrolled.AttentionWeights] };
            unrolled.Backward(sourceGradient: true);
            results["source gradient"] = [.. unrolled.SourceGradient];
            foreach (var parameter in model.Parameters.All)
                results[parameter.Name] = [.. model.Parameters.GradientOf(parameter)];

            var generator = model.CreateGenerator(
                new GenerationOptions { MaxSteps = TargetSteps, BeamWidth = Beam, EndToken = 1 }, SourceSteps + way.MoreSteps, Rows + way.MoreRows);
            var answers = generator.Generate(unrolled.Source, SourceSteps, Rows, Lengths).SelectMany(answers => answers).ToArray();
            results["answers"] = [.. answers.SelectMany(answer => answer.Tokens.Select(token => (float)token).Append(-1))];
            results["scores"] = [.. answers.SelectMany(answer => (float[])[(float)answer.LogProbability, (float)answer.Score, .. answer.Attention.Span])];
            return results;
        }

        void Fill(UnrolledEncoderDecoder unrolled)
        {
            var random = new Random(Seed + 1);
            random.NextValues(unrolled.Source);
            random.NextValues(unrolled.OutputGradient);
            foreach (ref var token in unrolled.Tokens)
                token = random.Next(unrolled.Model.VocabularySize);
            unrolled.SourceLengths.Fill(unrolled.SourceSteps);
        }

        public override string ToString() =>
            $"{Options.InputSize} → {string.Join(" → ", Options.Encoder)} | {string.Join(" → ", Options.Decoder)}, {Options.Attention}, V={Options.OutputSize}, S={SourceSteps}, T={TargetSteps}, B={Rows}, lengths [{string.Join(",", Lengths)}], feedback {Feedback.Length > 0}, beam {Beam}, seed {Seed}";
    }
}
