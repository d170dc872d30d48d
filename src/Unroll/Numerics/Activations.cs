using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Unroll.Numerics;

/// <summary>
/// exp, sigmoid and tanh as polynomials in fused multiply-adds: the same bits on every machine and in every vector width.
/// </summary>
/// <remarks>
/// All three start from x = n·ln 2 + r with |r| ≤ ln 2 / 2 and expm1(r) = r + r²·P(r). Adding 1.5·2²³ + 127 to x·log₂e
/// rounds it to the integer n and leaves n + 127, the exponent field of 2ⁿ, in the low bits of the mantissa. Maximum errors
/// over every float are measured by the tests: exp 1.1 ulp, sigmoid 2.2 ulp, tanh 2.5 ulp.
/// <para>
/// Each step waits for the one before, some 65 cycles in all, and a processor looks only so far ahead. So what is taken of
/// many vectors is taken of four to six at a time, operation by operation (<see cref="Six"/>).
/// </para>
/// </remarks>
static unsafe class Activations
{
    const float RoundingShift = 12583039f; // 1.5·2²³ + 127
    const float Log2E = 1.44269504f;
    const float Ln2High = 0.693359375f; // 10 significant bits: n·Ln2High is exact for |n| < 2¹⁴
    const float Ln2Low = -2.12194440e-4f;

    // Below −87 exp would leave the normal floats; sigmoid and tanh are flat long before.
    const float MaximumSigmoidInput = 87f;

    // tanh(9.02) rounds to 1.
    const float MaximumTanhInput = 9.02f;

    const float ExpUnderflow = -86.6f; // keeps 2ⁿ⁻¹ a normal float
    const float ExpOverflow = 88.72283f; // ln of the largest float

    // expm1(r) = r + r²·(C2 + C3·r + …): the polynomial through (eʳ − 1 − r)/r² at the 5 Chebyshev points of |r| ≤ ln 2 / 2.
    // Its error, as rounded to float, is below 1.1e-8 of eʳ: a sixth of half an ulp.
    const float C2 = 0.5f;
    const float C3 = 0.16666576f;
    const float C4 = 0.041666552f;
    const float C5 = 0.008363233f;
    const float C6 = 0.001392625f;

    // The constants as vectors in memory, where each is read when its turn comes: 16 registers have no room for them beside
    // four values at work.
    // Not read-only: the compiler would take the address of each for a constant of its own, eight bytes in the instructions.
#pragma warning disable IDE0044
    static float* s_constants = Constants();
#pragma warning restore IDE0044

    /// <summary>eˣ; 0 below −86.6 (a result under 2.5e-38; no denormals) and +∞ above 88.72; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V>(V x)
        where S : struct, ISimd<V>
        where V : struct
    {
        var low = S.Broadcast(ExpUnderflow);
        var high = S.Broadcast(ExpOverflow);
        var p = Expm1<S, V>(S.AtLeast(S.AtMost(x, high), low), out var shifted);

        // n reaches 128, whose 2ⁿ is no float: 2ⁿ = 2·2ⁿ⁻¹.
        var half = S.Pow2(S.Subtract(shifted, S.Broadcast(1f)));
        var value = S.Multiply(S.Fma(half, p, half), S.Broadcast(2f));
        value = S.SelectLess(x, low, S.Broadcast(0f), value);
        return S.SelectLess(high, x, S.Broadcast(float.PositiveInfinity), value);
    }

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<S, V>(V x)
        where S : struct, ISimd<V>
        where V : struct => One<S, V, SigmoidFunction>(x);

    /// <summary>(e²ˣ − 1) / (e²ˣ + 1), from expm1(2x) so that small x keep their digits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<S, V>(V x)
        where S : struct, ISimd<V>
        where V : struct => One<S, V, TanhFunction>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V One<S, V, A>(V x)
        where S : struct, ISimd<V>
        where V : struct
        where A : struct, IActivation
    {
        var p = Expm1<S, V>(A.Exponent<S, V>(s_constants, x), out var shifted);
        return A.Value<S, V>(s_constants, p, S.Pow2(shifted));
    }

    /// <summary>A of a, B of b, C of c and D of d in their places, to the bits that each alone would give.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Four<S, V, A, B, C, D>(ref V a, ref V b, ref V c, ref V d)
        where S : struct, ISimd<V>
        where V : struct
        where A : struct, IActivation
        where B : struct, IActivation
        where C : struct, IActivation
        where D : struct, IActivation
    {
        // What nobody reads the compiler leaves out.
        var unused = a;
        Six<S, V, A, B, C, D, A, A>(ref a, ref b, ref c, ref d, ref unused, ref unused);
    }

