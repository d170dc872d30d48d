using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class ClosedLoopTests
{
    const int T = 6, B = 3, I = 2, H = 4;

    static ClosedLoop Model(Random random, out Cell[] cells)
    {
        cells = [new LstmCell(I, H, LstmOptions.WithPeepholes), new GruCell(H, 3)];
        Draw.Parameters(random, cells);
        var linear = new Linear(3, I);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        return new ClosedLoop(cells, linear);
    }

    [Fact]
    public void NoFeedback_EqualsLayersAndLinear()
    {
        var random = new Random(1);
        var model = Model(random, out var cells);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, cells, B);
        var dY = Draw.Sequence(random, T, B, I);
        var layers = new Stacked(new Recurrent(cells[0]), new Recurrent(cells[1]));

        var closed = model.Forward(x, new bool[T, B], states);
        var open = layers.Forward(x, states);
        Assert.Equal(model.Linear.Forward(open.Y).Values, closed.Y.Values);

        var gradients = model.Backward(closed, dY);
        var expected = layers.Backward(open, model.Linear.Backward(open.Y, dY).DX);
        for (var k = 0; k < expected.DX.Values.Length; k++)
            Assert.Equal(expected.DX.Values[k], gradients.DX.Values[k], 1e-14);
    }

    [Fact]
    public void FedBackSteps_EqualOpenLoop_OnOwnOutputs()
    {
        // Writing the outputs into the inputs and running open loop gives the same sequence.
        var random = new Random(2);
        var model = Model(random, out _);
        var x = Draw.Sequence(random, T, B, I);
        const int WarmUp = 2;
        var closed = model.Forward(x, WarmUp);

        var own = new Sequence(T, B, I, x.Values.AsSpan());
        for (var t = WarmUp; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                closed.Y[t - 1, b].CopyTo(own[t, b]);
        }

        Assert.Equal(model.Forward(own, new bool[T, B]).Y.Values, closed.Y.Values);
        Assert.Equal(model.Forward(x, ClosedLoop.FeedbackAfter(WarmUp, T, B)).Y.Values, closed.Y.Values);
    }

    [Fact]
    public void Inputs_AreNotRead_WhereFedBack()
    {
        var random = new Random(3);
        var model = Model(random, out _);
        var x = Draw.Sequence(random, T, B, I);
        var feedback = new bool[T, B];
        feedback[2, 1] = feedback[4, 0] = true;
        var expected = model.Forward(x, feedback);

        x[2, 1].Fill(double.NaN);
        x[4, 0].Fill(double.NaN);
        var actual = model.Forward(x, feedback);

        Assert.Equal(expected.Y.Values, actual.Y.Values);
        var dX = model.Backward(actual, Draw.Sequence(random, T, B, I)).DX;
        Assert.Equal([0.0, 0.0], dX[2, 1].ToArray());
        Assert.Equal([0.0, 0.0], dX[4, 0].ToArray());
        Assert.NotEqual([0.0, 0.0], dX[2, 0].ToArray());
    }
}
