using Unroll.Data;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>How errors grow when a network trained on the teacher's outputs is left to its own.</summary>
/// <remarks>
/// <code>
/// x_t uniform on ±0.5: the angle of a turn
/// target_t = (cos φ_t, sin φ_t),   φ_t = x_1 + … + x_t,   ỹ_0 = (1, 0)
/// </code>
/// So the output shows all that has to be remembered. A recurrence from output to hidden, H = 16, is trained on T = 25
/// steps with teacher forcing, on its own outputs, or with a teacher who speaks at ever fewer steps, all at first and none
/// from half of the training on (scheduled sampling); 2,000 updates each on batches of 32; then it runs over 100 steps of
/// 200 new sequences. Root mean squared distance from the target; geometric mean of 3 seeds.
/// </remarks>
public sealed class ExposureBiasFigure : Figure
{
    const int H = 16;
    const int TrainingSteps = 25;
    const int TestSteps = 100;
    const int TestRows = 200;
    const int BatchSize = 32;
    const int Seeds = 3;
    const int Epochs = 20;
    const int UpdatesPerEpoch = 100;

    // The share of steps at which the teacher speaks, over a training that runs from 0 to 1.
    static readonly (string Key, Func<double, double> TeacherForcing)[] s_trainings =
    [
        ("forced", _ => 1),
        ("scheduled", progress => Math.Max(0, 1 - (2 * progress))),
        ("free", _ => 0),
    ];

    /// <inheritdoc/>
    public override string Name => "exposure-bias";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        using var engine = new Engine(threads: 1);
        var data = new FigureData();
        var test = new DrawnSequences(TestSteps, 1, 2, new MersenneTwister(1000), Heading).Next(TestRows);
        foreach (var (key, teacherForcing) in s_trainings)
        {
            var free = new double[Seeds][];
            var taught = new double[Seeds][];
            for (var seed = 0; seed < Seeds; seed++)
            {
                var network = Trained(engine, teacherForcing, (uint)(seed + 1));
                free[seed] = Distances(network.Run(test, teacherForcing: false), test);
                taught[seed] = Distances(network.Run(test, teacherForcing: true), test);
            }

            data.Series[key] = GeometricMean(free);
            data.Series[$"{key}.taught"] = GeometricMean(taught);
            foreach (var t in new[] { 1, 10, 25, 100 })
            {
                data.Values[$"{key}.{t}"] = data.Series[key][t - 1];
                data.Values[$"{key}.taught.{t}"] = data.Series[$"{key}.taught"][t - 1];
            }

            data.Values[$"{key}.100.worst"] = free.Max(distances => distances[^1]);
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] step = [.. Enumerable.Range(1, TestSteps).Select(t => (double)t)];
        return new LineChart
        {
            Title = japanese ? "教師がいなくなったあとの誤差" : "The error once the teacher has gone",
            XLabel = japanese ? "時刻 t" : "Step t",
            YLabel = japanese ? "正解からの距離(RMS)" : "Distance from the target (RMS)",
            LogY = true,
            Series =
            [
                new(japanese ? "教師強制で学習、教師のまま" : "teacher forcing, tested with the teacher", step, data.Series["forced.taught"]) { Style = SeriesStyle.Dashed, Color = 0 },
                new(japanese ? "教師強制で学習、自走" : "teacher forcing, tested free running", step, data.Series["forced"]) { Color = 0 },
                new(japanese ? "教師を減らしながら学習、自走" : "teacher withdrawn, tested free running", step, data.Series["scheduled"]) { Color = 2 },
                new(japanese ? "自走で学習、自走" : "free running, tested free running", step, data.Series["free"]) { Color = 1 },
            ],
            VerticalMarkers = [new(TrainingSteps, japanese ? "学習の長さ" : "length in training")],
        };
    }

    static void Heading(MersenneTwister random, Span<float> inputs, Span<float> targets)
    {
        var (cos, sin) = (1.0, 0.0);
        for (var t = 0; t < inputs.Length; t++)
        {
            var turn = random.Uniform(-0.5, 0.5);
            var (sinTurn, cosTurn) = SineAndCosine(turn);
            (cos, sin) = ((cos * cosTurn) - (sin * sinTurn), (sin * cosTurn) + (cos * sinTurn));
            inputs[t] = (float)turn;
            (targets[2 * t], targets[(2 * t) + 1]) = ((float)cos, (float)sin);
        }
    }

    /// <summary>Of an angle within ±0.5, by its power series, so that the last bit does not depend on the system's library.</summary>
    static (double Sine, double Cosine) SineAndCosine(double angle)
    {
        // The next terms, 0.5¹³/13! and 0.5¹²/12!, are below 1e-12.
        var (sine, cosine, term) = (0.0, 0.0, 1.0);
        for (var n = 0; n < 12; n++)
        {
            if (n % 2 == 0)
                cosine += n % 4 == 0 ? term : -term;
            else
                sine += n % 4 == 1 ? term : -term;
            term *= angle / (n + 1);
        }

        return (sine, cosine);
    }

    static OutputRecurrentNetwork Trained(Engine engine, Func<double, double> teacherForcing, uint seed)
    {
        var random = new MersenneTwister(seed);
        var network = new OutputRecurrentNetwork(1, H, 2, TestSteps, TestRows, engine, random) { InitialOutput = [1, 0] };
        var training = new DrawnSequences(TrainingSteps, 1, 2, random, Heading);
        var rate = new CosineDecay(0.01, length: Epochs);
        for (var update = 0; update < Epochs * UpdatesPerEpoch; update++)
        {
            var epoch = update / UpdatesPerEpoch;
            network.Train(training.Next(BatchSize), teacherForcing((double)epoch / (Epochs - 1)), random, rate.Rate(epoch));
        }

        return network;
    }

    /// <summary>√(mean over rows of |y_t − target_t|²), [T].</summary>
    static double[] Distances(float[] outputs, SequenceBatch batch)
    {
        var distances = new double[batch.Steps];
        var perStep = batch.BatchSize * 2;
        for (var t = 0; t < batch.Steps; t++)
        {
            var sum = 0.0;
            for (var k = t * perStep; k < (t + 1) * perStep; k++)
                sum += ((double)outputs[k] - batch.Targets[k]) * ((double)outputs[k] - batch.Targets[k]);
            distances[t] = Math.Sqrt(sum / batch.BatchSize);
        }

        return distances;
    }

    static double[] GeometricMean(double[][] seeds) =>
        [.. Enumerable.Range(0, seeds[0].Length).Select(t => Math.Exp(seeds.Average(distances => Math.Log(distances[t]))))];
}
