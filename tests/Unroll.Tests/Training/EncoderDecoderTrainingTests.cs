using Unroll.Data;
using Unroll.Formats;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Formats;
using Unroll.Training;

namespace Unroll.Tests.Training;

public sealed class EncoderDecoderTrainingTests(ITestOutputHelper output) : SafetensorsFixture
{
    const int End = 7;

    static readonly AttentionOptions?[] s_attentions = [null, new AdditiveAttentionOptions(6), new MultiplicativeAttentionOptions()];

    /// <summary>Sequences of 2 to <paramref name="longest"/> tokens 0 … 6 and, as targets, the same backwards with an end token.</summary>
    public static TokenPairSource Reversals(int count, int longest, int seed = 1)
    {
        var random = new Random(seed);
        int[][] sources = [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, random.Next(2, longest + 1)).Select(_ => random.Next(7)).ToArray())];
        return new TokenPairSource(sources, [.. sources.Select(tokens => (int[])[.. tokens.Reverse(), End])]);
    }

    [Fact]
    public void Training_LearnsToReverse_WithEveryAttention()
    {
        foreach (var attention in s_attentions)
        {
            var model = Model(attention, new Engine(1));
            var trainer = new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(epochs: 12) with { ClipNorm = 1 });
            var before = trainer.Evaluate(Reversals(100, 3, seed: 2));
            trainer.Train(Reversals(600, 3), new MersenneTwister(1));
            var after = trainer.Evaluate(Reversals(100, 3, seed: 2));
            output.WriteLine($"{attention}: {before:F3} → {after:F3}");
            Assert.True(after < before / 5, $"{attention}: {before} → {after}");

            var generator = model.CreateGenerator(new GenerationOptions { MaxSteps = 5, EndToken = End }, 3, 1);
            int[][] questions = [[3, 5], [1, 0, 6], [2, 2, 4]];
            var right = questions.Count(question => generator.Generate([.. question.Select(token => (float)token)], question.Length, 1)[0][0].Tokens
                .SequenceEqual([.. question.Reverse(), End]));
            Assert.InRange(right, 2, 3);
        }
    }

    [Fact]
    public void Training_GivesTheSameBits_ForEveryKernelAndThreadCount()
    {
        foreach (var attention in s_attentions)
        {
            var expected = TrainedBits(attention, 1, KernelKind.Naive);
            foreach (var (threads, kernel) in new[] { (3, KernelKind.Naive), (2, KernelKind.Vector128), (3, KernelKind.Vector256), (2, KernelKind.Vector512) })
                Assert.Equal(expected, TrainedBits(attention, threads, kernel));
        }

        static float[] TrainedBits(AttentionOptions? attention, int threads, KernelKind kernel)
        {
            using var engine = new Engine(threads, kernel);
            var model = Model(attention, engine, 40);
            var trainer = new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(epochs: 1) with { StepsPerEpoch = 12, TeacherForcing = _ => 0.5 });
            trainer.Train(Reversals(300, 9), new MersenneTwister(5));
            Assert.Equal(threads > 1, TrainerTests.HasSplitWork(engine));
            return model.Parameters.Values.ToArray();
        }
    }

    [Fact]
    public void TeacherForcing_OfOneIsNone_AndOfZeroReadsTheModelsOwnTokens()
    {
        Assert.Equal(Trained(null), Trained(_ => 1));
        Assert.NotEqual(Trained(null), Trained(_ => 0.5));
        Assert.Equal(Trained(_ => 0.5), Trained(_ => 0.5));

        // The schedule is asked for every step's share, in the time of the learning rate.
        var asked = new List<int>();
        Trained(step =>
        {
            asked.Add(step);
            return 0;
        });
        Assert.Equal([0, 0, 0, 1, 1, 1], asked);

        // By hand: one step without a teacher equals a pass with the whole mask.
        var model = Model(null, Kernels.Engine(Kernels.Chosen));
        var before = model.Parameters.Values.ToArray();
        var source = new TokenPairSource([[1, 2, 3]], [[3, 2, 1]]);
        new Trainer(model, new Sgd(model), new SoftmaxCrossEntropy(), Options(epochs: 1) with { LearningRate = new ConstantRate(1), TeacherForcing = _ => 0 }).Train(source, new MersenneTwister(1));
        var byHand = Model(null, Kernels.Engine(Kernels.Chosen));
        before.CopyTo(byHand.Parameters.Values);
        var unrolled = byHand.Unroll(3, 3, 1);
        var batch = new SequenceBatch(3, 1, 1, 0);
        source.Fill(batch, [0]);
        batch.Inputs.CopyTo(unrolled.Source);
        unrolled.Tokens[0] = 8;
        unrolled.Forward(feedback: [0, 1, 1]);
        new SoftmaxCrossEntropy().Evaluate(unrolled.Output, batch, unrolled.OutputGradient);
        unrolled.Backward();
        for (var i = 0; i < before.Length; i++)
            Assert.Equal(before[i] - byHand.Parameters.Gradients[i], model.Parameters.Values[i]);

        static float[] Trained(Func<int, double>? teacherForcing)
        {
            var model = Model(null, Kernels.Engine(Kernels.Chosen));
            var trainer = new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(epochs: 2) with { TeacherForcing = teacherForcing });
            trainer.Train(Reversals(90, 4), new MersenneTwister(1));
            return model.Parameters.Values.ToArray();
        }
    }

    [Fact]
    public void PaddedRows_CountAsOneByOne()
    {
        // The gradient of a batch is the mean of its rows' gradients, weighted by their targets' lengths.
        foreach (var attention in s_attentions)
        {
            var source = Reversals(6, 5);
            var batch = new SequenceBatch(source.MaxSteps, 6, 1, 0);
            var (whole, sum) = (Gradient([0, 1, 2, 3, 4, 5], out _), new double[Model(attention, Kernels.Engine(Kernels.Chosen)).Parameters.Count]);
            var total = 0;
            for (var row = 0; row < 6; row++)
            {
                var gradient = Gradient([row], out var length);
                for (var i = 0; i < sum.Length; i++)
                    sum[i] += length * (double)gradient[i];
                total += length;
            }

            for (var i = 0; i < sum.Length; i++)
                Assert.Equal(sum[i] / total, whole[i], 1e-6);

            float[] Gradient(int[] rows, out int steps)
            {
                var model = Model(attention, Kernels.Engine(Kernels.Chosen));
                source.Fill(batch, rows);
                steps = batch.TargetSteps;
                var pass = TrainingPass.Of(model, new SoftmaxCrossEntropy(), source, 6);
                pass.Forward(rows, training: true, noise: 0, teacherForcing: 1);
                pass.Backward();
                return model.Parameters.Gradients.ToArray();
            }
        }
    }

    [Fact]
    public void Checkpoint_ResumesExactly()
    {
        var whole = Run(null, 4);
        Run(Target, 2);
        Assert.Equal(whole, Run(Target, 4, resume: true));
        Assert.Equal(Model(null, Kernels.Engine(Kernels.Chosen)).Options, ModelFile.LoadEncoderDecoder(Target).Options);

        var other = Model(new MultiplicativeAttentionOptions(), Kernels.Engine(Kernels.Chosen));
        var trainer = new Trainer(other, new Adam(other), new SoftmaxCrossEntropy(), Options(epochs: 4));
        Assert.Contains("another model", Assert.Throws<ModelFileException>(() => trainer.Fit(Reversals(90, 4), new MersenneTwister(1), resumeFrom: Target, cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);

        static float[] Run(string? path, int epochs, bool resume = false)
        {
            var model = Model(null, Kernels.Engine(Kernels.Chosen));
            var trainer = new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(epochs) with { TeacherForcing = _ => 0.8 });
            trainer.Fit(
                Reversals(90, 4), new MersenneTwister(1), callbacks: path is null ? [] : [new CheckpointCallback(path)], resumeFrom: resume ? path : null,
                cancellation: TestContext.Current.CancellationToken);
            return model.Parameters.Values.ToArray();
        }
    }

    [Fact]
    public void Initialization_FillsEveryPart()
    {
        foreach (var attention in s_attentions)
        {
            var model = Model(attention, Kernels.Engine(Kernels.Chosen));
            foreach (var parameter in model.Parameters.All)
                Assert.DoesNotContain(0f, model.Parameters.ValuesOf(parameter).ToArray());
            if (attention is not AdditiveAttentionOptions)
                continue;
            foreach (var role in new[] { ParameterRole.WeightQuery, ParameterRole.WeightKey, ParameterRole.WeightScore })
            {
                // U(−1/√fan-in, 1/√fan-in)
                var parameter = model.Parameters.All.Single(parameter => parameter.Role == role);
                Assert.InRange(model.Parameters.ValuesOf(parameter).ToArray().Max(Math.Abs), 0.5 / Math.Sqrt(parameter.Shape[^1]), 1 / Math.Sqrt(parameter.Shape[^1]));
            }
        }

        var embedding = new SequenceModel(new SequenceModelOptions(1, [new EmbeddingOptions(100, 100)]), Kernels.Engine(Kernels.Chosen));
        Initialization.PyTorch.Apply(embedding, new MersenneTwister(3));
        Assert.Equal(0, embedding.Parameters.Values.ToArray().Average(), 0.05);
        Assert.Equal(1, embedding.Parameters.Values.ToArray().Average(value => value * value), 0.07);
    }

    [Fact]
    public void TokenPairSource_PadsAndWeights()
    {
        var source = new TokenPairSource([[5, 6, 7], [8]], [[1], [2, 3]]);
        Assert.Equal((2, 3, 1, 0), (source.Count, source.MaxSteps, source.InputSize, source.TargetSize));
        var batch = new SequenceBatch(3, 2, 1, 0);
        source.Fill(batch, [0, 1]);
        Assert.Equal((3, 2, 2), (batch.Steps, batch.BatchSize, batch.TargetSteps));
        Assert.Equal([5f, 8, 6, 0, 7, 0], batch.Inputs);
        Assert.Equal([3, 1], batch.Lengths);
        Assert.Equal([1, 2, 0, 3], batch.Labels);
        Assert.Equal([1f, 1, 0, 1], batch.Weights);
        source.Fill(batch, [1]);
        Assert.Equal([8f], batch.Inputs);
        Assert.Equal([2, 3], batch.Labels);

        Check("at least one source and as many targets, got 1 and 2", () => new TokenPairSource([[1]], [[1], [2]]));
        Check("got 0 and 0", () => new TokenPairSource([], []));
        Check("sequence 1 has none", () => new TokenPairSource([[1], []], [[1], [2]]));
        Check("got -3 in sequence 0", () => new TokenPairSource([[1]], [[-3]]));
    }

    [Fact]
    public void BadCalls_SayWhatWasExpected()
    {
        var model = Model(null, Kernels.Engine(Kernels.Chosen));
        Check("teacher forcing of 0 to 1, got 1.5", () => new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(1) with { TeacherForcing = _ => 1.5 }).Fit(Reversals(9, 3), new MersenneTwister(1), cancellation: TestContext.Current.CancellationToken));
        Check("input features", () => new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(1)).Evaluate(new WindowSource(new float[40], 5, WindowTarget.EachNext, 2)));
        var sequence = new SequenceModel(new SequenceModelOptions(1, [new GruOptions(2)]), Kernels.Engine(Kernels.Chosen));
        Check("encoder–decoder only", () => new Trainer(sequence, new Adam(sequence), new MeanSquaredError(), Options(1) with { TeacherForcing = _ => 1 }));
        Check("without feedback", () => new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), Options(1)).Evaluate(new ClosedLoopSource(new float[40], 5, 3)));
    }

    static void Check(string part, Func<object> action) =>
        Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(() => action()).Message, StringComparison.Ordinal);

    static EncoderDecoder Model(AttentionOptions? attention, Engine engine, int hidden = 32)
    {
        var model = new EncoderDecoder(
            new EncoderDecoderOptions(1, [new OneHotOptions(7), new GruOptions(hidden)], [new EmbeddingOptions(9, 8), new GruOptions(hidden)], 8, 8) { Attention = attention }, engine);
        Initialization.PyTorch.Apply(model, new MersenneTwister(3));
        return model;
    }

    static TrainerOptions Options(int epochs) => new() { Epochs = epochs, BatchSize = 30, LearningRate = new ConstantRate(0.01) };
}
