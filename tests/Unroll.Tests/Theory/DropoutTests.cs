using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class DropoutTests
{
    const int T = 5, B = 3, I = 2, H = 4;

    public static TheoryData<string> CellNames => [.. Draw.Cells().Select(cell => cell.Name)];

    [Fact]
    public void Dropout_EqualsHandDerivation()
    {
        var x = new Sequence(2, 1, 2, [3.0, -1, 4, 5]);
        var mask = new Sequence(2, 1, 2, [2.0, 0, 0, 2]);
        Assert.Equal([6.0, 0, 0, 10], Dropout.Forward(x, mask).Values);
        Assert.Equal([0.5, 0, 0, -2], Dropout.Backward(new Sequence(2, 1, 2, [0.25, 7, 7, -1]), mask).Values);
        Assert.Contains("[2, 1, 2], got [2, 2, 1]", Assert.Throws<ArgumentException>(() => Dropout.Forward(x, new Sequence(2, 2, 1))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void MasksOfOnes_EqualNoMasks(string name)
    {
        var random = new Random(1);
        var layer = new Stacked(new Bidirectional(Draw.Cell(name)(I, H), Draw.Cell(name)(I, 3)), new Recurrent(Draw.Cell(name)(H + 3, H)));
        Draw.Parameters(random, layer.Cells);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var masks = Draw.Masks(random, layer.Cells, B);
        foreach (var values in masks.SelectMany(pair => new[] { pair.Input!.Values, pair.Hidden!.Values }))
            Array.Fill(values, 1);

        var (plain, masked) = (layer.Forward(x, states), layer.Forward(x, states, masks: masks));
        Assert.Equal(plain.Y.Values, masked.Y.Values);
        var (dPlain, dMasked) = (layer.Backward(plain, plain.Y), layer.Backward(masked, plain.Y));
        Assert.Equal(dPlain.DX.Values, dMasked.DX.Values);
        for (var k = 0; k < layer.Cells.Count; k++)
            Views.AssertEqual(dPlain.DParameters[k].Tensors, dMasked.DParameters[k].Tensors);
    }

    /// <summary>W (m ⊙ v) = (W diag(m)) v: for one sample, masks are the same as weights with scaled columns, for every cell and direction.</summary>
    [Theory]
    [MemberData(nameof(CellNames))]
    public void Masks_EqualWeightsWithScaledColumns(string name)
    {
        var random = new Random(2);
        var layer = new Bidirectional(Draw.Cell(name)(I, H), Draw.Cell(name)(I, H));
        var scaled = new Bidirectional(Draw.Cell(name)(I, H), Draw.Cell(name)(I, H));
        Draw.Parameters(random, layer.Cells);
        var masks = Draw.Masks(random, layer.Cells, 1);
        for (var k = 0; k < 2; k++)
        {
            var (from, to) = (layer.Cells[k].Parameters, scaled.Cells[k].Parameters);
            foreach (var (target, source) in to.Tensors.Zip(from.Tensors))
                target.CopyFrom(source.Values);
            ScaleColumns(to.WeightIh, masks[k].Input!);
            ScaleColumns(to.WeightHh, masks[k].Hidden!);
        }

        var x = Draw.Sequence(random, T, 1, I);
        var states = Draw.States(random, layer.Cells, 1);
        var dY = Draw.Sequence(random, T, 1, 2 * H);
        var (masked, plain) = (layer.Forward(x, states, masks: masks), scaled.Forward(x, states));
        Close(plain.Y.Values, masked.Y.Values);

        var (dMasked, dPlain) = (layer.Backward(masked, dY), scaled.Backward(plain, dY));
        Close(dPlain.DX.Values, dMasked.DX.Values);
        for (var k = 0; k < 2; k++)
        {
            ScaleColumns(dPlain.DParameters[k].WeightIh, masks[k].Input!);
            ScaleColumns(dPlain.DParameters[k].WeightHh, masks[k].Hidden!);
            foreach (var (expected, actual) in dPlain.DParameters[k].Tensors.Zip(dMasked.DParameters[k].Tensors))
                Close(expected.Values, actual.Values);
            Close(dPlain.DInitialStates[k][0].H, dMasked.DInitialStates[k][0].H);
            Close(dPlain.DInitialStates[k][0].C, dMasked.DInitialStates[k][0].C);
        }
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void Batch_EqualsSingleRuns_WithTheirOwnMasksAndLengths(string name)
    {
        int[] lengths = [3, T, 2];
        var random = new Random(3);
        var layer = new Bidirectional(Draw.Cell(name)(I, H), Draw.Cell(name)(I, H), BidirectionalMerge.Sum);
        Draw.Parameters(random, layer.Cells);
        var x = Draw.Sequence(random, T, B, I);
        var dY = Draw.Sequence(random, T, B, H);
        var masks = Draw.Masks(random, layer.Cells, B);
        var cache = layer.Forward(x, lengths: lengths, masks: masks);
        var dX = layer.Backward(cache, dY).DX;
        for (var b = 0; b < B; b++)
        {
            var single = layer.Forward(Views.Sample(x, b, lengths[b]), masks: [.. masks.Select(pair => new VariationalMasks(Row(pair.Input!, b), Row(pair.Hidden!, b)))]);
            Assert.Equal(single.Y.Values, Views.Sample(cache.Y, b, lengths[b]).Values);
            Assert.Equal(layer.Backward(single, Views.Sample(dY, b, lengths[b])).DX.Values, Views.Sample(dX, b, lengths[b]).Values);
        }
    }

    [Fact]
    public void Masks_Throw_WhenShapeDoesNotFit()
    {
        var layer = new Recurrent(new GruCell(I, H));
        var x = new Sequence(T, B, I);
        Throws("one pair of masks per cell, 1, got 0", () => layer.Forward(x, masks: []));
        Throws("[3, 2], got [3, 4]", () => layer.Forward(x, masks: [new(new Matrix(B, H), null)]));
        Throws("[3, 4], got [1, 4]", () => layer.Forward(x, masks: [new(null, new Matrix(1, H))]));
        var cell = new RnnCell(I, H);
        Throws("hiddenSize = 4, got 3", () => cell.Forward(new double[I], cell.ZeroState(), new double[3]));
    }

    static void Throws(string message, Func<object> action) =>
        Assert.Contains(message, Assert.Throws<ArgumentException>(() => { _ = action(); }).Message, StringComparison.Ordinal);

    static void ScaleColumns(Matrix matrix, Matrix mask)
    {
        for (var r = 0; r < matrix.Rows; r++)
        {
            for (var c = 0; c < matrix.Cols; c++)
                matrix[r, c] *= mask[0, c];
        }
    }

    static Matrix Row(Matrix matrix, int b)
    {
        var row = new Matrix(1, matrix.Cols);
        matrix.Row(b).CopyTo(row.Values);
        return row;
    }

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], 1e-12);
    }
}
