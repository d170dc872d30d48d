using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// Weights of a phase in groups that hold all the phase's gates of the same few units, so that the cell's elementwise step
/// follows a group's product while its result is in the first-level cache.
/// </summary>
/// <remarks>
/// A group is a matrix [depth, gates, units] in the panels that the matrix product reads (see <see cref="PackedMatrix"/>); the
/// last group holds the units that are left, padded to whole vectors.
/// </remarks>
sealed unsafe class GatePanels
{
    readonly int _hidden, _lanes;
    readonly int[] _gates;
    readonly AlignedBuffer _bias;
    float* _weights;

    /// <param name="kernel">The kernel that will read the panels.</param>
    /// <param name="hiddenSize">H.</param>
    /// <param name="depth">Length of the dot products: inputs, operands or both.</param>
    /// <param name="gates">The gates in a group's order.</param>
    public GatePanels(KernelKind kernel, int hiddenSize, int depth, params int[] gates)
    {
        (_hidden, Depth, _gates) = (hiddenSize, depth, gates);
        _lanes = KernelLanes.Of(kernel);
        UnitsPerGroup = _lanes * Math.Max(1, GroupVectors(_lanes, gates.Length) / gates.Length);
        FullGroups = hiddenSize / UnitsPerGroup;

        // A rest of no more than a panel of four vectors, whose tiles would have too few chains, joins the last full group.
        var rest = hiddenSize - (FullGroups * UnitsPerGroup);
        if (FullGroups > 0 && rest > 0 && rest * gates.Length <= 4 * _lanes && _lanes < 16)
            FullGroups--;
        Groups = FullGroups + (FullGroups * UnitsPerGroup < hiddenSize ? 1 : 0);
        var width = PackedMatrix.Padded(gates.Length * hiddenSize, _lanes);
        Length = (long)width * depth;
        _bias = new AlignedBuffer(width);
    }

    /// <summary>Length of the dot products.</summary>
    public int Depth { get; }

    /// <summary>Floats of all groups.</summary>
    public long Length { get; }

    /// <summary>Takes the memory for the panels: <see cref="Length"/> floats, 64-byte aligned.</summary>
    public void Place(float* weights) => _weights = weights;

    /// <summary>Units in every group but the last.</summary>
    public int UnitsPerGroup { get; }

    /// <summary>Groups.</summary>
    public int Groups { get; }

    /// <summary>Groups of <see cref="UnitsPerGroup"/> units.</summary>
    public int FullGroups { get; }

    /// <summary>
    /// Vectors in a full group, at most: those of one panel with 32 registers; otherwise as many as let all gates fill panels of
    /// 3 vectors, and a cell's step take a few units of one row side by side.
    /// </summary>
    static int GroupVectors(int lanes, int gates) => lanes == 16 ? 4 : gates == 3 ? 6 : 12;

    /// <summary>Units in a group.</summary>
    public int Units(int group) => group < FullGroups ? UnitsPerGroup : _hidden - (group * UnitsPerGroup);

    /// <summary>Floats in a group's row: gates × units, padded as <see cref="PackedMatrix"/> pads.</summary>
    public int Width(int group) => PackedMatrix.Padded(_gates.Length * Units(group), _lanes);

    /// <summary>[depth, width] in panels.</summary>
    public float* Weights(int group) => _weights + ((nint)group * UnitsPerGroup * _gates.Length * Depth);

    /// <summary>[width].</summary>
    public float* Bias(int group) => _bias.Pointer + ((nint)group * UnitsPerGroup * _gates.Length);

    /// <summary>
    /// Fills rows [<paramref name="row"/>, row + columns) of every group from the weights [G·H, columns]; of several
    /// workers each fills some of the groups.
    /// </summary>
    public void Pack(float* weights, int columns, int row, int worker = 0, int workers = 1)
    {
        var (first, end) = ParallelJob.Share(Groups, worker, workers);
        for (var group = first; group < end; group++)
        {
            int units = Units(group), n = _gates.Length * units;
            for (int n0 = 0, n1; n0 < n; n0 = n1)
            {
                n1 = n0 + PackedMatrix.PanelColumns(n - n0, _lanes);
                var width = PackedMatrix.Padded(n1 - n0, _lanes);
                var destination = Weights(group) + ((nint)n0 * Depth) + ((nint)row * width);
                for (int column = n0, count; column < n1; column += count)
                {
                    // A panel may end within a gate.
                    var unit = column % units;
                    count = Math.Min(units - unit, n1 - column);
                    var source = ((nint)_gates[column / units] * _hidden) + (group * UnitsPerGroup) + unit;
                    TransposedCopy.Copy(weights + (source * columns), columns, count, columns, destination + (column - n0), width);
                }
            }
        }
    }

    /// <summary>Sets the bias to the sum of one or two vectors [G·H]; the second is not added for <paramref name="except"/>.</summary>
    public void PackBias(float* bias, float* second, int except)
    {
        for (var group = 0; group < Groups; group++)
        {
            var destination = Bias(group);
            foreach (var gate in _gates)
            {
                var at = ((nint)gate * _hidden) + (group * UnitsPerGroup);
                var units = Units(group);
                if (gate == except)
                    new ReadOnlySpan<float>(bias + at, units).CopyTo(new Span<float>(destination, units));
                else
                    Elements.Add(bias + at, second + at, destination, units);
                destination += units;
            }
        }
    }
}
