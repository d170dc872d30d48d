using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;
using Unroll.Training;
using LstmOptions = Unroll.Layers.LstmOptions;

namespace Unroll.Book.Figures;

/// <summary>How far the engine in float is from the textbook in double, against the number of steps.</summary>
/// <remarks>
/// H = 32, I = 4, B = 2, PyTorch's start, inputs and gradients on all outputs uniform on [−1, 1). The largest difference of
/// any output; and of any parameter's gradient, relative to the largest gradient.
/// </remarks>
public sealed class EngineErrorFigure : Figure
{
    const int H = 32;
    const int I = 4;
    const int B = 2;

    static readonly int[] s_steps = [1, 2, 5, 10, 20, 50, 100, 200, 400];

    static readonly (string Key, RecurrentOptions Options, string Name)[] s_cells =
    [
        ("rnn", new RnnOptions(H), "RNN"),
        ("lstm", new LstmOptions(H), "LSTM"),
        ("gru", new GruOptions(H), "GRU"),
    ];

    /// <inheritdoc/>
    public override string Name => "engine-error";

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        foreach (var (key, options, _) in s_cells)
        {
            var errors = s_steps.Select(T => Errors(options, T)).ToArray();
            data.Values[$"{key}.output.10"] = errors[Array.IndexOf(s_steps, 10)].Output;
            data.Values[$"{key}.output.400"] = errors[^1].Output;
            data.Values[$"{key}.gradient.10"] = errors[Array.IndexOf(s_steps, 10)].Gradient;
            data.Values[$"{key}.gradient.400"] = errors[^1].Gradient;
            data.Series[$"{key}.output"] = [.. errors.Select(error => error.Output)];
            data.Series[$"{key}.gradient"] = [.. errors.Select(error => error.Gradient)];
        }

        data.Values["epsilon"] = Math.Pow(2, -24);
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] steps = [.. s_steps.Select(T => (double)T)];
        return new LineChart
        {
            Title = japanese ? "float のエンジンと倍精度の教科書コードの最大の差" : "The engine in float against the textbook in double: largest difference",
            XLabel = japanese ? "時刻の数 T" : "steps T",
            YLabel = japanese ? "最大の差" : "largest difference",
            LogY = true,
            Series =
            [
                .. s_cells.Select((cell, index) => new Series(japanese ? $"{cell.Name}:出力" : $"{cell.Name}, outputs", steps, data.Series[$"{cell.Key}.output"]) { Color = index }),
                .. s_cells.Select((cell, index) => new Series(japanese ? $"{cell.Name}:勾配(比)" : $"{cell.Name}, gradients (relative)", steps, data.Series[$"{cell.Key}.gradient"])
                {
                    Color = index, Style = SeriesStyle.Dashed,
                }),
            ],
            HorizontalMarkers = [new Marker(data.Values["epsilon"], japanese ? "1 の丸め 2⁻²⁴" : "rounding of 1, 2⁻²⁴")],
        };
    }

    static (double Output, double Gradient) Errors(RecurrentOptions options, int T)
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(new SequenceModelOptions(I, [options]), engine);
        var random = new MersenneTwister(1);
        Initialization.PyTorch.Apply(model, random);

        var unrolled = model.Unroll(T, B);
        foreach (ref var value in unrolled.Input)
            value = (float)random.Uniform(-1, 1);
        unrolled.Forward();
        foreach (ref var value in unrolled.OutputGradient)
            value = (float)random.Uniform(-1, 1);
        var dY = new Sequence(T, B, H, unrolled.OutputGradient);
        var output = unrolled.Output.ToArray();
        model.Parameters.ZeroGradients();
        unrolled.Backward();

        var layer = new Recurrent(SmallTraining.FirstCell(model));
        var forward = layer.Forward(new Sequence(T, B, I, unrolled.Input));
        var backward = layer.Backward(forward, dY);
        double[] exact = [.. backward.DParameters[0].Tensors.SelectMany(tensor => tensor.Values)];
        return (
            Enumerable.Range(0, output.Length).Max(k => Math.Abs(forward.Y.Values[k] - output[k])),
            Enumerable.Range(0, exact.Length).Max(k => Math.Abs(exact[k] - model.Parameters.Gradients[k])) / exact.Max(Math.Abs));
    }
}
