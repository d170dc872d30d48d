using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>What the normalisation of one row leaves for its way back.</summary>
struct RowNorm
{
    /// <summary>Floats in this structure.</summary>
    public const int Size = 3;

    /// <summary>1 / √(σ² + ε).</summary>
    public float InverseDeviation;

    /// <summary>mean(dN).</summary>
    public float Mean;

    /// <summary>mean(dN⊙n).</summary>
    public float Along;
}

/// <summary>A row brought to mean 0 and variance 1 over its own elements.</summary>
/// <remarks>
/// <code>
/// n = (a − μ) / √(σ² + ε),   μ = mean(a),   σ² = mean((a − μ)²),   ε = 10⁻⁵
/// dA = (dN − mean(dN) − n·mean(dN⊙n)) / √(σ² + ε)
/// </code>
/// Ba, Kiros and Hinton, Layer normalization, arXiv:1607.06450 (2016); ε is that of the authors' code, which lets a row of
/// equal elements pass: its n is 0.
/// </remarks>
static unsafe class LayerNormalization
{
    const float Epsilon = 1e-5f;

    /// <summary>n of <paramref name="a"/> [count] into <paramref name="n"/> [count], which may be the same.</summary>
    [MethodImpl(Kernel.Compilation)]
    public static void Forward<S, V>(float* a, float* n, int count, RowNorm* norm)
        where S : struct, ISimd<V>
        where V : struct
    {
        var mean = S.Broadcast(RowSums.Sum<S, V>(a, count) / count);
        for (var k = 0; k < count; k += S.Count)
            Lanes<S, V>.Store(n + k, S.Subtract(Lanes<S, V>.Load(a + k, count - k), mean), count - k);

        norm->InverseDeviation = 1 / MathF.Sqrt((RowSums.Dot<S, V>(n, n, count) / count) + Epsilon);
        var inverse = S.Broadcast(norm->InverseDeviation);
        for (var k = 0; k < count; k += S.Count)
            Lanes<S, V>.Store(n + k, S.Multiply(Lanes<S, V>.Load(n + k, count - k), inverse), count - k);
    }

    /// <summary>dA of dY = ∂loss/∂(gain⊙n + bias): dN = gain⊙dY goes through the mean and the deviation.</summary>
    /// <param name="dY">[count].</param>
    /// <param name="gain">[count].</param>
    /// <param name="n">[count], from the forward pass.</param>
    /// <param name="dA">[count], overwritten.</param>
    /// <param name="count">The elements.</param>
    /// <param name="norm">From the forward pass; takes the means of this one.</param>
    [MethodImpl(Kernel.Compilation)]
    public static void Backward<S, V>(float* dY, float* gain, float* n, float* dA, int count, RowNorm* norm)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var k = 0; k < count; k += S.Count)
            Lanes<S, V>.Store(dA + k, S.Multiply(Lanes<S, V>.Load(gain + k, count - k), Lanes<S, V>.Load(dY + k, count - k)), count - k);

        norm->Mean = RowSums.Sum<S, V>(dA, count) / count;
        norm->Along = RowSums.Dot<S, V>(dA, n, count) / count;
        var gradient = new Gradient<S, V>(*norm);
        for (var k = 0; k < count; k += S.Count)
            Lanes<S, V>.Store(dA + k, gradient.Of(Lanes<S, V>.Load(dA + k, count - k), Lanes<S, V>.Load(n + k, count - k)), count - k);
    }

    /// <summary>dA of some elements of a row whose means are known.</summary>
    public readonly struct Gradient<S, V>(RowNorm norm)
        where S : struct, ISimd<V>
        where V : struct
    {
        readonly V _mean = S.Broadcast(norm.Mean);
        readonly V _along = S.Broadcast(norm.Along);
        readonly V _inverse = S.Broadcast(norm.InverseDeviation);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Of(V dN, V n) =>
            CellGradient.Flush<S, V>(S.Multiply(S.NegatedFma(n, _along, S.Subtract(dN, _mean)), _inverse));
    }
}
