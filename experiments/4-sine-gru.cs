#:project ../src/Unroll.Experiments

// Experiment 4: A GRU generates a sine
//
//   dotnet run -c Release experiments/4-sine-gru.cs
//
// The data are 251 points of sin(2πt/100) with noise of ±0.05. The model is one GRU layer and a linear readout. It is
// trained in closed loop, on its own output over a growing horizon, and then continues the wave for 500 steps. Beside it
// run the same recipe with one ingredient changed, and the classic one: one-step prediction of windows.
using Unroll.Experiments.Sine;
using Unroll.Layers;
using Unroll.Training;

return new SineExperiment
{
    Name = "4-sine-gru",
    Title = "A GRU generates a sine",
    CellName = "GRU",
    Cell = hidden => new GruOptions(hidden),
    Best = new ClosedLoopRecipe("best", "closed loop, orthogonal start", Initialization.OrthogonalRecurrence),
    Ablations =
    [
        new ClosedLoopRecipe("uniform-start", "the same, from PyTorch's start", Initialization.PyTorch),
        new ClosedLoopRecipe("full-horizon", "the same, all 200 steps at once", Initialization.OrthogonalRecurrence) { FirstHorizon = 200 },
    ],
    Classic = new ClassicRecipe(),
}.Run(args);
