using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Models;

/// <summary>A loss on the last of many steps: gradients that vanish on the way back cost nothing and change nothing.</summary>
public class VanishingGradientTests
{
    const int T = 400, B = 13, I = 2, H = 18;

    public static TheoryData<string, int> Cells => new(
        from index in Enumerable.Range(0, CellOptions.All(H).Length)
        select (CellOptions.All(H)[index].ToString(), index));

    [Theory]
    [MemberData(nameof(Cells))]
    public void LastStepLoss_GivesTheBitsOfTheSameLossAmongAllSteps(string cell, int index)
    {
        Assert.NotEmpty(cell);
        foreach (var threads in new[] { 1, 2 })
        {
            using var engine = new Engine(threads, Kernels.Chosen);
            var options = CellOptions.All(H)[index];
            var last = Gradients(new SequenceModel(new(I, [new LinearOptions(3), options, new LastStepOptions()]), engine), threads);
            var every = Gradients(new SequenceModel(new(I, [new LinearOptions(3), options]), engine), threads);
            Assert.Equal(every, last);
        }

        static float[] Gradients(SequenceModel model, int seed)
        {
            Initialization.PyTorch.Apply(model, new MersenneTwister((uint)seed));

            // Rows whose gradients vanish at different steps.
            var unrolled = model.Unroll(T, B);
            Fill(2, unrolled.Input);
            unrolled.Forward(training: true);
            unrolled.OutputGradient.Clear();
            var dLast = unrolled.OutputGradient[^(B * H)..];
            Fill(3, dLast);
            for (var b = 0; b < B; b++)
            {
                foreach (ref var value in dLast.Slice(b * H, H))
                    value *= MathF.ScaleB(1, -4 * b);
            }

            unrolled.Backward(inputGradient: true, initialStateGradient: true);
            return [.. model.Parameters.Gradients, .. unrolled.InputGradient, .. unrolled.InitialStateGradient.Hidden(0), .. unrolled.InitialStateGradient.Cell(0)];
        }
    }

    [Theory]
    [InlineData("rnn")]
    [InlineData("lstm")]
    [InlineData("gru")]
    public void Training_LeavesNoDenormalNumber_InGradientsAndMoments(string cell)
    {
        RecurrentOptions options = cell switch { "rnn" => new RnnOptions(H), "lstm" => new LstmOptions(H), _ => new GruOptions(H) };
        var model = new SequenceModel(new(I, [options, new LastStepOptions(), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        Initialization.PyTorch.Apply(model, new MersenneTwister(1));
        var unrolled = model.Unroll(T, B);
        var batch = new SequenceBatch(T, B, I, 1);
        batch.Resize(T, B, 1);
        Fill(2, unrolled.Input);
        Fill(3, batch.Targets);
        unrolled.Forward(training: true);
        new MeanSquaredError().Evaluate(unrolled.Output, batch, unrolled.OutputGradient);
        unrolled.Backward(inputGradient: true);
        Assert.False(unrolled.InputGradient[..(B * I)].ContainsAnyExcept(0f)); // it vanishes indeed
        foreach (var optimizer in new Optimizer[] { new Adam(model), new Sgd(model, 0.9), new RmsProp(model) })
        {
            for (var step = 0; step < 20; step++)
            {
                unrolled.Forward(training: true);
                new MeanSquaredError().Evaluate(unrolled.Output, batch, unrolled.OutputGradient);
                model.Parameters.ZeroGradients();
                unrolled.Backward(inputGradient: true, initialStateGradient: true);
                optimizer.Step(0.001);
                AssertNormal(model.Parameters.Gradients);
                AssertNormal(unrolled.InputGradient);
                AssertNormal(unrolled.InitialStateGradient.Hidden(0));
                for (var moment = 0; moment < optimizer.MemoryCount; moment++)
                    AssertNormal(optimizer.MemoryAt(moment).Span);
            }
        }
    }

    static void Fill(uint seed, Span<float> values)
    {
        var random = new MersenneTwister(seed);
        foreach (ref var value in values)
            value = (float)random.Uniform(-1, 1);
    }

    static void AssertNormal(ReadOnlySpan<float> values)
    {
        foreach (var value in values)
            Assert.False(float.IsSubnormal(value));
    }
}
