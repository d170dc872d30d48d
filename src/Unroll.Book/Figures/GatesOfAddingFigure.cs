using Unroll.Data;
using Unroll.Experiments.Adding;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>The gates of a cell that has learned the adding problem, over one sequence, as a heat map: a row per gate and unit, a column per step.</summary>
/// <remarks>The gates are those of the cell's twin in double precision, with the weights that the engine has learned.</remarks>
public abstract class GatesOfAddingFigure : Figure
{
    private protected const int H = 6;
    private protected const int T = 24;
    const int Updates = 4000;
    const int TestRows = 1000;

    // The marks of the sequence that is shown.
    const int First = 6;
    const int Second = 16;

    /// <inheritdoc/>
    public override (int Width, int Height) Size => (800, 560);

    /// <summary>The layer that learns.</summary>
    private protected abstract RecurrentOptions Layer { get; }

    /// <summary>The letters of the gates, in the order in which they are drawn.</summary>
    private protected abstract IReadOnlyList<string> Gates { get; }

    /// <summary>The values of one gate at one step, [H].</summary>
    private protected abstract double[] Gate(CellCache step, string gate);

    /// <summary>The chart's title.</summary>
    private protected abstract string Title(bool japanese);

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var source = AddingData.Stream(T, new MersenneTwister(100), perEpoch: 1);
        var model = SmallTraining.Run(
            new SequenceModelOptions(source.InputSize, [Layer, new LastStepOptions(), new LinearOptions(1)]), source, seed: 1, Updates, batchSize: 32, rate: 0.01);

        var data = new FigureData();
        (data.Values["hidden"], data.Values["steps"], data.Values["updates"], data.Values["first"], data.Values["second"]) = (H, T, Updates, First, Second);
        data.Values["mse"] = TestError(model);

        var cell = SmallTraining.FirstCell(model);
        var random = new MersenneTwister(7);
        var state = cell.ZeroState();
        var steps = new CellCache[T];
        for (var t = 0; t < T; t++)
        {
            steps[t] = cell.Forward([random.RandomSample(), t is First or Second ? 1 : 0], state);
            state = steps[t].State;
        }

        foreach (var gate in Gates)
        {
            for (var j = 0; j < H; j++)
            {
                double[] opening = [.. steps.Select(step => Gate(step, gate)[j])];
                data.Series[$"{gate}.{j + 1}"] = opening;
                data.Values[$"{gate}.{j + 1}.marked"] = opening.Where((_, t) => t is First or Second).Average();
                data.Values[$"{gate}.{j + 1}.other"] = opening.Where((_, t) => t is not (First or Second)).Average();
            }
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        var values = new double[Gates.Count * H, T];
        var labels = new string[Gates.Count * H];
        for (var row = 0; row < labels.Length; row++)
        {
            var (gate, unit) = (Gates[row / H], (row % H) + 1);
            labels[row] = $"{gate} {unit}";
            for (var t = 0; t < T; t++)
                values[row, t] = data.Series[$"{gate}.{unit}"][t];
        }

        return new HeatMap
        {
            Title = Title(japanese),
            XLabel = japanese ? $"時刻(印は {First} と {Second})" : $"Step (the marks are at {First} and {Second})",
            Values = values,
            RowLabels = labels,
        };
    }

    static double TestError(SequenceModel model)
    {
        var batch = new SequenceBatch(T, TestRows, model.InputSize, 1);
        AddingData.TestSet(T, seed: 1000, TestRows).Fill(batch, [.. Enumerable.Range(0, TestRows)]);
        var y = SmallTraining.Predict(model, batch);
        var sum = 0.0;
        for (var b = 0; b < TestRows; b++)
            sum += Math.Pow(y[b] - batch.Targets[b], 2);
        return sum / TestRows;
    }
}

/// <summary>The input, forget and output gates of an LSTM.</summary>
public sealed class LstmGatesFigure : GatesOfAddingFigure
{
    /// <inheritdoc/>
    public override string Name => "lstm-gates";

    private protected override RecurrentOptions Layer => new Layers.LstmOptions(H);

    private protected override IReadOnlyList<string> Gates { get; } = ["i", "f", "o"];

    private protected override double[] Gate(CellCache step, string gate)
    {
        var lstm = (LstmCache)step;
        return gate == "i" ? lstm.I : gate == "f" ? lstm.F : lstm.O;
    }

    private protected override string Title(bool japanese) =>
        japanese ? "加算問題を学習した LSTM のゲート" : "The gates of an LSTM that has learned the adding problem";
}

/// <summary>The reset and update gates of a GRU.</summary>
public sealed class GruGatesFigure : GatesOfAddingFigure
{
    /// <inheritdoc/>
    public override string Name => "gru-gates";

    private protected override RecurrentOptions Layer => new GruOptions(H);

    private protected override IReadOnlyList<string> Gates { get; } = ["r", "z"];

    private protected override double[] Gate(CellCache step, string gate) => gate == "r" ? ((GruCache)step).R : ((GruCache)step).Z;

    private protected override string Title(bool japanese) =>
        japanese ? "加算問題を学習した GRU のゲート" : "The gates of a GRU that has learned the adding problem";
}
