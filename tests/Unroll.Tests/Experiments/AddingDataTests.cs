using Unroll.Data;
using Unroll.Experiments.Adding;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

public sealed class AddingDataTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("unroll-adding-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(250)]
    public void Sequences_HaveOneMarkInEachHalf_AndTheSumOfTheMarkedNumbers(int steps)
    {
        foreach (var source in new[] { AddingData.Stream(steps, new MersenneTwister(3), 500), AddingData.TestSet(steps, 3, 500) })
        {
            Assert.Equal((500, steps, 2, 1), (source.Count, source.MaxSteps, source.InputSize, source.TargetSize));
            var batch = Filled(source, 200);
            Assert.Equal((steps, 200, 1), (batch.Steps, batch.BatchSize, batch.TargetSteps));
            for (var b = 0; b < 200; b++)
            {
                var (values, marks) = Row(batch, b);
                Assert.All(values, value => Assert.InRange(value, 0, 1));
                Assert.All(marks, mark => Assert.True(mark is 0 or 1));
                Assert.Equal(1, marks[..(steps / 2)].Sum());
                Assert.Equal(1, marks[(steps / 2)..].Sum());
                Assert.Equal(values.Zip(marks, (value, mark) => value * mark).Sum(), batch.Targets[b]);
            }
        }
    }

    [Fact]
    public void NumbersAndMarks_AreUniform()
    {
        const int T = 11, N = 20_000;
        var batch = Filled(AddingData.Stream(T, new MersenneTwister(8), N), N);
        double sum = 0, squares = 0, error = 0;
        var places = new int[T];
        for (var b = 0; b < N; b++)
        {
            var (values, marks) = Row(batch, b);
            sum += values.Sum(value => (double)value);
            squares += values.Sum(value => (double)value * value);
            error += Math.Pow(batch.Targets[b] - 1, 2);
            for (var t = 0; t < T; t++)
                places[t] += (int)marks[t];
        }

        // Four standard deviations each: variance of v is 1/12, of v² 4/45, of (v + w − 1)² 1/15 − 1/36.
        Assert.Equal(0.5, sum / (N * T), 4 * Math.Sqrt(1.0 / 12 / (N * T)));
        Assert.Equal(1.0 / 3, squares / (N * T), 4 * Math.Sqrt(4.0 / 45 / (N * T)));
        Assert.Equal(AddingData.ConstantAnswerError, error / N, 4 * Math.Sqrt(((1.0 / 15) - (1.0 / 36)) / N));
        Assert.Equal(1.0 / 6, AddingData.ConstantAnswerError);
        for (var t = 0; t < T; t++)
        {
            var share = t < 5 ? 1 / 5.0 : 1 / 6.0;
            Assert.Equal(N * share, places[t], 4.5 * Math.Sqrt(N * share * (1 - share)));
        }
    }

    [Fact]
    public void Stream_NeverRepeats_WhateverTheIndices()
    {
        var source = AddingData.Stream(6, new MersenneTwister(1), 4);
        var batch = new SequenceBatch(6, 4, 2, 1);
        var seen = new HashSet<string>();
        for (var fill = 0; fill < 500; fill++)
        {
            source.Fill(batch, [0, 0, 3, 1]);
            for (var b = 0; b < 4; b++)
                Assert.True(seen.Add(Text(batch, b)));
        }
    }

    [Fact]
    public void Stream_IsAFunctionOfItsSeed_HoweverItIsCutIntoBatches()
    {
        var (whole, parts) = (AddingData.Stream(9, new MersenneTwister(5), 6), AddingData.Stream(9, new MersenneTwister(5), 6));
        var all = Filled(whole, 6);
        var two = new SequenceBatch(9, 2, 2, 1);
        for (var start = 0; start < 6; start += 2)
        {
            parts.Fill(two, [5, 5]);
            for (var b = 0; b < 2; b++)
                Assert.Equal((Text(all, start + b), all.Targets[start + b]), (Text(two, b), two.Targets[b]));
        }

        Assert.NotEqual(all.Inputs.ToArray(), Filled(AddingData.Stream(9, new MersenneTwister(6), 6), 6).Inputs.ToArray());
    }

    [Fact]
    public void TestSet_GivesAnIndexTheSameSequence_InAnyOrder()
    {
        var source = AddingData.TestSet(9, seed: 11);
        Assert.Equal(10_000, source.Count);
        var batch = new SequenceBatch(9, 3, 2, 1);
        source.Fill(batch, [0, 9_999, 17]);
        var (first, last, middle) = (Text(batch, 0), Text(batch, 1), Text(batch, 2));
        source.Fill(batch, [17, 0, 17]);
        Assert.Equal(middle, Text(batch, 0));
        Assert.Equal(first, Text(batch, 1));
        Assert.Equal(middle, Text(batch, 2));
        Assert.NotEqual(first, last);
        AddingData.TestSet(9, seed: 11).Fill(batch, [9_999]);
        Assert.Equal(last, Text(batch, 0));
        AddingData.TestSet(9, seed: 12).Fill(batch, [9_999]);
        Assert.NotEqual(last, Text(batch, 0));
    }

    [Fact]
    public void TestSet_HasNoSequenceTwice_NorOneOfANeighbouringSeed()
    {
        var seen = new HashSet<string>();
        foreach (var source in new[] { AddingData.TestSet(4, 1), AddingData.TestSet(4, 2) })
        {
            var batch = Filled(source, source.Count);
            for (var b = 0; b < source.Count; b++)
                Assert.True(seen.Add(Text(batch, b)));
        }
    }

    [Fact]
    public void ResumedTraining_SeesTheSequencesOfOneThatNeverStopped()
    {
        var checkpoint = Path.Combine(_folder, "run.safetensors");
        var whole = Train(epochs: 4, generatorSeed: 1);
        Train(epochs: 2, generatorSeed: 1, save: checkpoint);
        Assert.Equal(whole, Train(epochs: 4, generatorSeed: 99, resumeFrom: checkpoint));
        Assert.NotEqual(whole, Train(epochs: 4, generatorSeed: 99));

        static float[] Train(int epochs, uint generatorSeed, string? save = null, string? resumeFrom = null)
        {
            using var engine = new Engine(threads: 1);
            var model = new SequenceModel(new SequenceModelOptions(2, [new RnnOptions(3), new LastStepOptions(), new LinearOptions(1)]), engine);
            Initialization.PyTorch.Apply(model, new MersenneTwister(2));
            var random = new MersenneTwister(generatorSeed);
            var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions { Epochs = epochs, BatchSize = 5, StepsPerEpoch = 3 });
            trainer.Fit(
                AddingData.Stream(8, random, 15), random, callbacks: save is null ? [] : [new CheckpointCallback(save)], resumeFrom: resumeFrom,
                cancellation: TestContext.Current.CancellationToken);
            return model.Parameters.Values.ToArray();
        }
    }

    [Fact]
    public void Stream_AllocatesNothing()
    {
        var source = AddingData.Stream(50, new MersenneTwister(1), 100);
        var batch = Filled(source, 20);
        int[] indices = [.. Enumerable.Range(0, 20)];
        Allocations.AssertNone(() => source.Fill(batch, indices));
    }

    [Fact]
    public void BadArguments_AreRejected()
    {
        Assert.Contains("at least 2 steps", Assert.Throws<ArgumentOutOfRangeException>(() => AddingData.Stream(1, new MersenneTwister(1), 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => AddingData.Stream(5, new MersenneTwister(1), 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => AddingData.TestSet(1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => AddingData.TestSet(5, 1, 0));
    }

    static SequenceBatch Filled(AddingData source, int rows)
    {
        var batch = new SequenceBatch(source.MaxSteps, rows, source.InputSize, source.TargetSize);
        source.Fill(batch, [.. Enumerable.Range(0, rows)]);
        return batch;
    }

    static string Text(SequenceBatch batch, int b)
    {
        var (values, marks) = Row(batch, b);
        return $"{string.Join(' ', values)} | {string.Join(' ', marks)}";
    }

    static (float[] Values, float[] Marks) Row(SequenceBatch batch, int b)
    {
        var inputs = batch.Inputs;
        var (values, marks) = (new float[batch.Steps], new float[batch.Steps]);
        for (var t = 0; t < batch.Steps; t++)
            (values[t], marks[t]) = (inputs[2 * ((t * batch.BatchSize) + b)], inputs[(2 * ((t * batch.BatchSize) + b)) + 1]);
        return (values, marks);
    }
}
