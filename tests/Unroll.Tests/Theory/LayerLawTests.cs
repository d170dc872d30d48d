using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>Laws that hold exactly, bit for bit, for every cell: equal arithmetic in equal order.</summary>
public class LayerLawTests
{
    const int T = 7, B = 3, I = 2, H = 4;

    public static TheoryData<string> CellNames => [.. Draw.Cells().Select(cell => cell.Name)];

    [Theory]
    [MemberData(nameof(CellNames))]
    public void Forward_WithoutState_EqualsZeroState(string name)
    {
        var random = new Random(1);
        var layer = new Stacked(new Bidirectional(Draw.Cell(name)(I, H), Draw.Cell(name)(I, H)), new Recurrent(Draw.Cell(name)(2 * H, H)));
        Draw.Parameters(random, layer.Cells);
        var x = Draw.Sequence(random, T, B, I);
        CellState[][] zeros = [.. layer.Cells.Select(cell => Enumerable.Range(0, B).Select(_ => cell.ZeroState()).ToArray())];

        Assert.Equal(layer.Forward(x, zeros).Y.Values, layer.Forward(x).Y.Values);
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void TwoHalves_WithCarriedState_EqualOnePass(string name)
    {
        const int Cut = 3;
        var random = new Random(2);
        var layer = new Stacked(new Recurrent(Draw.Cell(name)(I, H)), new Recurrent(Draw.Cell(name)(H, 3)));
        Draw.Parameters(random, layer.Cells);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var dY = Draw.Sequence(random, T, B, 3);
        var dFinal = Draw.States(random, layer.Cells, B);

        var whole = layer.Forward(x, states);
        var first = layer.Forward(Views.Steps(x, 0, Cut), states);
        var second = layer.Forward(Views.Steps(x, Cut, T), first.FinalStates);
        Assert.Equal(whole.Y.Values, (double[])[.. first.Y.Values, .. second.Y.Values]);
        Views.AssertEqual(whole.FinalStates, second.FinalStates);

        // Backward: the gradient on the state between the halves is carried the other way, and parameter gradients add up.
        var dWhole = layer.Backward(whole, dY, dFinal);
        var dSecond = layer.Backward(second, Views.Steps(dY, Cut, T), dFinal);
        var dFirst = layer.Backward(first, Views.Steps(dY, 0, Cut), dSecond.DInitialStates);
        Assert.Equal(dWhole.DX.Values, (double[])[.. dFirst.DX.Values, .. dSecond.DX.Values]);
        Views.AssertEqual(dWhole.DInitialStates, dFirst.DInitialStates);
        for (var k = 0; k < layer.Cells.Count; k++)
        {
            foreach (var (sum, parts) in dWhole.DParameters[k].Tensors.Zip(dFirst.DParameters[k].Tensors.Zip(dSecond.DParameters[k].Tensors)))
            {
                for (var n = 0; n < sum.Values.Length; n++)
                    Assert.Equal(sum.Values[n], parts.First.Values[n] + parts.Second.Values[n], 1e-12);
            }
        }
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void Batch_EqualsSingleRuns(string name)
    {
        var random = new Random(3);
        var layer = new Bidirectional(Draw.Cell(name)(I, H), Draw.Cell(name)(I, 3));
        Draw.Parameters(random, layer.Cells);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var y = layer.Forward(x, states).Y;

        for (var b = 0; b < B; b++)
        {
            var single = new Sequence(T, 1, I);
            for (var t = 0; t < T; t++)
                x[t, b].CopyTo(single[t, 0]);
            var singleY = layer.Forward(single, [[states[0][b]], [states[1][b]]]).Y;
            for (var t = 0; t < T; t++)
                Assert.Equal(y[t, b].ToArray(), singleY[t, 0].ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void Bidirectional_OfMirroredInputWithSwappedCells_EqualsMirroredOutput(string name)
    {
        var random = new Random(4);
        var (forward, backward) = (Draw.Cell(name)(I, H), Draw.Cell(name)(I, 3));
        Draw.Parameters(random, [forward, backward]);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, [forward, backward], B);

        var cache = new Bidirectional(forward, backward).Forward(x, states);
        var mirrored = new Bidirectional(backward, forward).Forward(Views.Mirror(x), [states[1], states[0]]);

        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                var y = cache.Y[t, b];
                var yMirrored = mirrored.Y[T - 1 - t, b];
                Assert.Equal(y[..H].ToArray(), yMirrored[3..].ToArray());
                Assert.Equal(y[H..].ToArray(), yMirrored[..3].ToArray());
            }
        }

        Views.AssertEqual(cache.FinalStates, [mirrored.FinalStates[1], mirrored.FinalStates[0]]);
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void Reverse_EqualsForward_OnMirroredInput(string name)
    {
        var random = new Random(5);
        var cell = Draw.Cell(name)(I, H);
        Draw.Parameters(random, [cell]);
        var x = Draw.Sequence(random, T, B, I);

        var reverse = new Recurrent(cell, reverse: true).Forward(x);
        var forward = new Recurrent(cell).Forward(Views.Mirror(x));

        Assert.Equal(Views.Mirror(forward.Y).Values, reverse.Y.Values);
        Views.AssertEqual(forward.FinalStates, reverse.FinalStates);
    }

    [Fact]
    public void Forward_LeavesInitialStatesAndInputs_Unchanged()
    {
        var random = new Random(6);
        var layer = new Recurrent(new LstmCell(I, H));
        Draw.Parameters(random, layer.Cells);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        double[] xBefore = [.. x.Values];
        CellState[][] before = [[.. states[0].Select(state => state.Clone())]];

        var cache = layer.Forward(x, states);
        layer.Backward(cache, cache.Y, states);

        Assert.Equal(xBefore, x.Values);
        Views.AssertEqual(before, states);
    }
}
