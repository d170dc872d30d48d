using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;
using Unroll.Training;
using LstmCell = Unroll.Theory.LstmCell;
using LstmOptions = Unroll.Theory.LstmOptions;

namespace Unroll.Book.Figures;

/// <summary>The length of an error on its way back over 1,000 steps: on a carousel, on one that leaks, and in a tanh network.</summary>
/// <remarks>
/// H = 16, I = 1, x_t uniform on [−1, 1), parameters uniform on ±1/√H. The error at the last step is random of length 1: on
/// c for the LSTM, on h for the network, whose recurrent matrix is orthogonal. On the carousel alone the error that leaves
/// through h is dropped at each step, as by Hochreiter and Schmidhuber (1997).
/// </remarks>
public sealed class CecErrorFigure : Figure
{
    const int H = 16;
    const int T = 1000;
    const double Kept = 0.99;

    static readonly int[] s_quoted = [100, T];

    /// <inheritdoc/>
    public override string Name => "cec-error";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        Add("cec", Cell(LstmOptions.ConstantErrorCarousel), carouselOnly: true);
        Add("leaky", Leaky(), carouselOnly: true);
        Add("all", Cell(LstmOptions.ConstantErrorCarousel), carouselOnly: false);
        Add("rnn", Orthogonal(), carouselOnly: false);
        return data;

        void Add(string key, Cell cell, bool carouselOnly)
        {
            var norms = Norms(cell, carouselOnly);
            foreach (var d in s_quoted)
                data.Values[$"{key}.{d}"] = norms[d];
            data.Series[key] = norms;
        }
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        double[] distance = [.. Enumerable.Range(0, T + 1).Select(d => (double)d)];
        return new LineChart
        {
            Title = japanese ? "1000 時刻さかのぼる誤差の大きさ" : "An error on its way back over 1,000 steps",
            XLabel = japanese ? "さかのぼる時刻の数" : "Steps back in time",
            YLabel = japanese ? "誤差の大きさ(最後の時刻で 1)" : "Length of the error, 1 at the last step",
            LogY = true,
            YRange = (1e-16, 1e4),
            Series =
            [
                Curve("cec", japanese ? "CEC(f = 1)" : "carousel, f = 1") with { Width = 3 },
                Curve("leaky", japanese ? "f = 0.99" : "carousel, f = 0.99"),
                Curve("all", japanese ? "f = 1、すべての経路" : "f = 1, all paths") with { Style = SeriesStyle.Dashed },
                Curve("rnn", japanese ? "tanh の RNN(直交行列)" : "tanh RNN, orthogonal"),
            ],
        };

        Series Curve(string key, string name)
        {
            // A curve ends where it has left the chart.
            double[] shown = [.. data.Series[key].TakeWhile(value => value > 1e-18)];
            return new Series(name, distance[..shown.Length], shown);
        }
    }

    static LstmCell Cell(LstmOptions options)
    {
        var cell = new LstmCell(1, H, options);
        var random = new MersenneTwister(1);
        cell.Parameters.Fill(() => random.Uniform(-1 / Math.Sqrt(H), 1 / Math.Sqrt(H)));
        return cell;
    }

    /// <summary>A forget gate that is 0.99 whatever comes: σ(ln(f / (1 − f))) = f.</summary>
    static LstmCell Leaky()
    {
        var cell = Cell(new LstmOptions { InputGate = false, OutputGate = false });
        for (var j = 0; j < H; j++)
        {
            cell.Parameters.WeightIh.Row(j).Clear();
            cell.Parameters.WeightHh.Row(j).Clear();
            (cell.Parameters.BiasIh[j], cell.Parameters.BiasHh[j]) = (Math.Log(Kept / (1 - Kept)), 0);
        }

        return cell;
    }

    static Cell Orthogonal()
    {
        using var engine = new Engine(threads: 1);
        var model = new SequenceModel(new SequenceModelOptions(1, [new RnnOptions(H)]), engine);
        Initialization.OrthogonalRecurrence.Apply(model, new MersenneTwister(1));
        return SmallTraining.FirstCell(model);
    }

    static double[] Norms(Cell cell, bool carouselOnly)
    {
        var random = new MersenneTwister(2);
        var steps = new CellCache[T];
        var state = cell.ZeroState();
        for (var t = 0; t < T; t++)
        {
            steps[t] = cell.Forward([random.Uniform(-1, 1)], state);
            state = steps[t].State;
        }

        var error = cell.ZeroState();
        var carrier = cell.CellSize > 0 ? error.C : error.H;
        for (var j = 0; j < H; j++)
            carrier[j] = random.Uniform(-1, 1);
        var length = Length(error);
        for (var j = 0; j < H; j++)
            carrier[j] /= length;

        var norms = new double[T + 1];
        for (var d = 0; d <= T; d++)
        {
            norms[d] = Length(error);
            if (d == T)
                break;
            error = cell.Backward(steps[T - 1 - d], error, new double[1], cell.CreateGradients());
            if (carouselOnly)
                Array.Clear(error.H);
        }

        return norms;
    }

    static double Length(CellState error) => Math.Sqrt((error.C.Length > 0 ? error.C : error.H).Sum(value => value * value));
}
