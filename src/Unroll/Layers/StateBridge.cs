using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>How the last states of an encoder become the first states of a decoder.</summary>
/// <remarks>
/// The encoder has m cells for each cell of the decoder; cell l takes its state from the cells l·m … l·m + m − 1.
/// <code>
/// h_l = h of the encoder's cell,  c_l = its c            if m = 1 and both have the same sizes
/// h_l = tanh(W_h·e_h + b_h),      e_h = their h, one after the other
/// c_l = tanh(W_c·e_c + b_c),      e_c = their c, or the h of those that have none
/// </code>
/// A c that the decoder's cell has no place for is dropped. Bahdanau, Cho and Bengio (ICLR 2015), appendix A.2.2.
/// </remarks>
sealed class StateBridge
{
    readonly RecurrentLayer[] _encoder;
    readonly RecurrentLayer[] _decoder;
    readonly int _perCell;

    /// <exception cref="ArgumentException">The number of the encoder's cells is no multiple of that of the decoder.</exception>
    public StateBridge(IReadOnlyList<RecurrentLayer> encoder, IReadOnlyList<RecurrentLayer> decoder, Func<LinearOptions, int, Linear> build)
    {
        if (encoder.Count == 0 || encoder.Count % decoder.Count != 0)
            throw new ArgumentException($"Expected a multiple of the decoder's {decoder.Count} recurrent layers in the encoder, got {encoder.Count}.");
        (_encoder, _decoder, _perCell) = ([.. encoder], [.. decoder], encoder.Count / decoder.Count);
        (HiddenMaps, CellMaps) = (new Linear?[decoder.Count], new Linear?[decoder.Count]);
        for (var cell = 0; cell < decoder.Count; cell++)
        {
            if (IsCopied(cell))
                continue;

            // Both h and c have H features.
            var inputs = Sources(cell).Sum(source => _encoder[source].OutputSize);
            var options = new LinearOptions(decoder[cell].OutputSize) { Activation = Nonlinearity.Tanh };
            HiddenMaps[cell] = build(options, inputs);
            if (decoder[cell].HasCellState)
                CellMaps[cell] = build(options, inputs);
        }
    }

    /// <summary>Of each of the decoder's cells tanh(W_h·e + b_h); null where the state is copied.</summary>
    public Linear?[] HiddenMaps { get; }

    /// <summary>Of each of the decoder's cells tanh(W_c·e + b_c); null where the state is copied or the cell has no c.</summary>
    public Linear?[] CellMaps { get; }

    /// <summary>The cells of the encoder that a cell of the decoder takes its state from.</summary>
    public IEnumerable<int> Sources(int cell) => Enumerable.Range(cell * _perCell, _perCell);

    public bool IsCopied(int cell) =>
        _perCell == 1 && _encoder[cell].OutputSize == _decoder[cell].OutputSize && _encoder[cell].HasCellState == _decoder[cell].HasCellState;
}

/// <summary>The bridge of B rows.</summary>
sealed unsafe class UnrolledStateBridge
{
    readonly UnrollContext _context;
    readonly UnrolledRecurrent[] _encoder;
    readonly Cell[] _cells;
    int _batch;

    public UnrolledStateBridge(
        StateBridge bridge, UnrollContext context, IReadOnlyList<UnrolledRecurrent> encoder, Func<Layer, PackedWeights?> weights, Keep keep, int maxBatch)
    {
        (_context, _encoder) = (context, [.. encoder]);
        _cells = new Cell[bridge.HiddenMaps.Length];
        for (var cell = 0; cell < _cells.Length; cell++)
            _cells[cell] = new Cell([.. bridge.Sources(cell)], Map(bridge.HiddenMaps[cell]), Map(bridge.CellMaps[cell]));
        Maps = [.. _cells.SelectMany(cell => new[] { cell.Hidden, cell.State }).OfType<BridgeMap>().Select(map => map.Layer)];

        BridgeMap? Map(Linear? layer)
        {
            if (layer is null)
                return null;
            var length = (long)maxBatch * layer.InputSize;
            return new BridgeMap(layer.Unroll(context, weights(layer), keep, 1, maxBatch), context.Arena.Reserve(length), context.Arena.Reserve(keep == Keep.Everything ? length : 0));
        }
    }

    /// <summary>The maps, whose weights have gradients.</summary>
    public UnrolledLayer[] Maps { get; }

    public void Resize(int batch)
    {
        _batch = batch;
        foreach (var cell in _cells)
        {
            cell.Hidden?.Layer.Resize(1, batch, _context.Arena.Pointer(cell.Hidden.Input));
            cell.State?.Layer.Resize(1, batch, _context.Arena.Pointer(cell.State.Input));
        }
    }

