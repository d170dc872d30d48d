using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The step of an LSTM; the equations stand at <see cref="LstmOptions"/>.</summary>
/// <remarks>
/// Backward, with dc collecting from the step after; tanh(c) is computed again, which costs less than to write and read it:
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

    public bool HasSaved => false;

    public ReadOnlySpan<ForwardPhase> Phases => _phases;

    public ReadOnlySpan<RecurrentProduct> Products => _products;

    public (int Gate, bool Current) Peephole(int block) =>
        block == _pi ? (_i, false) : block == _pf ? (_f, false) : (_o, true);

    [MethodImpl(Kernel.Compilation)]
    public void Forward<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct
    {
        int h = step.H, units = step.Units;
        var keep = step.Gates != null;
        for (var row = 0; row < step.Rows; row++)
        {
            var preActivations = step.PreActivations + (row * step.PreActivationRow);
            var gates = step.Gates + ((nint)row * GateCount * h);
            var offset = (nint)row * h;
            for (var j = 0; j < units; j += S.Count)
            {
                var n = units - j;
                var cPrev = Lanes<S, V>.Load(step.CPrev + offset + j, n);
                var g = Activations.Tanh<S, V>(Lanes<S, V>.Load(preActivations + (_g * units) + j, n));
                if (keep)
                    Lanes<S, V>.Store(gates + ((nint)_g * h) + j, g, n);

                var input = g;
                if (_i >= 0)
                {
                    var i = Gate<S, V>(step, preActivations, _i, _pi, j, cPrev, n);
                    if (keep)
                        Lanes<S, V>.Store(gates + ((nint)_i * h) + j, i, n);
                    input = S.Multiply(i, g);
                }

                V c;
                if (_f >= 0)
                {
                    var f = Gate<S, V>(step, preActivations, _f, _pf, j, cPrev, n);
                    if (keep)
                        Lanes<S, V>.Store(gates + ((nint)_f * h) + j, f, n);
                    c = S.Fma(f, cPrev, input);
                }
                else
                {
                    c = S.Add(cPrev, input);
                }

                var tanhC = Activations.Tanh<S, V>(c);
                var hidden = tanhC;
                if (_o >= 0)
                {
                    var o = Gate<S, V>(step, preActivations, _o, _po, j, c, n);
                    if (keep)
                        Lanes<S, V>.Store(gates + ((nint)_o * h) + j, o, n);
                    hidden = S.Multiply(o, tanhC);
                }

                Lanes<S, V>.Store(step.C1 + offset + j, c, n);
                Lanes<S, V>.Store(step.H1 + offset + j, hidden, n);
            }
        }
    }

    [MethodImpl(Kernel.Compilation)]
    public void Backward<S, V>(in CellStep step, int product)
        where S : struct, ISimd<V>
        where V : struct
    {
        var one = S.Broadcast(1f);
        var zero = S.Broadcast(0f);
        int h = step.H, width = GateCount * h;
        int iAt = _i * h, fAt = _f * h, gAt = _g * h, oAt = _o * h;
        for (var row = 0; row < step.Rows; row++)
        {
            var gates = step.Gates + ((nint)row * width);
            var offset = (nint)row * h;
            for (var j = 0; j < h; j += S.Count)
            {
                var n = h - j;
                var at = offset + j;
                var dH = S.Add(Lanes<S, V>.Load(step.DY + at, n), Lanes<S, V>.Load(step.DH + at, n));
                var dC = Lanes<S, V>.Load(step.DC + at, n);
                var tanhC = Activations.Tanh<S, V>(Lanes<S, V>.Load(step.C1 + at, n));
                var tanhSlope = S.NegatedFma(tanhC, tanhC, one);
                if (_o >= 0)
                {
                    var o = Lanes<S, V>.Load(gates + oAt + j, n);
                    var dO = CellGradient.Sigmoid<S, V>(S.Multiply(dH, tanhC), o);
                    Lanes<S, V>.Store(gates + oAt + j, dO, n);
                    dC = S.Fma(S.Multiply(dH, o), tanhSlope, dC);
                    if (_po >= 0)
                        dC = S.Fma(dO, Lanes<S, V>.Load(step.Peephole + (_po * h) + j, n), dC);
                }
                else
                {
                    dC = S.Fma(dH, tanhSlope, dC);
                }

                if (step.DCTrace != null)
                    Lanes<S, V>.Store(step.DCTrace + at, dC, n);

                var g = Lanes<S, V>.Load(gates + gAt + j, n);
                var dCPrev = dC;
                var dInput = dC;
                if (_f >= 0)
                {
                    var f = Lanes<S, V>.Load(gates + fAt + j, n);
                    var cPrev = Lanes<S, V>.Load(step.CPrev + at, n);
                    var dF = CellGradient.Sigmoid<S, V>(S.Multiply(dC, cPrev), f);
                    Lanes<S, V>.Store(gates + fAt + j, dF, n);
                    dCPrev = S.Multiply(dC, f);
                    if (_pf >= 0)
                        dCPrev = S.Fma(dF, Lanes<S, V>.Load(step.Peephole + (_pf * h) + j, n), dCPrev);
                }

                if (_i >= 0)
                {
                    var i = Lanes<S, V>.Load(gates + iAt + j, n);
                    var dI = CellGradient.Sigmoid<S, V>(S.Multiply(dC, g), i);
                    Lanes<S, V>.Store(gates + iAt + j, dI, n);
                    dInput = S.Multiply(dC, i);
                    if (_pi >= 0)
                        dCPrev = S.Fma(dI, Lanes<S, V>.Load(step.Peephole + (_pi * h) + j, n), dCPrev);
                }

                Lanes<S, V>.Store(gates + gAt + j, CellGradient.Tanh<S, V>(dInput, g), n);
                Lanes<S, V>.Store(step.DC + at, CellGradient.Flush<S, V>(dCPrev), n);
                Lanes<S, V>.Store(step.DH + at, zero, n);
            }
        }
    }

    /// <summary>σ(a + p⊙c).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Gate<S, V>(in CellStep step, float* preActivations, int gate, int peephole, int j, V c, int n)
        where S : struct, ISimd<V>
        where V : struct
    {
        var a = Lanes<S, V>.Load(preActivations + (gate * step.Units) + j, n);
        if (peephole >= 0)
            a = S.Fma(Lanes<S, V>.Load(step.Peephole + ((nint)peephole * step.H) + j, n), c, a);
        return Activations.Sigmoid<S, V>(a);
    }
}
