using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Book;

/// <summary>The network of <see cref="Theory.OutputRecurrence"/> on the engine, to be trained.</summary>
/// <remarks>
/// Without a connection from h_{t−1} to h_t a step is a feed-forward network of the inputs [x_t | ỹ_{t−1}]: an RNN layer
/// that makes one step from a state of 0, so that its W_hh is never used, and a linear layer. T of them, which share their
/// parameters, are the network unrolled; the gradient of what they fed back is handed from one to the one before.
/// </remarks>
public sealed class OutputRecurrentNetwork
{
    readonly SequenceModel _model;
    readonly UnrolledModel[] _steps;
    readonly Adam _adam;
    readonly MeanSquaredError _loss = new();
    readonly bool[,] _forced;
    float[] _outputs = [];
    float[] _gradients = [];

    /// <summary>Makes a network with random parameters.</summary>
    /// <param name="inputSize">I.</param>
    /// <param name="hiddenSize">H.</param>
    /// <param name="outputSize">O.</param>
    /// <param name="maxSteps">The most steps T of a batch.</param>
    /// <param name="maxBatch">The most rows B of a batch.</param>
    /// <param name="engine">Where it computes.</param>
    /// <param name="random">Draws the parameters, and later where a teacher speaks.</param>
    public OutputRecurrentNetwork(int inputSize, int hiddenSize, int outputSize, int maxSteps, int maxBatch, Engine engine, MersenneTwister random)
    {
        (InputSize, OutputSize) = (inputSize, outputSize);
        _model = new SequenceModel(new(inputSize + outputSize, [new RnnOptions(hiddenSize), new LinearOptions(outputSize)]), engine);
        Initialization.PyTorch.Apply(_model, random);
        _steps = [.. Enumerable.Range(0, maxSteps).Select(_ => _model.Unroll(1, maxBatch))];
        _forced = new bool[maxSteps, maxBatch];
        _adam = new Adam(_model);
    }

    /// <summary>I.</summary>
    public int InputSize { get; }

    /// <summary>O.</summary>
    public int OutputSize { get; }

    /// <summary>The parameters; those of the RNN layer have W_ih and W_oh side by side, and two biases whose sum is b_h.</summary>
    public ParameterSet Parameters => _model.Parameters;

    /// <summary>What the first step reads for the output before it, [O]; zeros at first.</summary>
    public float[] InitialOutput { get; init; } = [];

    /// <summary>One update.</summary>
    /// <param name="batch">Inputs [T, B, I] and targets [T, B, O].</param>
    /// <param name="teacherForcing">The share of steps and rows, 0 to 1, at which the target of the step before is fed back.</param>
    /// <param name="random">Draws these steps, where the share is neither 0 nor 1.</param>
    /// <param name="learningRate">The learning rate of Adam.</param>
    /// <returns>The mean squared error before the update.</returns>
    public double Train(SequenceBatch batch, double teacherForcing, MersenneTwister random, double learningRate)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(random);
        var loss = Forward(batch, teacherForcing, random);
        Parameters.ZeroGradients();
        Backward(batch);
        GradientNorm.Clip(Parameters, 1);
        _adam.Step(learningRate);
        return loss;
    }

    /// <summary>Runs the network on its own outputs, or throughout on the teacher's.</summary>
    /// <returns>The outputs [T, B, O].</returns>
    public float[] Run(SequenceBatch batch, bool teacherForcing)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Forward(batch, teacherForcing ? 1 : 0, random: null);
        return [.. _outputs];
    }

    double Forward(SequenceBatch batch, double teacherForcing, MersenneTwister? random)
    {
        var (T, B, I, O) = (batch.Steps, batch.BatchSize, InputSize, OutputSize);
        _outputs = new float[T * B * O];
        _gradients = new float[T * B * O];
        for (var t = 0; t < T; t++)
        {
            var step = _steps[t];
            step.Resize(1, B);
            for (var b = 0; b < B; b++)
            {
                var input = step.Input.Slice(b * (I + O), I + O);
                batch.Inputs.Slice(((t * B) + b) * I, I).CopyTo(input);
                var before = (((t - 1) * B) + b) * O;
                _forced[t, b] = teacherForcing >= 1 || (teacherForcing > 0 && random!.RandomSample() < teacherForcing);
                if (t == 0)
                    InitialOutput.CopyTo(input[I..]);
                else
                    (_forced[t, b] ? batch.Targets : _outputs).Slice(before, O).CopyTo(input[I..]);
            }

            step.Forward(training: true);
            step.Output.CopyTo(_outputs.AsSpan(t * B * O));
        }

        return _loss.Evaluate(_outputs, batch, _gradients);
    }

    void Backward(SequenceBatch batch)
    {
        var (T, B, I, O) = (batch.Steps, batch.BatchSize, InputSize, OutputSize);
        for (var t = T - 1; t >= 0; t--)
        {
            _gradients.AsSpan(t * B * O, B * O).CopyTo(_steps[t].OutputGradient);
            _steps[t].Backward(inputGradient: true);
            for (var b = 0; t > 0 && b < B; b++)
            {
                for (var k = 0; !_forced[t, b] && k < O; k++)
                    _gradients[(((t - 1) * B) + b) * O + k] += _steps[t].InputGradient[(b * (I + O)) + I + k];
            }
        }
    }
}
