using Unroll.Numerics;

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
    public float Apply(float x, long place) => CounterNoise.Bits32(noise, (ulong)place) < _threshold ? 0f : x * _scale;
}
