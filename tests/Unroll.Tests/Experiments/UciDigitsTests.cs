using System.Text;
using Unroll.Data;
using Unroll.Experiments.Digits;
using Unroll.Tests.Data;
using Unroll.Tests.Documentation;

namespace Unroll.Tests.Experiments;

public sealed class UciDigitsTests : DataFileFixture
{
    static readonly string s_line = string.Join(',', Enumerable.Range(0, 64).Select(p => p % 17)) + ",7\n";

    static readonly Dictionary<string, (byte[] File, string Message)> s_malformed = new()
    {
        ["not gzip"] = (Encoding.ASCII.GetBytes(s_line), "the gzip data are damaged"),
        ["wrong check sum"] = (Damaged(Packed(s_line)), "the gzip data are damaged"),
        ["nothing"] = (Packed(""), "holds no line where lines of 65 numbers"),
        ["64 fields"] = (Packed(s_line + s_line[(s_line.IndexOf(',', StringComparison.Ordinal) + 1)..]), "line 2 has 64 fields where 65"),
        ["66 fields"] = (Packed("0," + s_line), "line 1 has 66 fields where 65"),
        ["cut within a line"] = (Packed(s_line + s_line[..50]), "line 2 has"),
        ["empty line"] = (Packed(s_line + "\n" + s_line), "line 2 has 1 fields where 65"),
        ["pixel of 17"] = (Packed("17" + s_line[1..]), "field 1 of line 1 is no whole number of 0 to 16"),
        ["negative pixel"] = (Packed("-1" + s_line[1..]), "field 1 of line 1 is no whole number of 0 to 16"),
        ["pixel of 257"] = (Packed("257" + s_line[1..]), "field 1 of line 1 is no whole number of 0 to 16"),
        ["fraction"] = (Packed("1.0" + s_line[1..]), "field 1 of line 1 is no whole number of 0 to 16"),
        ["empty field"] = (Packed(s_line + s_line[1..]), "field 1 of line 2 is no whole number"),
        ["label of 10"] = (Packed(s_line[..^2] + "10\n"), "field 65 of line 1 is no whole number of 0 to 9"),
        ["a word"] = (Packed(s_line[..^2] + "seven\n"), "field 65 of line 1 is no whole number of 0 to 9"),
    };

    public static TheoryData<string> MalformedNames => [.. s_malformed.Keys];

    static byte[] Packed(string text) => Gzip(Encoding.ASCII.GetBytes(text));

    static byte[] Damaged(byte[] bytes)
    {
        bytes[^8] ^= 1;
        return bytes;
    }

    [Theory]
    [MemberData(nameof(MalformedNames))]
    public void Read_RefusesInOneLineNamingTheProblem_WhenMalformed(string name)
    {
        var (file, message) = s_malformed[name];
        using var stream = new MemoryStream(file);
        var problem = Assert.Throws<DataFileException>(() => UciDigits.Read(stream, "digits"));
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, "digits");
    }

    [Fact]
    public void LoadAll_IsThePublishedSet()
    {
        // Counts, sum and first image as another program finds them.
        var all = UciDigits.LoadAll();
        Assert.Equal((1797, 8, 8, 16), (all.Count, all.Rows, all.Columns, all.PixelMaximum));
        Assert.Equal([178, 182, 177, 183, 181, 182, 181, 179, 174, 180], Counts(all));
        Assert.Equal(561_718, Sum(all.Pixels));
        Assert.Equal([0, 0, 5, 13, 9, 1, 0, 0], all.Image(0)[..8].ToArray());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], all.Labels[..10].ToArray());
        Assert.Equal(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], all.ClassNames);
    }

    [Fact]
    public void Load_DividesAsDocumented_AlwaysTheSame()
    {
        // Counts and position-weighted sums of another implementation of the rule, in Python.
        var data = UciDigits.Load();
        Assert.Equal([142, 145, 141, 146, 144, 145, 144, 143, 139, 144], Counts(data.Training));
        Assert.Equal([36, 37, 36, 37, 37, 37, 37, 36, 35, 36], Counts(data.Test));
        Assert.Equal((1433, 321_202_142), (data.Training.Count, WeightedSum(data.Training)));
        Assert.Equal((364, 20_532_770), (data.Test.Count, WeightedSum(data.Test)));

        var (training, validation) = data.CutValidation();
        Assert.Equal((1143, 204_805_490), (training.Count, WeightedSum(training)));
        Assert.Equal((290, 13_077_636), (validation.Count, WeightedSum(validation)));
        Assert.Equal([29, 29, 29, 30, 29, 29, 29, 29, 28, 29], Counts(validation));
    }

    [Fact]
    public void Sequences_AreEightStepsOfEight_ScaledToOne()
    {
        var source = new ImageSequenceSource(UciDigits.LoadAll());
        var batch = new SequenceBatch(source.MaxSteps, 1, source.InputSize, source.TargetSize);
        source.Fill(batch, [0]);
        Assert.Equal((8, 8), (batch.Steps, batch.InputSize));
        Assert.Equal([0, 0, 5 / 16f, 13 / 16f, 9 / 16f, 1 / 16f, 0, 0], batch.Inputs[..8].ToArray());
        for (var i = 0; i < source.Count; i++)
        {
            source.Fill(batch, [i]);
            Assert.All(batch.Inputs.ToArray(), value => Assert.InRange(value, 0, 1));
        }
    }

    [Fact]
    public void Readme_StatesTheSource_AndTheNumbers()
    {
        var readme = Repository.Read("data/uci-digits/README.md");
        Assert.Contains("https://doi.org/10.24432/C50P49", readme, StringComparison.Ordinal);
        Assert.Contains("CC BY 4.0", readme, StringComparison.Ordinal);
        var data = UciDigits.Load();
        foreach (var part in new[] { data.Training, data.CutValidation().Validation, data.Test })
            Assert.Contains($"| {string.Join(" | ", Counts(part))} | {part.Count:N0} |", readme, StringComparison.Ordinal);
    }

    static int[] Counts(ImageSet set) => [.. Enumerable.Range(0, 10).Select(label => set.Labels.Count((byte)label))];

    static long Sum(ReadOnlySpan<byte> pixels)
    {
        var sum = 0L;
        foreach (var pixel in pixels)
            sum += pixel;
        return sum;
    }

    static long WeightedSum(ImageSet set) => Enumerable.Range(0, set.Count).Sum(i => (i + 1) * Sum(set.Image(i)));
}
