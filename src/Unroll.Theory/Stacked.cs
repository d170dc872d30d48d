namespace Unroll.Theory;

/// <summary>Layers on top of each other: the outputs of one are the inputs of the next.</summary>
/// <remarks>
/// <code>
/// y⁰ = x,   yˡ = layerˡ(yˡ⁻¹),   y = yᴸ
/// </code>
/// Shapes: x [T, B, I], y [T, B, outputSize of the last layer]. States: those of the first layer's cells, then those of the second's, and so on.
/// </remarks>
public sealed class Stacked : SequenceLayer
{
    readonly SequenceLayer[] _layers;

    /// <summary>Makes the stack, bottom layer first.</summary>
    /// <exception cref="ArgumentException">There is no layer, or a layer's input size is not the output size of the one below.</exception>
    public Stacked(params SequenceLayer[] layers)
        : base([.. NotEmpty(layers).SelectMany(layer => layer.Cells)], layers[^1].OutputSize)
    {
        _layers = [.. layers];
        for (var l = 1; l < layers.Length; l++)
            Shape.Equal(layers[l - 1].OutputSize, layers[l].InputSize, $"inputSize of layer {l} = outputSize of layer {l - 1} =", nameof(layers));
    }

    internal override bool ReadsForward => _layers.All(layer => layer.ReadsForward);

    /// <inheritdoc/>
    /// <remarks><code>yˡ = layerˡ(yˡ⁻¹)</code></remarks>
    public override StackedCache Forward(Sequence x, CellState[][]? initialStates = null, int[]? lengths = null, VariationalMasks[]? masks = null)
    {
        var states = CheckForward(x, initialStates, masks);
        var caches = new LayerCache[_layers.Length];
        var finalStates = new List<CellState[]>();
        var y = x;
        for (var l = 0; l < _layers.Length; l++)
        {
            caches[l] = _layers[l].Forward(y, OfLayer(l, states), lengths, masks is null ? null : OfLayer(l, masks));
            y = caches[l].Y;
            finalStates.AddRange(caches[l].FinalStates);
        }

        return new StackedCache(this, y, [.. finalStates], caches[0].Lengths, caches);
    }

    /// <inheritdoc/>
    /// <remarks><code>dYˡ⁻¹ = dXˡ = layerBackwardˡ(dYˡ)</code></remarks>
    public override LayerGradients Backward(LayerCache cache, Sequence dY, CellState[][]? dFinalStates = null)
    {
        var dStates = CheckBackward(cache, dY, dFinalStates);
        var caches = ((StackedCache)cache).Layers;
        var dParameters = new List<CellParameters>();
        var dInitialStates = new List<CellState[]>();
        var dX = dY;
        for (var l = _layers.Length - 1; l >= 0; l--)
        {
            var gradients = _layers[l].Backward(caches[l], dX, OfLayer(l, dStates));
            dX = gradients.DX;
            dParameters.InsertRange(0, gradients.DParameters);
            dInitialStates.InsertRange(0, gradients.DInitialStates);
        }

        return new LayerGradients(dX, [.. dParameters], [.. dInitialStates]);
    }

    /// <summary>The elements, one per cell, that belong to the cells of layer l.</summary>
    TElement[] OfLayer<TElement>(int l, TElement[] perCell)
    {
        var first = _layers.Take(l).Sum(layer => layer.Cells.Count);
        return perCell[first..(first + _layers[l].Cells.Count)];
    }

    static SequenceLayer[] NotEmpty(SequenceLayer[] layers)
    {
        ArgumentNullException.ThrowIfNull(layers);
        return layers.Length > 0 ? layers : throw new ArgumentException("layers: expected at least 1 layer, got 0.", nameof(layers));
    }
}

/// <summary>What a forward pass of <see cref="Stacked"/> keeps: the cache of each layer.</summary>
public sealed class StackedCache : LayerCache
{
    internal StackedCache(Stacked layer, Sequence y, CellState[][] finalStates, int[] lengths, LayerCache[] layers)
        : base(layer, y, finalStates, lengths) => Layers = layers;

    /// <summary>The cache of each layer, bottom first.</summary>
    public IReadOnlyList<LayerCache> Layers { get; }
}
