using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class GruCellTests
{
    const double Tolerance = 1e-14;

    /// <summary>
    /// Weights by gate r z n: W_ih = (0.5, −0.4, 0.9), W_hh = (0.2, 0.6, −0.7), b_ih = (0.1, 0.3, 0.05), b_hh = (−0.3, 0.15, 0.25);
    /// x = (1, −0.5), h₀ = 0.8, L = h₂.
    /// <code>
    /// t = 1
    ///   r = σ(0.5 + 0.1 + 0.2·0.8 − 0.3)                   = σ(0.46)  = 0.613014
    ///   z = σ(−0.4 + 0.3 + 0.6·0.8 + 0.15)                 = σ(0.53)  = 0.629483
    ///   n = tanh(0.9 + 0.05 + r·(−0.7·0.8 + 0.25))         = tanh(0.759966) = 0.641057
    ///   h = (1 − z)·n + z·0.8                              = 0.741109
    /// t = 2
    ///   r = 0.425123,  z = 0.749259,  n = tanh(−0.45 + 0.05 + r·(−0.7·h₁ + 0.25)) = −0.473260,  h = 0.436617
    ///
    /// back from t = 2, dH = 1
    ///   dGates_n = (1 − z)(1 − n²)                         =  0.194581
    ///   dGates_z = (h₁ − n)·z(1 − z)                       =  0.228143
    ///   dGates_r = dGates_n·(−0.7·h₁ + 0.25)·r(1 − r)      = −0.012781
    ///   dH₁ = z + 0.2·dGates_r + 0.6·dGates_z − 0.7·r·dGates_n = 0.825684
    /// back from t = 1, in the same way: dGates = (−0.013253, 0.030609, 0.180207), dH₀ = 0.458141
    ///
    /// dWeightIh = dGates₁·1 + dGates₂·(−0.5);  dBiasIh = dGates₁ + dGates₂
    /// dWeightHh and dBiasHh likewise with h₀, h₁ and 1, where the part of n carries the factor r
    /// </code>
    /// </summary>
    [Fact]
    public void AfterProduct_EqualsHandDerivation_OverTwoSteps() => Check(
        GruResetGate.AfterProduct,
        y: [0.7411088237099085, 0.43661702975796],
        dWeightIh: [-0.006861790356823564, -0.08346269804582516, 0.0829163549016883],
        dWeightHh: [-0.02007448587800048, 0.19356615205762331, 0.14968068795380582],
        dBiasIh: [-0.02603400244934362, 0.258752222764128, 0.3747880371527762],
        dBiasHh: [-0.02603400244934362, 0.258752222764128, 0.1931902722252268],
        dH0: 0.45814058599545127);

    /// <summary>
    /// The same weights and inputs with the reset gate on the state: r and z of t = 1 as above, then
    /// <code>
    ///   n₁ = tanh(0.9 + 0.05 − 0.7·(r·0.8) + 0.25)         = tanh(0.856712) = 0.694560     h₁ = 0.760933
    ///   r₂ = 0.426092,  z₂ = 0.751487
    ///   n₂ = tanh(−0.45 + 0.05 − 0.7·(r·h₁) + 0.25)        = tanh(−0.376959) = −0.360064   h₂ = 0.482351
    ///
    /// back from t = 2, dH = 1
    ///   dGates_n = (1 − z)(1 − n²)                         =  0.216294
    ///   dGates_z = (h₁ − n)·z(1 − z)                       =  0.209351
    ///   dGates_r = −0.7·dGates_n·h₁·r(1 − r)               = −0.028173
    ///   dH₁ = z + 0.2·dGates_r + 0.6·dGates_z − 0.7·r·dGates_n = 0.806950
    /// back from t = 1: dGates = (−0.020559, 0.019845, 0.154753), dH₀ = 0.449351
    ///
    /// dWeightHh of n = dGates_n₁·(r₁·h₀) + dGates_n₂·(r₂·h₁);  dBiasHh = dBiasIh
    /// </code>
    /// </summary>
    [Fact]
    public void BeforeProduct_EqualsHandDerivation_OverTwoSteps() => Check(
        GruResetGate.BeforeProduct,
        y: [0.7609326114553137, 0.4823506114942474],
        dWeightIh: [-0.006471947872535626, -0.08483066811958659, 0.046605475400422064],
        dWeightHh: [-0.037884636568838594, 0.1751776292449321, 0.14602090093565115],
        dBiasIh: [-0.04873160784083824, 0.22919552255990122, 0.3710467360846568],
        dBiasHh: [-0.04873160784083824, 0.22919552255990122, 0.3710467360846568],
        dH0: 0.4493507637659098);

    [Fact]
    public void BothForms_Agree_WhenHiddenProductIsDiagonalWithoutBias()
    {
        // r ⊙ (W h) = W (r ⊙ h) if W_hn is diagonal; b_hn would be scaled by r in one form only.
        const int H = 3;
        var random = new Random(11);
        var after = new GruCell(2, H);
        Draw.Parameters(random, [after]);
        for (var j = 0; j < H; j++)
        {
            after.Parameters.BiasHh[(2 * H) + j] = 0;
            for (var k = 0; k < H; k++)
            {
                if (k != j)
                    after.Parameters.WeightHh[(2 * H) + j, k] = 0;
            }
        }

        var before = new GruCell(2, H, GruResetGate.BeforeProduct);
        foreach (var (from, to) in after.Parameters.Tensors.Zip(before.Parameters.Tensors))
            to.CopyFrom(from.Values);

        var x = Draw.Sequence(random, 6, 2, 2);
        Close(new Recurrent(after).Forward(x).Y.Values, new Recurrent(before).Forward(x).Y.Values);
    }

    static void Check(
        GruResetGate resetGate, double[] y, double[] dWeightIh, double[] dWeightHh, double[] dBiasIh, double[] dBiasHh, double dH0)
    {
        var cell = new GruCell(1, 1, resetGate);
        new double[] { 0.5, -0.4, 0.9 }.CopyTo(cell.Parameters.WeightIh.Values, 0);
        new double[] { 0.2, 0.6, -0.7 }.CopyTo(cell.Parameters.WeightHh.Values, 0);
        new double[] { 0.1, 0.3, 0.05 }.CopyTo(cell.Parameters.BiasIh, 0);
        new double[] { -0.3, 0.15, 0.25 }.CopyTo(cell.Parameters.BiasHh, 0);
        var layer = new Recurrent(cell);

        var cache = layer.Forward(new Sequence(2, 1, 1, [1.0, -0.5]), [CellState.Split(1, [0.8])]);
        var gradients = layer.Backward(cache, new Sequence(2, 1, 1, [0.0, 1.0]));

        Close(y, cache.Y.Values);
        Close(dWeightIh, gradients.DParameters[0].WeightIh.Values);
        Close(dWeightHh, gradients.DParameters[0].WeightHh.Values);
        Close(dBiasIh, gradients.DParameters[0].BiasIh);
        Close(dBiasHh, gradients.DParameters[0].BiasHh);
        Close([dH0], gradients.DInitialStates[0][0].H);
    }

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], Tolerance);
    }
}
