using Unroll.Layers;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>What the start of W_hh means for learning: the loss of a task of memory, for three starts.</summary>
/// <remarks>
/// <see cref="FirstInputTask"/> with T = 60 and an RNN of 32 units, Adam, η = 0.001, gradient clipped at 1. Uniform on ±1/√H and orthogonal
/// with tanh, the identity with relu. Median over 3 seeds of the mean of 20 updates.
/// </remarks>
public sealed class StartsTrainingFigure : Figure
{
    const int Updates = 600;
    const int Window = 20;
    const int Seeds = 3;

    static readonly (string Key, Nonlinearity Nonlinearity, Initialization Start)[] s_starts =
    [
        ("uniform", Nonlinearity.Tanh, Initialization.PyTorch),
        ("orthogonal", Nonlinearity.Tanh, Initialization.OrthogonalRecurrence),
        ("identity", Nonlinearity.Relu, Initialization.IdentityRecurrence),
    ];

    /// <inheritdoc/>
    public override string Name => "starts-training";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, nonlinearity, start) in s_starts)
        {
            var runs = new double[Seeds][];
            for (var seed = 0; seed < Seeds; seed++)
            {
                var (losses, _) = new FirstInputTask
                {
                    Steps = 60,
                    Layer = new RnnOptions(32) { Nonlinearity = nonlinearity },
                    Start = start,
                    Optimizer = model => new Adam(model),
                    LearningRate = 0.001,
                    Clip = 1,
                }.Train(Updates, (uint)seed);
                runs[seed] = [.. losses.Chunk(Window).Select(chunk => chunk.Average())];
            }

            double[] median = [.. Enumerable.Range(0, Updates / Window).Select(n => runs.Select(run => run[n]).Order().ElementAt(Seeds / 2))];
            data.Series[key] = median;
            data.Values[$"{key}.200"] = median[(200 / Window) - 1];
            data.Values[$"{key}.last"] = median[^1];
            data.Values[$"{key}.last-worst"] = runs.Max(run => run[^1]);
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] update = [.. Enumerable.Range(1, Updates / Window).Select(n => (double)n * Window)];
        var names = japanese
            ? new Dictionary<string, string> { ["uniform"] = "一様乱数、tanh", ["orthogonal"] = "直交行列、tanh", ["identity"] = "単位行列、ReLU" }
            : new Dictionary<string, string> { ["uniform"] = "uniform, tanh", ["orthogonal"] = "orthogonal, tanh", ["identity"] = "identity, ReLU" };
        return new LineChart
        {
            Title = japanese ? "60時刻前の入力を覚える課題:W_hh の初期値と学習" : "Remembering an input for 60 steps: the start of W_hh",
            XLabel = japanese ? "更新の回数" : "update",
            YLabel = japanese ? "損失" : "loss",
            LogY = true,
            Series = [.. s_starts.Select(start => new Series(names[start.Key], update, data.Series[start.Key]))],
        };
    }
}
