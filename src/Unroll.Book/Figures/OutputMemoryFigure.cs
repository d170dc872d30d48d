using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>What a recurrence between hidden units can learn and one from the output cannot, and the other way round.</summary>
/// <remarks>
/// Inputs are random signs x_t = ±1, T = 15.
/// <code>
/// echo:    target_t = x_{t−3}, 0 before          what has to be remembered is not in the output
/// parity:  target_t = x_1 · x_2 · … · x_t        what has to be remembered is the output
/// </code>
/// H = 16 in all networks; 2,000 updates on batches of 32 new sequences; mean squared error of 500 others, the networks
/// running on their own outputs; 5 seeds.
/// </remarks>
public sealed class OutputMemoryFigure : Figure
{
    const int H = 16;
    const int T = 15;
    const int Delay = 3;
    const int Seeds = 5;
    const int Epochs = 20;
    const int UpdatesPerEpoch = 100;
    const int BatchSize = 32;
    const int TestRows = 500;
    const double Rate = 0.01;

    static readonly (string Key, SequenceDraw Draw)[] s_tasks = [("echo", Echo), ("parity", Parity)];

    static readonly string[] s_networks = ["hidden", "forced", "free"];

    /// <inheritdoc/>
    public override string Name => "output-memory";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        using var engine = new Engine(threads: 1);
        var data = new FigureData();
        foreach (var (task, draw) in s_tasks)
        {
            var test = new DrawnSequences(T, 1, 1, new MersenneTwister(1000), draw).Next(TestRows);
            foreach (var network in s_networks)
            {
                double[] errors = [.. Enumerable.Range(1, Seeds).Select(seed => network == "hidden"
                    ? Hidden(engine, draw, test, (uint)seed)
                    : Output(engine, draw, test, (uint)seed, network == "forced" ? 1 : 0)).Order()];
                data.Values[$"{task}.{network}.median"] = errors[Seeds / 2];
                data.Values[$"{task}.{network}.best"] = errors[0];
                data.Values[$"{task}.{network}.worst"] = errors[^1];
            }
        }

        data.Values["echo.leak"] = BestLeak();
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        string[] names = japanese
            ? ["隠れ→隠れ", "出力→隠れ(教師強制)", "出力→隠れ(自走)"]
            : ["hidden to hidden", "output to hidden, teacher forcing", "output to hidden, free running"];
        return new HeatMap
        {
            Title = japanese ? "平均二乗誤差(5 シードの中央値)" : "Mean squared error, median of 5 seeds",
            Values = new double[,]
            {
                { Median("echo", 0), Median("parity", 0) },
                { Median("echo", 1), Median("parity", 1) },
                { Median("echo", 2), Median("parity", 2) },
            },
            RowLabels = names,
            ColumnLabels = japanese ? ["反響 x(t−3)", "パリティ"] : ["echo of x(t−3)", "parity"],
            ShowValues = true,
        };

        double Median(string task, int network) => data.Values[$"{task}.{s_networks[network]}.median"];
    }

    /// <summary>The least error of y_t = α x_t + β y_{t−1} on the echo, y_0 = 0, over all α and β, in steps of 1/200.</summary>
    static double BestLeak()
    {
        var best = 1.0;
        for (var alpha = 0.0; alpha < 1; alpha += 0.005)
        {
            for (var beta = 0.0; beta < 1; beta += 0.005)
            {
                var (error, square, weight) = (0.0, 0.0, alpha * alpha);
                for (var t = 1; t <= T; t++)
                {
                    square += weight; // E y_t² = α² (1 + β² + … + β^(2t−2))
                    weight *= beta * beta;
                    error += t <= Delay ? square : 1 - (2 * alpha * beta * beta * beta) + square;
                }

                best = Math.Min(best, error / T);
            }
        }

        return best;
    }

    static void Echo(MersenneTwister random, Span<float> inputs, Span<float> targets)
    {
        Signs(random, inputs);
        for (var t = 0; t < T; t++)
            targets[t] = t < Delay ? 0 : inputs[t - Delay];
    }

    static void Parity(MersenneTwister random, Span<float> inputs, Span<float> targets)
    {
        Signs(random, inputs);
        for (var t = 0; t < T; t++)
            targets[t] = t == 0 ? inputs[t] : targets[t - 1] * inputs[t];
    }

    static void Signs(MersenneTwister random, Span<float> signs)
    {
        foreach (ref var sign in signs)
            sign = random.RandomSample() < 0.5 ? -1 : 1;
    }

    static double Hidden(Engine engine, SequenceDraw draw, SequenceBatch test, uint seed)
    {
        var random = new MersenneTwister(seed);
        var model = new SequenceModel(new(1, [new RnnOptions(H), new LinearOptions(1)]), engine);
        Initialization.PyTorch.Apply(model, random);
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = Epochs,
            StepsPerEpoch = UpdatesPerEpoch,
            BatchSize = BatchSize,
            LearningRate = new CosineDecay(Rate, length: Epochs),
            ClipNorm = 1,
        });
        trainer.Fit(new DrawnSequences(T, 1, 1, random, draw), random);
        return Error(model.CreatePredictor(T, TestRows).Predict(test.Inputs, T, TestRows), test);
    }

    static double Output(Engine engine, SequenceDraw draw, SequenceBatch test, uint seed, double teacherForcing)
    {
        var random = new MersenneTwister(seed);
        var network = new OutputRecurrentNetwork(1, H, 1, T, TestRows, engine, random);
        var training = new DrawnSequences(T, 1, 1, random, draw);
        var rate = new CosineDecay(Rate, length: Epochs);
        for (var update = 0; update < Epochs * UpdatesPerEpoch; update++)
            network.Train(training.Next(BatchSize), teacherForcing, random, rate.Rate(update / UpdatesPerEpoch));
        return Error(network.Run(test, teacherForcing: false), test);
    }

    static double Error(float[] outputs, SequenceBatch batch) => new MeanSquaredError().Evaluate(outputs, batch, default);
}
