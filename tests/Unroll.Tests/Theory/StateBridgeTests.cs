using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class StateBridgeTests
{
    const int I = 2, H = 3;

    [Fact]
    public void States_AreCopied_WhenSizesAgree()
    {
        var bridge = new StateBridge([new LstmCell(I, H), new GruCell(H, 2)], [new LstmCell(5, H), new RnnCell(H, 2)]);
        CellState[] encoder = [new([1, 2, 3], [4, 5, 6]), new([7, 8])];
        Assert.Empty(bridge.Parameters.Tensors);

        var states = bridge.Forward(encoder);
        Views.AssertEqual([encoder], [states]);
        Assert.NotSame(encoder[0].H, states[0].H);

        CellState[] dStates = [new([-1, -2, -3], [-4, -5, -6]), new([-7, -8])];
        Views.AssertEqual([dStates], [bridge.Backward(encoder, states, dStates, bridge.CreateGradients())]);
    }

    /// <summary>
    /// Two directions, an LSTM with h = 1, c = 2 and an RNN with h = 3, to one LSTM of one unit.
    /// <code>
    /// h = tanh(0.1·1 + 0.2·3 − 0.3)         = tanh(0.4)
    /// c = tanh(0.4·2 − 0.5·3 + 0.6)         = tanh(−0.1)      the RNN has no c, so its h takes part
    /// dH = 1: dA = 1 − h²;  dC = 2: dA' = 2 (1 − c²)
    /// d(LSTM) = (0.1 dA, 0.4 dA'),  d(RNN) = 0.2 dA − 0.5 dA'
    /// </code>
    /// </summary>
    [Fact]
    public void Map_EqualsHandDerivation()
    {
        var bridge = new StateBridge([new LstmCell(I, 1), new RnnCell(I, 1)], [new LstmCell(5, 1)]);
        Assert.Equal(["h[0].Weight", "h[0].Bias", "c[0].Weight", "c[0].Bias"], bridge.Parameters.Tensors.Select(tensor => tensor.Name));
        foreach (var (tensor, values) in bridge.Parameters.Tensors.Zip<NamedTensor, double[]>([[0.1, 0.2], [-0.3], [0.4, -0.5], [0.6]]))
            tensor.CopyFrom(values);

        CellState[] encoder = [new([1], [2]), new([3])];
        var states = bridge.Forward(encoder);
        var (h, c) = (Math.Tanh(0.4), Math.Tanh(-0.1));
        Assert.Equal(h, states[0].H[0], 1e-15);
        Assert.Equal(c, states[0].C[0], 1e-15);

        var dParameters = bridge.CreateGradients();
        var dEncoder = bridge.Backward(encoder, states, [new([1], [2])], dParameters);
        var (dA, dA2) = (1 - (h * h), 2 * (1 - (c * c)));
        double[] expected = [0.1 * dA, 0.4 * dA2, (0.2 * dA) - (0.5 * dA2), dA, 3 * dA, dA, 2 * dA2, 3 * dA2, dA2];
        double[] actual = [.. dEncoder[0].H, .. dEncoder[0].C, .. dEncoder[1].H, .. dParameters.Tensors.SelectMany(tensor => tensor.Values)];
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], 1e-14);
    }

    [Fact]
    public void Bridge_Throws_WhenCellsDoNotFit()
    {
        var gru = new GruCell(I, H);
        Throws("multiple of 2 cells, as the decoder has, got 3", () => new StateBridge([gru, gru, gru], [gru, gru]));
        Throws("at least 1, got 0", () => new StateBridge([gru], []));
        var bridge = new StateBridge([gru], [new GruCell(I, 4)]);
        Throws("one state per cell, 1, got 0", () => bridge.Forward([]));
        Throws("length of h 3, got 4", () => bridge.Forward([new CellState(new double[4])]));
        Throws("length of h 4, got 3", () => bridge.Backward([gru.ZeroState()], [new(new double[4])], [gru.ZeroState()], bridge.CreateGradients()));
    }

    static void Throws(string message, Func<object> action) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() => { _ = action(); }).Message, StringComparison.Ordinal);
}
