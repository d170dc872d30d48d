using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Derivatives shared by the cells.</summary>
static class CellGradient
{
    /// <summary>
    /// Gradients below this are set to 0: what sinks under 1e-38 is denormal and costs a microcode assist per operation,
    /// and 1e-30 is far below the last digit of any sum it could join.
    /// </summary>
    public const float Vanished = 1e-30f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Flush<S, V>(V gradient)
        where S : struct, ISimd<V>
        where V : struct =>
        S.SelectLess(S.Abs(gradient), S.Broadcast(Vanished), S.Broadcast(0f), gradient);

    /// <summary>dσ: dY·y·(1 − y).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<S, V>(V dY, V y)
        where S : struct, ISimd<V>
        where V : struct =>
        Flush<S, V>(S.Multiply(dY, S.NegatedFma(y, y, y)));

    /// <summary>dtanh: dY·(1 − y²).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<S, V>(V dY, V y)
        where S : struct, ISimd<V>
        where V : struct =>
        Flush<S, V>(S.Multiply(dY, S.NegatedFma(y, y, S.Broadcast(1f))));
}