    /// <summary>After the forward pass the first h [H] of row <paramref name="b"/> of a cell of the decoder.</summary>
    public float* Hidden(int cell, int b) => _cells[cell].Hidden is { } map ? Row(map.Layer, b) : _encoder[_cells[cell].Sources[0]].FinalHidden(b);

    /// <summary>After the forward pass the first c [H] of row <paramref name="b"/> of a cell of the decoder that has one.</summary>
    public float* State(int cell, int b) => _cells[cell].State is { } map ? Row(map.Layer, b) : _encoder[_cells[cell].Sources[0]].FinalCell(b);

    /// <summary>Makes the decoder's first states of rows [b0, b1) from the encoder's last ones.</summary>
    public void Forward(int b0, int b1)
    {
        foreach (var cell in _cells)
        {
            if (cell.Hidden is { } hidden)
                Forward(cell, hidden, state: false, b0, b1);
            if (cell.State is { } state)
                Forward(cell, state, state: true, b0, b1);
        }
    }

    /// <summary>Sets the gradient of the encoder's last states of rows [b0, b1) from that of the decoder's first ones.</summary>
    public void Backward(IReadOnlyList<UnrolledRecurrent> decoder, int b0, int b1)
    {
        foreach (var layer in _encoder)
        {
            Rows(layer.CarriedHidden, layer, b0, b1).Clear();
            if (layer.CarriedCell != null)
                Rows(layer.CarriedCell, layer, b0, b1).Clear();
        }

        for (var index = 0; index < _cells.Length; index++)
        {
            var (cell, target) = (_cells[index], decoder[index]);
            var dHidden = Rows(target.CarriedHidden, target, b0, b1);
            if (cell.Hidden is null)
            {
                var source = _encoder[cell.Sources[0]];
                dHidden.CopyTo(Rows(source.CarriedHidden, source, b0, b1));
                if (target.CarriedCell != null)
                    Rows(target.CarriedCell, target, b0, b1).CopyTo(Rows(source.CarriedCell, source, b0, b1));
                continue;
            }

            Backward(cell, cell.Hidden, dHidden, state: false, b0, b1);
            if (cell.State is { } state)
                Backward(cell, state, Rows(target.CarriedCell, target, b0, b1), state: true, b0, b1);
        }
    }

    /// <summary>Joins h, or c, of the encoder's cells and maps them.</summary>
    void Forward(Cell cell, BridgeMap map, bool state, int b0, int b1)
    {
        var width = map.Layer.Layer.InputSize;
        var joined = map.Layer.Input;
        foreach (var source in cell.Sources)
        {
            var layer = _encoder[source];
            var size = layer.Layer.OutputSize;
            for (var b = b0; b < b1; b++)
            {
                var last = state && layer.FinalCell(b) != null ? layer.FinalCell(b) : layer.FinalHidden(b);
                new ReadOnlySpan<float>(last, size).CopyTo(new Span<float>(joined + ((nint)b * width), size));
            }

            joined += size;
        }

        map.Layer.Forward(0, 1, b0, b1);
    }

    void Backward(Cell cell, BridgeMap map, Span<float> dY, bool state, int b0, int b1)
    {
        var width = map.Layer.Layer.InputSize;
        dY.CopyTo(Rows(map.Layer.OutputGradient, map.Layer, b0, b1));
        map.Layer.InputGradient = _context.Arena.Pointer(map.InputGradient);
        map.Layer.Backward(0, 1, b0, b1);
        var dJoined = map.Layer.InputGradient;
        foreach (var source in cell.Sources)
        {
            var layer = _encoder[source];
            var size = layer.Layer.OutputSize;
            var destination = state && layer.CarriedCell != null ? layer.CarriedCell : layer.CarriedHidden;
            for (nint b = b0; b < b1; b++)
            {
                for (var j = 0; j < size; j++)
                    destination[(b * size) + j] += dJoined[(b * width) + j];
            }

            dJoined += size;
        }
    }

    static float* Row(UnrolledLayer layer, int b) => layer.Output + ((nint)b * layer.Layer.OutputSize);

    static Span<float> Rows(float* array, UnrolledLayer layer, int b0, int b1) =>
        new(array + ((nint)b0 * layer.Layer.OutputSize), (b1 - b0) * layer.Layer.OutputSize);

    /// <summary>What a cell of the decoder takes its state from; without maps it is copied.</summary>
    sealed record Cell(int[] Sources, BridgeMap? Hidden, BridgeMap? State);

    /// <summary>A map, its joined input [B, E] and the gradient of that.</summary>
    sealed record BridgeMap(UnrolledLayer Layer, Arena.Region Input, Arena.Region InputGradient);
}
