#:project ../src/Unroll.Experiments

// Experiment 3: Remember two numbers and add them (the adding problem)
//
//   dotnet run -c Release experiments/3-adding-problem.cs
//
// A sequence has 250 pairs (number, mark). The numbers are uniform on [0, 1); two of the marks are 1, one in each half, the
// others 0. After the last step the network is to answer the sum of the two marked numbers. Always answering 1 has the mean
// squared error 1/6; to do better a network must keep a number through a hundred steps and more. LSTM, GRU, RNN and IRNN
// train side by side on the same endless stream of sequences. The data stand in src/Unroll.Experiments/Adding/AddingData.cs.
using Unroll.Experiments.Adding;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Training;

return new AddingExperiment
{
    Name = "3-adding-problem",
    Title = "Remember two numbers: the adding problem",
    Full = new AddingScale(Steps: 250, HiddenSize: 100, BatchSize: 200, MostUpdates: 700),
    Quick = new AddingScale(Steps: 40, HiddenSize: 50, BatchSize: 50, MostUpdates: 400),
    ClipNorm = 0.03,
    StopBelow = 0.0004,
    Cells =
    [
        new AddingCell
        {
            Name = "LSTM",
            Model = hidden => new SequenceModelOptions(2, [new LstmOptions(hidden), new LastStepOptions(), new LinearOptions(1)]),
            Start = steps => Initialization.Chrono(steps),
            StartText = "gates with memories of every length up to T (chrono)",
            LearningRate = 0.02,
        },
        new AddingCell
        {
            Name = "GRU",
            Model = hidden => new SequenceModelOptions(2, [new GruOptions(hidden), new LastStepOptions(), new LinearOptions(1)]),
            Start = steps => Initialization.Chrono(steps),
            StartText = "gates with memories of every length up to T (chrono)",
            LearningRate = 0.02,
        },
        new AddingCell
        {
            Name = "RNN",
            Model = hidden => new SequenceModelOptions(2, [new RnnOptions(hidden), new LastStepOptions(), new LinearOptions(1)]),
            Start = steps => Initialization.PyTorch,
            StartText = "PyTorch's uniform distribution",
            LearningRate = 0.001,
        },
        new AddingCell
        {
            Name = "IRNN",
            Model = hidden => new SequenceModelOptions(2, [new RnnOptions(hidden) { Nonlinearity = Nonlinearity.Relu }, new LastStepOptions(), new LinearOptions(1)]),
            Start = steps => Initialization.IdentityRecurrence with { InputWeights = WeightInitializer.GlorotUniform },
            StartText = "the identity for the recurrence, Glorot's distribution for the inputs; ReLU units",
            LearningRate = 0.001,
        },
    ],
}.Run(args);
