using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Models;
using Unroll.Theory;
using Unroll.Training;
using MeanSquaredError = Unroll.Training.MeanSquaredError;

namespace Unroll.Tests.Training;

/// <summary>Truncated back-propagation through time: windows of streams, the state carried from each to the next.</summary>
public class StreamTrainingTests
{
    const int F = 2, Streams = 3, K1 = 3, Windows = 4, L = K1 * Windows;

    /// <summary>So small that no parameter changes.</summary>
    const double NoRate = 1e-30;

    static readonly float[] s_series = Series(((Streams * L) + 1) * F);

    /// <summary>Every cell whose training pass is its pass.</summary>
    static IEnumerable<RecurrentOptions> Cells => CellOptions.All(5).Where(cell => cell.RecurrentDropout == 0);

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(99)]
    public void Gradients_AgreeWithTheTheory_ForEveryCell(int k2)
    {
        foreach (var cell in Cells)
        {
            var model = Model(cell);
            var steps = Gradients(model, k2);
            Assert.Equal(Windows, steps.Count);

            var twin = TheoryTwin.CellOf(cell, F);
            var linear = new global::Unroll.Theory.Linear(5, F);
            foreach (var parameter in model.Parameters.All)
            {
                var tensor = TheoryTwin.TensorOf(parameter, _ => twin.Parameters, linear.Parameters);
                for (var i = 0; i < tensor.Length; i++)
                    tensor[i] = model.Parameters.ValuesOf(parameter)[i];
            }

            var truncated = new TruncatedBptt(new Recurrent(twin), K1, k2);
            for (var window = 0; window < Windows; window++)
            {
                var hidden = truncated.Forward(new Sequence(K1, Streams, F, Values(window * K1, K1)));
                var y = linear.Forward(hidden);
                var target = Values((window * K1) + 1, K1);
                var dY = new Sequence(K1, Streams, F);
                for (var i = 0; i < dY.Values.Length; i++)
                    dY.Values[i] = 2 * (y.Values[i] - target[i]) / dY.Values.Length;
                var back = linear.Backward(hidden, dY);
                var gradients = truncated.Backward(back.DX);
                foreach (var parameter in model.Parameters.All)
                {
                    var expected = TheoryTwin.TensorOf(parameter, _ => gradients.DParameters[0], back.DParameters);
                    var actual = steps[window].AsSpan(parameter.Offset, parameter.Length);
                    Close(expected, actual, $"{cell} window {window} {parameter.Name}");
                }
            }
        }
    }

    [Fact]
    public void LongK2_AddsUpToTheGradientOfTheWholeStreams()
    {
        foreach (var cell in Cells)
        {
            var model = Model(cell);
            var sum = new double[model.Parameters.Count];
            foreach (var step in Gradients(model, k2: L))
            {
                for (var i = 0; i < sum.Length; i++)
                    sum[i] += step[i] / (double)Windows; // the loss is a mean over a window
            }

            var whole = Whole(model);
            var batch = new SequenceBatch(L, Streams, F, F);
            for (var i = 0; i < batch.Targets.Length; i++)
                batch.Targets[i] = (float)Values(1, L)[i];
            new MeanSquaredError().Evaluate(whole.Output, batch, whole.OutputGradient);
            model.Parameters.ZeroGradients();
            whole.Backward();
            foreach (var parameter in model.Parameters.All)
                Close(sum[parameter.Offset..(parameter.Offset + parameter.Length)], model.Parameters.GradientOf(parameter), $"{cell} {parameter.Name}");
        }
    }

    /// <summary>
    /// hₜ = relu(xₜ + 0.5·hₜ₋₁) with x = 1: h = 1, 1.5, 1.75, 1.875. Targets 1, k1 = 1: dY = 2(h − 1) = 0, 1, 1.5, 1.75.
    /// k2 = 2: dAₜ = dYₜ and dAₜ₋₁ = dYₜ / 2, so dW_ih = 1.5·dYₜ and dW_hh = dYₜ·(hₜ₋₁ + hₜ₋₂ / 2).
    /// </summary>
    [Fact]
    public void LinearChain_HasTheGradientsDerivedByHand()
    {
        var model = new SequenceModel(new(1, [new RnnOptions(1) { Nonlinearity = Nonlinearity.Relu }]), Kernels.Engine(Kernels.Chosen));
        model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightIh))[0] = 1;
        model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh))[0] = 0.5f;
        var steps = Gradients(model, new StreamSource([1, 1, 1, 1, 1], streams: 1, k1: 1, k2: 2));
        Assert.Equal([0f, 1.5f, 2.25f, 2.625f], steps.Select(step => step[model.Parameters.Find(0, ParameterRole.WeightIh).Offset]));
        Assert.Equal([0f, 1f, 3f, 4.375f], steps.Select(step => step[model.Parameters.Find(0, ParameterRole.WeightHh).Offset]));
    }

    [Theory]
    [InlineData(3, null)]
    [InlineData(8, null)]
    [InlineData(3, 3)]
    [InlineData(5, 6)]
    public void CarriedState_GivesTheBitsOfOnePass_AndBeginsAnewWithTheStreams(int k2, int? stepsPerEpoch)
    {
        foreach (var cell in Cells)
        {
            var model = Model(cell);
            var whole = Whole(model).Output;
            var expected = new double[Windows];
            for (var window = 0; window < Windows; window++)
            {
                var batch = new SequenceBatch(K1, Streams, F, F);
                for (var i = 0; i < batch.Targets.Length; i++)
                    batch.Targets[i] = (float)Values((window * K1) + 1, K1)[i];
                expected[window] = new MeanSquaredError().Evaluate(whole.Slice(window * batch.Targets.Length, batch.Targets.Length), batch, default);
            }

            var losses = new List<double>();
            var source = new StreamSource(s_series, Streams, K1, k2, F);
            var options = TrainerTests.Options(epochs: 2, batchSize: Streams, rate: NoRate) with { StepsPerEpoch = stepsPerEpoch };
            var trainer = new Trainer(model, new Sgd(model), new MeanSquaredError(), options);
            trainer.Train(source, new MersenneTwister(1), source, [new ProgressCallback(progress => losses.Add(progress.StepLoss), everyStep: true)]);
            Assert.Equal(2 * (stepsPerEpoch ?? Windows), losses.Count);
            Assert.Equal(Enumerable.Range(0, losses.Count).Select(step => expected[step % Windows]), losses);
            Assert.Equal(expected.Average(), trainer.Evaluate(source), 1e-12);
        }
    }

    [Fact]
    public void Streams_TeachWhatLiesBeforeTheWindow()
    {
        // The second feature repeats the first one of 3 steps ago: of windows of a single step, only those that carry a
        // state can know. The first one is chance: half of the two targets' unit variance.
        var random = new MersenneTwister(5);
        var bits = Enumerable.Range(0, 4001).Select(_ => random.NextInterval(1) == 1 ? 1f : -1f).ToArray();
        var series = Enumerable.Range(0, 4001).SelectMany(t => new[] { bits[t], t >= 3 ? bits[t - 3] : 0 }).ToArray();
        Assert.InRange(Trained(new StreamSource(series, 10, 1, 4, 2)), 0.45, 0.6);
        Assert.InRange(Trained(new WindowSource(series, 1, WindowTarget.EachNext, 2)), 0.9, 1.1);

        static double Trained(ISequenceSource source)
        {
            var model = new SequenceModel(new(2, [new RnnOptions(16), new LinearOptions(2)]), Kernels.Engine(Kernels.Chosen));
            Initialization.PyTorch.Apply(model, new MersenneTwister(2));
            var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), TrainerTests.Options(epochs: 4, batchSize: 10, rate: 0.005));
            trainer.Train(source, new MersenneTwister(3));
            return trainer.Evaluate(source);
        }
    }

    [Fact]
    public void BadSources_SayWhatWasExpected()
    {
        var source = new StreamSource(s_series, Streams, K1, null, F);
        var model = Model(new GruOptions(3));
        Check("batch size of 3, one row for each stream of the source; the options have 4", model, source, 4);
        Check("5 examples of 2 streams", model, new Uneven(2), 2);
        Check("5 examples of -1 streams", model, new Uneven(-1), 2);
        Check("reads forward", Model(new BidirectionalOptions(new GruOptions(3))), source, Streams);

        static void Check(string part, SequenceModel model, ISequenceSource source, int batchSize)
        {
            var trainer = new Trainer(model, new Sgd(model), new MeanSquaredError(), TrainerTests.Options(epochs: 1, batchSize));
            Assert.Contains(part, Assert.Throws<ArgumentException>(() => trainer.Train(source, new MersenneTwister(1))).Message, StringComparison.Ordinal);
        }
    }

    sealed class Uneven(int streams) : ISequenceSource
    {
        public int Count => 5;

        public int MaxSteps => 1;

        public int InputSize => F;

        public int TargetSize => F;

        public int Streams => streams;

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices) => throw new InvalidOperationException("not asked for");
    }

    static float[] Series(int count)
    {
        var values = new float[count];
        new Random(9).NextValues(values);
        return values;
    }

    /// <summary>Steps [first, first + count) of all streams, [count, Streams, F].</summary>
    static double[] Values(int first, int count) =>
    [
        .. from t in Enumerable.Range(first, count)
           from stream in Enumerable.Range(0, Streams)
           from feature in Enumerable.Range(0, F)
           select (double)s_series[(((stream * L) + t) * F) + feature],
    ];

    static SequenceModel Model(LayerOptions cell)
    {
        var model = new SequenceModel(new(F, [cell, new LinearOptions(F)]), Kernels.Engine(Kernels.Chosen));
        new Random(4).NextValues(model.Parameters.Values, 0.7f);
        return model;
    }

    /// <summary>One pass over the whole streams.</summary>
    static UnrolledModel Whole(SequenceModel model)
    {
        var whole = model.Unroll(L, Streams);
        for (var i = 0; i < whole.Input.Length; i++)
            whole.Input[i] = (float)Values(0, L)[i];
        whole.Forward();
        return whole;
    }

    static List<float[]> Gradients(SequenceModel model, int k2) => Gradients(model, new StreamSource(s_series, Streams, K1, k2, F));

    /// <summary>The gradients of each step of an epoch that changes nothing.</summary>
    static List<float[]> Gradients(SequenceModel model, StreamSource source)
    {
        var steps = new List<float[]>();
        var trainer = new Trainer(model, new Sgd(model), new MeanSquaredError(), TrainerTests.Options(epochs: 1, source.Streams, NoRate));
        trainer.Train(source, new MersenneTwister(1), callbacks: [new ProgressCallback(_ => steps.Add(model.Parameters.Gradients.ToArray()), everyStep: true)]);
        return steps;
    }

    static void Close(double[] expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= (2e-5 * scale) + 1e-12, $"{what}: {expected[i]} and {actual[i]}");
    }
}
