#:project ../src/Unroll.Experiments

// Experiment 4: A GRU generates a sine
//
//   dotnet run -c Release experiments/4-sine-gru.cs
//
// The data are 251 points of sin(2πt/100) with noise of ±0.05. The model is one GRU layer and a linear readout. It is
// trained in three ways on the same seeds: in closed loop from an orthogonal start (best), in closed loop from PyTorch's
// start (to see what the start does), and by one-step prediction (classic). Then it continues the wave for 500 steps.
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
    Ablation = new ClosedLoopRecipe("uniform-start", "closed loop, PyTorch's start", Initialization.PyTorch),
    Classic = new ClassicRecipe(),
}.Run(args);
