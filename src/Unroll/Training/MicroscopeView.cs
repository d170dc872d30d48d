using Unroll.Layers;

namespace Unroll.Training;

/// <summary>What <see cref="Microscope"/> saw of one batch on its way through a model and back.</summary>
public sealed class MicroscopeView
{
    internal MicroscopeView(IReadOnlyList<MicroscopeLayer> layers, float[] output, float[] inputGradient, double[] inputGradientNorms)
    {
        (Layers, Output, InputGradient, InputGradientNorms) = (layers, output, inputGradient, inputGradientNorms);
    }

    /// <summary>The recurrent layers from the input on, each direction of a bidirectional one for itself, forward first.</summary>
    public IReadOnlyList<MicroscopeLayer> Layers { get; }

    /// <summary>y [T', B, O].</summary>
    public ReadOnlyMemory<float> Output { get; }

    /// <summary>∂loss/∂x [T, B, I]; of tokens, on the vectors that the first layer makes of them, [T, B, size].</summary>
    public ReadOnlyMemory<float> InputGradient { get; }

    /// <summary>√(Σ over the rows of ‖∂loss/∂xₜ‖²) of every step [T].</summary>
    public IReadOnlyList<double> InputGradientNorms { get; }
}

/// <summary>One recurrent layer, or one direction of it, under the microscope.</summary>
/// <remarks>Everything is in the order of the row's own time, that of a backward direction too.</remarks>
public sealed class MicroscopeLayer
{
    internal MicroscopeLayer(
        string name, int layerIndex, bool reverse, RecurrentOptions cell, double[] hiddenNorms, double[] cellNorms, IReadOnlyDictionary<string, GateOpening> gates)
    {
        (Name, LayerIndex, Reverse, Cell) = (name, layerIndex, reverse, cell);
        (HiddenGradientNorms, CellGradientNorms, Gates) = (hiddenNorms, cellNorms, gates);
    }

    /// <summary>Such as <c>Lstm, layer 0</c>, <c>Gru backward, layer 1</c> or <c>decoder Lstm, layer 1</c>.</summary>
    public string Name { get; }

    /// <summary>The place of the layer in the model's options (in those of its encoder or decoder), from 0.</summary>
    public int LayerIndex { get; }

    /// <summary>Whether it is the backward direction of a bidirectional layer.</summary>
    public bool Reverse { get; }

    /// <summary>The description of the cell.</summary>
    public RecurrentOptions Cell { get; }

    /// <summary>
    /// √(Σ over the rows of ‖∂loss/∂hₜ‖²) of every step [T]: what the output at step t receives and what the steps after
    /// it send back. 0 at padded steps.
    /// </summary>
    public IReadOnlyList<double> HiddenGradientNorms { get; }

    /// <summary>
    /// √(Σ over the rows of ‖∂loss/∂cₜ‖²) of every step [T]: what comes through hₜ and what the step after it sends back.
    /// Empty for a cell without c.
    /// </summary>
    public IReadOnlyList<double> CellGradientNorms { get; }

    /// <summary>The gates that exist by their letters: i f g o of an LSTM, r z n of a GRU (g and n are the candidates), none of an RNN.</summary>
    public IReadOnlyDictionary<string, GateOpening> Gates { get; }
}

/// <summary>How far a gate is open: 0 to 1; −1 to 1 for the candidates g and n.</summary>
public sealed class GateOpening
{
    readonly float[] _values;

    internal GateOpening(float[] values, int steps, int batchSize, int units, double[] means)
    {
        (_values, Steps, BatchSize, Units, Means) = (values, steps, batchSize, units, means);
    }

    /// <summary>T.</summary>
    public int Steps { get; }

    /// <summary>B, the rows.</summary>
    public int BatchSize { get; }

    /// <summary>H.</summary>
    public int Units { get; }

    /// <summary>The gate [T, B, H]; 0 at padded steps.</summary>
    public ReadOnlyMemory<float> Values => _values;

    /// <summary>The mean over the units and the valid rows of every step [T]; 0 where no row is valid.</summary>
    public IReadOnlyList<double> Means { get; }

    /// <summary>The gate of one unit at one step of one row.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An index is below 0 or too large.</exception>
    public float this[int step, int row, int unit]
    {
        get
        {
            Check(step, Steps, nameof(step));
            Check(row, BatchSize, nameof(row));
            Check(unit, Units, nameof(unit));
            return _values[(((step * BatchSize) + row) * Units) + unit];
        }
    }

    static void Check(int index, int count, string name)
    {
        if ((uint)index >= (uint)count)
            throw new ArgumentOutOfRangeException(name, index, $"Expected 0 to {count - 1}.");
    }
}
