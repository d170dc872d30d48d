using Unroll.Experiments.Adding;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

public sealed class AnswerProbeTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(9)]
    [InlineData(40)]
    public void TwoReluUnits_ThatSolveTheTask_DependOnTheMarkedStepsAlone(int steps)
    {
        var test = AddingData.TestSet(steps, seed: 4);
        var probe = AnswerProbe.Of(Adder(), test);
        Assert.Equal((AnswerProbe.Sequences, steps), (probe.Answers.Length, probe.Norms.Length));
        for (var b = 0; b < probe.Answers.Length; b++)
            Assert.Equal(probe.Targets[b], probe.Answers[b], 1e-6);
        Assert.Equal((1.0, 1.0, 0.0), (probe.FirstMark, probe.SecondMark, probe.Unmarked));

        // At a marked step ∂y/∂v = ∂y/∂m = 1, so N·norm² is twice the number of sequences that are marked there.
        var marked = probe.Norms.Select(norm => AnswerProbe.Sequences * norm * norm / 2).ToArray();
        Assert.All(marked, count => Assert.Equal(Math.Round(count), count, 1e-6));
        Assert.Equal(AnswerProbe.Sequences, marked[..(steps - (steps / 2))].Sum(), 1e-6); // the second half is nearest
        Assert.Equal(AnswerProbe.Sequences, marked[(steps - (steps / 2))..].Sum(), 1e-6);
        Assert.Equal(probe.Norms[steps / 2], probe.Halfway);
    }

    [Fact]
    public void LeakyUnits_LoseTheirLeakWithEveryStep()
    {
        const int T = 12;
        var model = Adder();
        var parameters = model.Parameters;
        parameters.ValuesOf(parameters.Find(0, ParameterRole.WeightHh))[3] = 0.5f; // s ← ½s + a
        var probe = AnswerProbe.Of(model, AddingData.TestSet(T, seed: 4));
        var whole = AnswerProbe.Of(Adder(), AddingData.TestSet(T, seed: 4));
        for (var d = 0; d < T; d++)
            Assert.Equal(whole.Norms[d] * Math.Pow(0.5, Math.Max(0, d - 1)), probe.Norms[d], 1e-6);
    }

    [Fact]
    public void Probe_IsTheSlopeOfTheAnswer()
    {
        // Shift every second number of one sequence alike: the answer moves by the sum of the slopes.
        const int T = 10;
        var model = new SequenceModel(new SequenceModelOptions(2, [new GruOptions(5), new LastStepOptions(), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        Initialization.PyTorch.Apply(model, new MersenneTwister(2));
        var test = AddingData.TestSet(T, seed: 1, count: 1);
        var probe = AnswerProbe.Of(model, test);
        var batch = new Unroll.Data.SequenceBatch(T, 1, 2, 1);
        test.Fill(batch, [0]);
        for (var t = 0; t < T; t++)
        {
            var slopes = new double[2];
            for (var feature = 0; feature < 2; feature++)
                slopes[feature] = (Answer(t, feature, 0.01f) - Answer(t, feature, -0.01f)) / 0.02;
            Assert.Equal(Math.Sqrt((slopes[0] * slopes[0]) + (slopes[1] * slopes[1])), probe.Norms[T - 1 - t], 1e-4);
        }

        Assert.Equal(new float[model.Parameters.Count], model.Parameters.Gradients);

        double Answer(int t, int feature, float shift)
        {
            var unrolled = model.Unroll(T, 1);
            batch.Inputs.CopyTo(unrolled.Input);
            unrolled.Input[(2 * t) + feature] += shift;
            unrolled.Forward();
            return unrolled.Output[0];
        }
    }

    /// <summary>a = relu(v + m − 1) is v at a mark and else 0;  s ← relu(s + a before);  y = s + a.</summary>
    static SequenceModel Adder()
    {
        var model = new SequenceModel(
            new SequenceModelOptions(2, [new RnnOptions(2) { Nonlinearity = Nonlinearity.Relu }, new LastStepOptions(), new LinearOptions(1)]),
            Kernels.Engine(Kernels.Chosen));
        Set(0, ParameterRole.WeightIh, 1, 1, 0, 0);
        Set(0, ParameterRole.WeightHh, 0, 0, 1, 1);
        Set(0, ParameterRole.BiasIh, -1, 0);
        Set(2, ParameterRole.Weight, 1, 1);
        return model;

        void Set(int layer, ParameterRole role, params float[] values) => values.CopyTo(model.Parameters.ValuesOf(model.Parameters.Find(layer, role)));
    }
}
