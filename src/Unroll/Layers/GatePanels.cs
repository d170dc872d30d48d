using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// Weights of a phase as panels of the matrix product, each holding all the phase's gates of the same few units, so that
/// the cell's elementwise step follows a panel's product while its result is in the first-level cache.
/// </summary>
/// <remarks>
/// A full panel is [depth, gates, units] and 4 (or 3) vectors wide; the last one holds the units that are left, padded to
/// whole vectors.
/// </remarks>
sealed unsafe class GatePanels
{
    // Gate-by-gate panels of at most this many vectors fill the register tile.
    const int PanelVectors = 4;

    readonly int _hidden, _depth, _lanes;
    readonly int[] _gates;
    readonly AlignedBuffer _bias;
    float* _weights;

    /// <param name="kernel">The kernel that will read the panels.</param>
    /// <param name="hiddenSize">H.</param>
    /// <param name="depth">Length of the dot products: inputs, operands or both.</param>
    /// <param name="gates">The gates in a panel's order.</param>
    public GatePanels(KernelKind kernel, int hiddenSize, int depth, params int[] gates)
    {
        (_hidden, _depth, _gates) = (hiddenSize, depth, gates);
        _lanes = KernelLanes.Of(kernel);
        UnitsPerPanel = _lanes * Math.Max(1, PanelVectors / gates.Length);
        Count = (hiddenSize + UnitsPerPanel - 1) / UnitsPerPanel;
        FullCount = hiddenSize / UnitsPerPanel;
        var width = PackedMatrix.Padded(gates.Length * hiddenSize, _lanes);
        Length = (long)width * depth;
        _bias = new AlignedBuffer(width);
    }

    /// <summary>Floats of all panels.</summary>
    public long Length { get; }

    /// <summary>Takes the memory for the panels: <see cref="Length"/> floats, 64-byte aligned.</summary>
    public void Place(float* weights) => _weights = weights;

    /// <summary>Units in every panel but the last.</summary>
    public int UnitsPerPanel { get; }

    /// <summary>Panels.</summary>
    public int Count { get; }

    /// <summary>Panels of <see cref="UnitsPerPanel"/> units.</summary>
    public int FullCount { get; }

    /// <summary>Units in a panel.</summary>
    public int Units(int panel) => Math.Min(UnitsPerPanel, _hidden - (panel * UnitsPerPanel));

    /// <summary>Floats in a panel's row: gates × units, padded as <see cref="PackedMatrix"/> pads.</summary>
    public int Width(int panel) => PackedMatrix.Padded(_gates.Length * Units(panel), _lanes);

    /// <summary>[depth, width].</summary>
    public float* Weights(int panel) => _weights + ((nint)panel * UnitsPerPanel * _gates.Length * _depth);

    /// <summary>[width].</summary>
    public float* Bias(int panel) => _bias.Pointer + ((nint)panel * UnitsPerPanel * _gates.Length);

    /// <summary>
    /// Fills rows [<paramref name="row"/>, row + columns) of every panel from the weights [G·H, columns]; of several
    /// workers each fills some of the panels.
    /// </summary>
    public void Pack(float* weights, int columns, int row, int worker = 0, int workers = 1)
    {
        var (first, end) = ParallelJob.Share(Count, worker, workers);
        for (var panel = first; panel < end; panel++)
        {
            int units = Units(panel), width = Width(panel);
            var destination = Weights(panel) + ((nint)row * width);
            foreach (var gate in _gates)
            {
                var source = weights + (((nint)gate * _hidden) + (panel * UnitsPerPanel)) * columns;
                TransposedCopy.Copy(source, columns, units, columns, destination, width);
                destination += units;
            }
        }
    }

    /// <summary>Sets the bias to the sum of one or two vectors [G·H]; the second is not added for <paramref name="except"/>.</summary>
    public void PackBias(float* bias, float* second, int except)
    {
        for (var panel = 0; panel < Count; panel++)
        {
            var destination = Bias(panel);
            foreach (var gate in _gates)
            {
                var at = ((nint)gate * _hidden) + (panel * UnitsPerPanel);
                for (var unit = 0; unit < Units(panel); unit++)
                    *destination++ = gate == except ? bias[at + unit] : bias[at + unit] + second[at + unit];
            }
        }
    }
}
