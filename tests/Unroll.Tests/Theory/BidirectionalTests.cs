using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class BidirectionalTests
{
    const int T = 5, B = 2, I = 3, H = 4;

    static readonly int[] s_lengths = [3, T];

    static Bidirectional Layer(Random random, BidirectionalMerge merge)
    {
        var layer = new Bidirectional(new LstmCell(I, H), new GruCell(I, H), merge);
        Draw.Parameters(random, layer.Cells);
        return layer;
    }

    /// <summary>The merged output is the merge of the outputs of two separate layers, one of which reads in reverse.</summary>
    [Theory]
    [InlineData(BidirectionalMerge.Sum)]
    [InlineData(BidirectionalMerge.Average)]
    [InlineData(BidirectionalMerge.Product)]
    public void Output_IsMergeOfBothDirections(BidirectionalMerge merge)
    {
        var random = new Random(1);
        var layer = Layer(random, merge);
        var x = Draw.Sequence(random, T, B, I);
        var y = layer.Forward(x, lengths: s_lengths);
        var forward = new Recurrent(layer.Cells[0]).Forward(x, lengths: s_lengths).Y.Values;
        var backward = new Recurrent(layer.Cells[1], reverse: true).Forward(x, lengths: s_lengths).Y.Values;

        Assert.Equal(forward, y.Forward.Y.Values);
        Assert.Equal(backward, y.Backward.Y.Values);
        var expected = forward.Zip(backward, (h, g) => merge switch
        {
            BidirectionalMerge.Sum => h + g,
            BidirectionalMerge.Average => 0.5 * (h + g),
            _ => h * g,
        });
        Assert.Equal(expected, y.Y.Values);
    }

    /// <summary>h→ + h← is (1 1) times (h→, h←), so Sum over Concat weights is the same model: outputs and gradients agree.</summary>
    [Fact]
    public void Sum_EqualsConcat_FollowedByAddition()
    {
        var random = new Random(2);
        var sum = Layer(random, BidirectionalMerge.Sum);
        var concat = new Bidirectional(sum.Cells[0], sum.Cells[1]);
        var x = Draw.Sequence(random, T, B, I);
        var dY = Draw.Sequence(random, T, B, H);
        var dConcat = new Sequence(T, B, 2 * H);
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                dY[t, b].CopyTo(dConcat[t, b]);
                dY[t, b].CopyTo(dConcat[t, b][H..]);
            }
        }

        var expected = concat.Backward(concat.Forward(x), dConcat);
        var actual = sum.Backward(sum.Forward(x), dY);
        Assert.Equal(expected.DX.Values, actual.DX.Values);
        for (var k = 0; k < 2; k++)
            Views.AssertEqual(expected.DParameters[k].Tensors, actual.DParameters[k].Tensors);
    }

    /// <summary>Reading mirrored samples with swapped cells gives the mirrored outputs, whatever the merge: all but Concat are symmetric.</summary>
    [Theory]
    [InlineData(BidirectionalMerge.Sum)]
    [InlineData(BidirectionalMerge.Average)]
    [InlineData(BidirectionalMerge.Product)]
    public void MirroredInputWithSwappedCells_GivesMirroredOutputAndGradient(BidirectionalMerge merge)
    {
        var random = new Random(3);
        var layer = Layer(random, merge);
        var swapped = new Bidirectional(layer.Cells[1], layer.Cells[0], merge);
        var x = Draw.Sequence(random, T, B, I);
        var dY = Draw.Sequence(random, T, B, H);

        var y = layer.Forward(x, lengths: s_lengths);
        var mirrored = swapped.Forward(Views.Mirror(x, s_lengths), lengths: s_lengths);
        Assert.Equal(y.Y.Values, Views.Mirror(mirrored.Y, s_lengths).Values);

        var dX = layer.Backward(y, dY).DX;
        var dMirrored = swapped.Backward(mirrored, Views.Mirror(dY, s_lengths)).DX;
        Assert.Equal(dX.Values, Views.Mirror(dMirrored, s_lengths).Values);
    }

    [Fact]
    public void HiddenSizes_MayDiffer_OnlyForConcat()
    {
        Assert.Equal(2 * H + 1, new Bidirectional(new RnnCell(I, H), new RnnCell(I, H + 1)).OutputSize);
        var error = Assert.Throws<ArgumentException>(() => new Bidirectional(new RnnCell(I, H), new RnnCell(I, H + 1), BidirectionalMerge.Product));
        Assert.Contains("hiddenSize (for Product) 4, got 5", error.Message, StringComparison.Ordinal);
    }
}
