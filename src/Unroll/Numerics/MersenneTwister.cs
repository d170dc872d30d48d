using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;

namespace Unroll.Numerics;

/// <summary>
/// The MT19937 generator, equal bit for bit to numpy's legacy <c>RandomState(seed)</c>.
/// </summary>
/// <remarks>
/// State: 624 words of 32 bits, period 2^19937 − 1. The sequence is a function of the seed and of the calls alone: no
/// clock, no ambient state, the same bits on every platform. After construction no call allocates, except
/// <see cref="GetState"/> and <see cref="Permutation"/>, which return new arrays. One instance is for one thread.
/// Not for secrets: 624 outputs reveal all others.
/// Sources: Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random
/// number generator", ACM TOMACS 8(1), 1998, with the 2002 initialisation; numpy 1.24 <c>numpy.random.RandomState</c>
/// for the derived distributions.
/// </remarks>
public sealed class MersenneTwister
{
    internal const int StateSize = 624;
    const int Shift = 397;
    const uint UpperBit = 0x8000_0000;
    const uint LowerBits = 0x7FFF_FFFF;
    const uint TwistMatrix = 0x9908_B0DF;

    readonly uint[] _key = new uint[StateSize];
    int _position;
    bool _hasGauss;
    double _gauss;

    /// <summary>Starts the sequence that numpy's <c>RandomState(seed)</c> starts.</summary>
    /// <remarks><code>key[0] = seed;  key[k] = 1812433253 · (key[k−1] xor key[k−1] &gt;&gt; 30) + k  mod 2^32</code></remarks>
    /// <param name="seed">Any 32-bit number; each gives its own sequence.</param>
    public MersenneTwister(uint seed)
    {
        _key[0] = seed;
        for (var k = 1; k < StateSize; k++)
        {
            var previous = _key[k - 1];
            _key[k] = (1812433253 * (previous ^ (previous >> 30))) + (uint)k;
        }

        _position = StateSize;
    }

    /// <summary>Continues the sequence from a saved state.</summary>
    /// <param name="state">What <see cref="GetState"/> returned.</param>
    /// <exception cref="ArgumentNullException"><paramref name="state"/> is null.</exception>
    /// <exception cref="ArgumentException">The state is not one a generator can be in; see <see cref="SetState"/>.</exception>
    public MersenneTwister(MersenneTwisterState state) => SetState(state);

    /// <summary>The next 32 random bits, as numpy's <c>randint(0, 2**32)</c>.</summary>
    /// <returns>A number uniform on [0, 2^32 − 1].</returns>
    public uint NextUInt32()
    {
        if (_position == StateSize)
            Twist();

        var y = _key[_position++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        return y ^ (y >> 18);
    }

    /// <summary>The next double uniform on [0, 1) with 53 random bits, as numpy's <c>random_sample()</c>.</summary>
    /// <remarks><code>((u₁ &gt;&gt; 5) · 2^26 + (u₂ &gt;&gt; 6)) / 2^53</code> u₁, u₂: two draws of <see cref="NextUInt32"/>.</remarks>
    /// <returns>A multiple of 2^−53 in [0, 1).</returns>
    public double RandomSample()
    {
        var high = NextUInt32() >> 5;
        var low = NextUInt32() >> 6;
        return ((high * 67108864.0) + low) / 9007199254740992.0;
    }

    /// <summary>The next double uniform on [low, high), as numpy's <c>uniform(low, high)</c>.</summary>
    /// <remarks><code>low + (high − low) · RandomSample()</code> Rounding may give <paramref name="high"/> itself.</remarks>
    /// <param name="low">Lower end, included.</param>
    /// <param name="high">Upper end; below <paramref name="low"/> it mirrors the range, as numpy does.</param>
    /// <returns>The sample.</returns>
    /// <exception cref="ArgumentOutOfRangeException">high − low is infinite or not a number.</exception>
    public double Uniform(double low, double high)
    {
        var range = FiniteRange(low, high);
        return low + (range * RandomSample());
    }

    /// <summary>Fills a span with doubles uniform on [low, high), as numpy's <c>uniform(low, high, size)</c>.</summary>
    /// <param name="low">Lower end, included.</param>
    /// <param name="high">Upper end.</param>
    /// <param name="destination">Overwritten with samples, first to last; any length.</param>
    /// <exception cref="ArgumentOutOfRangeException">high − low is infinite or not a number.</exception>
    public void Uniform(double low, double high, Span<double> destination)
    {
        var range = FiniteRange(low, high);
        foreach (ref var x in destination)
            x = low + (range * RandomSample());
    }

    /// <summary>
    /// The next integer uniform on [0, max], both ends included, as numpy's legacy <c>randint(0, max + 1)</c>.
    /// </summary>
    /// <param name="max">The largest value, ≥ 0. For 0 nothing is drawn.</param>
    /// <returns>The sample.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public int NextInterval(int max)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        return (int)NextInterval((ulong)max);
    }

