namespace Unroll.Layers;

/// <summary>
/// Zeros with a probability of the rate, 1/(1 − rate) elsewhere: a function of a pass's noise and an element's place, so
/// that it is the same for every split over threads and needs no order of drawing.
/// </summary>
readonly struct DropoutMask(double rate, ulong noise)
{
    readonly ulong _threshold = (ulong)(rate * (1UL << 32));
    readonly float _scale = (float)(1 / (1 - rate));

    /// <summary>x times the mask at <paramref name="place"/>.</summary>
    public float Apply(float x, long place) => Random32(noise, (ulong)place) < _threshold ? 0f : x * _scale;

    /// <summary>32 random bits of a counter: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).</summary>
    static ulong Random32(ulong seed, ulong counter)
    {
        var z = seed + (counter + 1) * 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return (z ^ (z >> 31)) >> 32;
    }
}
