using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>Padding changes nothing, bit for bit: every sample of a padded batch is what it would be alone and unpadded.</summary>
public class LengthsTests
{
    const int T = 6, B = 4, I = 2, H = 4, O = 3;

    static readonly int[] s_lengths = [4, T, 0, 1];

    public static TheoryData<string> CellNames => [.. Draw.Cells().Select(cell => cell.Name)];

    static Stacked Layers(Random random, string cell)
    {
        var make = Draw.Cell(cell);
        var layers = new Stacked(
            new Recurrent(make(I, 3)), new Recurrent(make(3, 3), reverse: true), new Bidirectional(make(3, H), make(3, H)));
        Draw.Parameters(random, layers.Cells);
        return layers;
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void PaddedSteps_ChangeNeitherLossNorAnyGradient(string name)
    {
        const int Extra = 3;
        var random = new Random(1);
        var layers = Layers(random, name);
        var linear = new Linear(layers.OutputSize, O);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layers.Cells, B);
        var dFinal = Draw.States(random, layers.Cells, B);
        var targets = Draw.Tokens(random, T, B, O);
        var paddedTargets = new int[T + Extra, B];
        for (var t = 0; t < T + Extra; t++)
        {
            for (var b = 0; b < B; b++)
                paddedTargets[t, b] = t < T ? targets[t, b] : -1;
        }

        (double Loss, LayerCache Cache, LayerGradients Gradients, LinearGradients Linear) Run(Sequence input, int[,] labels)
        {
            var weights = Lengths.Weights(input.T, s_lengths);
            var cache = layers.Forward(input, states, s_lengths);
            var logits = linear.Forward(cache.Y);
            var outer = linear.Backward(cache.Y, SoftmaxCrossEntropy.Backward(logits, labels, weights));
            return (SoftmaxCrossEntropy.Forward(logits, labels, weights), cache, layers.Backward(cache, outer.DX, dFinal), outer);
        }

        var expected = Run(x, targets);
        var padded = Run(Views.Padded(x, Extra, double.NaN), paddedTargets);

        Assert.Equal(expected.Loss, padded.Loss);
        Assert.Equal(Views.Padded(expected.Cache.Y, Extra, 0).Values, padded.Cache.Y.Values);
        Assert.Equal(Views.Padded(expected.Gradients.DX, Extra, 0).Values, padded.Gradients.DX.Values);
        Views.AssertEqual(expected.Cache.FinalStates, padded.Cache.FinalStates);
        Views.AssertEqual(expected.Gradients.DInitialStates, padded.Gradients.DInitialStates);
        Views.AssertEqual(expected.Linear.DParameters.Tensors, padded.Linear.DParameters.Tensors);
        for (var k = 0; k < layers.Cells.Count; k++)
            Views.AssertEqual(expected.Gradients.DParameters[k].Tensors, padded.Gradients.DParameters[k].Tensors);
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void Batch_EqualsSingleUnpaddedRuns(string name)
    {
        var random = new Random(2);
        var layers = Layers(random, name);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layers.Cells, B);
        var dY = Draw.Sequence(random, T, B, layers.OutputSize);
        var dFinal = Draw.States(random, layers.Cells, B);
        var cache = layers.Forward(x, states, s_lengths);
        var gradients = layers.Backward(cache, dY, dFinal);

        var sums = layers.Cells.Select(cell => cell.CreateGradients()).ToArray();
        for (var b = 0; b < B; b++)
        {
            var n = s_lengths[b];
            AssertZero(cache.Y, b, from: n);
            AssertZero(gradients.DX, b, from: n);
            if (n == 0)
            {
                Views.AssertEqual(StatesOf(states, b), StatesOf(cache.FinalStates, b));
                Views.AssertEqual(StatesOf(dFinal, b), StatesOf(gradients.DInitialStates, b));
                continue;
            }

            var single = layers.Forward(Views.Sample(x, b, n), StatesOf(states, b));
            var dSingle = layers.Backward(single, Views.Sample(dY, b, n), StatesOf(dFinal, b));
            Assert.Equal(single.Y.Values, Views.Sample(cache.Y, b, n).Values);
            Assert.Equal(dSingle.DX.Values, Views.Sample(gradients.DX, b, n).Values);
            Views.AssertEqual(single.FinalStates, StatesOf(cache.FinalStates, b));
            Views.AssertEqual(dSingle.DInitialStates, StatesOf(gradients.DInitialStates, b));
            foreach (var (sum, part) in Tensors(sums).Zip(Tensors(dSingle.DParameters)))
            {
                for (var k = 0; k < sum.Values.Length; k++)
                    sum.Values[k] += part.Values[k];
            }
        }

        foreach (var (sum, whole) in Tensors(sums).Zip(Tensors(gradients.DParameters)))
        {
            for (var k = 0; k < sum.Values.Length; k++)
                Assert.Equal(sum.Values[k], whole.Values[k], 1e-12);
        }
    }

    [Theory]
    [MemberData(nameof(CellNames))]
    public void BackwardDirection_EqualsForwardDirection_OnSamplesMirroredWithinTheirLengths(string name)
    {
        var random = new Random(3);
        var (forward, backward) = (Draw.Cell(name)(I, H), Draw.Cell(name)(I, H));
        Draw.Parameters(random, [forward, backward]);
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, [forward, backward], B);

        var cache = new Bidirectional(forward, backward).Forward(x, states, s_lengths);
        var mirrored = new Bidirectional(backward, forward).Forward(Views.Mirror(x, s_lengths), [states[1], states[0]], s_lengths);

        Assert.Equal(cache.Forward.Y.Values, Views.Mirror(mirrored.Backward.Y, s_lengths).Values);
        Assert.Equal(cache.Backward.Y.Values, Views.Mirror(mirrored.Forward.Y, s_lengths).Values);
        Views.AssertEqual(cache.FinalStates, [mirrored.FinalStates[1], mirrored.FinalStates[0]]);
    }

    [Fact]
    public void FullLengths_EqualNoLengths()
    {
        var random = new Random(4);
        var layers = Layers(random, "GRU after product");
        var x = Draw.Sequence(random, T, B, I);
        var full = layers.Forward(x, lengths: [T, T, T, T]);
        Assert.Equal(layers.Forward(x).Y.Values, full.Y.Values);
        Assert.Equal(layers.Backward(layers.Forward(x), full.Y).DX.Values, layers.Backward(full, full.Y).DX.Values);
    }

    [Fact]
    public void Lengths_AreCopied()
    {
        int[] lengths = [2, 1];
        var layer = new Recurrent(new RnnCell(I, H));
        var cache = layer.Forward(new Sequence(3, 2, I), lengths: lengths);
        lengths[0] = 3;
        Assert.Equal([2, 1], cache.Lengths);
        layer.Backward(cache, cache.Y);
    }

    [Fact]
    public void Weights_AreOneWhereValid() =>
        Assert.Equal(new double[,] { { 1, 0, 1 }, { 1, 0, 0 }, { 0, 0, 0 } }, Lengths.Weights(3, [2, 0, 1]));

    static CellState[][] StatesOf(CellState[][] states, int b) => [.. states.Select(batch => new[] { batch[b] })];

    static IEnumerable<NamedTensor> Tensors(CellParameters[] parameters) => parameters.SelectMany(one => one.Tensors);

    static void AssertZero(Sequence values, int b, int from)
    {
        for (var t = from; t < T; t++)
            Assert.All(values[t, b].ToArray(), value => Assert.Equal(0, value));
    }
}
