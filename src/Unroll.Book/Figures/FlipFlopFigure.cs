using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>The hidden state of a small trained RNN that remembers two bits.</summary>
/// <remarks>
/// Two inputs are 0 but for pulses of ±1, each with probability 0.1 per step; the first step has both. The target of each
/// output is the last pulse of its input. I = 2, H = 8, O = 2, sequences of 60 steps. The task is that of
/// D. Sussillo and O. Barak, "Opening the Black Box", Neural Computation 25 (2013), with three bits.
/// </remarks>
public sealed class FlipFlopFigure : Figure
{
    const int H = 8;
    const int T = 60;
    const int TestRows = 500;
    const int Silence = 1000;
    const double PulseRate = 0.1;

    /// <inheritdoc/>
    public override string Name => "flip-flop";

    /// <inheritdoc/>
    public override (int Width, int Height) Size => (800, 420);

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        using var engine = new Engine(threads: 1);
        var random = new MersenneTwister(1);
        var model = new SequenceModel(new(2, [new RnnOptions(H), new LinearOptions(2)]), engine);
        Initialization.OrthogonalRecurrence.Apply(model, random);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = 20,
            StepsPerEpoch = 100,
            BatchSize = 32,
            LearningRate = new CosineDecay(0.01, length: 20),
            ClipNorm = 1,
        });
        trainer.Fit(new DrawnSequences(T, 2, 2, random, Pulses), random);

        var data = new FigureData();
        var test = new DrawnSequences(T, 2, 2, new MersenneTwister(2), Pulses).Next(TestRows);
        data.Values["mse"] = Error(model, test);
        data.Values["silence"] = ErrorAfterSilence(model);
        Record(model, test, data);

        // The same network without its recurrent weights: what its last step's input alone can tell.
        model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh)).Clear();
        data.Values["mse.cut"] = Error(model, test);
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        string[] keys = [.. data.Series.Keys];
        var values = new double[keys.Length, T];
        for (var row = 0; row < keys.Length; row++)
        {
            for (var t = 0; t < T; t++)
                values[row, t] = data.Series[keys[row]][t];
        }

        return new HeatMap
        {
            Title = japanese ? "二つのビットを覚える RNN の隠れ状態" : "The hidden state of an RNN that remembers two bits",
            XLabel = japanese ? "時刻(0 から数える)" : "Step, counted from 0",
            Values = values,
            RowLabels = keys,
        };
    }

    static void Pulses(MersenneTwister random, Span<float> inputs, Span<float> targets)
    {
        for (var k = 0; k < inputs.Length; k++)
        {
            var first = k < 2;
            inputs[k] = first || random.RandomSample() < PulseRate ? (random.RandomSample() < 0.5 ? -1 : 1) : 0;
            targets[k] = inputs[k] != 0 ? inputs[k] : targets[k - 2];
        }
    }

    static double Error(SequenceModel model, Data.SequenceBatch batch) =>
        new MeanSquaredError().Evaluate(model.CreatePredictor(batch.Steps, batch.BatchSize).Predict(batch.Inputs, batch.Steps, batch.BatchSize), batch, default);

    /// <summary>The largest error of an output after one pulse on each input and many steps without any.</summary>
    static double ErrorAfterSilence(SequenceModel model)
    {
        var worst = 0.0;
        foreach (var (first, second) in new[] { (-1f, -1f), (-1f, 1f), (1f, -1f), (1f, 1f) })
        {
            var inputs = new float[2 * (Silence + 1)];
            (inputs[0], inputs[1]) = (first, second);
            var outputs = model.CreatePredictor(Silence + 1, 1).Predict(inputs, Silence + 1, 1);
            worst = Math.Max(worst, Math.Max(Math.Abs(outputs[^2] - first), Math.Abs(outputs[^1] - second)));
        }

        return worst;
    }

    /// <summary>Inputs, hidden units and outputs of the first test sequence, one row each.</summary>
    static void Record(SequenceModel model, Data.SequenceBatch batch, FigureData data)
    {
        var (x, h, y) = (new double[2, T], new double[H, T], new double[2, T]);
        var stream = model.CreateStream();
        var state = model.CreateState(1);
        var output = new float[2];
        for (var t = 0; t < T; t++)
        {
            var input = batch.Inputs.Slice(t * batch.BatchSize * 2, 2);
            stream.Step(input, output);
            stream.SaveState(state);
            for (var k = 0; k < 2; k++)
                (x[k, t], y[k, t]) = (input[k], output[k]);
            for (var j = 0; j < H; j++)
                h[j, t] = state.Hidden(0)[j];
        }

        void Add(string name, double[,] rows)
        {
            for (var row = 0; row < rows.GetLength(0); row++)
                data.Series[$"{name}{row + 1}"] = [.. Enumerable.Range(0, T).Select(t => rows[row, t])];
        }

        Add("x", x);
        Add("h", h);
        Add("y", y);
    }
}
