using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Tests.Data;

public sealed class ImageSetTests : DataFileFixture
{
    static readonly string[] s_names = ["zero", "one", "two"];

    /// <summary>Image i has the pixels 10·i, 10·i + 1, …: every number says where it comes from.</summary>
    static ImageSet Numbered(byte[] labels, int rows = 2, int columns = 3) => new(
        rows, columns,
        Enumerable.Range(0, labels.Length * rows * columns).Select(p => (byte)((10 * (p / (rows * columns))) + (p % (rows * columns)))).ToArray(),
        labels, s_names);

    [Fact]
    public void Read_JoinsImagesAndLabels()
    {
        var images = Write("images", Gzip(Idx([2, 2, 3], [0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255])));
        var set = ImageSet.Read(images, Write("labels", Idx([2], [2, 0])), s_names);
        Assert.Equal((2, 2, 3, 255), (set.Count, set.Rows, set.Columns, set.PixelMaximum));
        Assert.Equal([0, 1, 2, 3, 4, 5], set.Image(0).ToArray());
        Assert.Equal([250, 251, 252, 253, 254, 255], set.Image(1).ToArray());
        Assert.Equal([2, 0], set.Labels.ToArray());
        Assert.Equal(s_names, set.ClassNames);
    }

    [Theory]
    [InlineData(1, "it holds 1 labels where 2 were expected, one for each image in ")]
    [InlineData(3, "it holds 3 labels where 2 were expected, one for each image in ")]
    public void Read_Refuses_WhenTheCountsDiffer(int labelCount, string message)
    {
        var images = Write("images", Idx([2, 1, 1], [8, 9]));
        var labels = Write("labels", Idx([(uint)labelCount], new byte[labelCount]));
        var problem = Assert.Throws<DataFileException>(() => ImageSet.Read(images, labels, s_names));
        Assert.Contains(message + images, problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, labels);
    }

    [Fact]
    public void Read_Refuses_ALabelWithoutAClass()
    {
        var images = Write("images", Idx([3, 1, 1], [7, 8, 9]));
        var labels = Write("labels", Idx([3], [2, 3, 9]));
        var problem = Assert.Throws<DataFileException>(() => ImageSet.Read(images, labels, s_names));
        Assert.Contains("label 1 is 3 where 0 to 2 was expected", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, labels);
    }

    [Fact]
    public void Read_Refuses_ImagesAndLabelsMixedUp()
    {
        var images = Write("images", Idx([2, 1, 1], [0, 1]));
        var labels = Write("labels", Idx([2], [0, 1]));
        AssertOneLine(Assert.Throws<DataFileException>(() => ImageSet.Read(labels, images, s_names)), images);
    }

