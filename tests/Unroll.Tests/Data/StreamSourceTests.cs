using Unroll.Data;

namespace Unroll.Tests.Data;

public class StreamSourceTests
{
    /// <summary>Step t, feature f is 10·t + f: every number says where it comes from.</summary>
    static float[] Series(int steps, int features = 1) =>
        [.. Enumerable.Range(0, steps * features).Select(i => (10f * (i / features)) + (i % features))];

    /// <summary>26 steps and 2 features in 2 streams of 4 windows of k1 = 3; steps 24 and 25: the last target, and one left over.</summary>
    [Theory]
    [InlineData(3, 0, 0, 3, 3)]
    [InlineData(3, 3, 9, 3, 3)]
    [InlineData(5, 0, 0, 3, 1)] // window 1 reads from step 6 − 5 on
    [InlineData(5, 1, 1, 5, 3)]
    [InlineData(5, 3, 7, 5, 3)]
    [InlineData(8, 1, 0, 6, 1)]
    [InlineData(99, 0, 0, 3, 0)]
    [InlineData(99, 3, 0, 12, 0)]
    public void Window_ReadsBackToK2_AndCountsTheLastK1(int k2, int window, int start, int steps, int carried)
    {
        var source = new StreamSource(Series(26, 2), streams: 2, k1: 3, k2, features: 2);
        Assert.Equal((2, 3, k2, 8, Math.Min(k2, 12)), (source.Streams, source.K1, source.K2, source.Count, source.MaxSteps));
        Assert.Equal((2, 2), (source.InputSize, source.TargetSize));
        var batch = new SequenceBatch(source.MaxSteps, 2, 2, 2);
        source.Fill(batch, [2 * window, (2 * window) + 1]);
        Assert.Equal((steps, 2, steps, carried), (batch.Steps, batch.BatchSize, batch.TargetSteps, batch.CarriedSteps));
        Assert.Equal(steps > 3, !batch.Weights.IsEmpty);
        for (var t = 0; t < steps; t++)
        {
            for (var b = 0; b < 2; b++)
            {
                var step = (12 * b) + start + t;
                Assert.Equal([10f * step, (10f * step) + 1], batch.Inputs.Slice(((t * 2) + b) * 2, 2));
                Assert.Equal([10f * (step + 1), (10f * (step + 1)) + 1], batch.Targets.Slice(((t * 2) + b) * 2, 2));
                if (steps > 3)
                    Assert.Equal(t >= steps - 3 ? 1f : 0f, batch.Weights[(t * 2) + b]);
            }
        }
    }

    [Fact]
    public void Windows_PredictEveryStepOfTheStreamsOnce()
    {
        var source = new StreamSource(Series(31), streams: 3, k1: 2, k2: 5);
        var batch = new SequenceBatch(source.MaxSteps, 3, 1, 1);
        var predicted = new List<float>();
        for (var i = 0; i < source.Count; i += 3)
        {
            source.Fill(batch, [i, i + 1, i + 2]);
            for (var at = 0; at < batch.Targets.Length; at++)
            {
                if (batch.Weights.IsEmpty || batch.Weights[at] == 1)
                    predicted.Add(batch.Targets[at]);
            }
        }

        Assert.Equal(Enumerable.Range(1, 30).Select(t => 10f * t), predicted.Order());
    }

    [Fact]
    public void K2_IsK1_UnlessGiven() => Assert.Equal(4, new StreamSource(Series(9), 2, 4).K2);

    [Fact]
    public void BadArguments_SayWhatWasExpected()
    {
        Check("at least 9 steps for 2 streams of one window of k1 = 4", () => _ = new StreamSource(Series(8), 2, 4));
        Check("at least k1 = 4", () => _ = new StreamSource(Series(9), 2, 4, 3));
        Check("streams", () => _ = new StreamSource(Series(9), 0, 4));
        Check("k1", () => _ = new StreamSource(Series(9), 2, 0));
        Check("finite", () => _ = new StreamSource([1, float.NaN, 3, 4], 1, 1));
        Check("multiple of 2", () => _ = new StreamSource(Series(9), 1, 1, features: 2));
        var source = new StreamSource(Series(20), 2, 3);
        var batch = new SequenceBatch(3, 2, 1, 1);
        Check("got 1 of window 0 and 2 of window 1", () => source.Fill(batch, [1, 2]));
        Check("batch", () => source.Fill(null!, [0, 1]));
        Check("Expected 0 to 3", () => batch.CarriedSteps = 4);
        Check("Expected 0 to 3", () => batch.CarriedSteps = -1);
        batch.CarriedSteps = 1;
        batch.Resize(2, 1, 2);
        Assert.Equal(2, batch.CarriedSteps);

        static void Check(string part, Action action) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
    }
}
