using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The step of a GRU in both forms; the equations stand at <see cref="GruOptions"/>.</summary>
/// <remarks>
/// Backward:
/// <code>
/// dn = dh⊙(1 − z)⊙(1 − n²)   dz = dh⊙(hₜ₋₁ − n)⊙z(1 − z)   dhₜ₋₁ = dh⊙z + …
/// reset after the product, m = W_hn·hₜ₋₁ + b_hn:   dr = dn⊙m⊙r(1 − r)   dm = dn⊙r
/// reset before the product, q = r⊙hₜ₋₁:   dq = W_hnᵀ·dn   dr = dq⊙hₜ₋₁⊙r(1 − r)   dhₜ₋₁ += dq⊙r
/// </code>
/// </remarks>
readonly unsafe struct GruCell(ResetGate resetGate) : ICell
{
    static readonly RecurrentProduct[] s_afterProduct =
    [
        new(0, 2, ProductOperand.PreviousHidden, ProductGradient.Gates),
        new(2, 1, ProductOperand.PreviousHidden, ProductGradient.Saved),
    ];

    static readonly RecurrentProduct[] s_beforeProduct =
    [
        new(0, 2, ProductOperand.PreviousHidden, ProductGradient.Gates),
        new(2, 1, ProductOperand.Saved, ProductGradient.Gates),
    ];

    readonly bool _before = resetGate == ResetGate.BeforeProduct;

    public int GateCount => 3;

    public int PeepholeCount => 0;

    public bool HasCellState => false;

    public bool HasSaved => true;

    public ReadOnlySpan<RecurrentProduct> Products => _before ? s_beforeProduct : s_afterProduct;

    public (int Gate, bool Current) Peephole(int block) => throw new ArgumentOutOfRangeException(nameof(block));

    public void Forward<S, V>(in CellStep step, int product)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (product == 0)
            ForwardGates<S, V>(step);
        else
            ForwardCandidate<S, V>(step);
    }

    public void Backward<S, V>(in CellStep step, int product)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (product == 1)
            BackwardCandidate<S, V>(step);
        else if (_before)
            BackwardReset<S, V>(step);
    }

    /// <summary>r, z and, when the reset comes first, q = r⊙hₜ₋₁.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void ForwardGates<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        var h = step.H;
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * 3 * h);
            var recurrent = step.Recurrent + ((nint)row * 3 * h);
            for (var j = 0; j < h; j += S.Count)
            {
                var n = h - j;
                var r = Activations.Sigmoid<S, V>(S.Add(Lanes<S, V>.Load(gates + j, n), Lanes<S, V>.Load(recurrent + j, n)));
                var z = Activations.Sigmoid<S, V>(S.Add(Lanes<S, V>.Load(gates + h + j, n), Lanes<S, V>.Load(recurrent + h + j, n)));
                Lanes<S, V>.Store(gates + j, r, n);
                Lanes<S, V>.Store(gates + h + j, z, n);
                if (_before)
                {
                    var at = ((nint)row * h) + j;
                    Lanes<S, V>.Store(step.Saved + at, S.Multiply(r, Lanes<S, V>.Load(step.HPrev + at, n)), n);
                }
            }
        }
    }

    /// <summary>n and h; when the reset comes after, the product m is saved.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void ForwardCandidate<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        var h = step.H;
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * 3 * h);
            var recurrent = step.Recurrent + ((nint)row * 3 * h) + (2 * h);
            for (var j = 0; j < h; j += S.Count)
            {
                var n = h - j;
                var at = ((nint)row * h) + j;
                var x = Lanes<S, V>.Load(gates + (2 * h) + j, n);
                var m = Lanes<S, V>.Load(recurrent + j, n);
                V candidate;
                if (_before)
                {
                    candidate = Activations.Tanh<S, V>(S.Add(x, m));
                }
                else
                {
                    candidate = Activations.Tanh<S, V>(S.Fma(Lanes<S, V>.Load(gates + j, n), m, x));
                    Lanes<S, V>.Store(step.Saved + at, m, n);
                }

                var z = Lanes<S, V>.Load(gates + h + j, n);
                var hPrev = Lanes<S, V>.Load(step.HPrev + at, n);
                Lanes<S, V>.Store(gates + (2 * h) + j, candidate, n);
                Lanes<S, V>.Store(step.H1 + at, S.Fma(z, S.Subtract(hPrev, candidate), candidate), n);
            }
        }
    }

    /// <summary>dn, dz, dh⊙z and, when the reset comes after, dr and dm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void BackwardCandidate<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        var h = step.H;
        var one = S.Broadcast(1f);
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = 0; j < h; j += S.Count)
            {
                var n = h - j;
                var at = ((nint)row * h) + j;
                var dH = S.Add(Lanes<S, V>.Load(step.DY + at, n), Lanes<S, V>.Load(step.DH + at, n));
                var z = Lanes<S, V>.Load(gates + h + j, n);
                var candidate = Lanes<S, V>.Load(gates + (2 * h) + j, n);
                var hPrev = Lanes<S, V>.Load(step.HPrev + at, n);
                var dN = CellGradient.Tanh<S, V>(S.Multiply(dH, S.Subtract(one, z)), candidate);
                var dZ = CellGradient.Sigmoid<S, V>(S.Multiply(dH, S.Subtract(hPrev, candidate)), z);
                if (!_before)
                {
                    var r = Lanes<S, V>.Load(gates + j, n);
                    var m = Lanes<S, V>.Load(step.Saved + at, n);
                    Lanes<S, V>.Store(gates + j, CellGradient.Sigmoid<S, V>(S.Multiply(dN, m), r), n);
                    Lanes<S, V>.Store(step.Saved + at, CellGradient.Flush<S, V>(S.Multiply(dN, r)), n);
                }

                Lanes<S, V>.Store(gates + h + j, dZ, n);
                Lanes<S, V>.Store(gates + (2 * h) + j, dN, n);
                Lanes<S, V>.Store(step.DH + at, CellGradient.Flush<S, V>(S.Multiply(dH, z)), n);
            }
        }
    }

    /// <summary>dr and the part of dhₜ₋₁ through q, when the reset comes first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void BackwardReset<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        var h = step.H;
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = 0; j < h; j += S.Count)
            {
                var n = h - j;
                var at = ((nint)row * h) + j;
                var dQ = Lanes<S, V>.Load(step.DSaved + at, n);
                var r = Lanes<S, V>.Load(gates + j, n);
                var hPrev = Lanes<S, V>.Load(step.HPrev + at, n);
                Lanes<S, V>.Store(gates + j, CellGradient.Sigmoid<S, V>(S.Multiply(dQ, hPrev), r), n);
                var dH = S.Fma(dQ, r, Lanes<S, V>.Load(step.DH + at, n));
                Lanes<S, V>.Store(step.DH + at, CellGradient.Flush<S, V>(dH), n);
            }
        }
    }
}
