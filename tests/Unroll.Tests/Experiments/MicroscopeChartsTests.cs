using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Plots;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

public sealed class MicroscopeChartsTests
{
    const int T = 9, B = 2;

    [Fact]
    public void GradientNorms_HasACurveForEveryState_BeforeAndAfter()
    {
        var slides = Slides([new BidirectionalOptions(new LstmOptions(4)), new LinearOptions(1)], start: 0.5f);
        var chart = MicroscopeCharts.GradientNorms("title", slides);
        Assert.Equal(8, chart.Series.Count);
        Assert.Equal(["Lstm forward, layer 0: h before", "Lstm forward, layer 0: c before"], chart.Series.Take(2).Select(series => series.Name));
        for (var k = 0; k < 4; k++)
        {
            Assert.Equal(chart.Series[k].Color, chart.Series[k + 4].Color);
            Assert.Equal((SeriesStyle.Dashed, SeriesStyle.Line), (chart.Series[k].Style, chart.Series[k + 4].Style));
        }

        Assert.Equal(slides.After.Layers[1].CellGradientNorms, chart.Series[7].Y);
        ChartRenderer.ToSvg(chart);
    }

    [Fact]
    public void GradientNorms_LeavesOutWhatHasVanished()
    {
        // Without recurrent weights only the last step has a gradient; with no weights at all, none.
        var last = Slides([new RnnOptions(4), new LastStepOptions(), new LinearOptions(1)], start: 0.5f, silence: ParameterRole.WeightHh);
        var curve = MicroscopeCharts.GradientNorms("title", last).Series[1];
        Assert.Equal([T - 1.0], curve.X);
        Assert.Equal(last.After.Layers[0].HiddenGradientNorms[^1], Assert.Single(curve.Y));

        var none = MicroscopeCharts.GradientNorms("title", Slides([new RnnOptions(4), new LinearOptions(1)], start: 0));
        Assert.All(none.Series, series => Assert.Equal([MicroscopeCharts.SmallestDrawn], series.Y));
        ChartRenderer.ToSvg(none);
    }

    [Fact]
    public void GradientNorms_OfSeveralModels_NamesThem()
    {
        var lstm = Slides([new LstmOptions(3), new LinearOptions(1)], start: 0.5f);
        var rnn = Slides([new RnnOptions(3), new LinearOptions(1)], start: 0.5f);
        var chart = MicroscopeCharts.GradientNorms("title", [("LSTM", lstm.After), ("RNN", rnn.After)]);
        Assert.Equal(["LSTM, h", "LSTM, c", "RNN, h"], chart.Series.Select(series => series.Name));
        Assert.Equal([SeriesStyle.Line, SeriesStyle.Dashed, SeriesStyle.Line], chart.Series.Select(series => series.Style));
        Assert.Equal([0, 0, 1], chart.Series.Select(series => series.Color));
    }

    [Fact]
    public void Openings_HasTheMostOpenUnitOnTop()
    {
        var layer = Slides([new LstmOptions(5), new LinearOptions(1)], start: 0.5f).After.Layers[0];
        Assert.Equal("f", MicroscopeCharts.KeepingGate(layer));
        var map = MicroscopeCharts.Openings("title", layer.Gates["f"], row: 1);
        Assert.Equal((5, T), (map.Values.GetLength(0), map.Values.GetLength(1)));
        var sums = Enumerable.Range(0, 5).Select(unit => Enumerable.Range(0, T).Sum(t => map.Values[unit, t])).ToArray();
        Assert.Equal(sums.OrderDescending(), sums);
        for (var t = 0; t < T; t++)
            Assert.Equal(Enumerable.Range(0, 5).Select(unit => (double)layer.Gates["f"][t, 1, unit]).Order(), Enumerable.Range(0, 5).Select(place => map.Values[place, t]).Order());
    }

    [Fact]
    public void KeepingGate_IsTheUpdateGateOfAGru_AndNoneOfARnn()
    {
        Assert.Equal("z", MicroscopeCharts.KeepingGate(Slides([new GruOptions(2), new LinearOptions(1)], start: 0.5f).After.Layers[0]));
        Assert.Null(MicroscopeCharts.KeepingGate(Slides([new RnnOptions(2), new LinearOptions(1)], start: 0.5f).After.Layers[0]));
    }

    [Fact]
    public void Influence_IsAMap_OrACurveOfOneOutput()
    {
        var map = Assert.IsType<HeatMap>(MicroscopeCharts.Influence("title", new double[,] { { 1, 0, 0 }, { 2, 3, 0 } }, inputs: 2));
        Assert.Equal(new double[,] { { 1, 0 }, { 2, 3 } }, map.Values);
        var curve = Assert.IsType<LineChart>(MicroscopeCharts.Influence("title", new double[,] { { 4, 5, 6 } }, markers: [new Marker(1, "mark")]));
        Assert.Equal([4.0, 5, 6], Assert.Single(curve.Series).Y);
        Assert.Equal(1, Assert.Single(curve.VerticalMarkers).Position);
    }

    /// <summary>A model whose parameters all begin at a number, or are 0, and double in training.</summary>
    static MicroscopeSlides Slides(LayerOptions[] layers, float start, ParameterRole? silence = null)
    {
        var model = new SequenceModel(new(1, layers), Kernels.Engine(Kernels.Chosen));
        var random = new MersenneTwister(1);
        foreach (var parameter in model.Parameters.All.Where(parameter => parameter.Role != silence))
        {
            foreach (ref var value in model.Parameters.ValuesOf(parameter))
                value = start * (float)random.Uniform(0.5, 1);
        }

        var batch = new SequenceBatch(T, B, 1, 1);
        batch.Resize(T, B, model.HasOutputAtEveryStep ? T : 1);
        batch.Inputs.Fill(0.3f);
        batch.Targets.Fill(start == 0 ? 0 : 7); // without weights the answer 0 is right
        var before = Microscope.Look(model, batch, new MeanSquaredError());
        foreach (ref var value in model.Parameters.Values)
            value *= 2;
        return MicroscopeSlides.Of(before, model, batch, new MeanSquaredError());
    }
}