    /// <summary>
    /// The next integer uniform on [0, max], both ends included, by masked rejection (numpy's <c>random_interval</c>).
    /// </summary>
    /// <remarks>
    /// <code>repeat v = bits &amp; (smallest 2^k − 1 ≥ max) until v ≤ max</code>
    /// 32 bits are drawn per try if max &lt; 2^32, else 64 (high word first); on average fewer than two tries.
    /// </remarks>
    /// <param name="max">The largest value. For 0 nothing is drawn.</param>
    /// <returns>The sample.</returns>
    public ulong NextInterval(ulong max)
    {
        if (max == 0)
            return 0;

        var mask = ulong.MaxValue >> BitOperations.LeadingZeroCount(max);
        ulong value;
        do
        {
            value = max <= uint.MaxValue ? NextUInt32() : ((ulong)NextUInt32() << 32) | NextUInt32();
            value &= mask;
        }
        while (value > max);
        return value;
    }

    /// <summary>Puts the values in random order in place, as numpy's legacy <c>shuffle</c>.</summary>
    /// <remarks><code>for i = n − 1 … 1: swap values[i], values[NextInterval(i)]</code></remarks>
    /// <param name="values">Reordered; any length.</param>
    public void Shuffle(Span<int> values)
    {
        for (var i = values.Length - 1; i > 0; i--)
        {
            var j = NextInterval(i);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    /// <summary>The numbers 0 … n − 1 in random order, as numpy's legacy <c>permutation(n)</c>.</summary>
    /// <param name="n">How many, ≥ 0.</param>
    /// <returns>A new array [n].</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="n"/> is negative.</exception>
    public int[] Permutation(int n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        var values = new int[n];
        for (var i = 0; i < n; i++)
            values[i] = i;
        Shuffle(values);
        return values;
    }

    /// <summary>The next sample of the standard normal distribution, as numpy's legacy <c>standard_normal()</c>.</summary>
    /// <remarks>
    /// Marsaglia's polar method, two samples for each accepted pair; the second is kept for the next call.
    /// <code>
    /// x₁, x₂ uniform on [−1, 1) until 0 &lt; r² = x₁² + x₂² &lt; 1
    /// f = √(−2 · ln r² / r²);  return f · x₂, then f · x₁
    /// </code>
    /// The logarithm is this library's own, so the bits are the same on every platform; they are within 1e-14
    /// (relative) of numpy's, whose last bit follows the C library of its machine.
    /// </remarks>
    /// <returns>A sample with mean 0 and variance 1.</returns>
    public double Normal()
    {
        if (_hasGauss)
        {
            var kept = _gauss;
            _hasGauss = false;
            _gauss = 0;
            return kept;
        }

        double x1, x2, r2;
        do
        {
            x1 = (2 * RandomSample()) - 1;
            x2 = (2 * RandomSample()) - 1;
            r2 = (x1 * x1) + (x2 * x2);
        }
        while (r2 is >= 1 or 0);

        var f = Math.Sqrt(-2 * Logarithm.Of(r2) / r2);
        _gauss = f * x1;
        _hasGauss = true;
        return f * x2;
    }

    /// <summary>A copy of the whole state, from which the sequence continues exactly.</summary>
    /// <returns>Key, position and the kept normal sample, equal to numpy's <c>get_state()</c>.</returns>
    public MersenneTwisterState GetState() => new([.. _key], _position, _hasGauss, _gauss);

    /// <summary>Replaces the whole state, so that the sequence continues where the state was taken.</summary>
    /// <param name="state">What <see cref="GetState"/> returned, here or elsewhere.</param>
    /// <exception cref="ArgumentNullException"><paramref name="state"/> is null.</exception>
    /// <exception cref="ArgumentException">
    /// The key does not have 624 words or is all zeros, the position is outside [0, 624], or the kept normal sample is
    /// not finite. This generator is then unchanged.
    /// </exception>
    public void SetState(MersenneTwisterState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Key.IsDefault || state.Key.Length != StateSize)
        {
            var length = state.Key.IsDefault ? 0 : state.Key.Length;
            throw new ArgumentException($"The key has {length} words where {StateSize} were expected.", nameof(state));
        }

        if (!state.Key.AsSpan().ContainsAnyExcept(0u))
            throw new ArgumentException("The key is all zeros; the generator would return zeros for ever.", nameof(state));
        if (state.Position is < 0 or > StateSize)
            throw new ArgumentException($"The position is {state.Position} where 0 to {StateSize} was expected.", nameof(state));
        if (!double.IsFinite(state.Gauss))
            throw new ArgumentException($"The kept normal sample is {state.Gauss} where a finite number was expected.", nameof(state));

        state.Key.CopyTo(_key);
        _position = state.Position;
        _hasGauss = state.HasGauss;
        _gauss = state.Gauss;
    }

    static double FiniteRange(double low, double high)
    {
        var range = high - low;
        return double.IsFinite(range)
            ? range
            : throw new ArgumentOutOfRangeException(nameof(high), $"The range from {low} to {high} is not finite.");
    }

    /// <summary>Replaces the 624 words by the next 624.</summary>
    void Twist()
    {
        var key = _key;
        for (var k = 0; k < StateSize - Shift; k++)
            key[k] = key[k + Shift] ^ TwistPair(key[k], key[k + 1]);
        for (var k = StateSize - Shift; k < StateSize - 1; k++)
            key[k] = key[k + Shift - StateSize] ^ TwistPair(key[k], key[k + 1]);
        key[StateSize - 1] = key[Shift - 1] ^ TwistPair(key[StateSize - 1], key[0]);
        _position = 0;
    }

    static uint TwistPair(uint upper, uint lower)
    {
        var y = (upper & UpperBit) | (lower & LowerBits);
        return (y >> 1) ^ ((y & 1) * TwistMatrix);
    }
}

/// <summary>The whole state of a <see cref="MersenneTwister"/>, immutable and compared by value.</summary>
/// <param name="Key">The 624 words.</param>
/// <param name="Position">How many of the words have been used, 0 to 624.</param>
/// <param name="HasGauss">Whether <paramref name="Gauss"/> is the answer of the next <see cref="MersenneTwister.Normal"/>.</param>
/// <param name="Gauss">The kept normal sample; 0 if there is none.</param>
public sealed record MersenneTwisterState(ImmutableArray<uint> Key, int Position, bool HasGauss, double Gauss)
{
    const int ByteCount = (MersenneTwister.StateSize * 4) + 4 + 1 + 8;

