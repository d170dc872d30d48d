using Unroll.Data;
using Unroll.Tests.Models;
using Unroll.Training;

namespace Unroll.Tests.Training;

public class LossTests
{
    // T', B, O.
    public static TheoryData<int, int, int, bool> Sizes => new()
    {
        { 1, 1, 1, false }, { 1, 1, 2, false }, { 3, 2, 1, false }, { 1, 5, 3, false }, { 4, 3, 7, false },
        { 1, 1, 2, true }, { 3, 2, 1, true }, { 1, 5, 3, true }, { 4, 3, 7, true },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void MeanSquaredError_AndItsGradient_FollowTheFormula(int T, int B, int O, bool weighted)
    {
        var (output, batch) = Drawn(T, B, O, weighted);
        var gradient = new float[output.Length];
        var loss = new MeanSquaredError().Evaluate(output, batch, gradient);

        double total = 0, sum = 0;
        for (var row = 0; row < T * B; row++)
            total += Weight(batch, row);
        for (var i = 0; i < output.Length; i++)
            sum += Weight(batch, i / O) * Math.Pow((double)output[i] - batch.Targets[i], 2);
        Assert.Equal(sum / (O * total), loss, 1e-12);
        for (var i = 0; i < output.Length; i++)
        {
            var expected = 2 * Weight(batch, i / O) * ((double)output[i] - batch.Targets[i]) / (O * total);
            Assert.Equal(expected, gradient[i], 1e-7); // one rounding of a number up to 4
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void SoftmaxCrossEntropy_AndItsGradient_FollowTheFormula(int T, int B, int O, bool weighted)
    {
        var (output, batch) = Drawn(T, B, O, weighted);
        var gradient = new float[output.Length];
        var loss = new SoftmaxCrossEntropy().Evaluate(output, batch, gradient);

        double total = 0, sum = 0;
        for (var row = 0; row < T * B; row++)
            total += Weight(batch, row);
        for (var row = 0; row < T * B; row++)
        {
            var logits = output.AsSpan(row * O, O).ToArray().Select(logit => (double)logit).ToArray();
            var partition = logits.Sum(Math.Exp);
            sum += Weight(batch, row) * (Math.Log(partition) - logits[batch.Labels[row]]);
            for (var j = 0; j < O; j++)
            {
                var expected = Weight(batch, row) / total * ((Math.Exp(logits[j]) / partition) - (j == batch.Labels[row] ? 1 : 0));
                Assert.Equal(expected, gradient[(row * O) + j], 3e-7); // single-precision exponentials, 2 ulp each
            }
        }

        Assert.Equal(sum / total, loss, 1e-6);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradient_AgreesWithCentralDifferences(bool weighted)
    {
        const float H = 1f / 128;
        foreach (Loss loss in new Loss[] { new MeanSquaredError(), new SoftmaxCrossEntropy() })
        {
            var (output, batch) = Drawn(3, 4, 5, weighted);
            var gradient = new float[output.Length];
            loss.Evaluate(output, batch, gradient);
            for (var i = 0; i < output.Length; i++)
            {
                var at = output[i];
                output[i] = at + H;
                var (above, high) = (loss.Evaluate(output, batch, default), output[i]);
                output[i] = at - H;
                var (below, low) = (loss.Evaluate(output, batch, default), output[i]);
                output[i] = at;
                // The exponentials' last digits over 2h, and h²/6 of the third derivative: some 1e-5 each.
                Assert.Equal((above - below) / ((double)high - low), gradient[i], 4e-5);
            }
        }
    }

    [Fact]
    public void RowsOfWeightZero_DoNotCount_AndHaveNoGradient()
    {
        foreach (Loss loss in new Loss[] { new MeanSquaredError(), new SoftmaxCrossEntropy() })
        {
            var (output, batch) = Drawn(4, 3, 5, weighted: true);
            int[] silent = [0, 4, 11];
            foreach (var row in silent)
                batch.Weights[row] = 0;
            var gradient = new float[output.Length];
            var before = loss.Evaluate(output, batch, gradient);
            foreach (var row in silent)
            {
                Assert.Equal(new float[5], gradient.AsSpan(row * 5, 5));
                output.AsSpan(row * 5, 5).Fill(100 * (row + 1));
                batch.Targets.Slice(row * 5, 5).Fill(-7);
            }

            Assert.Equal(before, loss.Evaluate(output, batch, default));

            // What remains is the loss of a batch of the other rows alone.
            int[] loud = [.. Enumerable.Range(0, 12).Except(silent)];
            var rest = new SequenceBatch(1, loud.Length, 1, 5);
            rest.Resize(1, loud.Length, 1, weights: true);
            var restOutput = new float[loud.Length * 5];
            for (var i = 0; i < loud.Length; i++)
            {
                output.AsSpan(loud[i] * 5, 5).CopyTo(restOutput.AsSpan(i * 5));
                batch.Targets.Slice(loud[i] * 5, 5).CopyTo(rest.Targets[(i * 5)..]);
                (rest.Labels[i], rest.Weights[i]) = (batch.Labels[loud[i]], batch.Weights[loud[i]]);
            }

            Assert.Equal(before, loss.Evaluate(restOutput, rest, default), 1e-12);
        }
    }

    [Fact]
    public void Weights_ActByTheirRatio()
    {
        foreach (Loss loss in new Loss[] { new MeanSquaredError(), new SoftmaxCrossEntropy() })
        {
            var (output, batch) = Drawn(2, 3, 4, weighted: false);
            var plain = loss.Evaluate(output, batch, default);
            batch.Resize(2, 3, 2, weights: true);
            batch.Weights.Fill(0.25f);
            Assert.Equal(plain, loss.Evaluate(output, batch, default), 1e-12);
        }
    }

    [Theory]
    [InlineData(1e4f, -1e4f, 0, 0.0)]
    [InlineData(1e4f, -1e4f, 1, 2e4)]
    [InlineData(-1e4f, -1e4f, 0, 0.6931471805599453)]
    [InlineData(1e4f, 1e4f, 1, 0.6931471805599453)]
    public void SoftmaxCrossEntropy_StaysFinite_AtExtremeLogits(float first, float second, int label, double expected)
    {
        var batch = new SequenceBatch(1, 1, 1, 0);
        batch.Labels[0] = label;
        var gradient = new float[2];
        Assert.Equal(expected, new SoftmaxCrossEntropy().Evaluate([first, second], batch, gradient), 1e-6);
        Assert.Equal(0f, gradient[0] + gradient[1]);
        Assert.Equal(expected == 0 ? 0f : expected > 1 ? -1f : -0.5f, gradient[label], 1e-6f);
    }

    [Fact]
    public void BadNumbers_StayVisible()
    {
        var batch = new SequenceBatch(1, 2, 1, 3);
        foreach (Loss loss in new Loss[] { new MeanSquaredError(), new SoftmaxCrossEntropy() })
        {
            Assert.True(double.IsNaN(loss.Evaluate([0, 0, 0, 0, float.NaN, 1], batch, default)));
            Assert.True(double.IsNaN(loss.Evaluate([0, 0, 0, 1, 0, float.NaN], batch, default)));
        }
    }

    [Fact]
    public void MisfitsAndBadLabels_SayWhatWasExpected()
    {
        var batch = new SequenceBatch(2, 3, 1, 2);
        var (square, entropy) = (new MeanSquaredError(), new SoftmaxCrossEntropy());
        Check("Expected 12 outputs for 2 steps of 3 rows of targets, got 6", () => square.Evaluate(new float[6], batch, default));
        Check("got 13", () => square.Evaluate(new float[13], batch, default));
        Check("got 13", () => entropy.Evaluate(new float[13], batch, default));
        Check("got 5", () => entropy.Evaluate(new float[5], batch, default));
        foreach (var label in new[] { -1, 4, int.MinValue, int.MaxValue })
        {
            batch.Labels[5] = label;
            Check($"Expected labels of 0 to 3, got {label} in row 5", () => entropy.Evaluate(new float[24], batch, default));
        }

        batch.Labels.Clear();
        batch.Resize(2, 3, 2, weights: true);
        batch.Weights.Clear();
        Check("positive total weight, got 0", () => square.Evaluate(new float[12], batch, default));
        Check("positive total weight, got 0", () => entropy.Evaluate(new float[12], batch, default));
        Assert.Throws<ArgumentNullException>(() => square.Evaluate(new float[12], null!, default));
        Assert.Throws<ArgumentNullException>(() => entropy.Evaluate(new float[12], null!, default));

        static void Check(string part, Action action) =>
            Assert.Contains(part, Assert.Throws<ArgumentException>(action).Message, StringComparison.Ordinal);
    }

    static double Weight(SequenceBatch batch, int row) => batch.Weights.IsEmpty ? 1 : batch.Weights[row];

    /// <summary>Outputs and targets from −2 to 2, labels of O classes, weights from 0.1 to 1.</summary>
    static (float[] Output, SequenceBatch Batch) Drawn(int T, int B, int O, bool weighted)
    {
        var random = new Random(5);
        var batch = new SequenceBatch(T, B, 1, O);
        batch.Resize(T, B, T, weights: weighted);
        var output = new float[T * B * O];
        random.NextValues(output, 2);
        random.NextValues(batch.Targets, 2);
        foreach (ref var label in batch.Labels)
            label = random.Next(O);
        foreach (ref var weight in batch.Weights)
            weight = 0.1f + (0.9f * random.NextSingle());
        return (output, batch);
    }
}
