using Unroll.Layers;
using Unroll.Models;
using Unroll.Theory;

namespace Unroll.Tests.Models;

/// <summary>The engine's search, which keeps states, against the textbook's, which reads every hypothesis again.</summary>
public class BeamTwinTests
{
    [Fact]
    public void Targets_EqualThoseOfTheTextbook()
    {
        const int S = 4, T = 5, End = 2;
        foreach (var attention in new AttentionOptions?[] { null, new AdditiveAttentionOptions(3), new MultiplicativeAttentionOptions() })
        {
            foreach (var (width, penalty) in new[] { (1, 0.0), (3, 0.0), (6, 0.8) })
            {
                var model = new Unroll.Models.EncoderDecoder(
                    new EncoderDecoderOptions(2, [new BidirectionalOptions(new Unroll.Layers.LstmOptions(4))], [new EmbeddingOptions(6, 3), new Unroll.Layers.LstmOptions(5)], 5, 5) { Attention = attention },
                    Kernels.Engine(Kernels.Chosen));
                var random = new Random(width);
                random.NextParameters(model.Parameters, 3);
                var source = new float[S * model.InputSize];
                random.NextValues(source);

                var options = new GenerationOptions { MaxSteps = T, BeamWidth = width, EndToken = End, LengthPenalty = penalty };
                var actual = model.CreateGenerator(options, S, 1).Generate(source, S, 1)[0];
                var search = new BeamSearch(new EncoderDecoderTwin(model).Model, model.Options.StartToken, T) { Width = width, EndToken = End, LengthPenalty = penalty };
                var expected = search.Run(new Sequence(S, 1, model.InputSize, source));
                Assert.Equal(expected.Select(target => target.Tokens.ToArray()), actual.Select(target => target.Tokens.ToArray()));
                for (var rank = 0; rank < expected.Count; rank++)
                {
                    Assert.Equal(expected[rank].LogProbability, actual[rank].LogProbability, 1e-4);
                    Assert.Equal(expected[rank].Score, actual[rank].Score, 1e-4);
                }
            }
        }
    }

    [Fact]
    public void BadCalls_SayWhatWasExpected()
    {
        var model = new Unroll.Theory.EncoderDecoder(new Recurrent(new Unroll.Theory.GruCell(1, 3)), null, [new Unroll.Theory.GruCell(4, 3)], new Unroll.Theory.Linear(3, 3));
        Check("B = 1, got 2", () => new BeamSearch(model, 3, 2).Run(new Sequence(2, 2, 1)));
        Check("at least 1, got 0", () => new BeamSearch(model, 3, 2) { Width = 0 }.Run(new Sequence(2, 1, 1)));
        Check("at least 1, got 0", () => new BeamSearch(model, 3, 0).Run(new Sequence(2, 1, 1)));
        Check("at least 1, got 0", () => new BeamSearch(model, 3, 2).LogProbability(new Sequence(2, 1, 1), []));
        Check("from 0 to 2, got 3", () => new BeamSearch(model, 3, 2).LogProbability(new Sequence(2, 1, 1), [3]));

        static void Check(string part, Func<object> action) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(() => action()).Message, StringComparison.Ordinal);
    }
}
