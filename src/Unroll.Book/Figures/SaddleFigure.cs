using System.Globalization;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>The saddle between exploding and vanishing: the size of a gradient d steps back against the spectral radius of W_hh.</summary>
/// <remarks>
/// <code>
/// log10 ‖∂L/∂h_{T−d}‖ / ‖∂L/∂h_T‖
/// </code>
/// H = 32, W_hh normal and scaled to the spectral radius, ∂L/∂h_T random; geometric mean over 5 draws. The same draws for every radius.
/// </remarks>
public abstract class SaddleFigure : Figure
{
    private protected const int H = 32;
    const int Distance = 100;
    const int DistanceStep = 5;
    const int Draws = 5;
    const int LeastRadius = 10, GreatestRadius = 30; // in twentieths

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        for (var twentieths = GreatestRadius; twentieths >= LeastRadius; twentieths--)
        {
            var row = new double[(Distance / DistanceStep) + 1];
            for (var draw = 0; draw < Draws; draw++)
            {
                var random = new MersenneTwister((uint)draw);
                var start = new Matrix(H, H);
                foreach (ref var value in start.Values.AsSpan())
                    value = random.Normal();
                var back = StepsBack(start.Scaled(twentieths / 20.0 / Spectrum.Radius(start)), Distance, random);
                var gradient = new double[H];
                random.Uniform(-1, 1, gradient);
                var first = Norm(gradient);
                for (var d = 0; d <= Distance; d++)
                {
                    if (d % DistanceStep == 0)
                        row[d / DistanceStep] += Math.Log10(Norm(gradient) / first) / Draws;
                    if (d < Distance)
                        gradient = back(d, gradient);
                }
            }

            data.Series[Key(twentieths)] = row;
            foreach (var d in new[] { 50, 100 })
                data.Values[$"{Key(twentieths)}.{d}"] = Math.Pow(10, row[d / DistanceStep]);
        }

        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        int[] radii = [.. Enumerable.Range(LeastRadius, GreatestRadius - LeastRadius + 1).Reverse()];
        var values = new double[radii.Length, (Distance / DistanceStep) + 1];
        for (var row = 0; row < radii.Length; row++)
        {
            for (var column = 0; column < values.GetLength(1); column++)
                values[row, column] = data.Series[Key(radii[row])][column];
        }

        return new HeatMap
        {
            Title = Title(japanese),
            XLabel = japanese ? "さかのぼる時刻の数 d" : "Steps back in time, d",
            YLabel = japanese ? "W_hh のスペクトル半径" : "Spectral radius of W_hh",
            Values = values,
            RowLabels = [.. radii.Select(radius => (radius / 20.0).ToString("0.00", CultureInfo.InvariantCulture))],
            ColumnLabels = [.. Enumerable.Range(0, values.GetLength(1)).Select(column => (column * DistanceStep).ToString(CultureInfo.InvariantCulture))],
        };
    }

    private protected abstract string Title(bool japanese);

    /// <summary>Takes a gradient from step T − d to the one before, for d = 0, 1, ….</summary>
    private protected abstract Func<int, double[], double[]> StepsBack(Matrix weights, int distance, MersenneTwister random);

    static string Key(int twentieths) => string.Create(CultureInfo.InvariantCulture, $"r{twentieths / 20.0:0.00}");

    static double Norm(double[] v) => Math.Sqrt(v.Sum(value => value * value));
}

/// <summary>The saddle of a linear recurrence, h_t = W h_{t−1}: every Jacobian is W.</summary>
public sealed class SaddleLinearFigure : SaddleFigure
{
    /// <inheritdoc/>
    public override string Name => "saddle-linear";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    private protected override string Title(bool japanese) =>
        japanese ? "線形の再帰:勾配の大きさの常用対数" : "Linear recurrence: log10 of the gradient's size";

    private protected override Func<int, double[], double[]> StepsBack(Matrix weights, int distance, MersenneTwister random) => (_, gradient) =>
    {
        var earlier = new double[H];
        weights.TransposeMultiplyAdd(gradient, earlier);
        return earlier;
    };
}

/// <summary>The saddle of a plain RNN with tanh: inputs uniform on ±1, W_ih uniform on ±0.2, no biases, 50 steps before the first that is looked at.</summary>
public sealed class SaddleTanhFigure : SaddleFigure
{
    const double InputWeight = 0.2;
    const int WarmUp = 50;

    /// <inheritdoc/>
    public override string Name => "saddle-tanh";

    private protected override string Title(bool japanese) =>
        japanese ? "tanh のRNN:勾配の大きさの常用対数" : "RNN with tanh: log10 of the gradient's size";

    private protected override Func<int, double[], double[]> StepsBack(Matrix weights, int distance, MersenneTwister random)
    {
        var cell = new RnnCell(1, H);
        weights.Values.CopyTo(cell.Parameters.WeightHh.Values, 0);
        random.Uniform(-InputWeight, InputWeight, cell.Parameters.WeightIh.Values);
        var steps = new CellCache[WarmUp + distance];
        var state = cell.ZeroState();
        for (var t = 0; t < steps.Length; t++)
        {
            steps[t] = cell.Forward([random.Uniform(-1, 1)], state);
            state = steps[t].State;
        }

        return (d, gradient) => cell.Backward(steps[^(d + 1)], new CellState(gradient), new double[1], cell.CreateGradients()).H;
    }
}
