#:project ../src/Unroll.Experiments

// Experiment 1: A recurrent network continues a noisy sine
//
//   dotnet run -c Release experiments/1-sine-rnn.cs
//
// The data are 251 points of sin(2πt/100) with noise of ±0.05. The model is one RNN layer and a linear readout. It is
// trained in closed loop, on its own output over a growing horizon, and then continues the wave for 500 steps. Beside it
// run the same recipe with one ingredient changed, and the classic one: one-step prediction of windows. The recipes
// stand in src/Unroll.Experiments/Sine/SineRecipe.cs.
using Unroll.Experiments.Sine;
using Unroll.Layers;

return new SineExperiment
{
    Name = "1-sine-rnn",
    Title = "A recurrent network continues a noisy sine",
    CellName = "RNN",
    Cell = hidden => new RnnOptions(hidden),
}.Run(args);
