using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The step of an LSTM; the equations stand at <see cref="LstmOptions"/>.</summary>
/// <remarks>
/// Backward, with dc collecting from the step after, and tanh(c) kept by the forward step or, where it would be far away, computed again:
/// <code>
/// do = dh⊙tanh(c)⊙o(1 − o)
/// dc += dh⊙o⊙(1 − tanh²(c)) + do⊙p_o
/// di = dc⊙g⊙i(1 − i)   df = dc⊙cₜ₋₁⊙f(1 − f)   dg = dc⊙i⊙(1 − g²)
/// dcₜ₋₁ = dc⊙f + di⊙p_i + df⊙p_f
/// </code>
/// </remarks>
readonly unsafe struct LstmCell : ICell
{
    const int Absent = -1;

    readonly ForwardPhase[] _phases;
    readonly RecurrentProduct[] _products;
    readonly string[] _gateNames;

    // Block of each gate among the G stacked ones, and of its peephole among the P.
    readonly int _i, _f, _g, _o;
    readonly int _pi, _pf, _po;

    public LstmCell(LstmOptions options)
    {
        var gate = 0;
        _i = options.InputGate ? gate++ : Absent;
        _f = options.ForgetGate ? gate++ : Absent;
        _g = gate++;
        _o = options.OutputGate ? gate++ : Absent;
        GateCount = gate;
        _gateNames = [.. new[] { ("i", _i), ("f", _f), ("g", _g), ("o", _o) }.Where(named => named.Item2 != Absent).Select(named => named.Item1)];

        var peephole = 0;
        _pi = options.Peepholes && options.InputGate ? peephole++ : Absent;
        _pf = options.Peepholes && options.ForgetGate ? peephole++ : Absent;
        _po = options.Peepholes && options.OutputGate ? peephole++ : Absent;
        PeepholeCount = peephole;
        _phases = [new(0, gate, ProductOperand.PreviousHidden)];
        _products = [new(0, gate, ProductOperand.PreviousHidden, ProductGradient.Gates)];
    }

    public int GateCount { get; }

    public ReadOnlySpan<string> GateNames => _gateNames;

    public int PeepholeCount { get; }

    public bool HasCellState => true;

    public Saving Saves => Saving.IfNear;

    public ReadOnlySpan<ForwardPhase> Phases => _phases;

    public ReadOnlySpan<RecurrentProduct> Products => _products;

    public (int Gate, bool Current) Peephole(int block) =>
        block == _pi ? (_i, false) : block == _pf ? (_f, false) : (_o, true);

    /// <summary>Whether every gate is there and no peephole: the loops of such a cell ask for neither.</summary>
    bool IsCommon => GateCount == 4 && PeepholeCount == 0;

    /// <summary>A gate's or a peephole's block, known to the JIT where the cell has every gate and no peepholes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static int Block<Common>(int own, int common)
        where Common : struct, IConstant => Common.Value == 1 ? common : own;

    public void Forward<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct
    {
        int rest = step.Units % S.Count, whole = step.Units - rest;
        if (whole > 0)
            ForwardUnits<S, V, C16>(step, 0, whole);
        switch (rest)
        {
            case 0: break;
            case 2: ForwardUnits<S, V, C2>(step, whole, step.Units); break;
            case 4: ForwardUnits<S, V, C4>(step, whole, step.Units); break;
            default: ForwardUnits<S, V, C0>(step, whole, step.Units); break;
        }
    }

    /// <summary>The step for units [<paramref name="first"/>, <paramref name="end"/>), whole vectors or fewer than one, with N lanes in each.</summary>
    void ForwardUnits<S, V, N>(in CellStep step, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        if (IsCommon)
            ForwardUnits<S, V, C1, N>(step, first, end);
        else
            ForwardUnits<S, V, C0, N>(step, first, end);
        for (var j = first; _po >= 0 && j < end; j += S.Count)
            ForwardPeepholeOutput<S, V>(step, j);
    }

    /// <summary>
    /// i, f, g, o, c and, when the next vector's turn has come, h = o⊙tanh(c), so that the functions of five vectors are taken side
    /// by side: on a Zen 2 core LSTM 10,25,1,50 trains 1.1 % faster for it, 32,28,28,128 1.5 %. Where o waits for c, neither is final.
    /// </summary>
    /// <typeparam name="S">The kernel's vectors.</typeparam>
    /// <typeparam name="V">Their registers.</typeparam>
    /// <typeparam name="Common">Whether the cell has every gate and no peepholes.</typeparam>
    /// <typeparam name="N">The units of a vector (see <see cref="Lanes{S, V}.Valid"/>).</typeparam>
    [MethodImpl(Kernel.Compilation)]
    void ForwardUnits<S, V, Common, N>(in CellStep step, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where Common : struct, IConstant
        where N : struct, IConstant
    {
        int h = step.H, n = Lanes<S, V>.Valid<N>(end - first), units = step.Units;
        int gateI = Block<Common>(_i, 0), gateF = Block<Common>(_f, 1), gateG = Block<Common>(_g, 2), gateO = Block<Common>(_o, 3);
        int pi = Block<Common>(_pi, Absent), pf = Block<Common>(_pf, Absent), po = Block<Common>(_po, Absent);
        bool keeps = step.Gates != null, isFar = step.FetchesAhead<S, V>(), hasOutput = gateO >= 0 && po < 0;

        // In place of a gate that is absent the first one is computed, and not used.
        nint group = step.GroupUnits, iAt = Math.Max(gateI, 0) * group, fAt = Math.Max(gateF, 0) * group, gAt = gateG * group, oAt = Math.Max(gateO, 0) * group;
        nint iTo = gateI * h, fTo = gateF * h, gTo = gateG * h, oTo = gateO * h, gatesRow = (nint)GateCount * h, aRow = step.PreActivationRow;
        V oBefore = S.Broadcast(0f), cBefore = oBefore;
        float* cPrevs = step.CPrev, c1 = step.C1, h1 = step.H1, saved = step.Saved;
        nint atBefore = first;
        for (var j = first; j < end; j += S.Count)
        {
            float* a = step.PreActivationsOf(j), gates = step.Gates + j, peephole = step.Peephole + j;
            nint at = j;
            for (var row = step.Rows; row > 0; row--)
            {
                // The room behind a row's pre-activations can be read.
                V i = S.Load(a + iAt), f = S.Load(a + fAt), g = S.Load(a + gAt), o = S.Load(a + oAt);
                var cPrev = Lanes<S, V>.Load(cPrevs + at, n);
                if (pi >= 0)
                    i = S.Fma(Lanes<S, V>.Load(peephole + (pi * h), n), cPrev, i);
                if (pf >= 0)
                    f = S.Fma(Lanes<S, V>.Load(peephole + (pf * h), n), cPrev, f);
                Activations.Five<S, V, Activations.SigmoidFunction, Activations.SigmoidFunction, Activations.TanhFunction, Activations.SigmoidFunction, Activations.TanhFunction>(
                    ref i, ref f, ref g, ref o, ref cBefore);

                // Of the first vector, which has none before it, what the next one overwrites.
                End<S, V>(h1, saved, atBefore, oBefore, cBefore, gateO >= 0, n);
                var input = gateI >= 0 ? S.Multiply(i, g) : g;
                cBefore = gateF >= 0 ? S.Fma(f, cPrev, input) : S.Add(cPrev, input);
                Lanes<S, V>.Store(c1 + at, cBefore, n);
                oBefore = o;
                atBefore = at;
                if (keeps)
                {
                    if (gateI >= 0)
                        Lanes<S, V>.Store(gates + iTo, i, n);
                    if (gateF >= 0)
                        Lanes<S, V>.Store(gates + fTo, f, n);
                    Lanes<S, V>.Store(gates + gTo, g, n);
                    if (hasOutput)
                        Lanes<S, V>.Store(gates + oTo, o, n);
                    if (isFar)
                    {
                        // For a gate that is absent some other line.
                        Cache.Fetch(gates + iTo + units);
                        Cache.Fetch(gates + fTo + units);
                        Cache.Fetch(gates + gTo + units);
                        Cache.Fetch(gates + oTo + units);
                        Cache.Fetch(c1 + at + units);
                        Cache.Fetch(h1 + at + units);
                    }

                    gates += gatesRow;
                }

                a += aRow;
                at += h;
            }
        }

        End<S, V>(h1, saved, atBefore, oBefore, Activations.Tanh<S, V>(cBefore), gateO >= 0, n);
    }

    /// <summary>h = o⊙tanh(c), or tanh(c) without an output gate; tanh(c) too where it is kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void End<S, V>(float* h1, float* saved, nint at, V o, V tanhC, bool hasGate, int n)
        where S : struct, ISimd<V>
        where V : struct
    {
        Lanes<S, V>.Store(h1 + at, hasGate ? S.Multiply(o, tanhC) : tanhC, n);
        if (saved != null)
            Lanes<S, V>.Store(saved + at, tanhC, n);
    }

    /// <summary>o = σ(aₒ + p_o⊙c) and h = o⊙tanh(c), two rows side by side.</summary>
    [MethodImpl(Kernel.Compilation)]
    void ForwardPeepholeOutput<S, V>(in CellStep step, int j)
        where S : struct, ISimd<V>
        where V : struct
    {
        int h = step.H, n = step.Units - j, last = step.Rows - 1;
        nint aRow = step.PreActivationRow, gatesRow = (nint)GateCount * h;
        float* c1 = step.C1 + j, h1 = step.H1 + j, a = step.PreActivationsOf(j) + (_o * step.GroupUnits);
        var gates = step.Gates + (_o * h) + j;
        var peephole = Lanes<S, V>.Load(step.Peephole + (_po * h) + j, n);
        for (var row = 0; row <= last; row += 2)
        {
            nint at0 = row, at1 = Math.Min(row + 1, last);
            V c0 = Lanes<S, V>.Load(c1 + (at0 * h), n), c2 = Lanes<S, V>.Load(c1 + (at1 * h), n);
            V o0 = S.Fma(peephole, c0, S.Load(a + (at0 * aRow))), o2 = S.Fma(peephole, c2, S.Load(a + (at1 * aRow)));
            Activations.Four<S, V, Activations.SigmoidFunction, Activations.TanhFunction, Activations.SigmoidFunction, Activations.TanhFunction>(
                ref o0, ref c0, ref o2, ref c2);
            if (step.Gates != null)
            {
                Lanes<S, V>.Store(gates + (at0 * gatesRow), o0, n);
                Lanes<S, V>.Store(gates + (at1 * gatesRow), o2, n);
            }

            if (step.Saved != null)
            {
                Lanes<S, V>.Store(step.Saved + j + (at0 * h), c0, n);
                Lanes<S, V>.Store(step.Saved + j + (at1 * h), c2, n);
            }

            Lanes<S, V>.Store(h1 + (at0 * h), S.Multiply(o0, c0), n);
            Lanes<S, V>.Store(h1 + (at1 * h), S.Multiply(o2, c2), n);
            if (step.FetchesAhead<S, V>())
            {
                Cache.Fetch(h1 + (at0 * h) + step.Units);
                Cache.Fetch(h1 + (at1 * h) + step.Units);
            }
        }
    }

    [MethodImpl(Kernel.Compilation)]
    public void RecallCell<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (nint row = 0; row < step.Rows; row++)
        {
            float* cPrev = step.CPrev + (row * step.H), c1 = step.C1 + (row * step.H), gates = step.Gates + (row * GateCount * step.H);
            for (var j = 0; j < step.H; j += S.Count)
            {
                var n = step.H - j;
                V c = Lanes<S, V>.Load(cPrev + j, n), input = Lanes<S, V>.Load(gates + (_g * step.H) + j, n);
                if (_i >= 0)
                    input = S.Multiply(Lanes<S, V>.Load(gates + (_i * step.H) + j, n), input);
                Lanes<S, V>.Store(c1 + j, _f >= 0 ? S.Fma(Lanes<S, V>.Load(gates + (_f * step.H) + j, n), c, input) : S.Add(c, input), n);
            }
        }
    }

    [MethodImpl(Kernel.Compilation)]
    public void RecallHidden<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (nint row = 0; row < step.Rows; row++)
        {
            float* c1 = step.C1 + (row * step.H), h1 = step.H1 + (row * step.H), o = step.Gates + (((row * GateCount) + _o) * step.H);
            for (var j = 0; j < step.H; j += S.Count)
            {
                var n = step.H - j;
                var tanhC = Activations.Tanh<S, V>(Lanes<S, V>.Load(c1 + j, n));
                Lanes<S, V>.Store(h1 + j, _o >= 0 ? S.Multiply(Lanes<S, V>.Load(o + j, n), tanhC) : tanhC, n);
            }
        }
    }

    public void Backward<S, V, N>(in CellStep step, int product, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant
    {
        if (IsCommon && step.DCTrace == null)
            Backward<S, V, C1, N>(step, first, end);
        else
            Backward<S, V, C0, N>(step, first, end);
    }

    /// <typeparam name="S">The kernel's vectors.</typeparam>
    /// <typeparam name="V">Their registers.</typeparam>
    /// <typeparam name="Common">Whether the cell has every gate and no peepholes, and no trace is wanted.</typeparam>
    /// <typeparam name="N">The units of a vector.</typeparam>
    [MethodImpl(Kernel.Compilation)]
    void Backward<S, V, Common, N>(in CellStep step, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where Common : struct, IConstant
        where N : struct, IConstant
    {
        var h = step.H;
        if (step.Saved != null)
        {
            BackwardUnits<S, V, Common, N>(step, 0, step.Rows, first, end - first, step.Saved + first, h);
            return;
        }

        var tanhCs = stackalloc float[4 * S.Count];
        var width = GateCount * h;
        for (var row = 0; row < step.Rows; row++)
        {
            nint at = (nint)row * h, gatesAt = (nint)row * width;
            for (var j0 = first; j0 < end; j0 += 4 * S.Count)
            {
                if (step.FetchesAhead<S, V>())
                {
                    for (var gate = 0; gate < GateCount; gate++)
                        Cache.Fetch(step.Gates + gatesAt + width + (gate * h) + j0, 4 * S.Count);
                    Cache.Fetch(step.CPrev + at + h + j0, 4 * S.Count);
                }

                // Four vectors of tanh(c) side by side.
                Lanes<S, V>.LoadFour(step.C1 + at + j0, end - j0, out var c0, out var c1, out var c2, out var c3);
                Activations.Four<S, V, Activations.TanhFunction, Activations.TanhFunction, Activations.TanhFunction, Activations.TanhFunction>(
                    ref c0, ref c1, ref c2, ref c3);
                Lanes<S, V>.StoreFour(tanhCs, c0, c1, c2, c3, 4 * S.Count);
                if (step.HAgain != null)
                {
                    if (_o >= 0)
                    {
                        Lanes<S, V>.LoadFour(step.Gates + gatesAt + (_o * h) + j0, end - j0, out var o0, out var o1, out var o2, out var o3);
                        (c0, c1, c2, c3) = (S.Multiply(o0, c0), S.Multiply(o1, c1), S.Multiply(o2, c2), S.Multiply(o3, c3));
                    }

                    Lanes<S, V>.StoreFour(step.HAgain + at + j0, c0, c1, c2, c3, end - j0);
                }

                BackwardUnits<S, V, Common, N>(step, row, 1, j0, Math.Min(end - j0, 4 * S.Count), tanhCs, 0);
            }
        }
    }

    /// <summary>The gradients of some units of some rows, which come in whole vectors or are fewer than one.</summary>
    [MethodImpl(Kernel.Compilation)]
    void BackwardUnits<S, V, Common, N>(in CellStep step, int row, int rows, int j0, int units, float* tanhC, nint tanhRow)
        where S : struct, ISimd<V>
        where V : struct
        where Common : struct, IConstant
        where N : struct, IConstant
    {
        int gateI = Block<Common>(_i, 0), gateF = Block<Common>(_f, 1), gateG = Block<Common>(_g, 2), gateO = Block<Common>(_o, 3);
        int pi = Block<Common>(_pi, Absent), pf = Block<Common>(_pf, Absent), po = Block<Common>(_po, Absent);
        nint h = step.H, at = (row * h) + j0, iAt = gateI * h, fAt = gateF * h, gAt = gateG * h, oAt = gateO * h, gatesRow = GateCount * h;
        float* gates = step.Gates + (row * gatesRow) + j0, dY = step.DY + at, dHs = step.DH + at, dCs = step.DC + at, cPrevs = step.CPrev + at;
        float* trace = Common.Value == 1 ? null : step.DCTrace, peephole = step.Peephole + j0;
        V one = S.Broadcast(1f), zero = S.Broadcast(0f);
        for (; rows > 0; rows--)
        {
            for (var j = 0; j < units; j += S.Count)
            {
                var n = Lanes<S, V>.Valid<N>(units - j);
                var dH = S.Add(Lanes<S, V>.Load(dY + j, n), Lanes<S, V>.Load(dHs + j, n));
                var dC = Lanes<S, V>.Load(dCs + j, n);
                var tanh = Lanes<S, V>.Load(tanhC + j, n);
                var tanhSlope = S.NegatedFma(tanh, tanh, one);
                if (gateO >= 0)
                {
                    var o = Lanes<S, V>.Load(gates + oAt + j, n);
                    var dO = CellGradient.Sigmoid<S, V>(S.Multiply(dH, tanh), o);
                    Lanes<S, V>.Store(gates + oAt + j, dO, n);
                    dC = S.Fma(S.Multiply(dH, o), tanhSlope, dC);
                    if (po >= 0)
                        dC = S.Fma(dO, Lanes<S, V>.Load(peephole + (po * h) + j, n), dC);
                }
                else
                {
                    dC = S.Fma(dH, tanhSlope, dC);
                }

                if (trace != null)
                    Lanes<S, V>.Store(trace + at + j, dC, n);

                var g = Lanes<S, V>.Load(gates + gAt + j, n);
                var dCPrev = dC;
                var dInput = dC;
                if (gateF >= 0)
                {
                    var f = Lanes<S, V>.Load(gates + fAt + j, n);
                    var cPrev = Lanes<S, V>.Load(cPrevs + j, n);
                    var dF = CellGradient.Sigmoid<S, V>(S.Multiply(dC, cPrev), f);
                    Lanes<S, V>.Store(gates + fAt + j, dF, n);
                    dCPrev = S.Multiply(dC, f);
                    if (pf >= 0)
                        dCPrev = S.Fma(dF, Lanes<S, V>.Load(peephole + (pf * h) + j, n), dCPrev);
                }

                if (gateI >= 0)
                {
                    var i = Lanes<S, V>.Load(gates + iAt + j, n);
                    var dI = CellGradient.Sigmoid<S, V>(S.Multiply(dC, g), i);
                    Lanes<S, V>.Store(gates + iAt + j, dI, n);
                    dInput = S.Multiply(dC, i);
                    if (pi >= 0)
                        dCPrev = S.Fma(dI, Lanes<S, V>.Load(peephole + (pi * h) + j, n), dCPrev);
                }

                Lanes<S, V>.Store(gates + gAt + j, CellGradient.Tanh<S, V>(dInput, g), n);
                Lanes<S, V>.Store(dCs + j, CellGradient.Flush<S, V>(dCPrev), n);
                Lanes<S, V>.Store(dHs + j, zero, n);
            }

            gates += gatesRow;
            dY += h;
            dHs += h;
            dCs += h;
            cPrevs += h;
            tanhC += tanhRow;
            at += h;
        }
    }
}