    /// <summary><see cref="Four"/>, and E of e.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Five<S, V, A, B, C, D, E>(ref V a, ref V b, ref V c, ref V d, ref V e)
        where S : struct, ISimd<V>
        where V : struct
        where A : struct, IActivation
        where B : struct, IActivation
        where C : struct, IActivation
        where D : struct, IActivation
        where E : struct, IActivation
    {
        var unused = a;
        Six<S, V, A, B, C, D, E, A>(ref a, ref b, ref c, ref d, ref e, ref unused);
    }

    /// <summary><see cref="Four"/>, E of e and F of f.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Six<S, V, A, B, C, D, E, F>(ref V a, ref V b, ref V c, ref V d, ref V e, ref V f)
        where S : struct, ISimd<V>
        where V : struct
        where A : struct, IActivation
        where B : struct, IActivation
        where C : struct, IActivation
        where D : struct, IActivation
        where E : struct, IActivation
        where F : struct, IActivation
    {
        var constants = s_constants;
        var xa = A.Exponent<S, V>(constants, a);
        var xb = B.Exponent<S, V>(constants, b);
        var xc = C.Exponent<S, V>(constants, c);
        var xd = D.Exponent<S, V>(constants, d);
        var xe = E.Exponent<S, V>(constants, e);
        var xf = F.Exponent<S, V>(constants, f);

        // As in Expm1, for each.
        V log2E = S.Load(constants + At.Log2E), shift = S.Load(constants + At.Shift);
        var sa = S.Fma(xa, log2E, shift);
        var sb = S.Fma(xb, log2E, shift);
        var sc = S.Fma(xc, log2E, shift);
        var sd = S.Fma(xd, log2E, shift);
        var se = S.Fma(xe, log2E, shift);
        var sf = S.Fma(xf, log2E, shift);
        var pa = S.Subtract(sa, shift);
        var pb = S.Subtract(sb, shift);
        var pc = S.Subtract(sc, shift);
        var pd = S.Subtract(sd, shift);
        var pe = S.Subtract(se, shift);
        var pf = S.Subtract(sf, shift);
        var constant = S.Load(constants + At.Ln2High);
        xa = S.NegatedFma(pa, constant, xa);
        xb = S.NegatedFma(pb, constant, xb);
        xc = S.NegatedFma(pc, constant, xc);
        xd = S.NegatedFma(pd, constant, xd);
        xe = S.NegatedFma(pe, constant, xe);
        xf = S.NegatedFma(pf, constant, xf);
        constant = S.Load(constants + At.Ln2Low);
        xa = S.NegatedFma(pa, constant, xa);
        xb = S.NegatedFma(pb, constant, xb);
        xc = S.NegatedFma(pc, constant, xc);
        xd = S.NegatedFma(pd, constant, xd);
        xe = S.NegatedFma(pe, constant, xe);
        xf = S.NegatedFma(pf, constant, xf);
        V c6 = S.Load(constants + At.C6), c5 = S.Load(constants + At.C5);
        pa = S.Fma(c6, xa, c5);
        pb = S.Fma(c6, xb, c5);
        pc = S.Fma(c6, xc, c5);
        pd = S.Fma(c6, xd, c5);
        pe = S.Fma(c6, xe, c5);
        pf = S.Fma(c6, xf, c5);
        constant = S.Load(constants + At.C4);
        pa = S.Fma(pa, xa, constant);
        pb = S.Fma(pb, xb, constant);
        pc = S.Fma(pc, xc, constant);
        pd = S.Fma(pd, xd, constant);
        pe = S.Fma(pe, xe, constant);
        pf = S.Fma(pf, xf, constant);
        constant = S.Load(constants + At.C3);
        pa = S.Fma(pa, xa, constant);
        pb = S.Fma(pb, xb, constant);
        pc = S.Fma(pc, xc, constant);
        pd = S.Fma(pd, xd, constant);
        pe = S.Fma(pe, xe, constant);
        pf = S.Fma(pf, xf, constant);
        constant = S.Load(constants + At.C2);
        pa = S.Fma(pa, xa, constant);
        pb = S.Fma(pb, xb, constant);
        pc = S.Fma(pc, xc, constant);
        pd = S.Fma(pd, xd, constant);
        pe = S.Fma(pe, xe, constant);
        pf = S.Fma(pf, xf, constant);
        pa = S.Fma(S.Multiply(xa, xa), pa, xa);
        pb = S.Fma(S.Multiply(xb, xb), pb, xb);
        pc = S.Fma(S.Multiply(xc, xc), pc, xc);
        pd = S.Fma(S.Multiply(xd, xd), pd, xd);
        pe = S.Fma(S.Multiply(xe, xe), pe, xe);
        pf = S.Fma(S.Multiply(xf, xf), pf, xf);
        a = A.Value<S, V>(constants, pa, S.Pow2(sa));
        b = B.Value<S, V>(constants, pb, S.Pow2(sb));
        c = C.Value<S, V>(constants, pc, S.Pow2(sc));
        d = D.Value<S, V>(constants, pd, S.Pow2(sd));
        e = E.Value<S, V>(constants, pe, S.Pow2(se));
        f = F.Value<S, V>(constants, pf, S.Pow2(sf));
    }

