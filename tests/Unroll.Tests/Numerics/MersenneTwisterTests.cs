using System.Text.Json;
using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

/// <summary>Against numpy-mt19937.json, which tests/fixtures/make_numpy_values.py wrote with numpy 1.24.</summary>
public sealed class MersenneTwisterTests
{
    const double NormalTolerance = 1e-14; // relative; only the last bit of the logarithm may differ

    static readonly JsonElement s_numpy = Load();

    public static TheoryData<uint> Seeds => [0u, 12u, 5489u, 4294967295u];

    static JsonElement Load()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "fixtures", "numpy-mt19937.json");
        return JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
    }

    static JsonElement For(uint seed) =>
        s_numpy.GetProperty("seeds").EnumerateArray().Single(e => e.GetProperty("seed").GetUInt32() == seed);

    static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];

    static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    static uint[] Words(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetUInt32())];

    static uint[] Draw(MersenneTwister generator, int count)
    {
        var words = new uint[count];
        foreach (ref var word in words.AsSpan())
            word = generator.NextUInt32();
        return words;
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void NextUInt32_EqualsNumpy_PastTwoTwists(uint seed)
    {
        var expected = For(seed);
        var words = Draw(new MersenneTwister(seed), 2000);
        Assert.Equal(Words(expected.GetProperty("first")), words[..10]);
        Assert.Equal(Words(expected.GetProperty("from620")), words[620..630]);
        Assert.Equal(Words(expected.GetProperty("from1244")), words[1244..1254]);
        Assert.Equal(expected.GetProperty("last").GetUInt32(), words[1999]);
    }

    [Fact]
    public void NextUInt32_EqualsThePublishedValue_WhenTenThousandthFromSeed5489() =>
        // The C++ standard requires this of std::mt19937 [rand.predef].
        Assert.Equal(4123659995u, Draw(new MersenneTwister(5489), 10_000)[^1]);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void RandomSample_EqualsNumpy(uint seed)
    {
        var expected = For(seed);
        var generator = new MersenneTwister(seed);
        var samples = new double[700];
        foreach (ref var sample in samples.AsSpan())
            sample = generator.RandomSample();
        var at = Ints(expected.GetProperty("randomSampleAt"));
        Assert.Equal(Doubles(expected.GetProperty("randomSample")), at.Select(i => samples[i]));
        Assert.All(samples, x => Assert.InRange(x, 0, Math.BitDecrement(1)));
    }

    [Fact]
    public void Uniform_EqualsNumpyInFull_For251ValuesOfSeed12()
    {
        var expected = Doubles(s_numpy.GetProperty("uniform251Seed12"));
        var filled = new double[251];
        new MersenneTwister(12).Uniform(-1, 1, filled);
        Assert.Equal(251, expected.Length);
        Assert.Equal(expected, filled);

        var generator = new MersenneTwister(12);
        Assert.All(expected, x => Assert.Equal(x, generator.Uniform(-1, 1)));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Uniform_EqualsNumpy_WhenTheRangeIsNotAPowerOfTwo(uint seed)
    {
        var generator = new MersenneTwister(seed);
        Assert.All(Doubles(For(seed).GetProperty("uniform")), x => Assert.Equal(x, generator.Uniform(-2.5, 7.25)));
    }

    [Theory]
    [InlineData(0, double.PositiveInfinity)]
    [InlineData(double.NaN, 1)]
    [InlineData(-double.MaxValue, double.MaxValue)]
    public void Uniform_Throws_WhenTheRangeIsNotFinite(double low, double high)
    {
        var generator = new MersenneTwister(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Uniform(low, high));
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.Uniform(low, high, new double[1]));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void NextInterval_EqualsNumpyRandint(uint seed)
    {
        foreach (var row in For(seed).GetProperty("intervals").EnumerateArray())
        {
            var max = row.GetProperty("max").GetUInt64();
            var expected = row.GetProperty("values").EnumerateArray().Select(e => e.GetUInt64()).ToArray();
            var generator = new MersenneTwister(seed);
            Assert.All(expected, value => Assert.Equal(value, generator.NextInterval(max)));
            if (max > int.MaxValue)
                continue;

            generator = new MersenneTwister(seed);
            Assert.All(expected, value => Assert.Equal((int)value, generator.NextInterval((int)max)));
        }
    }

    [Fact]
    public void NextInterval_DrawsNothing_WhenMaxIsZero()
    {
        var generator = new MersenneTwister(3);
        Assert.Equal(0, generator.NextInterval(0));
        Assert.Equal(0ul, generator.NextInterval(0ul));
        Assert.Equal(new MersenneTwister(3).GetState(), generator.GetState());
        Assert.Throws<ArgumentOutOfRangeException>(() => generator.NextInterval(-1));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Shuffle_EqualsNumpy_AndLeavesTheSameState(uint seed)
    {
        var expected = For(seed);
        var generator = new MersenneTwister(seed);
        var order = Enumerable.Range(100, 20).ToArray();
        generator.Shuffle(order);
        Assert.Equal(Ints(expected.GetProperty("shuffleOf100To119")), order);
        Assert.Equal(Words(expected.GetProperty("afterShuffle")), Draw(generator, 2));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Permutation_EqualsNumpy(uint seed)
    {
        foreach (var n in new[] { 1, 50, 1000 })
        {
            var expected = Ints(For(seed).GetProperty($"permutation{n}"));
            Assert.Equal(expected, new MersenneTwister(seed).Permutation(n));
        }

        Assert.Empty(new MersenneTwister(seed).Permutation(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new MersenneTwister(seed).Permutation(-1));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Normal_EqualsNumpyWithinTheLogarithmsLastBit(uint seed)
    {
        var generator = new MersenneTwister(seed);
        foreach (var expected in Doubles(For(seed).GetProperty("normal")))
        {
            var actual = generator.Normal();
            Assert.True(
                Math.Abs(actual - expected) <= NormalTolerance * Math.Abs(expected),
                $"{actual:R} where numpy gives {expected:R}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void GetState_EqualsNumpy_AfterAnOddNumberOfNormals(uint seed)
    {
        var generator = new MersenneTwister(seed);
        for (var i = 0; i < 401; i++)
            generator.Normal();
        var state = generator.GetState();
        var expected = For(seed).GetProperty("stateAfter401Normals");
        Assert.Equal(Words(expected.GetProperty("key")), state.Key);
        Assert.Equal(expected.GetProperty("position").GetInt32(), state.Position);
        Assert.Equal(expected.GetProperty("hasGauss").GetBoolean(), state.HasGauss);
        var gauss = expected.GetProperty("gauss").GetDouble();
        Assert.InRange(state.Gauss, gauss - (NormalTolerance * Math.Abs(gauss)), gauss + (NormalTolerance * Math.Abs(gauss)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void State_ContinuesTheSameSequence_AlsoThroughText(int normals)
    {
        var original = new MersenneTwister(77);
        for (var i = 0; i < normals; i++)
            original.Normal();
        var state = original.GetState();
        var read = MersenneTwisterState.FromBase64(state.ToBase64());
        Assert.Equal(state, read);
        Assert.Equal(state.GetHashCode(), read.GetHashCode());

        var restored = new MersenneTwister(read);
        var set = new MersenneTwister(1);
        set.SetState(state);
        for (var i = 0; i < 1500; i++)
        {
            var expected = i % 3 == 0 ? original.RandomSample() : original.Normal();
            Assert.Equal(expected, i % 3 == 0 ? restored.RandomSample() : restored.Normal());
            Assert.Equal(expected, i % 3 == 0 ? set.RandomSample() : set.Normal());
        }

        Assert.NotEqual(state, original.GetState());
        Assert.Equal(state, read); // later draws do not reach into a state that was taken
    }

    [Fact]
    public void State_SurvivesPlainJson()
    {
        var generator = new MersenneTwister(9);
        generator.Normal();
        var state = generator.GetState();
        Assert.Equal(state, JsonSerializer.Deserialize<MersenneTwisterState>(JsonSerializer.Serialize(state)));
    }

    [Fact]
    public void SetState_RefusesImpossibleStates_AndKeepsTheOldOne()
    {
        var generator = new MersenneTwister(4);
        var good = generator.GetState();
        MersenneTwisterState[] bad =
        [
            good with { Key = default },
            good with { Key = [1, 2, 3] },
            good with { Key = [.. new uint[624]] },
            good with { Position = -1 },
            good with { Position = 625 },
            good with { Gauss = double.NaN },
        ];
        Assert.All(bad, state => Assert.Throws<ArgumentException>(() => generator.SetState(state)));
        Assert.Throws<ArgumentNullException>(() => generator.SetState(null!));
        Assert.Equal(good, generator.GetState());
        Assert.Throws<InvalidOperationException>(() => bad[1].ToBase64());
    }

    [Theory]
    [InlineData("")]
    [InlineData("not base64!")]
    [InlineData("AAAA")]
    public void FromBase64_Throws_WhenTheTextIsNoState(string text) =>
        Assert.Throws<FormatException>(() => MersenneTwisterState.FromBase64(text));

    [Fact]
    public void FromBase64_Throws_WhenTheFlagIsNeitherZeroNorOne()
    {
        var bytes = Convert.FromBase64String(new MersenneTwister(1).GetState().ToBase64());
        bytes[^9] = 2;
        Assert.Throws<FormatException>(() => MersenneTwisterState.FromBase64(Convert.ToBase64String(bytes)));
    }

    [Fact]
    public void Logarithm_IsWithinOneUlpOfMathLog()
    {
        var generator = new MersenneTwister(2);
        var worst = 0.0;
        for (var i = 0; i < 400_000; i++)
        {
            // A third each: over (0, 1), close to 1 where the logarithm vanishes, every positive bit pattern.
            var x = (i % 3) switch
            {
                0 => generator.RandomSample(),
                1 => 1 + (generator.Uniform(-1, 1) / (1 << generator.NextInterval(30))),
                _ => BitConverter.UInt64BitsToDouble(generator.NextInterval(0x7FEF_FFFF_FFFF_FFFFul)),
            };
            if (x <= 0 || x == 1)
                continue;
            var expected = Math.Log(x);
            var ulp = Math.BitIncrement(Math.Abs(expected)) - Math.Abs(expected);
            worst = Math.Max(worst, Math.Abs(Logarithm.Of(x) - expected) / ulp);
        }

        Assert.InRange(worst, 0, 1);
    }

    [Fact]
    public void Logarithm_HasTheLimitsOfTheLogarithm()
    {
        Assert.Equal(0, Logarithm.Of(1));
        Assert.Equal(Math.Log(2), Logarithm.Of(2));
        Assert.Equal(Math.Log(double.MaxValue), Logarithm.Of(double.MaxValue));
        Assert.Equal(Math.Log(double.Epsilon), Logarithm.Of(double.Epsilon));
        Assert.Equal(double.NegativeInfinity, Logarithm.Of(0));
        Assert.Equal(double.PositiveInfinity, Logarithm.Of(double.PositiveInfinity));
        Assert.Equal(double.NaN, Logarithm.Of(-1));
        Assert.Equal(double.NaN, Logarithm.Of(double.NaN));
    }

    [Fact]
    public void Draws_AllocateNothing()
    {
        var generator = new MersenneTwister(8);
        var samples = new double[100];
        var order = new int[100];
        Allocations.AssertNone(Use);

        void Use()
        {
            generator.Uniform(-1, 1, samples);
            generator.Shuffle(order);
            generator.Normal();
            generator.NextInterval(1ul << 40);
        }
    }
}
