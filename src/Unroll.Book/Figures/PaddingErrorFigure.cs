using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>What padding does to a bidirectional network that is told the lengths of the rows, and to one that is not.</summary>
/// <remarks>
/// <code>
/// target_t = (x_t + … + x_{n−1}) / 6,   x_t uniform on [0, 1)
/// </code>
/// Bidirectional GRUs with H = 16, trained on rows of 4 to 24 steps, padded with 0 to 24. The errors are those of 200 rows
/// of n = 12 steps, padded with 0 to n + padding steps.
/// </remarks>
public sealed class PaddingErrorFigure : Figure
{
    const int H = 16;
    const int LongestRow = 24;
    const int TestSteps = 12;
    const int Tests = 200;
    const double Scale = 6;

    static readonly int[] s_paddings = [0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 32, 40, 48];

    // How it was trained, and how it is asked.
    static readonly (string Key, bool Trained, bool Asked)[] s_ways = [("both", true, true), ("trained", true, false), ("neither", false, false)];

    /// <inheritdoc/>
    public override string Name => "padding-error";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        var trained = new Dictionary<bool, SequenceModel> { [true] = Train(withLengths: true), [false] = Train(withLengths: false) };
        foreach (var (key, training, asked) in s_ways)
        {
            var alone = Answer(trained[training], 0, asked);
            double[][] answers = [.. s_paddings.Select(padding => Answer(trained[training], padding, asked))];
            double[] errors = [.. answers.Select(Error)];
            data.Series[key] = errors;
            foreach (var padding in new[] { 0, 4, 12, 48 })
                data.Values[$"rmse.{key}.{padding}"] = errors[Array.IndexOf(s_paddings, padding)];
            data.Values[$"change.{key}"] = answers.Max(answer => answer.Zip(alone, (padded, single) => Math.Abs(padded - single)).Max());
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        var names = japanese
            ? new Dictionary<string, string> { ["both"] = "学習も推論も長さを渡す", ["trained"] = "学習だけ長さを渡す", ["neither"] = "どちらも長さを渡さない" }
            : new Dictionary<string, string> { ["both"] = "lengths in training and use", ["trained"] = "lengths in training only", ["neither"] = "no lengths at all" };
        return new LineChart
        {
            Title = japanese ? "パディングと双方向GRUの誤差(長さ 12 の系列)" : "Padding and the error of a bidirectional GRU, rows of 12 steps",
            XLabel = japanese ? "パディングのステップ数" : "steps of padding behind the row",
            YLabel = japanese ? "RMSE" : "root mean squared error",
            LogY = true,
            Series = [.. s_ways.Select(way => new Series(names[way.Key], [.. s_paddings.Select(padding => (double)padding)], data.Series[way.Key]) { Width = 2 })],
        };
    }

    static SequenceModel Train(bool withLengths)
    {
        var random = new MersenneTwister(7);
        var model = new SequenceModel(new SequenceModelOptions(1, [new BidirectionalOptions(new GruOptions(H)), new LinearOptions(1)]), new Engine(threads: 1));
        Initialization.OrthogonalRecurrence.Apply(model, random);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = 30,
            StepsPerEpoch = 50,
            BatchSize = 32,
            LearningRate = new CosineDecay(0.01, length: 30),
            ClipNorm = 1,
        });
        trainer.Fit(new RemainingSums(random, withLengths), random);
        return model;
    }

    /// <summary>The answers at the valid steps, [n, B].</summary>
    static double[] Answer(SequenceModel model, int padding, bool withLengths)
    {
        var T = TestSteps + padding;
        var x = new float[T * Tests];
        Rows().CopyTo(x.AsSpan());
        var y = new float[T * Tests];
        int[] lengths = [.. Enumerable.Repeat(TestSteps, Tests)];
        model.CreatePredictor(T, Tests).Predict(x, T, Tests, y, lengths: withLengths ? lengths : default(ReadOnlySpan<int>));
        return [.. y.Take(TestSteps * Tests).Select(value => (double)value)];
    }

    static double Error(double[] answers)
    {
        var x = Rows();
        var sum = 0.0;
        for (var b = 0; b < Tests; b++)
        {
            var target = 0.0;
            for (var t = TestSteps - 1; t >= 0; t--)
            {
                target += x[(t * Tests) + b] / Scale;
                sum += Math.Pow(answers[(t * Tests) + b] - target, 2);
            }
        }

        return Math.Sqrt(sum / answers.Length);
    }

    /// <summary>The rows to be judged by, [n, B].</summary>
    static float[] Rows()
    {
        var random = new MersenneTwister(99);
        return [.. Enumerable.Range(0, TestSteps * Tests).Select(_ => (float)random.Uniform(0, 1))];
    }

    /// <summary>Fresh rows, padded with 0; padded targets have weight 0 in every case.</summary>
    sealed class RemainingSums(MersenneTwister random, bool withLengths) : ISequenceSource
    {
        const int Shortest = 4;

        public int Count => 1000;

        public int MaxSteps => LongestRow;

        public int InputSize => 1;

        public int TargetSize => 1;

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
        {
            var B = indices.Length;
            batch.Resize(MaxSteps, B, MaxSteps, weights: true, lengths: withLengths);
            batch.Inputs.Clear();
            batch.Targets.Clear();
            batch.Weights.Clear();
            for (var b = 0; b < B; b++)
            {
                var n = Shortest + random.NextInterval(MaxSteps - Shortest);
                if (withLengths)
                    batch.Lengths[b] = n;
                var sum = 0.0;
                for (var t = n - 1; t >= 0; t--)
                {
                    var x = (float)random.Uniform(0, 1);
                    sum += x / Scale;
                    (batch.Inputs[(t * B) + b], batch.Targets[(t * B) + b], batch.Weights[(t * B) + b]) = (x, (float)sum, 1);
                }
            }
        }
    }
}
