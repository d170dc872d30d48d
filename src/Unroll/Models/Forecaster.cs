namespace Unroll.Models;

/// <summary>Continues a series with a trained model.</summary>
public static class Forecaster
{
    /// <summary>
    /// Reads <paramref name="history"/> from a zero state, then feeds the model's outputs back as its inputs.
    /// </summary>
    /// <param name="model">A model with an output at every step and as many outputs as inputs, F.</param>
    /// <param name="history">[T, F], at least one step.</param>
    /// <param name="horizon">K ≥ 1, the steps to predict.</param>
    /// <returns>[K, F]: the predictions of the steps that follow the history.</returns>
    /// <exception cref="ArgumentException">The model cannot be fed back, or the history is empty or of another width.</exception>
    public static float[] ClosedLoop(SequenceModel model, ReadOnlySpan<float> history, int horizon)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(horizon, 1);
        var steps = HistorySteps(model, history);
        if (model.OutputSize != model.InputSize || !model.HasOutputAtEveryStep)
            throw new ArgumentException($"Expected a model with an output at every step and as many outputs as inputs; it has {model.InputSize} inputs and {model.OutputSize} outputs.", nameof(model));
        var features = model.InputSize;
        var stream = model.CreateStream();
        var forecast = new float[horizon * features];
        for (var t = 0; t < steps; t++)
            stream.Step(history.Slice(t * features, features), forecast.AsSpan(0, features));
        for (var k = 1; k < horizon; k++)
            stream.Step(forecast.AsSpan((k - 1) * features, features), forecast.AsSpan(k * features, features));
        return forecast;
    }

    /// <summary>
    /// Predicts one step at a time from the last <paramref name="window"/> values alone, each time from a zero state; the
    /// predictions take the place of values as they come.
    /// </summary>
    /// <param name="model">A model that ends in its last step, with as many outputs as inputs, F.</param>
    /// <param name="history">[T, F], at least one window.</param>
    /// <param name="window">The steps the model was trained on.</param>
    /// <param name="horizon">K ≥ 1, the steps to predict.</param>
    /// <returns>[K, F].</returns>
    /// <exception cref="ArgumentException">The model has another shape, or the history is shorter than the window.</exception>
    public static float[] SlidingWindow(SequenceModel model, ReadOnlySpan<float> history, int window, int horizon)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(horizon, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 1);
        if (model.HasOutputAtEveryStep || model.OutputSize != model.InputSize)
            throw new ArgumentException($"Expected a model that ends in its last step with as many outputs as inputs; it has {model.InputSize} inputs and {model.OutputSize} outputs.", nameof(model));
        var steps = HistorySteps(model, history);
        if (steps < window)
            throw new ArgumentException($"Expected a history of at least {window} steps, got {steps}.", nameof(history));

        var features = model.InputSize;
        var predictor = model.CreatePredictor(window, 1);
        var values = new float[(window + horizon) * features];
        history[((steps - window) * features)..].CopyTo(values);
        for (var step = 0; step < horizon; step++)
        {
            predictor.Predict(
                values.AsSpan(step * features, window * features), window, 1, values.AsSpan((window + step) * features, features));
        }

        return values[(window * features)..];
    }

    static int HistorySteps(SequenceModel model, ReadOnlySpan<float> history)
    {
        if (history.IsEmpty || history.Length % model.InputSize != 0)
            throw new ArgumentException($"Expected a history of a positive multiple of {model.InputSize} values, got {history.Length}.", nameof(history));
        return history.Length / model.InputSize;
    }
}
