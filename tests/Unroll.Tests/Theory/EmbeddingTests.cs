using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class EmbeddingTests
{
    const int T = 6, B = 3, V = 5, E = 4, H = 3;

    static readonly int[] s_lengths = [T, 0, 4];

    static Embedding Make(Random random)
    {
        var embedding = new Embedding(V, E);
        embedding.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        return embedding;
    }

    [Fact]
    public void Embedding_EqualsHandDerivation()
    {
        // Token 2 occurs twice, so its row has the sum of two gradients; token 1 does not occur.
        var embedding = new Embedding(3, 2);
        embedding.Parameters.Tensors[0].CopyFrom([1.0, 2, 3, 4, 5, 6]);
        var tokens = new[,] { { 2 }, { 0 }, { 2 } };
        Assert.Equal([5.0, 6, 1, 2, 5, 6], embedding.Forward(tokens).Values);
        var dY = new Sequence(3, 1, 2, [0.5, -1, 7, 8, 2, 3]);
        Assert.Equal([7.0, 8, 0, 0, 2.5, 2], embedding.Backward(tokens, dY).Weight.Values);
    }

    [Fact]
    public void OneHot_HasSingleOne_AtToken() =>
        Assert.Equal([0.0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0], OneHot.Forward(3, new[,] { { 2, 0 }, { 99, 1 } }, [1, 2]).Values);

    /// <summary>E_token = Eᵀ onehot(token): an embedding is a linear map of one-hot vectors.</summary>
    [Fact]
    public void Embedding_EqualsLinearMapOfOneHot()
    {
        var random = new Random(1);
        var embedding = Make(random);
        var linear = new Linear(V, E);
        for (var k = 0; k < V; k++)
        {
            for (var j = 0; j < E; j++)
                linear.Parameters.Weight[j, k] = embedding.Parameters.Weight[k, j];
        }

        var tokens = Draw.Tokens(random, T, B, V);
        var x = OneHot.Forward(V, tokens);
        Assert.Equal(linear.Forward(x).Values, embedding.Forward(tokens).Values);

        var dY = Draw.Sequence(random, T, B, E);
        var expected = linear.Backward(x, dY).DParameters.Weight;
        var actual = embedding.Backward(tokens, dY).Weight;
        for (var k = 0; k < V; k++)
        {
            for (var j = 0; j < E; j++)
                Assert.Equal(expected[j, k], actual[k, j], 1e-14);
        }
    }

    [Fact]
    public void PaddedTokens_AreNotRead()
    {
        var random = new Random(2);
        var embedding = Make(random);
        var layer = new Bidirectional(new LstmCell(E, H), new GruCell(E, H));
        Draw.Parameters(random, layer.Cells);
        var dY = Draw.Sequence(random, T, B, 2 * H);
        var tokens = Draw.Tokens(random, T, B, V);

        (double[] Y, double[] DWeight) Run()
        {
            var cache = layer.Forward(embedding.Forward(tokens, s_lengths), lengths: s_lengths);
            return (cache.Y.Values, embedding.Backward(tokens, layer.Backward(cache, dY).DX, s_lengths).Weight.Values);
        }

        var expected = Run();
        for (var b = 0; b < B; b++)
        {
            for (var t = s_lengths[b]; t < T; t++)
                tokens[t, b] = -1;
        }

        var actual = Run();
        Assert.Equal(expected.Y, actual.Y);
        Assert.Equal(expected.DWeight, actual.DWeight);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(V)]
    public void Token_Throws_WhenNotInVocabulary(int token)
    {
        var embedding = new Embedding(V, E);
        var tokens = new[,] { { token } };
        string[] messages =
        [
            Assert.Throws<ArgumentException>(() => embedding.Forward(tokens)).Message,
            Assert.Throws<ArgumentException>(() => embedding.Backward(tokens, new Sequence(1, 1, E))).Message,
            Assert.Throws<ArgumentException>(() => OneHot.Forward(V, tokens)).Message,
        ];
        Assert.All(messages, message => Assert.Contains($"from 0 to 4, got {token}", message, StringComparison.Ordinal));
    }
}
