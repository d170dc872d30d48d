using Unroll.Layers;
using Unroll.Models;

namespace Unroll.Tests.Models;

public class ForecasterTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 6, 9)]
    [InlineData(3, 4, 7)]
    public void ClosedLoop_EqualsSteppingByHand(int features, int steps, int horizon)
    {
        foreach (var cell in CellOptions.All(7))
        {
            var model = Model(features, cell, new DropoutOptions(0.5), new LinearOptions(features));
            var history = History(steps, features);
            var predictions = Forecaster.ClosedLoop(model, history, horizon);
            Assert.Equal(horizon * features, predictions.Length);

            var step = model.Unroll(1, 1);
            for (var t = 0; t < steps + horizon - 1; t++)
            {
                if (t < steps)
                    history.AsSpan(t * features, features).CopyTo(step.Input);
                else
                    predictions.AsSpan((t - steps) * features, features).CopyTo(step.Input);
                step.Forward();
                step.CopyFinalState(step.InitialState);
                if (t >= steps - 1)
                    Assert.Equal(step.Output, predictions.AsSpan((t - steps + 1) * features, features));
            }
        }
    }

    [Theory]
    [InlineData(1, 5, 5, 1)]
    [InlineData(1, 9, 4, 7)]
    [InlineData(2, 6, 1, 3)]
    [InlineData(3, 7, 4, 9)]
    public void SlidingWindow_EqualsOneWindowAfterAnother(int features, int steps, int window, int horizon)
    {
        foreach (var cell in CellOptions.All(7))
        {
            var model = Model(features, cell, new LastStepOptions(), new LinearOptions(features));
            var history = History(steps, features);
            var predictions = Forecaster.SlidingWindow(model, history, window, horizon);

            var series = new List<float>(history);
            for (var step = 0; step < horizon; step++)
            {
                var fresh = model.Unroll(window, 1);
                series.Skip(series.Count - (window * features)).ToArray().CopyTo(fresh.Input);
                fresh.Forward();
                series.AddRange(fresh.Output);
            }

            Assert.Equal(series.Skip(steps * features), predictions);
        }
    }

    [Fact]
    public void SlidingWindow_LooksAtTheWindowAlone()
    {
        var model = Model(1, new LstmOptions(5), new LastStepOptions(), new LinearOptions(1));
        var history = History(10, 1);
        var expected = Forecaster.SlidingWindow(model, history, 4, 6);
        history.AsSpan(0, 6).Fill(99);
        Assert.Equal(expected, Forecaster.SlidingWindow(model, history, 4, 6));
        history[6] += 0.5f;
        Assert.NotEqual(expected, Forecaster.SlidingWindow(model, history, 4, 6));
    }

    [Fact]
    public void ALongerForecast_BeginsWithTheShorter()
    {
        var (loop, window) = (Model(1, new GruOptions(5), new LinearOptions(1)), Model(1, new GruOptions(5), new LastStepOptions(), new LinearOptions(1)));
        var history = History(8, 1);
        Assert.Equal(Forecaster.ClosedLoop(loop, history, 3), Forecaster.ClosedLoop(loop, history, 20)[..3]);
        Assert.Equal(Forecaster.SlidingWindow(window, history, 8, 3), Forecaster.SlidingWindow(window, history, 8, 20)[..3]);
    }

    [Fact]
    public void BadArguments_SayWhatWasExpected()
    {
        var loop = Model(2, new GruOptions(3), new LinearOptions(2));
        var window = Model(2, new GruOptions(3), new LastStepOptions(), new LinearOptions(2));
        var wide = Model(2, new GruOptions(3), new LinearOptions(3));
        var wideWindow = Model(2, new GruOptions(3), new LastStepOptions(), new LinearOptions(1));
        var history = History(6, 2);
        Check("output at every step", () => Forecaster.ClosedLoop(window, history, 1));
        Check("2 inputs and 3 outputs", () => Forecaster.ClosedLoop(wide, history, 1));
        Check("positive multiple of 2 values, got 0", () => Forecaster.ClosedLoop(loop, [], 1));
        Check("positive multiple of 2 values, got 3", () => Forecaster.ClosedLoop(loop, [1, 2, 3], 1));
        Check("horizon", () => Forecaster.ClosedLoop(loop, history, 0));
        Check("ends in its last step", () => Forecaster.SlidingWindow(loop, history, 2, 1));
        Check("2 inputs and 1 outputs", () => Forecaster.SlidingWindow(wideWindow, history, 2, 1));
        Check("at least 7 steps, got 6", () => Forecaster.SlidingWindow(window, history, 7, 1));
        Check("positive multiple of 2 values, got 11", () => Forecaster.SlidingWindow(window, history.AsSpan(1), 2, 1));
        Check("window", () => Forecaster.SlidingWindow(window, history, 0, 1));
        Check("horizon", () => Forecaster.SlidingWindow(window, history, 2, 0));
        Check("model", () => Forecaster.ClosedLoop(null!, history, 1));
        Check("model", () => Forecaster.SlidingWindow(null!, history, 2, 1));

        static void Check(string part, Action action) =>
            Assert.Contains(part, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
    }

    static float[] History(int steps, int features)
    {
        var values = new float[steps * features];
        new Random(3).NextValues(values);
        return values;
    }

    static SequenceModel Model(int features, params LayerOptions[] layers)
    {
        var model = new SequenceModel(new SequenceModelOptions(features, layers), Kernels.Engine(Kernels.Chosen));
        new Random(4).NextValues(model.Parameters.Values, 0.6f);
        return model;
    }
}
