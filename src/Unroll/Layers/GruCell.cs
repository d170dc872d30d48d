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

    public Saving Saves => Saving.Always;

    public ReadOnlySpan<ForwardPhase> Phases => _before ? s_phasesBeforeProduct : s_phasesAfterProduct;

    public ReadOnlySpan<RecurrentProduct> Products => _before ? s_beforeProduct : s_afterProduct;

    public (int Gate, bool Current) Peephole(int block) => throw new ArgumentOutOfRangeException(nameof(block));

    public void Forward<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct
    {
        int rest = step.Units % S.Count, whole = step.Units - rest;
        if (!_before)
        {
            if (whole > 0)
                ForwardAfterProduct<S, V, C16>(step, 0, whole);
            switch (rest)
            {
                case 0: break;
                case 2: ForwardAfterProduct<S, V, C2>(step, whole, step.Units); break;
                case 4: ForwardAfterProduct<S, V, C4>(step, whole, step.Units); break;
                default: ForwardAfterProduct<S, V, C0>(step, whole, step.Units); break;
            }
        }
        else if (step.Rows > 1)
        {
            for (var j = 0; j < whole; j += S.Count)
                Forward<S, V, C0, C16>(step, j, phase);
            switch (rest)
            {
                case 0: break;
                case 2: Forward<S, V, C0, C2>(step, whole, phase); break;
                case 4: Forward<S, V, C0, C4>(step, whole, phase); break;
                default: Forward<S, V, C0, C0>(step, whole, phase); break;
            }
        }
        else if (step.Units % S.Count == 0)
        {
            Forward<S, V, C1, C16>(step, 0, phase);
        }
        else
        {
            Forward<S, V, C1, C0>(step, 0, phase);
        }
    }

    static void Forward<S, V, One, N>(in CellStep step, int j, int phase)
        where S : struct, ISimd<V>
        where V : struct
        where One : struct, IConstant
        where N : struct, IConstant
    {
        if (phase == 0)
            ForwardGates<S, V, One, N>(step, j);
        else
            ForwardCandidate<S, V, One, N>(step, j);
    }

    public void Backward<S, V, N>(in CellStep step, int product, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        if (product == 1)
            BackwardCandidate<S, V, N>(step, first, end);
        else if (_before)
            BackwardReset<S, V, N>(step, first, end);
    }

    /// <summary>
    /// r, z and, when the next two vectors' turn has come, n and h = n + z⊙(hₜ₋₁ − n), so that the functions of six vectors are taken
    /// side by side, when the reset comes after the product m = W_hn·hₜ₋₁ + b_hn, which is saved: for units
    /// [<paramref name="first"/>, <paramref name="end"/>), whole vectors or fewer than one, with N lanes in each.
    /// </summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardAfterProduct<S, V, N>(in CellStep step, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        // blocks: W_in·x + b_in, r, z, m
        int h = step.H, rows = step.Rows, n = Lanes<S, V>.Valid<N>(end - first), units = step.Units;
        nint group = step.GroupUnits;
        float* gates = step.Gates, saved = step.Saved, hPrev = step.HPrev, h1 = step.H1;
        bool keeps = gates != null, isFar = step.FetchesAhead<S, V>();
        var place = new Place { J = first, At = first, Gates = first, A = step.PreActivationsOf(first) };
        Place before0 = place, before1 = place;
        V n0 = S.Broadcast(0f), n1 = n0, zBefore0 = n0, zBefore1 = n0;
        for (var left = rows * ((end - first + S.Count - 1) / S.Count); left > 0; left -= 2)
        {
            // The last one twice where they are odd.
            var place0 = place;
            if (left > 1)
                place.Advance(step, rows, h, S.Count);
            V r0 = S.Load(place0.A + group), z0 = S.Load(place0.A + (2 * group)), r1 = S.Load(place.A + group), z1 = S.Load(place.A + (2 * group));
            Activations.Six<S, V, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.TanhFunction, Activations.TanhFunction>(
                ref r0, ref z0, ref r1, ref z1, ref n0, ref n1);

            // Of the first two vectors, which have none before them, what the next ones overwrite.
            if (keeps)
            {
                Lanes<S, V>.Store(gates + (2 * h) + before0.Gates, n0, n);
                Lanes<S, V>.Store(gates + (2 * h) + before1.Gates, n1, n);
            }

            Blend<S, V>(n0, zBefore0, hPrev + before0.At, h1 + before0.At, n);
            Blend<S, V>(n1, zBefore1, hPrev + before1.At, h1 + before1.At, n);
            V m0 = S.Load(place0.A + (3 * group)), m1 = S.Load(place.A + (3 * group));
            n0 = S.Fma(r0, m0, S.Load(place0.A));
            n1 = S.Fma(r1, m1, S.Load(place.A));
            zBefore0 = z0;
            zBefore1 = z1;
            if (keeps)
            {
                float* g0 = gates + place0.Gates, g1 = gates + place.Gates;
                Lanes<S, V>.Store(g0, r0, n);
                Lanes<S, V>.Store(g1, r1, n);
                Lanes<S, V>.Store(g0 + h, z0, n);
                Lanes<S, V>.Store(g1 + h, z1, n);
                Lanes<S, V>.Store(saved + place0.At, m0, n);
                Lanes<S, V>.Store(saved + place.At, m1, n);
                if (isFar)
                {
                    FetchNext(g0, h, saved + place0.At, units);
                    FetchNext(g1, h, saved + place.At, units);
                    Cache.Fetch(g0 + (2 * h) + units);
                    Cache.Fetch(g1 + (2 * h) + units);
                    Cache.Fetch(h1 + place0.At + units);
                    Cache.Fetch(h1 + place.At + units);
                }
            }

            before0 = place0;
            before1 = place;
            place.Advance(step, rows, h, S.Count);
        }

        n0 = Activations.Tanh<S, V>(n0);
        n1 = Activations.Tanh<S, V>(n1);
        if (keeps)
        {
            Lanes<S, V>.Store(gates + (2 * h) + before0.Gates, n0, n);
            Lanes<S, V>.Store(gates + (2 * h) + before1.Gates, n1, n);
        }

        Blend<S, V>(n0, zBefore0, hPrev + before0.At, h1 + before0.At, n);
        Blend<S, V>(n1, zBefore1, hPrev + before1.At, h1 + before1.At, n);
    }

    /// <summary>A vector of units in a row: where it lies among the states, the gates and the pre-activations.</summary>
    struct Place
    {
        public int J, Row;
        public nint At, Gates;
        public float* A;

        /// <summary>Goes on to the next row or, behind the last one, to the first row of the next units.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Advance(in CellStep step, int rows, int h, int lanes)
        {
            if (++Row < rows)
            {
                At += h;
                Gates += 3 * h;
                A += step.PreActivationRow;
                return;
            }

            Row = 0;
            J += lanes;
            At = J;
            Gates = J;
            A = step.PreActivationsOf(J);
        }
    }

    /// <summary>r, z and q = r⊙hₜ₋₁ when the reset comes before the product.</summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardGates<S, V, One, N>(in CellStep step, int j)
        where S : struct, ISimd<V>
        where V : struct
        where One : struct, IConstant
        where N : struct, IConstant
    {
        int h = step.H, units = step.GroupUnits, n = step.Units - j, unitStep = One.Value * S.Count;
        nint gate = CellStep.Apart<One>(3 * (nint)h, S.Count), state = CellStep.Apart<One>(h, S.Count);
        float* a = step.PreActivationsOf(j), gates = step.Gates + j, saved = step.Saved + j, masked = step.HMasked + j;
        var isFar = step.FetchesAhead<S, V>();
        for (int k = 0, last = step.SideBySide<One>(j, S.Count) - 1; k <= last; k += 2)
        {
            int at0 = k, at1 = Math.Min(k + 1, last);
            int n0 = Lanes<S, V>.Valid<N>(n - (at0 * unitStep)), n1 = Lanes<S, V>.Valid<N>(n - (at1 * unitStep));
            float* a0 = step.PreActivationsOf<One>(a, j, at0, S.Count), a1 = step.PreActivationsOf<One>(a, j, at1, S.Count);
            V r0 = S.Load(a0), z0 = S.Load(a0 + units), r1 = S.Load(a1), z1 = S.Load(a1 + units);
            Activations.Four<S, V, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.SigmoidFunction>(
                ref r0, ref z0, ref r1, ref z1);
            float* g0 = gates + (at0 * gate), g1 = gates + (at1 * gate);
            Lanes<S, V>.Store(g0, r0, n0);
            Lanes<S, V>.Store(g1, r1, n1);
            Lanes<S, V>.Store(g0 + h, z0, n0);
            Lanes<S, V>.Store(g1 + h, z1, n1);
            Lanes<S, V>.Store(saved + (at0 * state), S.Multiply(r0, Lanes<S, V>.Load(masked + (at0 * state), n0)), n0);
            Lanes<S, V>.Store(saved + (at1 * state), S.Multiply(r1, Lanes<S, V>.Load(masked + (at1 * state), n1)), n1);
            if (isFar)
            {
                FetchNext(g0, h, saved + (at0 * state), step.Units);
                FetchNext(g1, h, saved + (at1 * state), step.Units);
            }
        }
    }

    /// <summary>Begins to bring the lines where a row's r, z and what is saved of the next units will be written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void FetchNext(float* gates, int h, float* saved, int units)
    {
        Cache.Fetch(gates + units);
        Cache.Fetch(gates + h + units);
        Cache.Fetch(saved + units);
    }

    /// <summary>
    /// n from its pre-activation, and h = n + z⊙(hₜ₋₁ − n), four vectors side by side, when the reset comes before the product; the
    /// last one stands in for those that are lacking.
    /// </summary>
    [MethodImpl(Kernel.Compilation)]
    static void ForwardCandidate<S, V, One, N>(in CellStep step, int j)
        where S : struct, ISimd<V>
        where V : struct
        where One : struct, IConstant
        where N : struct, IConstant
    {
        int h = step.H, units = step.Units, n = units - j, unitStep = One.Value * S.Count;
        var isFar = step.FetchesAhead<S, V>();
        nint gate = CellStep.Apart<One>(3 * (nint)h, S.Count), state = CellStep.Apart<One>(h, S.Count);
        float* a = step.PreActivationsOf(j), gates = step.Gates + (2 * h) + j, hPrev = step.HPrev + j, h1 = step.H1 + j, z = step.Gates + h + j;
        for (int k = 0, last = step.SideBySide<One>(j, S.Count) - 1; k <= last; k += 4)
        {
            int at0 = k, at1 = Math.Min(k + 1, last), at2 = Math.Min(k + 2, last), at3 = Math.Min(k + 3, last);
            int n0 = Lanes<S, V>.Valid<N>(n - (at0 * unitStep)), n1 = Lanes<S, V>.Valid<N>(n - (at1 * unitStep));
            int n2 = Lanes<S, V>.Valid<N>(n - (at2 * unitStep)), n3 = Lanes<S, V>.Valid<N>(n - (at3 * unitStep));
            float* a0 = step.PreActivationsOf<One>(a, j, at0, S.Count), a1 = step.PreActivationsOf<One>(a, j, at1, S.Count);
            float* a2 = step.PreActivationsOf<One>(a, j, at2, S.Count), a3 = step.PreActivationsOf<One>(a, j, at3, S.Count);
            V v0 = S.Load(a0), v1 = S.Load(a1), v2 = S.Load(a2), v3 = S.Load(a3);
            Activations.Four<S, V, Activations.TanhFunction, Activations.TanhFunction, Activations.TanhFunction, Activations.TanhFunction>(
                ref v0, ref v1, ref v2, ref v3);
            Lanes<S, V>.Store(gates + (at0 * gate), v0, n0);
            Lanes<S, V>.Store(gates + (at1 * gate), v1, n1);
            Lanes<S, V>.Store(gates + (at2 * gate), v2, n2);
            Lanes<S, V>.Store(gates + (at3 * gate), v3, n3);
            Blend<S, V>(v0, Lanes<S, V>.Load(z + (at0 * gate), n0), hPrev + (at0 * state), h1 + (at0 * state), n0);
            Blend<S, V>(v1, Lanes<S, V>.Load(z + (at1 * gate), n1), hPrev + (at1 * state), h1 + (at1 * state), n1);
            Blend<S, V>(v2, Lanes<S, V>.Load(z + (at2 * gate), n2), hPrev + (at2 * state), h1 + (at2 * state), n2);
            Blend<S, V>(v3, Lanes<S, V>.Load(z + (at3 * gate), n3), hPrev + (at3 * state), h1 + (at3 * state), n3);
            if (isFar)
            {
                Cache.Fetch(gates + (at0 * gate) + units);
                Cache.Fetch(gates + (at1 * gate) + units);
                Cache.Fetch(gates + (at2 * gate) + units);
                Cache.Fetch(gates + (at3 * gate) + units);
                Cache.Fetch(h1 + (at0 * state) + units);
                Cache.Fetch(h1 + (at1 * state) + units);
                Cache.Fetch(h1 + (at2 * state) + units);
                Cache.Fetch(h1 + (at3 * state) + units);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Blend<S, V>(V candidate, V z, float* hPrev, float* h1, int n)
        where S : struct, ISimd<V>
        where V : struct =>
        Lanes<S, V>.Store(
            h1, S.Fma(z, S.Subtract(Lanes<S, V>.Load(hPrev, n), candidate), candidate), n);

    /// <summary>dn, dz, dh⊙z and, when the reset comes after, dr and dm.</summary>
    [MethodImpl(Kernel.Compilation)]
    void BackwardCandidate<S, V, N>(in CellStep step, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        var h = step.H;
        var one = S.Broadcast(1f);
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = first; j < end; j += S.Count)
            {
                var n = Lanes<S, V>.Valid<N>(end - j);
                var at = ((nint)row * h) + j;
                if (step.FetchesAhead<S, V>() && j % Cache.Line == 0)
                {
                    for (var gate = 0; gate < 3; gate++)
                        Cache.Fetch(gates + ((3 + gate) * h) + j);
                    Cache.Fetch(step.Saved + at + h);
                    Cache.Fetch(step.HPrev + at + h);
                }

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
    static void BackwardReset<S, V, N>(in CellStep step, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        var h = step.H;
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * 3 * h);
            for (var j = first; j < end; j += S.Count)
            {
                var n = Lanes<S, V>.Valid<N>(end - j);
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
