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
/// parameters, are the network unrolled; the gradient of what was fed back is handed from each to the one before. With a
/// teacher throughout they are independent, and computed at once.
/// </remarks>
public sealed class OutputRecurrentNetwork
{
    readonly SequenceModel _model;
    readonly UnrolledModel[] _steps;
    readonly UnrolledModel _allSteps;
    readonly Adam _adam;
    readonly MeanSquaredError _loss = new();
    readonly bool[,] _forced;

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
        _allSteps = _model.Unroll(1, maxSteps * maxBatch);
        _forced = new bool[maxSteps, maxBatch];
        _adam = new Adam(_model);
    }

    /// <summary>I.</summary>
    public int InputSize { get; }

    /// <summary>O.</summary>
    public int OutputSize { get; }

    /// <summary>The parameters; those of the RNN layer have W_ih and W_oh side by side, and two biases whose sum is b_h.</summary>
    public ParameterSet Parameters => _model.Parameters;

    /// <summary>What the first step reads for the output before it, [O]; zeros if empty.</summary>
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
        var outputs = new float[batch.Targets.Length];
        var gradients = new float[batch.Targets.Length];
        Forward(batch, teacherForcing, random, outputs);
        var loss = _loss.Evaluate(outputs, batch, gradients);
        Parameters.ZeroGradients();
        Backward(batch, teacherForcing, gradients);
        GradientNorm.Clip(Parameters, 1);
        _adam.Step(learningRate);
        return loss;
    }

    /// <summary>Runs the network on its own outputs, or throughout on the teacher's.</summary>
    /// <returns>The outputs [T, B, O].</returns>
    public float[] Run(SequenceBatch batch, bool teacherForcing)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var outputs = new float[batch.Targets.Length];
        Forward(batch, teacherForcing ? 1 : 0, random: null, outputs);
        return outputs;
    }

    void Forward(SequenceBatch batch, double teacherForcing, MersenneTwister? random, Span<float> outputs)
    {
        var (T, B, O) = (batch.Steps, batch.BatchSize, OutputSize);
        if (teacherForcing >= 1)
        {
            // Nothing depends on an output: all steps are rows of one.
            _allSteps.Resize(1, T * B);
            for (var row = 0; row < T * B; row++)
                FillInput(_allSteps, row, batch, row, batch.Targets);
            _allSteps.Forward(training: true);
            _allSteps.Output.CopyTo(outputs);
            return;
        }

        for (var t = 0; t < T; t++)
        {
            _steps[t].Resize(1, B);
            for (var b = 0; b < B; b++)
            {
                _forced[t, b] = teacherForcing > 0 && random!.RandomSample() < teacherForcing;
                FillInput(_steps[t], b, batch, (t * B) + b, _forced[t, b] ? batch.Targets : outputs);
            }

            _steps[t].Forward(training: true);
            _steps[t].Output.CopyTo(outputs[(t * B * O)..]);
        }
    }

    /// <summary>[x_t | ỹ_{t−1}], one row: <paramref name="at"/> is t·B + b.</summary>
    void FillInput(UnrolledModel step, int row, SequenceBatch batch, int at, ReadOnlySpan<float> outputs)
    {
        var (B, I, O) = (batch.BatchSize, InputSize, OutputSize);
        var input = step.Input.Slice(row * (I + O), I + O);
        batch.Inputs.Slice(at * I, I).CopyTo(input);
        if (at >= B)
            outputs.Slice((at - B) * O, O).CopyTo(input[I..]);
        else if (InitialOutput.Length > 0)
            InitialOutput.CopyTo(input[I..]);
        else
            input[I..].Clear();
    }

    void Backward(SequenceBatch batch, double teacherForcing, float[] gradients)
    {
        var (T, B, I, O) = (batch.Steps, batch.BatchSize, InputSize, OutputSize);
        if (teacherForcing >= 1)
        {
            gradients.CopyTo(_allSteps.OutputGradient);
            _allSteps.Backward();
            return;
        }

        for (var t = T - 1; t >= 0; t--)
        {
            gradients.AsSpan(t * B * O, B * O).CopyTo(_steps[t].OutputGradient);
            _steps[t].Backward(inputGradient: true);
            for (var b = 0; t > 0 && b < B; b++)
            {
                for (var k = 0; !_forced[t, b] && k < O; k++)
                    gradients[((((t - 1) * B) + b) * O) + k] += _steps[t].InputGradient[(b * (I + O)) + I + k];
            }
        }
    }
}
