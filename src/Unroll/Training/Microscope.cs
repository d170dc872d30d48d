using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;

namespace Unroll.Training;

/// <summary>
/// Looks into back-propagation through time, on the engine that trains: the gradients on the states and the gates of any
/// model at every step, and which inputs an output depends on.
/// </summary>
/// <remarks>
/// <code>
/// ∂loss/∂hₜ = dYₜ + what step t + 1 sends back through its gates        dYₜ from the layer above
/// ∂loss/∂cₜ = (∂hₜ/∂cₜ)ᵀ·∂loss/∂hₜ + what step t + 1 sends back along c
/// influence[t, s] = ‖∂y_t/∂x_s‖                                         Frobenius norm of the Jacobian [O, I]
/// </code>
/// A batch is what a trainer would be given: its lengths and its feedback count, dropout is off, the state before the first
/// step is 0, and an encoder–decoder reads the target's tokens (teacher forcing). Neither the parameters nor their
/// gradients change. Gradients below 1e-30 are exactly 0 in the engine, so a norm of 0 says "vanished", not "none"; beyond
/// that point nothing is computed. Any number of threads gives the same bits. Where the model begins with tokens, x stands
/// for the vectors that its first layer makes of them. Such pictures of vanishing gradients go back to Hochreiter (1991)
/// and to Bengio, Simard and Frasconi (IEEE Transactions on Neural Networks 5, 1994).
/// </remarks>
public static class Microscope
{
    // Rows of a pass of Influence, one for each output that is asked about: enough to fill the register tiles.
    const int ProbeRows = 60;

    /// <summary>Sends a batch through a model and the loss's gradient back.</summary>
    /// <param name="model">Any model.</param>
    /// <param name="batch">What it reads, and what the loss needs; for an encoder–decoder the inputs are the source, the labels the target.</param>
    /// <param name="loss">The loss.</param>
    /// <exception cref="ArgumentException">The batch does not fit the model or the loss.</exception>
    public static MicroscopeView Look(TrainableModel model, SequenceBatch batch, Loss loss)
    {
        ArgumentNullException.ThrowIfNull(loss);
        var pass = MicroscopePass.Of(model, batch);
        pass.Forward(batch);
        loss.Evaluate(pass.Output, batch, pass.OutputGradient);
        return View(pass, batch);
    }

    /// <summary>Sends a batch through a model and any gradient back, such as the choice of one output.</summary>
    /// <param name="model">Any model.</param>
    /// <param name="batch">What it reads; targets are not needed.</param>
    /// <param name="outputGradient">∂loss/∂y [T', B, O].</param>
    /// <exception cref="ArgumentException">The batch or the gradient does not fit the model.</exception>
    public static MicroscopeView Look(TrainableModel model, SequenceBatch batch, ReadOnlySpan<float> outputGradient)
    {
        var pass = MicroscopePass.Of(model, batch);
        var expected = pass.OutputGradient.Length;
        if (outputGradient.Length != expected)
        {
            throw new ArgumentException(
                $"Expected an output gradient of T'·B·O = {pass.OutputSteps}·{batch.BatchSize}·{model.OutputSize} = {expected} values, got {outputGradient.Length}.", nameof(outputGradient));
        }

        pass.Forward(batch);
        outputGradient.CopyTo(pass.OutputGradient);
        return View(pass, batch);
    }

    /// <summary>How strongly each output depends on each input: ‖∂y_t/∂x_s‖ [T', T].</summary>
    /// <remarks>
    /// The Frobenius norm for one row; for several √(mean of its square) over the rows that have both steps, 0 where none
    /// has. Each pair of an output's step and feature takes one row of a backward pass, T'·B·O in all.
    /// </remarks>
    /// <param name="model">Any model.</param>
    /// <param name="batch">What it reads; targets are not needed, but for the labels of an encoder–decoder, which are its tokens.</param>
    /// <exception cref="ArgumentException">The batch does not fit the model.</exception>
    public static double[,] Influence(TrainableModel model, SequenceBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(batch);
        var targetSteps = model is SequenceModel { HasOutputAtEveryStep: var every } ? every ? batch.Steps : 1 : batch.TargetSteps;
        var probes = (
            from row in Enumerable.Range(0, batch.BatchSize)
            from t in Enumerable.Range(0, targetSteps)
            from feature in Enumerable.Range(0, model.OutputSize)
            select (Row: row, T: t, Feature: feature)).ToArray();
        var rows = Math.Min(ProbeRows, probes.Length);
        var copies = new SequenceBatch(Math.Max(batch.Steps, batch.TargetSteps), rows, batch.InputSize, 0);
        copies.Resize(batch.Steps, rows, batch.TargetSteps, feedback: !batch.Feedback.IsEmpty, lengths: !batch.Lengths.IsEmpty);
        var pass = MicroscopePass.Of(model, copies);
        var squares = new double[pass.OutputSteps, pass.InputSteps];
        for (var first = 0; first < probes.Length; first += rows)
        {
            var chunk = probes.AsSpan(first, Math.Min(rows, probes.Length - first));
            for (var copy = 0; copy < rows; copy++)
                CopyRow(batch, chunk[Math.Min(copy, chunk.Length - 1)].Row, copies, copy);
            pass.Forward(copies);
            pass.OutputGradient.Clear();
            for (var copy = 0; copy < chunk.Length; copy++)
                pass.OutputGradient[(((chunk[copy].T * rows) + copy) * model.OutputSize) + chunk[copy].Feature] = 1f;
            pass.Backward();
            for (var copy = 0; copy < chunk.Length; copy++)
            {
                for (var s = 0; s < pass.InputSteps; s++)
                {
                    if (pass.AreValid(chunk[copy].T, s, LengthOf(copies, copy)))
                        squares[chunk[copy].T, s] += SquaredNorm(pass.Inputs, (s * rows) + copy);
                }
            }
        }

        for (var t = 0; t < pass.OutputSteps; t++)
        {
            for (var s = 0; s < pass.InputSteps; s++)
            {
                var valid = 0;
                for (var row = 0; row < batch.BatchSize; row++)
                    valid += pass.AreValid(t, s, LengthOf(batch, row)) ? 1 : 0;
                squares[t, s] = valid == 0 ? 0 : Math.Sqrt(squares[t, s] / valid);
            }
        }

        return squares;
    }

