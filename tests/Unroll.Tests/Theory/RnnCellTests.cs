using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class RnnCellTests
{
    const double Tolerance = 1e-14;

    static RnnCell HandCell(RnnActivation activation)
    {
        var cell = new RnnCell(1, 1, activation);
        cell.Parameters.WeightIh[0, 0] = 0.5;
        cell.Parameters.WeightHh[0, 0] = -0.3;
        cell.Parameters.BiasIh[0] = 0.1;
        cell.Parameters.BiasHh[0] = 0.2;
        return cell;
    }

    /// <summary>
    /// W_ih = 0.5, W_hh = −0.3, b_ih = 0.1, b_hh = 0.2, x = (1, −2), h₀ = 0.4, L = h₁ + h₂.
    /// <code>
    /// a₁ = 0.5·1 + 0.1 − 0.3·0.4 + 0.2     =  0.68        h₁ = tanh(a₁) =  0.591519
    /// a₂ = 0.5·(−2) + 0.1 − 0.3·h₁ + 0.2   = −0.877456    h₂ = tanh(a₂) = −0.705142
    ///
    /// dA₂ = 1·(1 − h₂²)                    =  0.502774
    /// dH₁ = 1 − 0.3·dA₂                    =  0.849168
    /// dA₁ = dH₁·(1 − h₁²)                  =  0.552048
    /// dWeightIh = dA₁·1 + dA₂·(−2)         = −0.453500
    /// dWeightHh = dA₁·0.4 + dA₂·h₁         =  0.518220
    /// dBiasIh = dBiasHh = dA₁ + dA₂        =  1.054822
    /// dX = 0.5·(dA₁, dA₂)                  = (0.276024, 0.251387)
    /// dH₀ = −0.3·dA₁                       = −0.165614
    /// </code>
    /// </summary>
    [Fact]
    public void Tanh_EqualsHandDerivation_OverTwoSteps()
    {
        var layer = new Recurrent(HandCell(RnnActivation.Tanh));
        var cache = layer.Forward(new Sequence(2, 1, 1, [1.0, -2.0]), [CellState.Split(1, [0.4])]);
        var gradients = layer.Backward(cache, new Sequence(2, 1, 1, [1.0, 1.0]));

        Assert.Equal(0.5915193954318164, cache.Y[0, 0, 0], Tolerance);
        Assert.Equal(-0.7051424653354874, cache.Y[1, 0, 0], Tolerance);
        Assert.Equal(-0.45350016047745, gradients.DParameters[0].WeightIh[0, 0], Tolerance);
        Assert.Equal(0.5182198524622573, gradients.DParameters[0].WeightHh[0, 0], Tolerance);
        Assert.Equal(1.054822150264323, gradients.DParameters[0].BiasIh[0], Tolerance);
        Assert.Equal(1.054822150264323, gradients.DParameters[0].BiasHh[0], Tolerance);
        Assert.Equal(0.2760240233418659, gradients.DX[0, 0, 0], Tolerance);
        Assert.Equal(0.2513870517902955, gradients.DX[1, 0, 0], Tolerance);
        Assert.Equal(-0.1656144140051196, gradients.DInitialStates[0][0].H[0], Tolerance);
    }

    /// <summary>
    /// The same weights, x = (1, 2), h₀ = 0.4, L = h₂; then x = (1, −2), where the second step is cut off.
    /// <code>
    /// a₁ = 0.68                              h₁ = 0.68
    /// a₂ = 0.5·2 + 0.1 − 0.3·0.68 + 0.2      h₂ = 1.096     dA₂ = 1, dA₁ = −0.3
    /// dWeightHh = dA₁·0.4 + dA₂·0.68 = 0.56
    ///
    /// a₂ = 0.5·(−2) + 0.1 − 0.3·0.68 + 0.2   = −0.904       h₂ = 0, dA₂ = dA₁ = 0
    /// </code>
    /// </summary>
    [Fact]
    public void Relu_EqualsHandDerivation_OnBothSidesOfTheKink()
    {
        var layer = new Recurrent(HandCell(RnnActivation.Relu));
        var dY = new Sequence(2, 1, 1, [0.0, 1.0]);

        var active = layer.Forward(new Sequence(2, 1, 1, [1.0, 2.0]), [CellState.Split(1, [0.4])]);
        Assert.Equal(0.68, active.Y[0, 0, 0], Tolerance);
        Assert.Equal(1.096, active.Y[1, 0, 0], Tolerance);
        Assert.Equal(0.56, layer.Backward(active, dY).DParameters[0].WeightHh[0, 0], Tolerance);

        var cut = layer.Forward(new Sequence(2, 1, 1, [1.0, -2.0]), [CellState.Split(1, [0.4])]);
        Assert.Equal(0, cut.Y[1, 0, 0]);
        Assert.Equal(0, layer.Backward(cut, dY).DParameters[0].WeightHh[0, 0]);
    }
}
