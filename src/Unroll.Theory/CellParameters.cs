namespace Unroll.Theory;

/// <summary>The parameters of one cell, or their gradients: G blocks of H rows, one block per gate, stacked in the cell's gate order.</summary>
/// <remarks>
/// G = 1 for an RNN, 1 to 4 for an LSTM (order i f g o, absent gates omitted), 3 for a GRU (order r z n).
/// Row <c>k · H + j</c> belongs to unit j of the k-th gate that is present.
/// </remarks>
public sealed class CellParameters : TensorGroup
{
    internal CellParameters(int gateCount, int inputSize, int hiddenSize, int peepholeCount = 0, bool layerNorm = false)
    {
        Shape.Positive(inputSize, nameof(inputSize));
        Shape.Positive(hiddenSize, nameof(hiddenSize));
        WeightIh = new Matrix(gateCount * hiddenSize, inputSize);
        WeightHh = new Matrix(gateCount * hiddenSize, hiddenSize);
        BiasIh = new double[gateCount * hiddenSize];
        BiasHh = new double[gateCount * hiddenSize];
        WeightPeephole = new double[peepholeCount * hiddenSize];
        GainIh = new double[layerNorm ? gateCount * hiddenSize : 0];
        GainHh = new double[layerNorm ? gateCount * hiddenSize : 0];
        GainCell = new double[layerNorm ? hiddenSize : 0];
        BiasCell = new double[layerNorm ? hiddenSize : 0];
    }

    /// <summary>The weights from the input, W_ih, [G·H, I].</summary>
    public Matrix WeightIh { get; }

    /// <summary>The weights from the previous hidden state, W_hh, [G·H, H].</summary>
    public Matrix WeightHh { get; }

    /// <summary>The bias beside the input product (after its normalisation, if it has one), b_ih, [G·H].</summary>
    public double[] BiasIh { get; }

    /// <summary>The bias beside the hidden product (after its normalisation, if it has one), b_hh, [G·H].</summary>
    public double[] BiasHh { get; }

    /// <summary>The peephole weights p of an LSTM, [P·H]: one block of H per sigmoid gate that is present, in the order i f o; empty without peepholes.</summary>
    public double[] WeightPeephole { get; }

    /// <summary>The gain α_ih of the layer normalisation of the input product, [G·H]; empty without normalisation.</summary>
    public double[] GainIh { get; }

    /// <summary>The gain α_hh of the layer normalisation of the hidden product, [G·H]; empty without normalisation.</summary>
    public double[] GainHh { get; }

    /// <summary>The gain α_c of the layer normalisation of the cell state, [H]; empty without normalisation.</summary>
    public double[] GainCell { get; }

    /// <summary>The bias b_c of the layer normalisation of the cell state, [H]; empty without normalisation.</summary>
    public double[] BiasCell { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors => NotEmpty(
        new(nameof(WeightIh), WeightIh.Values),
        new(nameof(WeightHh), WeightHh.Values),
        new(nameof(BiasIh), BiasIh),
        new(nameof(BiasHh), BiasHh),
        new(nameof(WeightPeephole), WeightPeephole),
        new(nameof(GainIh), GainIh),
        new(nameof(GainHh), GainHh),
        new(nameof(GainCell), GainCell),
        new(nameof(BiasCell), BiasCell));
}