    static MicroscopeView View(MicroscopePass pass, SequenceBatch batch)
    {
        // The backward pass overwrites the gates.
        var layers = (
            from placed in pass.Layers
            from layer in placed.Layer.Recurrences
            select (placed.Part, placed.Index, IsBidirectional: placed.Layer.Recurrences.Count > 1, Layer: layer, Gates: Gates(layer))).ToArray();
        var output = pass.Output.ToArray();
        foreach (var each in layers)
            each.Layer.Trace = new GradientTrace(each.Layer);
        pass.Backward();

        var norms = new double[pass.InputSteps];
        for (var t = 0; t < norms.Length; t++)
        {
            for (var row = 0; row < batch.BatchSize; row++)
                norms[t] += t < LengthOf(batch, row) ? SquaredNorm(pass.Inputs, (t * batch.BatchSize) + row) : 0;
            norms[t] = Math.Sqrt(norms[t]);
        }

        var view = new MicroscopeView(
            [
                .. layers.Select(each => new MicroscopeLayer(
                    $"{each.Part}{NameOf(each.Layer, each.IsBidirectional)}, layer {each.Index}", each.Index, each.Layer.ReadsTurned,
                    (RecurrentOptions)each.Layer.Layer.Options, each.Layer.Trace!.HiddenNorms(), each.Layer.Trace.CellNorms(), each.Gates)),
            ],
            output, pass.Inputs.Gradient.ToArray(), norms);
        GC.KeepAlive(pass);
        return view;
    }

    static OrderedDictionary<string, GateOpening> Gates(UnrolledRecurrent layer)
    {
        var (steps, rows, units) = (layer.Steps, layer.Batch, layer.Layer.OutputSize);
        var gates = new OrderedDictionary<string, GateOpening>();
        for (var gate = 0; gate < layer.GateNames.Length; gate++)
        {
            var values = new float[checked(steps * rows * units)];
            layer.CopyGate(gate, values);
            var means = new double[steps];
            for (var at = 0; at < values.Length; at++)
                means[at / (rows * units)] += values[at];
            for (var t = 0; t < steps; t++)
                means[t] /= Math.Max(1, layer.CountValid(t)) * units;
            gates.Add(layer.GateNames[gate], new GateOpening(values, steps, rows, units, means));
        }

        return gates;
    }

    static string NameOf(UnrolledRecurrent layer, bool isBidirectional) =>
        layer.Layer.Options.GetType().Name.Replace("Options", "", StringComparison.Ordinal)
        + (!isBidirectional ? "" : layer.ReadsTurned ? " backward" : " forward");

    static int LengthOf(SequenceBatch batch, int row) => batch.Lengths.IsEmpty ? batch.Steps : batch.Lengths[row];

    static double SquaredNorm(InputTrace inputs, int at)
    {
        var sum = 0.0;
        foreach (var gradient in inputs.Gradient.Slice(at * inputs.Size, inputs.Size))
            sum += (double)gradient * gradient;
        return sum;
    }

    /// <summary>Copies what a pass reads of one row.</summary>
    static void CopyRow(SequenceBatch source, int row, SequenceBatch destination, int copy)
    {
        var (from, to, features) = (source.BatchSize, destination.BatchSize, source.InputSize);
        for (var t = 0; t < source.Steps; t++)
        {
            source.Inputs.Slice(((t * from) + row) * features, features).CopyTo(destination.Inputs[(((t * to) + copy) * features)..]);
            if (!source.Feedback.IsEmpty)
                destination.Feedback[(t * to) + copy] = source.Feedback[(t * from) + row];
        }

        for (var t = 0; t < source.TargetSteps; t++)
            destination.Labels[(t * to) + copy] = source.Labels[(t * from) + row];
        if (!source.Lengths.IsEmpty)
            destination.Lengths[copy] = source.Lengths[row];
    }
}
