using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The step of a plain recurrent network.</summary>
/// <remarks>
/// <code>
/// hₜ = φ(aₜ),  aₜ = W_ih·xₜ + b_ih + W_hh·hₜ₋₁ + b_hh
/// daₜ = φ'(aₜ)⊙dhₜ,  dhₜ₋₁ = W_hhᵀ·daₜ
/// </code>
/// </remarks>
readonly unsafe struct RnnCell(Nonlinearity nonlinearity) : ICell
{
    static readonly RecurrentProduct[] s_products =
        [new(0, 1, ProductOperand.PreviousHidden, ProductGradient.Gates)];

    readonly bool _relu = nonlinearity == Nonlinearity.Relu;

    static readonly ForwardPhase[] s_phases = [new(0, 1, ProductOperand.PreviousHidden)];

    public int GateCount => 1;

    public ReadOnlySpan<string> GateNames => [];

    public int PeepholeCount => 0;

    public bool HasCellState => false;

    public Saving Saves => Saving.Never;

    public ReadOnlySpan<ForwardPhase> Phases => s_phases;

    public ReadOnlySpan<RecurrentProduct> Products => s_products;

    public (int Gate, bool Current) Peephole(int block) => throw new ArgumentOutOfRangeException(nameof(block));

    public void Forward<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (_relu)
            ForwardRelu<S, V>(step);
        else
            ForwardTanh<S, V>(step);
    }

    [MethodImpl(Kernel.Compilation)]
    static void ForwardRelu<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        var zero = S.Broadcast(0f);
        for (var row = 0; row < step.Rows; row++)
        {
            var a = step.PreActivations + (row * step.PreActivationRow);
            var h1 = step.H1 + ((nint)row * step.H);
            for (var j = 0; j < step.Units; j += S.Count)
            {
                var value = S.Load(a + j);
                Lanes<S, V>.Store(h1 + j, S.SelectLess(value, zero, zero, value), step.Units - j);
            }
        }
    }

    /// <summary>Four vectors of a row side by side, as many as a panel has; their room is there where a row has fewer.</summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardTanh<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var row = 0; row < step.Rows; row++)
        {
            var a = step.PreActivations + (row * step.PreActivationRow);
            var h1 = step.H1 + ((nint)row * step.H);
            for (var j = 0; j < step.Units; j += 4 * S.Count)
            {
                V v0 = S.Load(a + j), v1 = S.Load(a + j + S.Count), v2 = S.Load(a + j + (2 * S.Count)), v3 = S.Load(a + j + (3 * S.Count));
                Activations.Four<S, V, Activations.TanhFunction, Activations.TanhFunction, Activations.TanhFunction, Activations.TanhFunction>(
                    ref v0, ref v1, ref v2, ref v3);
                Lanes<S, V>.StoreFour(h1 + j, v0, v1, v2, v3, step.Units - j);
            }
        }
    }

    [MethodImpl(Kernel.Compilation)]
    public void Backward<S, V, N>(in CellStep step, int product, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        var zero = S.Broadcast(0f);
        for (var row = 0; row < step.Rows; row++)
        {
            var offset = (nint)row * step.H;
            for (var j = first; j < end; j += S.Count)
            {
                var n = Lanes<S, V>.Valid<N>(end - j);
                var at = offset + j;
                var h = Lanes<S, V>.Load(step.H1 + at, n);
                var dH = S.Add(Lanes<S, V>.Load(step.DY + at, n), Lanes<S, V>.Load(step.DH + at, n));
                var dA = _relu
                    ? CellGradient.Flush<S, V>(S.SelectLess(zero, h, dH, zero))
                    : CellGradient.Tanh<S, V>(dH, h);
                Lanes<S, V>.Store(step.Gates + at, dA, n);
                Lanes<S, V>.Store(step.DH + at, zero, n);
                if (step.FetchesAhead<S, V>())
                {
                    Cache.Fetch(step.Gates + at + step.H);
                    Cache.Fetch(step.H1 + at + step.H);
                }
            }
        }
    }
}
