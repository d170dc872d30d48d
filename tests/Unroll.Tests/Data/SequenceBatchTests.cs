using Unroll.Data;

namespace Unroll.Tests.Data;

public class SequenceBatchTests
{
    [Fact]
    public void FreshBatch_HasItsLargestSize_WithoutWeightsAndFeedback()
    {
        var batch = new SequenceBatch(5, 4, 3, 2);
        Assert.Equal((5, 4, 5), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        Assert.Equal((5, 4, 3, 2), (batch.MaxSteps, batch.MaxBatch, batch.InputSize, batch.TargetSize));
        Assert.Equal((60, 40, 20), (batch.Inputs.Length, batch.Targets.Length, batch.Labels.Length));
        Assert.True(batch.Weights.IsEmpty);
        Assert.True(batch.Feedback.IsEmpty);
    }

    [Fact]
    public void Resize_SetsEveryLength()
    {
        var batch = new SequenceBatch(5, 4, 3, 2);
        batch.Resize(3, 2, 1, weights: true, feedback: true);
        Assert.Equal((3, 2, 1), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        Assert.Equal((18, 4, 2), (batch.Inputs.Length, batch.Targets.Length, batch.Labels.Length));
        Assert.Equal((2, 6), (batch.Weights.Length, batch.Feedback.Length));

        batch.Resize(5, 4, 5);
        Assert.Equal((60, 40), (batch.Inputs.Length, batch.Targets.Length));
        Assert.True(batch.Weights.IsEmpty); // off until asked for again
        Assert.True(batch.Feedback.IsEmpty);
    }

    [Fact]
    public void Resize_ReusesTheMemory()
    {
        var batch = new SequenceBatch(5, 4, 3, 2);
        batch.Inputs[0] = 7;
        batch.Resize(1, 1, 1);
        Assert.Equal([7f, 0f, 0f], batch.Inputs);
        batch.Resize(5, 4, 5);
        Assert.Equal(7f, batch.Inputs[0]);
    }

    [Theory]
    [InlineData(0, 1, 1, "steps", 5)]
    [InlineData(6, 1, 1, "steps", 5)]
    [InlineData(1, 0, 1, "batchSize", 4)]
    [InlineData(1, 5, 1, "batchSize", 4)]
    [InlineData(1, 1, 0, "targetSteps", 5)]
    [InlineData(1, 1, 6, "targetSteps", 5)]
    public void Resize_RejectsWhatDoesNotFit_AndKeepsItsSize(int steps, int batchSize, int targetSteps, string name, int maximum)
    {
        var batch = new SequenceBatch(5, 4, 3, 2);
        batch.Resize(2, 2, 2);
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => batch.Resize(steps, batchSize, targetSteps));
        Assert.Equal(name, exception.ParamName);
        Assert.Contains($"Expected 1 to {maximum}", exception.Message, StringComparison.Ordinal);
        Assert.Equal((2, 2, 2), (batch.Steps, batch.BatchSize, batch.TargetSteps));
    }

    [Fact]
    public void BadSizes_AreRejected()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new SequenceBatch(0, 1, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SequenceBatch(1, 0, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SequenceBatch(1, 1, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SequenceBatch(1, 1, 1, -1));
        Assert.Throws<OverflowException>(() => new SequenceBatch(100_000, 100_000, 1, 1));
        Assert.True(new SequenceBatch(2, 3, 1, 0).Targets.IsEmpty); // labels only
    }
}
