using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>A task that nothing but a long memory solves: after T steps, say what the first input was.</summary>
/// <remarks>
/// <code>
/// x_1 uniform on [−1, 1),   x_2 … x_T uniform on ±Noise,   y = x_1
/// L = 1/B Σ_b (y_b − x_{1,b})²
/// </code>
/// To answer 0 always has a loss of 1/3. Every update takes B new sequences.
/// </remarks>
sealed class FirstInputTask
{
    const double Noise = 0.1;

    /// <summary>T.</summary>
    public required int Steps { get; init; }

    /// <summary>B.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>The recurrent layer.</summary>
    public required RecurrentOptions Layer { get; init; }

    /// <summary>How the parameters start.</summary>
    public required Initialization Start { get; init; }

    /// <summary>A factor for W_hh at the start.</summary>
    public float RecurrentScale { get; init; } = 1;

    /// <summary>What updates the parameters.</summary>
    public required Func<SequenceModel, Optimizer> Optimizer { get; init; }

    /// <summary>The learning rate η.</summary>
    public required double LearningRate { get; init; }

    /// <summary>The greatest length of the gradient; null for no clipping.</summary>
    public double? Clip { get; init; }

    /// <summary>Trains.</summary>
    /// <param name="updates">How often.</param>
    /// <param name="seed">Of the parameters and the sequences.</param>
    /// <returns>The loss and the length of the gradient before clipping, of every update.</returns>
    public (double[] Losses, double[] Norms) Train(int updates, uint seed)
    {
        using var engine = new Engine(threads: 1);
        var random = new MersenneTwister(seed);
        var model = new SequenceModel(new(1, [Layer, new LastStepOptions(), new LinearOptions(1)]), engine);
        Start.Apply(model, random);
        foreach (ref var weight in model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh)))
            weight *= RecurrentScale;
        var optimizer = Optimizer(model);
        var unrolled = model.Unroll(Steps, BatchSize);
        var (losses, norms) = (new double[updates], new double[updates]);
        for (var update = 0; update < updates; update++)
        {
            for (var k = 0; k < unrolled.Input.Length; k++)
                unrolled.Input[k] = (float)(k < BatchSize ? random.Uniform(-1, 1) : random.Uniform(-Noise, Noise));
            unrolled.Forward(training: true);
            for (var b = 0; b < BatchSize; b++)
            {
                var error = (double)unrolled.Output[b] - unrolled.Input[b];
                losses[update] += error * error / BatchSize;
                unrolled.OutputGradient[b] = (float)(2 * error / BatchSize);
            }

            model.Parameters.ZeroGradients();
            unrolled.Backward();
            norms[update] = Clip is { } maximum ? GradientNorm.Clip(model.Parameters, maximum) : GradientNorm.Of(model.Parameters);
            if (!double.IsFinite(norms[update]))
                throw new InvalidOperationException($"Expected finite gradients, got {norms[update]} in update {update + 1}; take a smaller learning rate.");
            optimizer.Step(LearningRate);
        }

        return (losses, norms);
    }
}
