using System.Runtime.CompilerServices;

namespace Unroll.Numerics;

/// <summary>Loads and stores of up to one register: the tail of a row costs a masked access, no scalar loop.</summary>
static unsafe class Lanes<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
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
}
