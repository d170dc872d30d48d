using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class OutputRecurrenceTests
{
    const int T = 6, B = 3, I = 2, H = 5, O = 3;

    static OutputRecurrence Model(Random random)
    {
        var model = new OutputRecurrence(I, H, O);
        model.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        return model;
    }

    /// <summary>
    /// W_ih = 0.5, W_oh = −0.3, b_h = 0.1, W_ho = 2, b_o = −0.4, x = (1, −2), y₀ = 0.7, L = y₁ + y₂.
    /// <code>
    /// a₁ = 0.5·1 − 0.3·0.7 + 0.1      =  0.39        h₁ = tanh(a₁) =  0.371360   y₁ = 2·h₁ − 0.4 =  0.342720
    /// a₂ = 0.5·(−2) − 0.3·y₁ + 0.1    = −1.002816    h₂ = tanh(a₂) = −0.762774   y₂ = 2·h₂ − 0.4 = −1.925549
    ///
    /// dA₂ = 2·(1 − h₂²)               =  0.836351
    /// dY₁ = 1 − 0.3·dA₂               =  0.749095    1 where a teacher replaced y₁
    /// dA₁ = 2·dY₁·(1 − h₁²)           =  1.291577
    /// dWeightOh = dA₁·0.7 + dA₂·y₁    =  1.190738
    /// </code>
    /// </summary>
    [Fact]
    public void Gradient_EqualsHandDerivation_OverTwoSteps()
    {
        var model = new OutputRecurrence(1, 1, 1);
        double[] values = [0.5, -0.3, 0.1, 2, -0.4];
        var next = 0;
        model.Parameters.Fill(() => values[next++]);
        var y0 = new Matrix(1, 1);
        y0[0, 0] = 0.7;

        var cache = model.Forward(new Sequence(2, 1, 1, [1.0, -2.0]), initialOutputs: y0);
        var gradients = model.Backward(cache, new Sequence(2, 1, 1, [1.0, 1.0]));

        Assert.Equal(0.342720, cache.Y[0, 0, 0], 1e-6);
        Assert.Equal(-1.925549, cache.Y[1, 0, 0], 1e-6);
        Assert.Equal(1.190738, gradients.DParameters.WeightOh[0, 0], 1e-6);
    }

    [Fact]
    public void OwnOutputs_EqualRnnCell_WhoseRecurrentMatrixIsTheProduct()
    {
        // y_{t−1} = W_ho h_{t−1} + b_o put into a_t: W_hh = W_oh W_ho, b_hh = W_oh b_o. With h₀ = 0 the first step reads y₀ = b_o.
        var random = new Random(1);
        var model = Model(random);
        var p = model.Parameters;
        var cell = new RnnCell(I, H);
        p.WeightIh.Values.CopyTo(cell.Parameters.WeightIh.Values, 0);
        p.BiasH.CopyTo(cell.Parameters.BiasIh, 0);
        p.WeightOh.MultiplyAdd(p.BiasO, cell.Parameters.BiasHh);
        for (var j = 0; j < H; j++)
            p.WeightHo.TransposeMultiplyAdd(p.WeightOh.Row(j), cell.Parameters.WeightHh.Row(j));
        var y0 = new Matrix(B, O);
        for (var b = 0; b < B; b++)
            p.BiasO.CopyTo(y0.Row(b));

        var x = Draw.Sequence(random, T, B, I);
        var expected = new Recurrent(cell).Forward(x).Y.Values;
        var actual = model.Forward(x, initialOutputs: y0).H.Values;
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-14));
    }

    [Fact]
    public void TeacherThatRepeatsTheOutputs_ChangesNothingForward_AndCutsTheGradientThroughTime()
    {
        var random = new Random(2);
        var model = Model(random);
        var x = Draw.Sequence(random, T, B, I);
        var free = model.Forward(x);
        var forced = model.Forward(x, teacher: free.Y);
        Assert.Equal(free.Y.Values, forced.Y.Values);

        // The loss reads the last step only: with a teacher no earlier input has a gradient.
        var dY = new Sequence(T, B, O);
        dY[T - 1, 1].Fill(1);
        var (through, cut) = (model.Backward(free, dY).DX, model.Backward(forced, dY).DX);
        Assert.Equal(through[T - 1, 1].ToArray(), cut[T - 1, 1].ToArray());
        for (var t = 0; t < T - 1; t++)
        {
            Assert.All(cut[t, 1].ToArray(), d => Assert.Equal(0, d));
            Assert.All(through[t, 1].ToArray(), d => Assert.NotEqual(0, d));
        }
    }

    [Fact]
    public void Shapes_Throw_WhenTheyDoNotFit()
    {
        var model = Model(new Random(3));
        var x = new Sequence(T, B, I);
        Throws("at least 1, got 0", () => new OutputRecurrence(I, H, 0));
        Throws("features inputSize = 2, got 3", () => model.Forward(new Sequence(T, B, 3)));
        Throws("teacher: expected shape [6, 3, 3], got [5, 3, 3]", () => model.Forward(x, new Sequence(T - 1, B, O)));
        Throws("initialOutputs: expected shape [3, 3], got [2, 3]", () => model.Forward(x, initialOutputs: new Matrix(2, O)));
        Throws("dY: expected shape [6, 3, 3], got [6, 3, 2]", () => model.Backward(model.Forward(x), new Sequence(T, B, 2)));
        Throws("got that of another", () => model.Backward(Model(new Random(4)).Forward(x), new Sequence(T, B, O)));
    }

    static void Throws(string expected, Func<object> action) =>
        Assert.Contains(expected, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
}
