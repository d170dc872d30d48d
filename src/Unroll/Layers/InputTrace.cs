using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>
/// The gradient on what the first layer reads; where that is tokens, whose numbers have none, on the vectors it makes of them.
/// </summary>
sealed unsafe class InputTrace
{
    readonly UnrolledLayer _first;

    // One-hot vectors have no gradient of their own [T, B, V].
    readonly AlignedBuffer? _oneHot;

    /// <param name="first">The first layer, in the sizes of the pass that is to be recorded.</param>
    public InputTrace(UnrolledLayer first)
    {
        _first = first;
        Size = first.Layer is OneHot or Embedding ? first.Layer.OutputSize : first.Layer.InputSize;
        if (first.Layer is OneHot)
            _oneHot = new AlignedBuffer((long)first.Steps * first.Batch * Size);
    }

    /// <summary>The features of a step: I, or the size of a token's vector.</summary>
    public int Size { get; }

    /// <summary>Where the layer above leaves the gradient on one-hot vectors; null for other inputs.</summary>
    public float* OneHotGradient => _oneHot is null ? null : _oneHot.Pointer;

    /// <summary>∂loss/∂x [T, B, Size] of the last backward pass.</summary>
    /// <remarks>It lies in the pass's memory; whoever reads it keeps the pass reachable (see <see cref="GC.KeepAlive"/>).</remarks>
    public ReadOnlySpan<float> Gradient =>
        new(_oneHot is not null ? OneHotGradient : _first.Layer is Embedding ? _first.OutputGradient : _first.InputGradient, _first.Steps * _first.Batch * Size);
}
