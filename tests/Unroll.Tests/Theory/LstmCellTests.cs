using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class LstmCellTests
{
    const double Tolerance = 1e-14;

    /// <summary>
    /// Weights by gate i f g o: W_ih = (0.5, −0.4, 0.9, 0.3), W_hh = (0.2, 0.6, −0.7, −0.1), b_ih = (0.1, 1, 0.05, −0.2),
    /// b_hh = (−0.3, 0.15, 0.25, 0.35); peepholes i f o: (0.8, −0.5, 0.45). x = (1, −0.5), h₀ = 0.3, c₀ = −0.6, L = h₂.
    /// <code>
    /// t = 1
    ///   i = σ( 0.5 + 0.1 + 0.2·0.3 − 0.3  + 0.8·(−0.6)) = σ(−0.12)     = 0.470036
    ///   f = σ(−0.4 + 1   + 0.6·0.3 + 0.15 − 0.5·(−0.6)) = σ(1.23)      = 0.773819
    ///   g = tanh(0.9 + 0.05 − 0.7·0.3 + 0.25)           = tanh(0.99)   = 0.757362
    ///   c = f·(−0.6) + i·g                                             = −0.108304
    ///   o = σ( 0.3 − 0.2 − 0.1·0.3 + 0.35 + 0.45·c)     = σ(0.371263)  = 0.591764
    ///   h = o·tanh(c)                                                  = −0.063841
    /// t = 2, with h₁ and c₁ above
    ///   i = σ(−0.25 + 0.1 + 0.2·h₁ − 0.3 + 0.8·c₁)      = σ(−0.549411) = 0.366001
    ///   f = σ( 0.2 + 1 + 0.6·h₁ + 0.15 − 0.5·c₁)        = σ(1.365847)  = 0.796708
    ///   g = tanh(−0.45 + 0.05 − 0.7·h₁ + 0.25)          = tanh(−0.105311) = −0.104924
    ///   c = f·c₁ + i·g                                                 = −0.124689
    ///   o = σ(−0.15 − 0.2 − 0.1·h₁ + 0.35 + 0.45·c)     = σ(−0.049726) = 0.487571
    ///   h = o·tanh(c)                                                  = −0.060481
    ///
    /// back from t = 2, dH = 1
    ///   dGates_o = tanh(c)·o(1 − o)                     = −0.030992
    ///   dC = o(1 − tanh²c) + 0.45·dGates_o              =  0.466122
    ///   dGates_i = dC·g·i(1 − i)   = −0.011349          dGates_f = dC·c₁·f(1 − f) = −0.008176
    ///   dGates_g = dC·i·(1 − g²)   =  0.168723
    ///   dH₁ = 0.2·dGates_i + 0.6·dGates_f − 0.7·dGates_g − 0.1·dGates_o = −0.122182
    ///   dC₁ = dC·f + 0.8·dGates_i − 0.5·dGates_f
    /// back from t = 1, in the same way
    ///   dC = 0.296344,  dGates = (0.055908, −0.031120, 0.059395, 0.003184)
    ///
    /// dWeightIh = dGates₁·1 + dGates₂·(−0.5),  dWeightHh = dGates₁·0.3 + dGates₂·h₁,  dBias = dGates₁ + dGates₂
    /// dP_i = dGates_i₁·(−0.6) + dGates_i₂·c₁,  dP_f likewise,  dP_o = dGates_o₁·c₁ + dGates_o₂·c₂
    /// </code>
    /// </summary>
    [Fact]
    public void WithPeepholes_EqualsHandDerivation_OverTwoSteps()
    {
        var cell = new LstmCell(1, 1, LstmOptions.WithPeepholes);
        Set(cell.Parameters, [0.5, -0.4, 0.9, 0.3], [0.2, 0.6, -0.7, -0.1], [0.1, 1, 0.05, -0.2], [-0.3, 0.15, 0.25, 0.35], [0.8, -0.5, 0.45]);
        var layer = new Recurrent(cell);

        var cache = layer.Forward(new Sequence(2, 1, 1, [1.0, -0.5]), [CellState.Split(1, [0.3], [-0.6])]);
        var gradients = layer.Backward(cache, new Sequence(2, 1, 1, [0.0, 1.0]));

        var first = (LstmCache)cache.Steps[0, 0]!;
        Close([0.4700359482354282], first.I);
        Close([0.7738185742694538], first.F);
        Close([0.7573623242165262], first.G);
        Close([0.5917642174075374], first.O);
        Close([-0.1083036263407696], first.State.C);
        Close([-0.06384079505348432, -0.06048146572705174], cache.Y.Values);
        Close([-0.1246886467610406], cache.FinalStates[0][0].C);

        var d = gradients.DParameters[0];
        double[] dBias = [0.04455974169913866, -0.03929664896192424, 0.22811753426537024, -0.027808120537398513];
        Close([0.06158273475285461, -0.02703206886412602, -0.02496695517695735, 0.01868055516239036], d.WeightIh.Values);
        Close([0.01749702872764423, -0.008814091639390575, 0.00704695237667665, 0.0029338816571769662], d.WeightHh.Values);
        Close(dBias, d.BiasIh);
        Close(dBias, d.BiasHh);
        Close([-0.03231594098837546, 0.019557689671460838, 0.003519532229689754], d.WeightPeephole);
        Close([-0.049385088496631084], gradients.DInitialStates[0][0].H);
        Close([0.28960322501734836], gradients.DInitialStates[0][0].C);
    }

    /// <summary>
    /// No gates, W_ih = 0.5, W_hh = −0.4, b_ih = 0.1, b_hh = 0.2, x = (1, −1), h₀ = 0.25, c₀ = 0.5:
    /// <code>
    /// g₁ = tanh(0.5 + 0.1 − 0.1 + 0.2)      c₁ = 0.5 + g₁    h₁ = tanh(c₁)
    /// g₂ = tanh(−0.5 + 0.1 − 0.4·h₁ + 0.2)  c₂ = c₁ + g₂     h₂ = tanh(c₂)
    /// </code>
    /// </summary>
    [Fact]
    public void WithoutGates_AddsCandidates_ToTheCarousel()
    {
        var cell = new LstmCell(1, 1, LstmOptions.ConstantErrorCarousel);
        Set(cell.Parameters, [0.5], [-0.4], [0.1], [0.2], []);

        var cache = new Recurrent(cell).Forward(new Sequence(2, 1, 1, [1.0, -1.0]), [CellState.Split(1, [0.25], [0.5])]);

        var c1 = 0.5 + Math.Tanh(0.7);
        var c2 = c1 + Math.Tanh(-0.2 - (0.4 * Math.Tanh(c1)));
        Close([Math.Tanh(c1), Math.Tanh(c2)], cache.Y.Values);
        Close([c2], cache.FinalStates[0][0].C);
    }

    [Fact]
    public void WithoutGates_CarriesErrorUnchanged_OverThousandSteps()
    {
        // c_t = c_{t−1} + tanh(W_ih x_t + b), so ∂c_T / ∂c_0 = 1, whatever was added on the way.
        const int T = 1000;
        var random = new Random(7);
        var cell = new LstmCell(2, 3, LstmOptions.ConstantErrorCarousel);
        Draw.Parameters(random, [cell]);
        Array.Clear(cell.Parameters.WeightHh.Values);
        var layer = new Recurrent(cell);
        var dFinal = new CellState(new double[3], [0.5, -1.25, 3]);

        var cache = layer.Forward(Draw.Sequence(random, T, 1, 2));
        var gradients = layer.Backward(cache, new Sequence(T, 1, 3), [[dFinal]]);

        Assert.Equal([0.5, -1.25, 3], gradients.DInitialStates[0][0].C);
    }

    [Fact]
    public void ForgetGate_LosesError_OverThousandSteps()
    {
        // The counterpart: with f < 1 the same error has vanished, by the product of the f_t.
        const int T = 1000;
        var random = new Random(7);
        var cell = new LstmCell(2, 3);
        Draw.Parameters(random, [cell]);
        Array.Clear(cell.Parameters.WeightHh.Values);
        var layer = new Recurrent(cell);

        var cache = layer.Forward(Draw.Sequence(random, T, 1, 2));
        var gradients = layer.Backward(cache, new Sequence(T, 1, 3), [[new CellState(new double[3], [1, 1, 1])]]);

        var product = new double[] { 1, 1, 1 };
        for (var t = T - 1; t >= 0; t--)
        {
            for (var j = 0; j < 3; j++)
                product[j] *= ((LstmCache)cache.Steps[t, 0]!).F[j];
        }

        Assert.Equal(product, gradients.DInitialStates[0][0].C);
        Assert.All(product, value => Assert.True(value < 1e-30));
    }

    [Fact]
    public void Peepholes_ChangeNothing_WhenTheirWeightsAreZero()
    {
        foreach (var options in Draw.LstmVariants().Where(options => !options.Peepholes))
        {
            var random = new Random(3);
            var plain = new LstmCell(2, 3, options);
            var peephole = new LstmCell(2, 3, options with { Peepholes = true });
            Draw.Parameters(random, [plain]);
            foreach (var (from, to) in plain.Parameters.Tensors.Zip(peephole.Parameters.Tensors))
                to.CopyFrom(from.Values);
            var x = Draw.Sequence(random, 5, 2, 2);
            var dY = Draw.Sequence(random, 5, 2, 3);
            var states = Draw.States(random, [plain], 2);

            var (plainLayer, peepholeLayer) = (new Recurrent(plain), new Recurrent(peephole));
            var (plainCache, peepholeCache) = (plainLayer.Forward(x, states), peepholeLayer.Forward(x, states));
            Assert.Equal(plainCache.Y.Values, peepholeCache.Y.Values);

            var expected = plainLayer.Backward(plainCache, dY);
            var actual = peepholeLayer.Backward(peepholeCache, dY);
            Assert.Equal(expected.DX.Values, actual.DX.Values);
            Assert.Equal(expected.DParameters[0].WeightHh.Values, actual.DParameters[0].WeightHh.Values);
        }
    }

    [Fact]
    public void AbsentGate_EqualsSaturatedGate_WhenItsBiasIsLarge()
    {
        // σ(50) rounds to 1, so a full LSTM with the gate's block at bias 50 and weight 0 is the variant without it.
        foreach (var options in Draw.LstmVariants().Where(options => !options.Peepholes))
        {
            var random = new Random(5);
            const int I = 2, H = 3;
            var variant = new LstmCell(I, H, options);
            Draw.Parameters(random, [variant]);
            var full = new LstmCell(I, H);
            bool[] present = [options.InputGate, options.ForgetGate, true, options.OutputGate];
            var from = 0;
            for (var gate = 0; gate < 4; gate++)
            {
                if (!present[gate])
                {
                    full.Parameters.BiasIh.AsSpan(gate * H, H).Fill(50);
                    continue;
                }

                variant.Parameters.WeightIh.Values.AsSpan(from * H * I, H * I).CopyTo(full.Parameters.WeightIh.Values.AsSpan(gate * H * I));
                variant.Parameters.WeightHh.Values.AsSpan(from * H * H, H * H).CopyTo(full.Parameters.WeightHh.Values.AsSpan(gate * H * H));
                variant.Parameters.BiasIh.AsSpan(from * H, H).CopyTo(full.Parameters.BiasIh.AsSpan(gate * H));
                variant.Parameters.BiasHh.AsSpan(from * H, H).CopyTo(full.Parameters.BiasHh.AsSpan(gate * H));
                from++;
            }

            Assert.Equal(options.GateCount, from);
            var x = Draw.Sequence(random, 5, 2, I);
            var states = Draw.States(random, [variant], 2);
            Assert.Equal(new Recurrent(full).Forward(x, states).Y.Values, new Recurrent(variant).Forward(x, states).Y.Values);
        }
    }

    [Theory]
    [InlineData(true, true, true, 4, 3)]
    [InlineData(true, false, true, 3, 2)]
    [InlineData(false, true, false, 2, 1)]
    [InlineData(false, false, false, 1, 0)]
    public void Parameters_HaveOneBlock_PerGatePresent(bool i, bool f, bool o, int gates, int peepholes)
    {
        var cell = new LstmCell(2, 3, new LstmOptions { InputGate = i, ForgetGate = f, OutputGate = o, Peepholes = true });
        Assert.Equal(gates * 3, cell.Parameters.WeightIh.Rows);
        Assert.Equal(2, cell.Parameters.WeightIh.Cols);
        Assert.Equal(gates * 3, cell.Parameters.WeightHh.Rows);
        Assert.Equal(3, cell.Parameters.WeightHh.Cols);
        Assert.Equal(gates * 3, cell.Parameters.BiasIh.Length);
        Assert.Equal(gates * 3, cell.Parameters.BiasHh.Length);
        Assert.Equal(peepholes * 3, cell.Parameters.WeightPeephole.Length);
    }

    static void Set(CellParameters parameters, double[] weightIh, double[] weightHh, double[] biasIh, double[] biasHh, double[] peephole)
    {
        weightIh.CopyTo(parameters.WeightIh.Values, 0);
        weightHh.CopyTo(parameters.WeightHh.Values, 0);
        biasIh.CopyTo(parameters.BiasIh, 0);
        biasHh.CopyTo(parameters.BiasHh, 0);
        peephole.CopyTo(parameters.WeightPeephole, 0);
    }

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], Tolerance);
    }
}
