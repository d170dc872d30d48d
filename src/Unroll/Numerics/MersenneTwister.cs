namespace Unroll.Numerics;
#pragma warning disable CS1591
public sealed class MersenneTwister
{
    private readonly uint[] _mt = new uint[624];
    private int _at = 624;
    private double? _cached;
    public MersenneTwister(uint seed)
    {
        for (uint i = 0; i < 624; i++) { _mt[i] = seed; seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1; }
    }
    public uint NextUInt32()
    {
        if (_at == 624) Twist();
        var y = _mt[_at++];
        y ^= y >> 11; y ^= (y << 7) & 0x9d2c5680u; y ^= (y << 15) & 0xefc60000u; return y ^ (y >> 18);
    }
    private void Twist()
    {
        for (var k = 0; k < 624; k++)
        {
            var y = (_mt[k] & 0x80000000u) | (_mt[(k + 1) % 624] & 0x7fffffffu);
            _mt[k] = _mt[(k + 397) % 624] ^ (y >> 1) ^ ((y & 1) != 0 ? 0x9908b0dfu : 0u);
        }
        _at = 0;
    }
    public double RandomSample() { var a = NextUInt32() >> 5; var b = NextUInt32() >> 6; return (a * 67108864.0 + b) / 9007199254740992.0; }
    public double Uniform(double low, double high) => low + (high - low) * RandomSample();
    public uint NextInterval(uint max)
    {
        if (max == 0) return 0;
        var mask = max; mask |= mask >> 1; mask |= mask >> 2; mask |= mask >> 4; mask |= mask >> 8; mask |= mask >> 16;
        uint v; while ((v = NextUInt32() & mask) > max) { } return v;
    }
    public void Shuffle(Span<int> values)
    {
        for (var i = values.Length - 1; i > 0; i--) { var j = (int)NextInterval((uint)i); (values[i], values[j]) = (values[j], values[i]); }
    }
    public double Normal()
    {
        if (_cached is { } c) { _cached = null; return c; }
        double x, y, r; do { x = 2 * RandomSample() - 1; y = 2 * RandomSample() - 1; r = x * x + y * y; } while (r >= 1 || r == 0);
        var f = Math.Sqrt(-2 * Math.Log(r) / r); _cached = f * x; return f * y;
    }
}
