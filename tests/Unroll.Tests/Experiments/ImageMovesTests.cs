using Unroll.Data;
using Unroll.Experiments.Images;

namespace Unroll.Tests.Experiments;

public class ImageMovesTests
{
    static readonly ImageSet s_images = new(2, 3, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, new byte[] { 1, 0 }, ["a", "b"], 16);

    [Theory]
    [InlineData(0, 0, new byte[] { 1, 2, 3, 4, 5, 6 }, new byte[] { 7, 8, 9, 10, 11, 12 })]
    [InlineData(1, 0, new byte[] { 0, 0, 0, 1, 2, 3 }, new byte[] { 0, 0, 0, 7, 8, 9 })]
    [InlineData(-1, 0, new byte[] { 4, 5, 6, 0, 0, 0 }, new byte[] { 10, 11, 12, 0, 0, 0 })]
    [InlineData(0, 1, new byte[] { 0, 1, 2, 0, 4, 5 }, new byte[] { 0, 7, 8, 0, 10, 11 })]
    [InlineData(0, -2, new byte[] { 3, 0, 0, 6, 0, 0 }, new byte[] { 9, 0, 0, 12, 0, 0 })]
    [InlineData(1, -1, new byte[] { 0, 0, 0, 2, 3, 0 }, new byte[] { 0, 0, 0, 8, 9, 0 })]
    [InlineData(0, 3, new byte[] { 0, 0, 0, 0, 0, 0 }, new byte[] { 0, 0, 0, 0, 0, 0 })]
    public void Shift_MovesDownAndRight_AndLeavesEmptyWhatMovesIn(int dy, int dx, byte[] first, byte[] second)
    {
        var moved = ImageMoves.Shift(s_images, dy, dx);
        Assert.Equal([.. first, .. second], moved.Pixels.ToArray());
        AssertTheRestIsKept(moved);
    }

    [Fact]
    public void Shift_IsThatOfTheTrainingImages()
    {
        // A source that draws a shift of (dy, dx) shows what Shift(dy, dx) makes.
        var draws = new Unroll.Numerics.MersenneTwister(3);
        var (dy, dx) = (draws.NextInterval(2) - 1, draws.NextInterval(2) - 1);
        Assert.NotEqual((0, 0), (dy, dx));
        var drawn = new SequenceBatch(2, 1, 3, 0);
        new ImageSequenceSource(s_images, 1, new Unroll.Numerics.MersenneTwister(3)).Fill(drawn, [1]);
        var moved = new SequenceBatch(2, 1, 3, 0);
        new ImageSequenceSource(ImageMoves.Shift(s_images, dy, dx)).Fill(moved, [1]);
        Assert.Equal(drawn.Inputs.ToArray(), moved.Inputs.ToArray());
    }

    [Fact]
    public void UpsideDown_PutsTheLastRowFirst_AndTwiceIsNothing()
    {
        var turned = ImageMoves.UpsideDown(s_images);
        Assert.Equal([4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9], turned.Pixels.ToArray());
        AssertTheRestIsKept(turned);
        Assert.Equal(s_images.Pixels.ToArray(), ImageMoves.UpsideDown(turned).Pixels.ToArray());
    }

    static void AssertTheRestIsKept(ImageSet moved)
    {
        Assert.Equal(s_images.Labels.ToArray(), moved.Labels.ToArray());
        Assert.Equal((2, 3, 16), (moved.Rows, moved.Columns, moved.PixelMaximum));
        Assert.Equal(s_images.ClassNames, moved.ClassNames);
    }
}
