using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>Which inputs an output depends on, of a trained forward network and a trained bidirectional one.</summary>
/// <remarks>
/// <code>
/// target_t = x_{t−2} + x_{t+2},   x_t uniform on [−1, 1), 0 outside the sequence
/// influence(t, s) = mean |∂y_t / ∂x_s|
/// </code>
/// Tanh RNNs with H = 16 in each direction. The mean squared errors are those of fresh sequences of T = 12 steps.
/// </remarks>
public sealed class InfluenceFigure : Figure
{
    const int H = 16;
    const int T = 12;
    const int Distance = 2;
    const int Tests = 4000;

    static readonly (string Key, LayerOptions Reader)[] s_models =
    [
        ("forward", new RnnOptions(H)),
        ("bidirectional", new BidirectionalOptions(new RnnOptions(H))),
    ];

    /// <inheritdoc/>
    public override string Name => "influence";

    /// <inheritdoc/>
    public override (int Width, int Height) Size => (820, 430);

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, reader) in s_models)
        {
            using var engine = new Engine(threads: 1);
            var random = new MersenneTwister(7);
            var model = new SequenceModel(new SequenceModelOptions(1, [reader, new LinearOptions(1)]), engine);
            Initialization.OrthogonalRecurrence.Apply(model, random);
            var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
            {
                Epochs = 30,
                StepsPerEpoch = 50,
                BatchSize = 32,
                LearningRate = new CosineDecay(0.01, length: 30),
                ClipNorm = 1,
            });
            trainer.Fit(new TwoSided(random), random);

            var (error, influence) = Judge(model, new MersenneTwister(99));
            data.Values[$"mse.{key}"] = error;
            data.Values[$"past.{key}"] = influence[T / 2][(T / 2) - Distance];
            data.Values[$"future.{key}"] = influence[T / 2][(T / 2) + Distance];
            for (var t = 0; t < T; t++)
                data.Series[$"{key}.{t}"] = influence[t];
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;

        // Both maps side by side, an empty column between them.
        var map = new double[T, (2 * T) + 1];
        for (var t = 0; t < T; t++)
        {
            for (var s = 0; s < T; s++)
            {
                map[t, s] = data.Series[$"forward.{t}"][s];
                map[t, T + 1 + s] = data.Series[$"bidirectional.{t}"][s];
            }
        }

        string[] steps = [.. Enumerable.Range(0, T).Select(s => $"{s}")];
        return new HeatMap
        {
            Title = japanese ? "出力は何に依るか:順方向RNN(左)と双方向RNN(右)" : "What an output depends on: forward (left), bidirectional (right)",
            XLabel = japanese ? "入力の時刻 s" : "step s of the input",
            YLabel = japanese ? "出力の時刻 t" : "step t of the output",
            Values = map,
            RowLabels = steps,
            ColumnLabels = [.. steps, "", .. steps],
        };
    }

    /// <summary>The mean squared error over fresh sequences, and the influence of each input on each output.</summary>
    static (double Error, double[][] Influence) Judge(SequenceModel model, MersenneTwister random)
    {
        var batch = new SequenceBatch(T, Tests, 1, 1);
        batch.Resize(T, Tests, T);
        TwoSided.Draw(batch, random, row => T);
        var unrolled = model.Unroll(T, Tests);
        batch.Inputs.CopyTo(unrolled.Input);
        unrolled.Forward();
        var error = 0.0;
        for (var k = 0; k < unrolled.Output.Length; k++)
            error += Math.Pow(unrolled.Output[k] - batch.Targets[k], 2);

        var influence = new double[T][];
        for (var t = 0; t < T; t++)
        {
            unrolled.Forward();
            unrolled.OutputGradient.Clear();
            unrolled.OutputGradient.Slice(t * Tests, Tests).Fill(1);
            unrolled.Backward(inputGradient: true);
            influence[t] = new double[T];
            for (var k = 0; k < unrolled.InputGradient.Length; k++)
                influence[t][k / Tests] += Math.Abs((double)unrolled.InputGradient[k]) / Tests;
        }

        return (error / (T * Tests), influence);
    }

    /// <summary>Fresh sequences of 4 to 24 steps.</summary>
    sealed class TwoSided(MersenneTwister random) : ISequenceSource
    {
        const int Shortest = 4;

        public int Count => 1000;

        public int MaxSteps => 24;

        public int InputSize => 1;

        public int TargetSize => 1;

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
        {
            // Padded targets weigh 0, because there are lengths.
            batch.Resize(MaxSteps, indices.Length, MaxSteps, lengths: true);
            Draw(batch, random, row => Shortest + random.NextInterval(MaxSteps - Shortest));
        }

        public static void Draw(SequenceBatch batch, MersenneTwister random, Func<int, int> length)
        {
            batch.Inputs.Clear();
            batch.Targets.Clear();
            var B = batch.BatchSize;
            for (var b = 0; b < B; b++)
            {
                var n = length(b);
                if (!batch.Lengths.IsEmpty)
                    batch.Lengths[b] = n;
                for (var t = 0; t < n; t++)
                    batch.Inputs[(t * B) + b] = (float)random.Uniform(-1, 1);
                for (var t = 0; t < n; t++)
                {
                    batch.Targets[(t * B) + b] =
                        (t >= Distance ? batch.Inputs[((t - Distance) * B) + b] : 0) + (t + Distance < n ? batch.Inputs[((t + Distance) * B) + b] : 0);
                }
            }
        }
    }
}