    [Fact]
    public void Constructor_RefusesWhatDoesNotFit()
    {
        Fails("at least one image", () => new ImageSet(1, 1, default, default, s_names));
        Fails("Expected 12 pixels for 2 images of 2×3, got 11", () => new ImageSet(2, 3, new byte[11], new byte[2], s_names));
        Fails("Expected pixels of 0 to 16, got 17 in image 1", () => new ImageSet(1, 2, new byte[] { 0, 16, 17, 18 }, new byte[2], s_names, 16));
        Fails("Expected labels of 0 to 2, got 3 for image 1", () => new ImageSet(1, 1, new byte[2], new byte[] { 2, 3 }, s_names));
        Fails("Expected labels of 0 to -1", () => new ImageSet(1, 1, new byte[1], new byte[1], []));
        Fails("rows", () => new ImageSet(0, 1, new byte[1], new byte[1], s_names));
        Fails("columns", () => new ImageSet(1, -1, new byte[1], new byte[1], s_names));
        Fails("Expected 36893488113059364872 pixels", () => new ImageSet(int.MaxValue, int.MaxValue, new byte[1], new byte[8], s_names));

        static void Fails(string message, Func<ImageSet> make) => Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(make).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Image_AndSlice_AreTheImagesAskedFor()
    {
        var set = Numbered([0, 1, 2, 1]);
        var slice = set.Slice(1, 2);
        Assert.Equal((2, 2, 3), (slice.Count, slice.Rows, slice.Columns));
        Assert.Equal([1, 2], slice.Labels.ToArray());
        Assert.Equal(set.Image(2).ToArray(), slice.Image(1).ToArray());
        Assert.Equal([20, 21, 22, 23, 24, 25], slice.Image(1).ToArray());
        Assert.Equal(set.Pixels.ToArray(), set.Slice(0, 4).Pixels.ToArray());
        foreach (var index in new[] { -1, 4 })
            Assert.Throws<ArgumentOutOfRangeException>(() => set.Image(index).Length);
        foreach (var (start, count) in new[] { (-1, 1), (4, 1), (0, 0), (0, 5), (3, 2), (1, int.MaxValue) })
            Assert.Throws<ArgumentOutOfRangeException>(() => set.Slice(start, count));
    }

    [Theory]
    [InlineData(80)]
    [InlineData(50)]
    [InlineData(1)]
    [InlineData(99)]
    public void Split_TakesTheShareOfEachClass_AndLosesNoImage(int percent)
    {
        byte[] labels = [.. Enumerable.Range(0, 250).Select(i => (byte)(i % 7 == 0 ? 0 : i % 2 == 0 ? 1 : 2))];
        var set = new ImageSet(1, 1, Enumerable.Range(0, 250).Select(i => (byte)i).ToArray(), labels, s_names);
        var (first, second) = set.Split(percent, new MersenneTwister(3));
        for (byte label = 0; label < 3; label++)
        {
            var members = labels.AsSpan().Count(label);
            Assert.Equal(members * percent / 100, first.Labels.Count(label));
            Assert.Equal(members - (members * percent / 100), second.Labels.Count(label));
        }

        byte[] all = [.. first.Pixels, .. second.Pixels];
        Assert.Equal(Enumerable.Range(0, 250).Select(i => (byte)i), all.Order());
        foreach (var part in new[] { first, second })
        {
            Assert.Equal(part.Pixels.ToArray().Order(), part.Pixels.ToArray()); // in the order of the set
            for (var i = 0; i < part.Count; i++)
                Assert.Equal(labels[part.Image(i)[0]], part.Labels[i]); // each with its own label
        }
    }

    [Fact]
    public void Split_IsAFunctionOfTheSeed_AndShuffles()
    {
        var set = new ImageSet(1, 1, Enumerable.Range(0, 200).Select(i => (byte)i).ToArray(), new byte[200], s_names);
        byte[] First(uint seed) => set.Split(50, new MersenneTwister(seed)).First.Pixels.ToArray();
        Assert.Equal(First(1), First(1));
        Assert.NotEqual(First(1), First(2));

        // The rule of its documentation, step by step.
        var members = new MersenneTwister(1).Permutation(200);
        Assert.Equal(members[..100].Order().Select(i => (byte)i), First(1));
    }

    [Fact]
    public void Split_Refuses_AShareThatLeavesAPartEmpty()
    {
        var set = Numbered([0, 1, 2]);
        Assert.Contains("gives 0 and 3", Assert.Throws<ArgumentException>(() => set.Split(99, new MersenneTwister(1))).Message, StringComparison.Ordinal);
        foreach (var percent in new[] { 0, 100, -5 })
            Assert.Throws<ArgumentOutOfRangeException>(() => set.Split(percent, new MersenneTwister(1)));
    }

    [Fact]
    public void Source_LaysRowsAsSteps_AndScalesToOne()
    {
        var set = new ImageSet(2, 3, new byte[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16 }, new byte[] { 2, 1 }, s_names, 16);
        var source = new ImageSequenceSource(set);
        Assert.Equal((2, 2, 3, 0, 0), (source.Count, source.MaxSteps, source.InputSize, source.TargetSize, source.MaxShift));
        var batch = Filled(source, [1, 0, 1]);
        Assert.Equal((2, 3, 1), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        Assert.Equal([1, 2, 1], batch.Labels.ToArray());
        float[] expected = [6, 7, 8, /**/ 0, 1, 2, /**/ 6, 7, 8, /* the next step */ 9, 10, 16, /**/ 3, 4, 5, /**/ 9, 10, 16];
        Assert.Equal(expected.Select(pixel => pixel / 16), batch.Inputs.ToArray());
        Assert.True(batch.Weights.IsEmpty && batch.Feedback.IsEmpty && batch.Targets.IsEmpty);
    }

    [Fact]
    public void Source_OverwritesABatch_ThatWasUsedBefore()
    {
        var source = new ImageSequenceSource(Numbered([0, 1]), 1, new MersenneTwister(4));
        var batch = Filled(source, [0, 1, 0]);
        batch.Inputs.Fill(float.NaN);
        batch.Labels.Fill(-1);
        source.Fill(batch, [1, 1]);
        Assert.DoesNotContain(batch.Inputs.ToArray(), float.IsNaN);
        Assert.Equal([1, 1], batch.Labels.ToArray());
    }

    [Fact]
    public void Shifts_MoveTheImage_ByWhatTheGeneratorDraws()
    {
        const int N = 2;
        var set = Numbered([0, 1, 2], rows: 4, columns: 5);
        var source = new ImageSequenceSource(set, N, new MersenneTwister(8));
        var twin = new MersenneTwister(8);
        var seen = new HashSet<(int, int)>();
        for (var fill = 0; fill < 60; fill++)
        {
            int[] indices = [fill % 3, 2, 0];
            var batch = Filled(source, indices);
            for (var b = 0; b < 3; b++)
            {
                var (dy, dx) = (twin.NextInterval(2 * N) - N, twin.NextInterval(2 * N) - N);
                seen.Add((dy, dx));
                for (var t = 0; t < 4; t++)
                {
                    for (var c = 0; c < 5; c++)
                    {
                        var (y, x) = (t - dy, c - dx);
                        var pixel = y is >= 0 and < 4 && x is >= 0 and < 5 ? set.Image(indices[b])[(y * 5) + x] : 0;
                        Assert.Equal(pixel / 255f, batch.Inputs[(((t * 3) + b) * 5) + c]);
                    }
                }
            }
        }

        Assert.Equal(25, seen.Count); // every shift of ±2 in both directions
    }

    [Fact]
    public void Slants_MoveEachRow_ByItsDistanceFromTheMiddle()
    {
        // Six rows of seven: row r moves by dx + round(s·(2.5 − r)), and all of it by dy rows.
        var set = Numbered([0, 1, 2], rows: 6, columns: 7);
        var source = new ImageSequenceSource(set, 1, new MersenneTwister(8), maxSlant: 0.9);
        Assert.Equal(0.9, source.MaxSlant);
        var twin = new MersenneTwister(8);
        var leanings = new HashSet<int>();
        for (var fill = 0; fill < 60; fill++)
        {
            int[] indices = [fill % 3, 2];
            var batch = Filled(source, indices);
            for (var b = 0; b < 2; b++)
            {
                var (dy, dx) = (twin.NextInterval(2) - 1, twin.NextInterval(2) - 1);
                var s = twin.Uniform(-0.9, 0.9);
                leanings.Add((int)Math.Round(2.5 * s));
                var expected = new float[6, 7];
                for (var r = 0; r < 6; r++)
                {
                    for (var c = 0; c < 7; c++)
                    {
                        var (t, place) = (r + dy, c + dx + (int)Math.Round(s * (2.5 - r)));
                        if (t is >= 0 and < 6 && place is >= 0 and < 7)
                            expected[t, place] = set.Image(indices[b])[(r * 7) + c] / 255f;
                    }
                }

                for (var t = 0; t < 6; t++)
                {
                    for (var c = 0; c < 7; c++)
                        Assert.Equal(expected[t, c], batch.Inputs[(((t * 2) + b) * 7) + c]);
                }
            }
        }

        Assert.Equal([-2, -1, 0, 1, 2], leanings.Order());
    }

    [Fact]
    public void Slants_OutOfRange_AreRefused()
    {
        foreach (var slant in new[] { -0.1, 1.1, double.NaN })
            Assert.Equal("maxSlant", Assert.Throws<ArgumentOutOfRangeException>(() => new ImageSequenceSource(Numbered([0]), 0, new MersenneTwister(1), slant)).ParamName);
    }

    [Fact]
    public void Shifts_AreDrawnAnewEachTime_AndOneSeedGivesOneRun()
    {
        var set = Numbered([0, 1, 2], rows: 4, columns: 5);
        float[][] Run(uint seed)
        {
            var source = new ImageSequenceSource(set, 2, new MersenneTwister(seed));
            return [.. Enumerable.Range(0, 5).Select(_ => Filled(source, [0, 1, 2]).Inputs.ToArray())];
        }

        var run = Run(1);
        Assert.Equal(run, Run(1));
        Assert.NotEqual(run, Run(2));
        Assert.Equal(5, run.Select(inputs => string.Join(' ', inputs)).Distinct().Count());
    }

    [Fact]
    public void Shifts_OfZero_LeaveTheImage()
    {
        var set = Numbered([0, 1, 2]);
        Assert.Equal(Filled(new ImageSequenceSource(set), [0, 2]).Inputs, Filled(new ImageSequenceSource(set, 0, new MersenneTwister(1)), [0, 2]).Inputs);
    }

    [Fact]
    public void Shifts_ThatHideTheImage_AreRefused()
    {
        var set = Numbered([0, 1, 2], rows: 4, columns: 3);
        Assert.Equal(2, new ImageSequenceSource(set, 2, new MersenneTwister(1)).MaxShift);
        foreach (var shift in new[] { -1, 3, int.MaxValue })
            Assert.Contains("a shift of 0 to 2 for images of 4×3", Assert.Throws<ArgumentOutOfRangeException>(() => new ImageSequenceSource(set, shift, new MersenneTwister(1))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fill_AllocatesNothing()
    {
        var source = new ImageSequenceSource(Numbered([0, 1, 2], rows: 4, columns: 5), 2, new MersenneTwister(1));
        var batch = Filled(source, [0, 1, 2]);
        int[] indices = [2, 1];
        Allocations.AssertNone(() => source.Fill(batch, indices));
    }

    static SequenceBatch Filled(ImageSequenceSource source, int[] indices)
    {
        var batch = new SequenceBatch(source.MaxSteps, indices.Length, source.InputSize, source.TargetSize);
        source.Fill(batch, indices);
        return batch;
    }
}
