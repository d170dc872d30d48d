using System.Runtime.CompilerServices;

namespace Unroll.Numerics;

/// <summary>Loads and stores of up to one register: the tail of a row costs a masked access, no scalar loop.</summary>
static unsafe class Lanes<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    /// <summary>Lanes that a kernel loads or stores, of <paramref name="n"/> that are left.</summary>
    /// <typeparam name="N">Their number where the JIT shall know it, so that it emits no branch: 16 for all lanes of any width, 0 where it is not known.</typeparam>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Valid<N>(int n)
        where N : struct, IConstant => N.Value == 0 ? n : Math.Min(N.Value, S.Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(float* source, int n) => n >= S.Count ? S.Load(source) : S.LoadPartial(source, n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* destination, V value, int n)
    {
        if (n >= S.Count)
            S.Store(destination, value);
        else
            S.StorePartial(destination, value, n);
    }

    /// <summary>Loads up to four registers; lanes from <paramref name="n"/> on are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadFour(float* source, int n, out V v0, out V v1, out V v2, out V v3)
    {
        if (n >= 4 * S.Count)
        {
            v0 = S.Load(source);
            v1 = S.Load(source + S.Count);
            v2 = S.Load(source + (2 * S.Count));
            v3 = S.Load(source + (3 * S.Count));
        }
        else
        {
            v0 = Load(source, n);
            v1 = n > S.Count ? Load(source + S.Count, n - S.Count) : S.Broadcast(0f);
            v2 = n > 2 * S.Count ? Load(source + (2 * S.Count), n - (2 * S.Count)) : S.Broadcast(0f);
            v3 = n > 3 * S.Count ? Load(source + (3 * S.Count), n - (3 * S.Count)) : S.Broadcast(0f);
        }
    }

    /// <summary>Stores the first <paramref name="n"/> lanes of up to four registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreFour(float* destination, V v0, V v1, V v2, V v3, int n)
    {
        if (n >= 4 * S.Count)
        {
            S.Store(destination, v0);
            S.Store(destination + S.Count, v1);
            S.Store(destination + (2 * S.Count), v2);
            S.Store(destination + (3 * S.Count), v3);
        }
        else
        {
            Store(destination, v0, n);
            if (n > S.Count)
                Store(destination + S.Count, v1, n - S.Count);
            if (n > 2 * S.Count)
                Store(destination + (2 * S.Count), v2, n - (2 * S.Count));
            if (n > 3 * S.Count)
                Store(destination + (3 * S.Count), v3, n - (3 * S.Count));
        }
    }
}
