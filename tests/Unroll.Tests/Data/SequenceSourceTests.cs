using Unroll.Data;

namespace Unroll.Tests.Data;

public class SequenceSourceTests
{
    /// <summary>Step t, feature f is 10·t + f: every number says where it comes from.</summary>
    static float[] Series(int steps, int features) =>
        [.. Enumerable.Range(0, steps * features).Select(i => (10f * (i / features)) + (i % features))];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 4)]
    [InlineData(3, 1)]
    [InlineData(3, 4)]
    public void Window_WithNext_HasOneTargetAfterTheWindow(int features, int window)
    {
        var source = new WindowSource(Series(9, features), window, WindowTarget.Next, features);
        Assert.Equal((9 - window, window, features, features), (source.Count, source.MaxSteps, source.InputSize, source.TargetSize));
        var batch = Filled(source, [0, source.Count - 1, 2, 2]);
        Assert.Equal((window, 4, 1), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        AssertInputs(batch, [0, source.Count - 1, 2, 2]);
        AssertTargets(batch, [0, source.Count - 1, 2, 2], window);
        Assert.True(batch.Weights.IsEmpty);
        Assert.True(batch.Feedback.IsEmpty);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 4)]
    [InlineData(3, 4)]
    public void Window_WithEachNext_HasTheNextValueAfterEveryStep(int features, int window)
    {
        var source = new WindowSource(Series(9, features), window, WindowTarget.EachNext, features);
        int[] indices = [source.Count - 1, 0, 3];
        var batch = Filled(source, indices);
        Assert.Equal((window, 3, window), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        AssertInputs(batch, indices);
        AssertTargets(batch, indices, 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ClosedLoop_FeedsBackAfterTheWarmUp_AndCountsFromItsLastStep(int features)
    {
        const int W = 3, K = 4;
        var source = new ClosedLoopSource(Series(12, features), W, K, features);
        Assert.Equal((12 - W - K + 1, W + K - 1, features, features), (source.Count, source.MaxSteps, source.InputSize, source.TargetSize));
        Assert.Equal((W, K, K), (source.WarmUp, source.MaxHorizon, source.Horizon));
        int[] indices = [0, source.Count - 1, 3];
        var batch = Filled(source, indices);
        Assert.Equal((6, 3, 6), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        AssertInputs(batch, indices);
        AssertTargets(batch, indices, 1);
        for (var row = 0; row < 3; row++)
        {
            Assert.Equal([0, 0, 0, 1, 1, 1], Enumerable.Range(0, 6).Select(t => (int)batch.Feedback[(t * 3) + row]));
            Assert.Equal([0f, 0f, 1f, 1f, 1f, 1f], Enumerable.Range(0, 6).Select(t => batch.Weights[(t * 3) + row]));
        }
    }

    [Fact]
    public void ClosedLoop_GrowsItsHorizon_AndLosesAStartForEachStep()
    {
        var source = new ClosedLoopSource(Series(20, 1), warmUp: 5, maxHorizon: 8);
        var batch = new SequenceBatch(source.MaxSteps, 2, 1, 1);
        for (var horizon = 1; horizon <= 8; horizon++)
        {
            source.Horizon = horizon;
            Assert.Equal(20 - 5 - horizon + 1, source.Count);
            Assert.Equal(12, source.MaxSteps); // the batch is made once, for the largest
            source.Fill(batch, [0, source.Count - 1]);
            Assert.Equal(4 + horizon, batch.Steps);
            Assert.Equal(190f, batch.Targets[^1]); // the last start reaches the end of the series
            Assert.Equal(2 * horizon, batch.Weights.Count(1f));
            Assert.Equal(2 * (horizon - 1), batch.Feedback.Count((byte)1));
        }

        foreach (var horizon in new[] { 0, -1, 9 })
            Assert.Contains("1 to 8", Assert.Throws<ArgumentOutOfRangeException>(() => source.Horizon = horizon).Message, StringComparison.Ordinal);
        Assert.Equal(8, source.Horizon);
    }

    [Fact]
    public void ClosedLoop_WithHorizonOne_ComparesOnePrediction_OfAnOpenLoop()
    {
        var source = new ClosedLoopSource(Series(10, 1), warmUp: 1, maxHorizon: 1);
        var batch = Filled(source, [8]);
        Assert.Equal([80f], batch.Inputs);
        Assert.Equal([90f], batch.Targets);
        Assert.Equal([1f], batch.Weights);
        Assert.Equal([(byte)0], batch.Feedback);
    }

    [Fact]
    public void Source_KeepsItsOwnCopyOfTheSeries()
    {
        var series = Series(5, 1);
        var source = new WindowSource(series, 2);
        Array.Clear(series);
        Assert.Equal([0f, 10f], Filled(source, [0]).Inputs);
        Assert.Equal([20f], Filled(source, [0]).Targets);
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(float.NegativeInfinity, "-Infinity")]
    public void MissingValues_AreRejected_WithTheirPosition(float value, string text)
    {
        var series = Series(10, 3);
        series[(7 * 3) + 2] = value;
        var expected = $"Expected finite numbers, got {text} at step 7, feature 2";
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => new WindowSource(series, 2, features: 3)).Message, StringComparison.Ordinal);
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => new ClosedLoopSource(series, 2, 2, features: 3)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TooShortSeries_SayHowLongTheyMustBe()
    {
        Check("Expected at least 11 steps for a window of 10 and the value after it, got 10", () => _ = new WindowSource(Series(10, 1), 10));
        Check("got 5", () => _ = new WindowSource(Series(5, 2), 5, features: 2));
        Check("Expected at least 2 steps", () => _ = new WindowSource([], 1));
        Check("Expected at least 11 steps for a warm-up of 5 and a horizon of 6, got 10", () => _ = new ClosedLoopSource(Series(10, 1), 5, 6));
        Assert.Equal(1, new WindowSource(Series(11, 1), 10).Count);
        Assert.Equal(1, new ClosedLoopSource(Series(11, 1), 5, 6).Count);

        static void Check(string part, Action action) =>
            Assert.Contains(part, Assert.Throws<ArgumentException>(action).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void BadSizes_AreRejected()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new WindowSource(Series(10, 1), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WindowSource(Series(10, 1), 2, features: 0));
        Assert.Contains(
            "multiple of 3", Assert.Throws<ArgumentException>(() => new WindowSource(Series(10, 1), 2, features: 3)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ClosedLoopSource(Series(10, 1), 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ClosedLoopSource(Series(10, 1), 1, 0));
        Assert.Throws<ArgumentNullException>(() => new WindowSource(Series(10, 1), 2).Fill(null!, [0]));
        Assert.Throws<ArgumentNullException>(() => new ClosedLoopSource(Series(10, 1), 2, 2).Fill(null!, [0]));
    }

    static SequenceBatch Filled(ISequenceSource source, ReadOnlySpan<int> indices)
    {
        var batch = new SequenceBatch(source.MaxSteps, indices.Length + 1, source.InputSize, source.TargetSize);
        source.Fill(batch, indices);
        return batch;
    }

    static void AssertInputs(SequenceBatch batch, int[] starts) =>
        Assert.Equal(Expected(starts, batch.Steps, batch.InputSize, 0), batch.Inputs);

    static void AssertTargets(SequenceBatch batch, int[] starts, int offset) =>
        Assert.Equal(Expected(starts, batch.TargetSteps, batch.TargetSize, offset), batch.Targets);

    static float[] Expected(int[] starts, int steps, int features, int offset) =>
    [
        .. from t in Enumerable.Range(0, steps)
           from start in starts
           from feature in Enumerable.Range(0, features)
           select (10f * (start + t + offset)) + feature,
    ];
}