    /// <summary>expm1(r) of x = n·ln 2 + r; <paramref name="shifted"/> carries n + 127 in its low mantissa bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static V Expm1<S, V>(V x, out V shifted)
        where S : struct, ISimd<V>
        where V : struct
    {
        var constants = s_constants;
        var shift = S.Load(constants + At.Shift);
        shifted = S.Fma(x, S.Load(constants + At.Log2E), shift);
        var n = S.Subtract(shifted, shift);
        var r = S.NegatedFma(n, S.Load(constants + At.Ln2High), x);
        r = S.NegatedFma(n, S.Load(constants + At.Ln2Low), r);
        var p = S.Fma(S.Load(constants + At.C6), r, S.Load(constants + At.C5));
        p = S.Fma(p, r, S.Load(constants + At.C4));
        p = S.Fma(p, r, S.Load(constants + At.C3));
        p = S.Fma(p, r, S.Load(constants + At.C2));
        return S.Fma(S.Multiply(r, r), p, r);
    }

    static float* Constants()
    {
        const int Count = At.MinimumTanhInput + At.Lanes;
        var table = (float*)NativeMemory.AlignedAlloc(Count * sizeof(float), At.Lanes * sizeof(float));
        Fill(At.Shift, RoundingShift);
        Fill(At.Log2E, Log2E);
        Fill(At.Ln2High, Ln2High);
        Fill(At.Ln2Low, Ln2Low);
        Fill(At.C6, C6);
        Fill(At.C5, C5);
        Fill(At.C4, C4);
        Fill(At.C3, C3);
        Fill(At.C2, C2);
        Fill(At.One, 1f);
        Fill(At.Two, 2f);
        Fill(At.MaximumSigmoidInput, MaximumSigmoidInput);
        Fill(At.MinimumSigmoidInput, -MaximumSigmoidInput);
        Fill(At.MaximumTanhInput, MaximumTanhInput);
        Fill(At.MinimumTanhInput, -MaximumTanhInput);
        return table;

        void Fill(int at, float value) => new Span<float>(table + at, At.Lanes).Fill(value);
    }

    /// <summary>Where each constant begins.</summary>
    static class At
    {
        public const int Lanes = 16;
        public const int Shift = 0;
        public const int Log2E = 1 * Lanes;
        public const int Ln2High = 2 * Lanes;
        public const int Ln2Low = 3 * Lanes;
        public const int C6 = 4 * Lanes;
        public const int C5 = 5 * Lanes;
        public const int C4 = 6 * Lanes;
        public const int C3 = 7 * Lanes;
        public const int C2 = 8 * Lanes;
        public const int One = 9 * Lanes;
        public const int Two = 10 * Lanes;
        public const int MaximumSigmoidInput = 11 * Lanes;
        public const int MinimumSigmoidInput = 12 * Lanes;
        public const int MaximumTanhInput = 13 * Lanes;
        public const int MinimumTanhInput = 14 * Lanes;
    }

    /// <summary>A function of eˣ: what it takes eˣ of, and what it makes of it.</summary>
    public interface IActivation
    {
        static abstract V Exponent<S, V>(float* constants, V x)
            where S : struct, ISimd<V>
            where V : struct;

        /// <summary>From expm1(r) and 2ⁿ.</summary>
        static abstract V Value<S, V>(float* constants, V expm1, V scale)
            where S : struct, ISimd<V>
            where V : struct;
    }

    /// <inheritdoc cref="Sigmoid{S, V}"/>
    public readonly struct SigmoidFunction : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Exponent<S, V>(float* constants, V x)
            where S : struct, ISimd<V>
            where V : struct =>
            S.AtLeast(
                S.AtMost(S.Subtract(S.Broadcast(0f), x), S.Load(constants + At.MaximumSigmoidInput)),
                S.Load(constants + At.MinimumSigmoidInput));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Value<S, V>(float* constants, V expm1, V scale)
            where S : struct, ISimd<V>
            where V : struct
        {
            var one = S.Load(constants + At.One);
            return S.Divide(one, S.Add(one, S.Fma(scale, expm1, scale)));
        }
    }

    /// <inheritdoc cref="Tanh{S, V}"/>
    public readonly struct TanhFunction : IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Exponent<S, V>(float* constants, V x)
            where S : struct, ISimd<V>
            where V : struct
        {
            var clamped = S.AtLeast(S.AtMost(x, S.Load(constants + At.MaximumTanhInput)), S.Load(constants + At.MinimumTanhInput));
            return S.Add(clamped, clamped);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Value<S, V>(float* constants, V expm1, V scale)
            where S : struct, ISimd<V>
            where V : struct
        {
            var value = S.Fma(scale, expm1, S.Subtract(scale, S.Load(constants + At.One)));
            return S.Divide(value, S.Add(value, S.Load(constants + At.Two)));
        }
    }
}
