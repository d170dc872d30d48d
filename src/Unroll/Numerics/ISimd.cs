namespace Unroll.Numerics;

/// <summary>
/// The few vector operations the kernels are written in, once for every width. <typeparamref name="V"/> is the register
/// type; the JIT specialises generic code over a struct implementation, so each call is one instruction.
/// </summary>
/// <remarks>
/// Every operation is correctly rounded per lane (IEEE 754) and lanes never mix, which is why all widths give the same
/// bits. Reductions across lanes are therefore absent on purpose.
/// </remarks>
unsafe interface ISimd<V>
    where V : struct
{
    /// <summary>Lanes in a register.</summary>
    static abstract int Count { get; }

    /// <summary>Vector registers that a kernel may count on, 16 or 32.</summary>
    static abstract int Registers { get; }

    static abstract V Load(float* source);

    /// <summary>Loads the first <paramref name="n"/> &lt; Count lanes; the others are 0. Reads no byte beyond them.</summary>
    static abstract V LoadPartial(float* source, int n);

    static abstract void Store(float* destination, V value);

    /// <summary>Stores the first <paramref name="n"/> &lt; Count lanes. Writes no byte beyond them.</summary>
    static abstract void StorePartial(float* destination, V value, int n);

    static abstract V Broadcast(float value);

    static abstract V Add(V x, V y);

    static abstract V Subtract(V x, V y);

    static abstract V Multiply(V x, V y);

    static abstract V Divide(V x, V y);

    static abstract V Sqrt(V x);

    static abstract V Abs(V x);

    /// <summary>x·y + z with one rounding.</summary>
    static abstract V Fma(V x, V y, V z);

    /// <summary>z − x·y with one rounding.</summary>
    static abstract V NegatedFma(V x, V y, V z);

    /// <summary>The smaller of x and the limit, which is no NaN; a NaN in x stays. One instruction on x86 and Arm.</summary>
    static abstract V AtMost(V x, V limit);

    /// <summary>The larger of x and the limit, which is no NaN; a NaN in x stays.</summary>
    static abstract V AtLeast(V x, V limit);

    /// <summary>Per lane: x &lt; y ? a : b. A NaN in x or y selects b.</summary>
    static abstract V SelectLess(V x, V y, V a, V b);

    /// <summary>2ⁿ where the low mantissa bits of <paramref name="shifted"/> hold n + 127 (see <see cref="Activations"/>).</summary>
    static abstract V Pow2(V shifted);
}