    /// <summary>Whether both states continue with the same sequence, word by word and bit by bit.</summary>
    /// <param name="other">The state to compare with.</param>
    /// <returns>True if all four members have equal bits.</returns>
    public bool Equals(MersenneTwisterState? other) =>
        other is not null
        && Position == other.Position
        && HasGauss == other.HasGauss
        && BitConverter.DoubleToInt64Bits(Gauss) == BitConverter.DoubleToInt64Bits(other.Gauss)
        && Key.AsSpan().SequenceEqual(other.Key.AsSpan());

    /// <summary>A hash of position and first words.</summary>
    /// <returns>Equal for equal states.</returns>
    public override int GetHashCode() =>
        Key.IsDefaultOrEmpty ? Position : HashCode.Combine(Position, HasGauss, Key[0], Key[^1]);

    /// <summary>The state as one line of text, for a checkpoint.</summary>
    /// <remarks>
    /// Base64 of 2509 bytes, little-endian: 624 × uint32 key, int32 position, one byte 0 or 1, float64 kept sample.
    /// </remarks>
    /// <returns>3348 characters.</returns>
    /// <exception cref="InvalidOperationException">The key does not have 624 words.</exception>
    public string ToBase64()
    {
        if (Key.IsDefault || Key.Length != MersenneTwister.StateSize)
            throw new InvalidOperationException($"The key does not have {MersenneTwister.StateSize} words.");

        var bytes = new byte[ByteCount];
        var rest = bytes.AsSpan();
        foreach (var word in Key)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest, word);
            rest = rest[4..];
        }

        BinaryPrimitives.WriteInt32LittleEndian(rest, Position);
        rest[4] = HasGauss ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteDoubleLittleEndian(rest[5..], Gauss);
        return Convert.ToBase64String(bytes);
    }

    /// <summary>Reads what <see cref="ToBase64"/> wrote.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The same state, bit for bit.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    /// <exception cref="FormatException">The text is not Base64 of 2509 bytes, or its flag byte is neither 0 nor 1.</exception>
    public static MersenneTwisterState FromBase64(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var bytes = new byte[ByteCount];
        if (!Convert.TryFromBase64String(text, bytes, out var written) || written != ByteCount)
            throw new FormatException($"A generator state is {ByteCount} bytes in Base64; this text of {text.Length} characters is not.");

        var key = ImmutableArray.CreateBuilder<uint>(MersenneTwister.StateSize);
        var rest = bytes.AsSpan();
        for (var k = 0; k < MersenneTwister.StateSize; k++)
        {
            key.Add(BinaryPrimitives.ReadUInt32LittleEndian(rest));
            rest = rest[4..];
        }

        if (rest[4] > 1)
            throw new FormatException($"The flag byte of a generator state is {rest[4]} where 0 or 1 was expected.");
        return new(
            key.MoveToImmutable(),
            BinaryPrimitives.ReadInt32LittleEndian(rest),
            rest[4] == 1,
            BinaryPrimitives.ReadDoubleLittleEndian(rest[5..]));
    }
}
