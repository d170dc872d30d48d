using System.Globalization;
using Unroll.Plots;
using Unroll.Theory;

namespace Unroll.Book.Figures;

/// <summary>A cliff in the loss: one unit with a recurrent weight above 1, its last state against a target, over its bias.</summary>
/// <remarks>
/// <code>
/// h_t = tanh(1.5 h_{t−1} + b),   h_0 = 0.3,   L(b) = (h_T − 0.7)²
/// </code>
/// for T = 5, 15 and 50. Where h_T crosses 0 the bias decides between two resting points, and the slope is greatest.
/// </remarks>
public sealed class LossCliffFigure : Figure
{
    const double Weight = 1.5, H0 = 0.3, Target = 0.7;
    const double From = -0.3, To = 0.1;
    const int Points = 401;

    static readonly int[] s_steps = [5, 15, 50];

    /// <inheritdoc/>
    public override string Name => "loss-cliff";

    /// <inheritdoc/>
    public override bool IsCheap => true;

    /// <inheritdoc/>
    public override FigureData Measure()
    {
        var data = new FigureData();
        double[] biases = [.. Enumerable.Range(0, Points).Select(k => From + ((To - From) * k / (Points - 1)))];
        data.Series["b"] = biases;
        foreach (var T in s_steps)
        {
            data.Series[$"loss.{T}"] = [.. biases.Select(b => Loss(b, T))];
            var (below, above) = (From, To);
            while (above - below > 1e-16)
            {
                var middle = (below + above) / 2;
                (below, above) = Run(middle, T).State.H[0] < 0 ? (middle, above) : (below, middle);
            }

            data.Values[$"edge.{T}"] = (below + above) / 2;
            data.Values[$"slope.{T}"] = Math.Abs(Slope((below + above) / 2, T));
        }

        data.Values["slope.50.away"] = Math.Abs(Slope(0, 50));
        return data;
    }

    /// <inheritdoc/>
    public override Chart Draw(FigureData data, BookLanguage language)
    {
        ArgumentNullException.ThrowIfNull(data);
        var japanese = language == BookLanguage.Japanese;
        return new LineChart
        {
            Title = japanese ? "損失の崖:ユニット一つ、w = 1.5" : "A cliff in the loss: one unit, w = 1.5",
            XLabel = japanese ? "バイアス b" : "bias b",
            YLabel = japanese ? "損失 L(b)" : "loss L(b)",
            Series = [.. s_steps.Select(T => new Series(string.Create(CultureInfo.InvariantCulture, $"T = {T}"), data.Series["b"], data.Series[$"loss.{T}"]))],
        };
    }

    static double Loss(double b, int T) => Math.Pow(Run(b, T).State.H[0] - Target, 2);

    static RnnCache Run(double b, int T) => Steps(b, T).Steps[^1];

    static (RnnCell Cell, List<RnnCache> Steps) Steps(double b, int T)
    {
        var cell = new RnnCell(1, 1);
        cell.Parameters.WeightHh[0, 0] = Weight;
        cell.Parameters.BiasHh[0] = b;
        var steps = new List<RnnCache>();
        for (var t = 0; t < T; t++)
            steps.Add(cell.Forward([0], t == 0 ? new CellState([H0]) : steps[^1].State));
        return (cell, steps);
    }

    static double Slope(double b, int T)
    {
        var (cell, steps) = Steps(b, T);
        var gradients = cell.CreateGradients();
        var dState = new CellState([2 * (steps[^1].State.H[0] - Target)]);
        for (var t = T - 1; t >= 0; t--)
            dState = cell.Backward(steps[t], dState, new double[1], gradients);
        return gradients.BiasHh[0];
    }
}
