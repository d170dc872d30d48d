namespace Unroll.Numerics;

/// <summary>Random numbers that depend on a seed and a place alone, so on no order of the work.</summary>
static class CounterNoise
{
    /// <summary>32 random bits of a counter: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).</summary>
    public static ulong Bits32(ulong seed, ulong counter)
    {
        var z = seed + (counter + 1) * 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return (z ^ (z >> 31)) >> 32;
    }
}
