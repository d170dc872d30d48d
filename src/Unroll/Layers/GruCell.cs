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
    static readonly ForwardPhase[] s_phasesAfterProduct = [new(0, 3, ProductOperand.PreviousHidden, LastApart: true)];

    static readonly ForwardPhase[] s_phasesBeforeProduct =
        [new(0, 2, ProductOperand.PreviousHidden), new(2, 1, ProductOperand.Saved)];

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

    static readonly string[] s_gateNames = ["r", "z", "n"];

    readonly bool _before = resetGate == ResetGate.BeforeProduct;

    public int GateCount => 3;

    public ReadOnlySpan<string> GateNames => s_gateNames;

    public int PeepholeCount => 0;

    public bool HasCellState => false;

    public bool HasSaved => true;

    public ReadOnlySpan<ForwardPhase> Phases => _before ? s_phasesBeforeProduct : s_phasesAfterProduct;

    public ReadOnlySpan<RecurrentProduct> Products => _before ? s_beforeProduct : s_afterProduct;

    public (int Gate, bool Current) Peephole(int block) => throw new ArgumentOutOfRangeException(nameof(block));

    public void Forward<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct
    {
        if (!_before)
            ForwardAfterProduct<S, V>(step);
        else if (phase == 0)
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

    /// <summary>The whole step when the reset comes after the product m = W_hn·hₜ₋₁ + b_hn, which is saved.</summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardAfterProduct<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        int h = step.H, units = step.Units;
        var keep = step.Gates != null;
        for (var row = 0; row < step.Rows; row++)
        {
            // blocks: W_in·x + b_in, r, z, m
            var a = step.PreActivations + (row * step.PreActivationRow);
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = 0; j < units; j += S.Count)
            {
                var n = units - j;
                var at = ((nint)row * h) + j;
                var r = Activations.Sigmoid<S, V>(Lanes<S, V>.Load(a + units + j, n));
                var z = Activations.Sigmoid<S, V>(Lanes<S, V>.Load(a + (2 * units) + j, n));
                var m = Lanes<S, V>.Load(a + (3 * units) + j, n);
                var candidate = Activations.Tanh<S, V>(S.Fma(r, m, Lanes<S, V>.Load(a + j, n)));
                var hPrev = Lanes<S, V>.Load(step.HPrev + at, n);
                Lanes<S, V>.Store(step.H1 + at, S.Fma(z, S.Subtract(hPrev, candidate), candidate), n);
                if (keep)
                {
                    Lanes<S, V>.Store(gates + j, r, n);
                    Lanes<S, V>.Store(gates + h + j, z, n);
                    Lanes<S, V>.Store(gates + (2 * h) + j, candidate, n);
                    Lanes<S, V>.Store(step.Saved + at, m, n);
                }
            }
        }
    }

    /// <summary>r, z and q = r⊙hₜ₋₁ when the reset comes before the product.</summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardGates<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        int h = step.H, units = step.Units;
        for (var row = 0; row < step.Rows; row++)
        {
            var a = step.PreActivations + (row * step.PreActivationRow);
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = 0; j < units; j += S.Count)
            {
                var n = units - j;
                var at = ((nint)row * h) + j;
                var r = Activations.Sigmoid<S, V>(Lanes<S, V>.Load(a + j, n));
                Lanes<S, V>.Store(gates + j, r, n);
                Lanes<S, V>.Store(gates + h + j, Activations.Sigmoid<S, V>(Lanes<S, V>.Load(a + units + j, n)), n);
                Lanes<S, V>.Store(step.Saved + at, S.Multiply(r, Lanes<S, V>.Load(step.HMasked + at, n)), n);
            }
        }
    }

    /// <summary>n and h when the reset comes before the product.</summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardCandidate<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        int h = step.H, units = step.Units;
        for (var row = 0; row < step.Rows; row++)
        {
            var a = step.PreActivations + (row * step.PreActivationRow);
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = 0; j < units; j += S.Count)
            {
                var n = units - j;
                var at = ((nint)row * h) + j;
                var candidate = Activations.Tanh<S, V>(Lanes<S, V>.Load(a + j, n));
                var z = Lanes<S, V>.Load(gates + h + j, n);
                var hPrev = Lanes<S, V>.Load(step.HPrev + at, n);
                Lanes<S, V>.Store(gates + (2 * h) + j, candidate, n);
                Lanes<S, V>.Store(step.H1 + at, S.Fma(z, S.Subtract(hPrev, candidate), candidate), n);
            }
        }
    }

    /// <summary>dn, dz, dh⊙z and, when the reset comes after, dr and dm.</summary>
    [MethodImpl(Kernel.Compilation)]
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
    [MethodImpl(Kernel.Compilation)]
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
                var hMasked = Lanes<S, V>.Load(step.HMasked + at, n);
                Lanes<S, V>.Store(gates + j, CellGradient.Sigmoid<S, V>(S.Multiply(dQ, hMasked), r), n);
                var dH = S.Fma(dQ, r, Lanes<S, V>.Load(step.DHMasked + at, n));
                Lanes<S, V>.Store(step.DHMasked + at, CellGradient.Flush<S, V>(dH), n);
            }
        }
    }
}
