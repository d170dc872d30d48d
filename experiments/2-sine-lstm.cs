#:project ../src/Unroll.Experiments

// Experiment 2: An LSTM generates a sine
//
//   dotnet run -c Release experiments/2-sine-lstm.cs
//
// The data are 251 points of sin(2πt/100) with noise of ±0.05. The model is one LSTM layer and a linear readout. It is
// trained in closed loop, on its own output over a growing horizon, and then continues the wave for 500 steps. Beside it
// run the same recipe with one ingredient changed, and the classic one: one-step prediction of windows. The recipes
// stand in src/Unroll.Experiments/Sine/SineRecipe.cs.
using Unroll.Experiments.Sine;
using Unroll.Layers;

return new SineExperiment
{
    Name = "2-sine-lstm",
    Title = "An LSTM generates a sine",
    CellName = "LSTM",
    Cell = hidden => new LstmOptions(hidden),
}.Run(args);
