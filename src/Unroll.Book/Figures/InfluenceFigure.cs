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
/// </code>
/// Tanh RNNs with H = 16 in each direction. The errors are those of 4000 fresh sequences of T = 12 steps, the influence is
/// <see cref="Microscope.Influence"/> over 50 of such.
/// </remarks>
public sealed class InfluenceFigure : Figure
{
    const int H = 16;
    const int T = 12;
    const int Distance = 2;

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
            trainer.Fit(new TwoSided(random, 4, 24), random);

            data.Values[$"mse.{key}"] = trainer.Evaluate(new TwoSided(new MersenneTwister(99), T, T));
            var batch = new SequenceBatch(T, 50, 1, 1);
            new TwoSided(new MersenneTwister(98), T, T).Fill(batch, new int[50]);
            var influence = Microscope.Influence(model, batch);
            data.Values[$"past.{key}"] = influence[T / 2, (T / 2) - Distance];
            data.Values[$"future.{key}"] = influence[T / 2, (T / 2) + Distance];
            for (var t = 0; t < T; t++)
                data.Series[$"{key}.{t}"] = [.. Enumerable.Range(0, T).Select(s => influence[t, s])];
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

    /// <summary>Fresh sequences, each of a length from the shortest to the longest.</summary>
    sealed class TwoSided(MersenneTwister random, int shortest, int longest) : ISequenceSource
    {
        public int Count => 4000;

        public int MaxSteps => longest;

        public int InputSize => 1;

        public int TargetSize => 1;

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
        {
            // Padded targets weigh 0, because there are lengths.
            var B = indices.Length;
            batch.Resize(longest, B, longest, lengths: true);
            batch.Inputs.Clear();
            batch.Targets.Clear();
            for (var b = 0; b < B; b++)
            {
                var n = shortest + random.NextInterval(longest - shortest);
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
