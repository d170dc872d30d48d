using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class AttentionTests
{
    const int S = 6, Q = 3, K = 4;

    static readonly bool[] s_valid = [true, false, true, true, false, false];

    public static TheoryData<string> Kinds => ["additive", "multiplicative", "dot"];

    static Attention Make(string kind, Random random)
    {
        Attention attention = kind switch
        {
            "additive" => new AdditiveAttention(Q, K, 5),
            "multiplicative" => new MultiplicativeAttention(Q, K),
            _ => new DotAttention(K, 1 / Math.Sqrt(K)),
        };
        attention.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        return attention;
    }

    /// <summary>
    /// q = (1, 2), keys (1, 0), (0, 1), and one masked; scores are made log 1 and log 3, so a = (1/4, 3/4).
    /// <code>
    /// dot, scale log 3:        e = log 3 · (1, 2)            = (log 3, log 9)
    /// multiplicative:          W = (0 log 3; 0 0):   q W     = (0, log 3)
    /// c = (1/4, 3/4)
    /// dC = (4, 0): dA = (4, 0), Σ a dA = 1, dE = (1/4 · 3, 3/4 · (−1)) = (3/4, −3/4)
    /// </code>
    /// </summary>
    [Fact]
    public void DotAndMultiplicative_EqualHandDerivation()
    {
        var keys = Rows([1, 0], [0, 1], [double.NaN, 9]);
        bool[] valid = [true, true, false];
        var log3 = Math.Log(3);

        var dot = new DotAttention(2, log3);
        var cache = dot.Forward([1, 2], keys, valid);
        Close([0.25, 0.75, 0], cache.Weights);
        Close([0.25, 0.75], cache.Context);
        var (dQuery, dKeys) = (new double[2], new Matrix(3, 2));
        dot.Backward(cache, [4, 0], dQuery, dKeys, dot.CreateGradients());
        Close([0.75 * log3, -0.75 * log3], dQuery);
        Close([1 + (0.75 * log3), 1.5 * log3, 3 - (0.75 * log3), -1.5 * log3, 0, 0], dKeys.Values);

        var general = new MultiplicativeAttention(2, 2);
        general.Parameters.WeightKey[0, 1] = log3;
        cache = general.Forward([1, 2], keys, valid);
        Close([0.25, 0.75, 0], cache.Weights);
        var dParameters = general.CreateGradients();
        (dQuery, dKeys) = (new double[2], new Matrix(3, 2));
        general.Backward(cache, [4, 0], dQuery, dKeys, dParameters);
        Close([-0.75 * log3, 0], dQuery);
        Close([0.75, -0.75, 1.5, -1.5], dParameters.WeightKey.Values);
    }

    /// <summary>One unit: e = v·tanh(W_q·q + W_k·k + b) with q = 1, k = (2, −1), W_q = 0.5, W_k = 0.3, b = −0.1, v = 2: e = 2 tanh(1), 2 tanh(0.1).</summary>
    [Fact]
    public void Additive_EqualsHandDerivation()
    {
        var attention = new AdditiveAttention(1, 1, 1);
        foreach (var (tensor, value) in attention.Parameters.Tensors.Zip([0.5, 0.3, -0.1, 2]))
            tensor.CopyFrom([value]);
        var cache = attention.Forward([1], Rows([2], [-1]));
        var first = 1 / (1 + Math.Exp((2 * Math.Tanh(0.1)) - (2 * Math.Tanh(1))));
        Close([first, 1 - first], cache.Weights);
        Close([(3 * first) - 1], cache.Context);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void MaskedKeys_AreNotRead_AndChangeNothing(string kind)
    {
        var random = new Random(1);
        var attention = Make(kind, random);
        var query = Draw.Vector(random, attention.QuerySize);
        var keys = Draw.Matrix(random, S, K);
        var few = Rows([.. Enumerable.Range(0, S).Where(s => s_valid[s]).Select(s => keys.Row(s).ToArray())]);
        for (var s = 0; s < S; s++)
        {
            if (!s_valid[s])
                keys.Row(s).Fill(double.NaN);
        }

        var (masked, alone) = (attention.Forward(query, keys, s_valid), attention.Forward(query, few));
        Assert.Equal(alone.Context, masked.Context);
        Assert.Equal([alone.Weights[0], 0, alone.Weights[1], alone.Weights[2], 0, 0], masked.Weights);
        Assert.Equal(1, masked.Weights.Sum(), 1e-14);

        var dContext = Draw.Vector(random, K);
        var (dQuery, dKeys, dParameters) = (new double[attention.QuerySize], new Matrix(S, K), attention.CreateGradients());
        var (dQueryAlone, dFew, dParametersAlone) = (new double[attention.QuerySize], new Matrix(3, K), attention.CreateGradients());
        attention.Backward(masked, dContext, dQuery, dKeys, dParameters);
        attention.Backward(alone, dContext, dQueryAlone, dFew, dParametersAlone);
        Assert.Equal(dQueryAlone, dQuery);
        Assert.Equal([.. dFew.Row(0), .. new double[K], .. dFew.Row(1), .. dFew.Row(2), .. new double[2 * K]], dKeys.Values);
        Views.AssertEqual(dParametersAlone.Tensors, dParameters.Tensors);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NoValidKey_GivesZero(string kind)
    {
        var random = new Random(2);
        var attention = Make(kind, random);
        var cache = attention.Forward(Draw.Vector(random, attention.QuerySize), Draw.Matrix(random, 2, K), [false, false]);
        Assert.Equal([0.0, 0], cache.Weights);
        Assert.Equal(new double[K], cache.Context);
        var (dQuery, dKeys, dParameters) = (new double[attention.QuerySize], new Matrix(2, K), attention.CreateGradients());
        attention.Backward(cache, Draw.Vector(random, K), dQuery, dKeys, dParameters);
        Assert.All([.. dQuery, .. dKeys.Values, .. dParameters.Tensors.SelectMany(tensor => tensor.Values)], value => Assert.Equal(0, value));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void PermutedKeys_GivePermutedWeights(string kind)
    {
        var random = new Random(3);
        var attention = Make(kind, random);
        var query = Draw.Vector(random, attention.QuerySize);
        var keys = Draw.Matrix(random, S, K);
        var mirrored = Rows([.. Enumerable.Range(0, S).Select(s => keys.Row(S - 1 - s).ToArray())]);
        var (one, other) = (attention.Forward(query, keys), attention.Forward(query, mirrored));
        Close([.. one.Weights.Reverse()], other.Weights);
        Close(one.Context, other.Context);
        Assert.True(one.Weights.Distinct().Count() == S);
    }

    [Fact]
    public void Attention_Throws_WhenShapeDoesNotFit()
    {
        var attention = new MultiplicativeAttention(Q, K);
        var cache = attention.Forward(new double[Q], new Matrix(S, K));
        var d = attention.CreateGradients();
        Throws("querySize = 3, got 4", () => attention.Forward(new double[4], new Matrix(S, K)));
        Throws("keySize = 4, got 3", () => attention.Forward(new double[Q], new Matrix(S, 3)));
        Throws("S = 6, got 5", () => attention.Forward(new double[Q], new Matrix(S, K), new bool[5]));
        Throws("S = 6, got 7", () => attention.Backward(cache, new double[K], new double[Q], new Matrix(7, K), d));
        Throws("keySize = 4, got 2", () => attention.Backward(cache, new double[2], new double[Q], new Matrix(S, K), d));
        Throws("at least 1, got 0", () => _ = new AdditiveAttention(Q, K, 0));
    }

    static void Throws(string message, Action action) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);

    static Matrix Rows(params double[][] rows)
    {
        var matrix = new Matrix(rows.Length, rows[0].Length);
        for (var r = 0; r < rows.Length; r++)
            rows[r].CopyTo(matrix.Row(r));
        return matrix;
    }

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], 1e-14);
    }
}
