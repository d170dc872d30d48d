using Unroll.Layers;

namespace Unroll.Models;

/// <summary>
/// The state of every recurrent layer for B rows: h [B, H] and, for an LSTM, c [B, H]; or gradients of them. A
/// bidirectional layer has two, forward and backward.
/// </summary>
public sealed class ModelState
{
    readonly LayerState[] _layers;

    internal ModelState(SequenceModel model, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        BatchSize = batchSize;
        _layers = [.. model.Recurrences.Select(layer => new LayerState(layer, batchSize))];
    }

    /// <summary>B, the rows.</summary>
    public int BatchSize { get; }

    /// <summary>The number of recurrent layers.</summary>
    public int LayerCount => _layers.Length;

    /// <summary>h [B, H] of the recurrent layer <paramref name="layer"/>, counted from 0.</summary>
    public Span<float> Hidden(int layer) => _layers[layer].Hidden;

    /// <summary>c [B, H] of the recurrent layer <paramref name="layer"/>; empty when its cell has none.</summary>
    public Span<float> Cell(int layer) => _layers[layer].Cell;

    /// <summary>Sets everything to 0.</summary>
    public void Clear()
    {
        foreach (var layer in _layers)
        {
            layer.Hidden.AsSpan().Clear();
            layer.Cell.AsSpan().Clear();
        }
    }

    /// <summary>Takes the values of another state of the same model and size.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public void CopyFrom(ModelState source)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (source.LayerCount != LayerCount || source.BatchSize != BatchSize)
        {
            throw new ArgumentException(
                $"Expected a state of {LayerCount} layers and {BatchSize} rows, got {source.LayerCount} layers and {source.BatchSize} rows.", nameof(source));
        }

        for (var layer = 0; layer < LayerCount; layer++)
        {
            source.Hidden(layer).CopyTo(Hidden(layer));
            source.Cell(layer).CopyTo(Cell(layer));
        }
    }

    /// <exception cref="ArgumentException">The state is of another model's shapes, or has too few rows.</exception>
    internal void CheckFits(SequenceModel model, int rows, string name)
    {
        if (BatchSize < rows)
            throw new ArgumentException($"Expected a state of at least {rows} rows, got {BatchSize}.", name);
        var fits = LayerCount == model.Recurrences.Count;
        for (var layer = 0; fits && layer < LayerCount; layer++)
        {
            var recurrence = model.Recurrences[layer];
            fits = Hidden(layer).Length == recurrence.OutputSize * BatchSize && Cell(layer).IsEmpty != recurrence.HasCellState;
        }

        if (!fits)
            throw new ArgumentException("Expected a state of this model's recurrent layers, got one of another model; make it with CreateState.", name);
    }

    sealed class LayerState(RecurrentLayer layer, int batchSize)
    {
        public float[] Hidden { get; } = new float[checked(batchSize * layer.OutputSize)];

        public float[] Cell { get; } = layer.HasCellState ? new float[checked(batchSize * layer.OutputSize)] : [];
    }
}
