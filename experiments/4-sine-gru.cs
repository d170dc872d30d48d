#:project ../src/Unroll.Experiments

// Experiment 4: A GRU generates a sine
//
//   dotnet run -c Release experiments/4-sine-gru.cs
//
// The data are 251 points of sin(2πt/100) with noise of ±0.05. The model is one GRU layer and a linear readout. It is
// trained in closed loop, on its own output over a growing horizon, and then continues the wave for 500 steps. Beside it
// run the same recipe with one ingredient changed, and the classic one: one-step prediction of windows. The recipes
// stand in src/Unroll.Experiments/Sine/SineRecipe.cs.
using Unroll.Experiments.Sine;
using Unroll.Layers;

return new SineExperiment
{
    Name = "4-sine-gru",
    Title = "A GRU generates a sine",
    CellName = "GRU",
    Cell = hidden => new GruOptions(hidden),
}.Run(args);
