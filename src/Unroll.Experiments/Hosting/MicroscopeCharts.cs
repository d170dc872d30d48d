using Unroll.Data;
using Unroll.Models;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Experiments.Hosting;

/// <summary>A model under the microscope on the same examples before and after its training.</summary>
/// <param name="Before">The view before.</param>
/// <param name="After">The view after.</param>
/// <param name="Influence">‖∂y_t/∂x_s‖ [T', T] after.</param>
public sealed record MicroscopeSlides(MicroscopeView Before, MicroscopeView After, double[,] Influence)
{
    /// <summary>The slides of a trained model.</summary>
    public static MicroscopeSlides Of(MicroscopeView before, TrainableModel trained, SequenceBatch examples, Loss loss) =>
        new(before, Microscope.Look(trained, examples, loss), Microscope.Influence(trained, examples));
}

/// <summary>The pictures of the reports' sections "Through the microscope".</summary>
public static class MicroscopeCharts
{
    /// <summary>A gradient below this is no longer drawn: beside numbers of size 1 it is lost in single precision many times over.</summary>
    public const double SmallestDrawn = 1e-20;

    /// <summary>The heading of the section.</summary>
    public const string Heading = "Through the microscope";

    /// <summary>What all these sections have in common.</summary>
    public const string Reading =
        "The norms are those of the whole gradient on a state, from the output of its step and from all later steps together. Below 1e-30 the engine treats a gradient as vanished; what is below 1e-20 is not drawn.";

    /// <summary>‖∂loss/∂h‖ of each recurrent layer through time, and ‖∂loss/∂c‖ where there is a c; dashed before the training.</summary>
    /// <param name="title">The title.</param>
    /// <param name="slides">The model.</param>
    /// <param name="firstStep">Where the first step of a layer is drawn, if not at 0: a decoder's behind those of the encoder.</param>
    public static LineChart GradientNorms(string title, MicroscopeSlides slides, Func<MicroscopeLayer, int>? firstStep = null)
    {
        // Curves of one state have one colour, before and after.
        var colors = slides.After.Layers.SelectMany(layer => States(layer).Select(state => NameOf(slides.After, layer, state.Name))).ToList();
        return GradientNorms(title, [
            .. Curves(slides.Before, SeriesStyle.Dashed, "{0} before", name => colors.IndexOf(name), firstStep),
            .. Curves(slides.After, SeriesStyle.Line, "{0}", name => colors.IndexOf(name), firstStep),
        ]);
    }

    /// <summary>The same of several trained models, by name.</summary>
    public static LineChart GradientNorms(string title, IReadOnlyList<(string Name, MicroscopeView View)> models) => GradientNorms(title, [
        .. models.SelectMany((model, index) => Curves(model.View, SeriesStyle.Line, $"{model.Name}, {{0}}", _ => index)
            .Select(series => series.Name.EndsWith('c') ? series with { Style = SeriesStyle.Dashed } : series)),
    ]);

    /// <summary>The gate that decides what a layer keeps, f of an LSTM and z of a GRU; null without such a gate.</summary>
    public static string? KeepingGate(MicroscopeLayer layer) => layer.Gates.Keys.FirstOrDefault(name => name is "f" or "z");

    /// <summary>A gate of all units over the steps of one row, the most open units on top.</summary>
    public static HeatMap Openings(string title, GateOpening gate, int row = 0)
    {
        int[] units = [.. Enumerable.Range(0, gate.Units).OrderByDescending(unit => Enumerable.Range(0, gate.Steps).Sum(t => (double)gate[t, row, unit]))];
        var values = new double[gate.Units, gate.Steps];
        for (var place = 0; place < units.Length; place++)
        {
            for (var t = 0; t < gate.Steps; t++)
                values[place, t] = gate[t, row, units[place]];
        }

        return new HeatMap { Title = title, XLabel = "step t", YLabel = "units, by openness", Values = values };
    }

    /// <summary>How strongly outputs depend on inputs: a map, or a curve where there is one output; the first <paramref name="inputs"/> inputs if given.</summary>
    public static Chart Influence(string title, double[,] influence, int? inputs = null, IReadOnlyList<Marker>? markers = null)
    {
        var (rows, columns) = (influence.GetLength(0), inputs ?? influence.GetLength(1));
        if (rows == 1)
        {
            return new LineChart
            {
                Title = title,
                XLabel = "input step s",
                YLabel = "norm of ∂y/∂x",
                Series = [new Series("", [.. Enumerable.Range(0, columns).Select(s => (double)s)], [.. Enumerable.Range(0, columns).Select(s => influence[0, s])])],
                VerticalMarkers = markers ?? [],
            };
        }

        var values = new double[rows, columns];
        for (var t = 0; t < rows; t++)
        {
            for (var s = 0; s < columns; s++)
                values[t, s] = influence[t, s];
        }

        return new HeatMap { Title = title, XLabel = "input step s", YLabel = "output step t", Values = values };
    }

    static LineChart GradientNorms(string title, IReadOnlyList<Series> curves)
    {
        var lowest = curves.SelectMany(curve => curve.Y).Min();
        var highest = curves.SelectMany(curve => curve.Y).Max();
        return new LineChart { Title = title, XLabel = "step t", YLabel = "norm of the gradient", LogY = true, Series = curves, YRange = (lowest / 3, highest * 3) };
    }

    static IEnumerable<Series> Curves(MicroscopeView view, SeriesStyle style, string label, Func<string, int> color, Func<MicroscopeLayer, int>? firstStep = null)
    {
        foreach (var layer in view.Layers)
        {
            var first = firstStep?.Invoke(layer) ?? 0;
            foreach (var (state, norms) in States(layer))
            {
                // Where everything has vanished one point stands for it.
                var shown = Enumerable.Range(0, norms.Count).Where(t => norms[t] >= SmallestDrawn).DefaultIfEmpty(norms.Count - 1).ToArray();
                var name = NameOf(view, layer, state);
                yield return new Series(
                    label.Replace("{0}", name, StringComparison.Ordinal),
                    [.. shown.Select(t => (double)first + t)], [.. shown.Select(t => Math.Max(norms[t], SmallestDrawn))])
                { Style = style, Color = color(name) };
            }
        }
    }

    static IEnumerable<(string Name, IReadOnlyList<double> Norms)> States(MicroscopeLayer layer)
    {
        yield return ("h", layer.HiddenGradientNorms);
        if (layer.CellGradientNorms.Count > 0)
            yield return ("c", layer.CellGradientNorms);
    }

    static string NameOf(MicroscopeView view, MicroscopeLayer layer, string state) => view.Layers.Count == 1 ? state : $"{layer.Name}: {state}";
}
