using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class TruncatedBpttTests
{
    const int T = 7, B = 2, I = 2, H = 3;

    public static TheoryData<string> CellNames => [.. Draw.Cells().Select(cell => cell.Name)];

    /// <summary>
    /// h_t = relu(x_t + 0.5 h_{t−1}) with x = 1 and h₀ = 0: h = 1, 1.5, 1.75, 1.875. L = Σ h_t, so every dY is 1.
    /// <code>
    /// k1 = 1, k2 = 2: at each t    dA_t = 1, dA_{t−1} = 0.5
    ///   t = 1   dWeightIh = 1      dWeightHh = h₀               = 0
    ///   t = 2               1.5                h₁ + 0.5 h₀      = 1
    ///   t = 3               1.5                h₂ + 0.5 h₁      = 2
    ///   t = 4               1.5                h₃ + 0.5 h₂      = 2.5
    /// k1 = 2, k2 = 3: at t = 2     dA₂ = 1, dA₁ = 1 + 0.5
    ///                 at t = 4     dA₄ = 1, dA₃ = 1 + 0.5, dA₂ = 0.75, and dA₁ = 0.375 is left out
    ///   t = 2   dWeightIh = 2.5    dWeightHh = h₁ + 1.5 h₀            = 1
    ///   t = 4               3.25               h₃ + 1.5 h₂ + 0.75 h₁  = 4.75
    /// k2 = 4: t = 4 has dA₁ too:   dWeightIh = 2.5 + 3.625
    /// </code>
    /// </summary>
    [Theory]
    [InlineData(1, 2, new[] { 1, 1.5, 1.5, 1.5 }, new[] { 0, 1, 2, 2.5 })]
    [InlineData(2, 3, new[] { 2.5, 3.25 }, new[] { 1, 4.75 })]
    [InlineData(2, 4, new[] { 2.5, 3.625 }, new[] { 1, 4.75 })]
    public void Gradients_EqualHandDerivation(int k1, int k2, double[] dWeightIh, double[] dWeightHh)
    {
        var cell = new RnnCell(1, 1, RnnActivation.Relu);
        (cell.Parameters.WeightIh[0, 0], cell.Parameters.WeightHh[0, 0]) = (1, 0.5);
        var truncated = new TruncatedBptt(new Recurrent(cell), k1, k2);
        double[] ones = [.. Enumerable.Repeat(1.0, k1)];
        var y = new List<double>();
        for (var piece = 0; piece < dWeightIh.Length; piece++)
        {
            y.AddRange(truncated.Forward(new Sequence(k1, 1, 1, ones.AsSpan())).Values);
            var gradients = truncated.Backward(new Sequence(k1, 1, 1, ones.AsSpan()));
            Assert.Equal(dWeightIh[piece], gradients.DParameters[0].WeightIh[0, 0]);
            Assert.Equal(dWeightHh[piece], gradients.DParameters[0].WeightHh[0, 0]);
            Assert.Equal(Math.Max(0, ((piece + 1) * k1) - k2), gradients.FirstStep);
            Assert.Equal(y.Count - gradients.FirstStep, gradients.DX.T);
        }

        Assert.Equal([1.0, 1.5, 1.75, 1.875], y);
    }

    /// <summary>The pieces' gradients summed, those on inputs step by step.</summary>
    static (Sequence Y, Sequence DX, CellParameters[] DParameters, CellState[][] DFirst) Run(
        SequenceLayer layer, int k1, int k2, Sequence x, CellState[][] states, Sequence dY)
    {
        var truncated = new TruncatedBptt(layer, k1, k2, states);
        var (y, dX) = (new List<double>(), new Sequence(x.T, x.B, x.F));
        CellParameters[] dParameters = [.. layer.Cells.Select(cell => cell.CreateGradients())];
        CellState[][] dFirst = [.. layer.Cells.Select(cell => Enumerable.Range(0, x.B).Select(_ => cell.ZeroState()).ToArray())];
        for (var from = 0; from < x.T; from += k1)
        {
            var to = Math.Min(from + k1, x.T);
            y.AddRange(truncated.Forward(Views.Steps(x, from, to)).Values);
            var gradients = truncated.Backward(Views.Steps(dY, from, to));
            for (var k = 0; k < gradients.DX.Values.Length; k++)
                dX.Values[(gradients.FirstStep * x.B * x.F) + k] += gradients.DX.Values[k];
            for (var k = 0; k < dParameters.Length; k++)
                dParameters[k].Add(gradients.DParameters[k]);
            if (gradients.FirstStep > 0)
                continue;
            foreach (var (sum, part) in dFirst.SelectMany(all => all).Zip(gradients.DFirstStates.SelectMany(all => all)))
            {
                for (var j = 0; j < sum.H.Length; j++)
                    sum.H[j] += part.H[j];
                for (var j = 0; j < sum.C.Length; j++)
                    sum.C[j] += part.C[j];
            }
        }

        return (new Sequence(x.T, x.B, layer.OutputSize, y.ToArray().AsSpan()), dX, dParameters, dFirst);
    }

    static Stacked Layers(Random random, string cell)
    {
        var layers = new Stacked(new Recurrent(Draw.Cell(cell)(I, H)), new Recurrent(Draw.Cell(cell)(H, 4)));
        Draw.Parameters(random, layers.Cells);
        return layers;
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void LongK2_EqualsFullBackPropagation(string name)
    {
        var random = new Random(1);
        var layer = Layers(random, name);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var dY = Draw.Sequence(random, T, B, 4);
        var whole = layer.Forward(x, states);
        var full = layer.Backward(whole, dY);

        foreach (var (k1, k2) in new[] { (1, T), (3, T), (T, T), (2, T + 5) })
        {
            var (y, dX, dParameters, dFirst) = Run(layer, k1, k2, x, states, dY);
            Assert.Equal(whole.Y.Values, y.Values);
            Close(full.DX.Values, dX.Values);
            for (var k = 0; k < dParameters.Length; k++)
            {
                Close(Flat(full.DParameters[k]), Flat(dParameters[k]));
                Close(CellState.JoinH(full.DInitialStates[k]), CellState.JoinH(dFirst[k]));
                Close(CellState.JoinC(full.DInitialStates[k]), CellState.JoinC(dFirst[k]));
            }
        }
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void EqualK1AndK2_EqualSeparatePieces_WithCarriedState(string name)
    {
        const int K = 3, Steps = 3 * K;
        var random = new Random(2);
        var layer = Layers(random, name);
        var x = Draw.Sequence(random, Steps, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var dY = Draw.Sequence(random, Steps, B, 4);
        var (y, dX, dParameters, _) = Run(layer, K, K, x, states, dY);

        Assert.Equal(layer.Forward(x, states).Y.Values, y.Values);
        CellParameters[] sum = [.. layer.Cells.Select(cell => cell.CreateGradients())];
        var state = states;
        for (var from = 0; from < Steps; from += K)
        {
            var piece = layer.Forward(Views.Steps(x, from, from + K), state);
            state = piece.FinalStates;
            var gradients = layer.Backward(piece, Views.Steps(dY, from, from + K));
            Close(gradients.DX.Values, Views.Steps(dX, from, from + K).Values);
            for (var k = 0; k < sum.Length; k++)
                sum[k].Add(gradients.DParameters[k]);
        }

        for (var k = 0; k < sum.Length; k++)
            Close(Flat(sum[k]), Flat(dParameters[k]));
    }

    [Fact]
    public void TruncatedBptt_Throws_WhenItCannotRun()
    {
        var layer = new Recurrent(new GruCell(I, H));
        Throws("at least k1 = 3, got 2", () => new TruncatedBptt(layer, 3, 2));
        Throws("at least 1, got 0", () => new TruncatedBptt(layer, 0, 2));
        Throws("got a Bidirectional", () => new TruncatedBptt(new Bidirectional(new GruCell(I, H), new GruCell(I, H)), 1, 2));
        Throws("got a Stacked", () => new TruncatedBptt(new Stacked(layer, new Recurrent(new GruCell(H, H), reverse: true)), 1, 2));
        var truncated = new TruncatedBptt(layer, 2, 3);
        Assert.Throws<InvalidOperationException>(() => truncated.Backward(new Sequence(2, B, H)));
        Throws("at most k1 = 2 steps, got 3", () => truncated.Forward(new Sequence(3, B, I)));
        truncated.Forward(new Sequence(1, B, I));
        Throws("[1, 2, 3], got [2, 2, 3]", () => truncated.Backward(new Sequence(2, B, H)));
        Throws("B = 4, got 2", () => truncated.Forward(new Sequence(1, 4, I)));
        Throws("length of WeightIh 18, got 24", () => { layer.Cells[0].CreateGradients().Add(new LstmCell(I, H).CreateGradients()); return 0; });
    }

    static void Throws(string message, Func<object> action) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() => { _ = action(); }).Message, StringComparison.Ordinal);

    static double[] Flat(CellParameters parameters) => [.. parameters.Tensors.SelectMany(tensor => tensor.Values)];

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], 1e-11);
    }
}
