using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>Parts and rearrangements of sequences, and the comparison of states.</summary>
static class Views
{
    public static Sequence Steps(Sequence x, int from, int to) => new(to - from, x.B, x.F, x.Values.AsSpan(from * x.B * x.F, (to - from) * x.B * x.F));

    /// <summary>The first steps of one sample, [length, 1, F].</summary>
    public static Sequence Sample(Sequence x, int b, int length)
    {
        var sample = new Sequence(length, 1, x.F);
        for (var t = 0; t < length; t++)
            x[t, b].CopyTo(sample[t, 0]);
        return sample;
    }

    /// <summary>The sequence with further steps, of one value, at its end.</summary>
    public static Sequence Padded(Sequence x, int steps, double value)
    {
        var padded = new Sequence(x.T + steps, x.B, x.F);
        padded.Values.AsSpan().Fill(value);
        x.Values.CopyTo(padded.Values, 0);
        return padded;
    }

    public static Sequence Mirror(Sequence x) => Mirror(x, [.. Enumerable.Repeat(x.T, x.B)]);

    /// <summary>The valid steps of each sample in opposite order; padded steps are 0.</summary>
    public static Sequence Mirror(Sequence x, int[] lengths)
    {
        var mirrored = new Sequence(x.T, x.B, x.F);
        for (var b = 0; b < x.B; b++)
        {
            for (var t = 0; t < lengths[b]; t++)
                x[t, b].CopyTo(mirrored[lengths[b] - 1 - t, b]);
        }

        return mirrored;
    }

    public static void AssertEqual(CellState[][] expected, CellState[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
        {
            Assert.Equal(CellState.JoinH(expected[k]), CellState.JoinH(actual[k]));
            Assert.Equal(CellState.JoinC(expected[k]), CellState.JoinC(actual[k]));
        }
    }

    public static void AssertEqual(IEnumerable<NamedTensor> expected, IEnumerable<NamedTensor> actual)
    {
        foreach (var (one, other) in expected.Zip(actual, (one, other) => (one, other)))
        {
            Assert.Equal(one.Name, other.Name);
            Assert.Equal(one.Values, other.Values);
        }

        Assert.Equal(expected.Count(), actual.Count());
    }
}
