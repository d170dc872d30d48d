#:project ../src/Unroll.Experiments

// Experiment 5: A bidirectional network reads handwritten digits
//
//   dotnet run -c Release experiments/5-mnist-birnn.cs                     the UCI digits, 8×8 pixels, part of the program
//   dotnet run -c Release experiments/5-mnist-birnn.cs -- --download       MNIST, 28×28 pixels
//   dotnet run -c Release experiments/5-mnist-birnn.cs -- --data DIR       MNIST or Fashion-MNIST that is there already
//
// The rows of an image are the time steps. One LSTM reads them from top to bottom, another from bottom to top; a linear
// readout of both tells the class. Training images are moved at random by a pixel or two, and those
// of MNIST slanted. The settings were chosen on a part of the training images (--validate), never on the test images. The
// rest stands in src/Unroll.Experiments/Images.
using Unroll.Experiments.Images;
using Unroll.Layers;

return new ImageExperiment
{
    Name = "5-mnist-birnn",
    Title = "A bidirectional network reads images row by row",
    Cells =
    [
        new ImageCell("lstm", "LSTM", hidden => new LstmOptions(hidden)),
        new ImageCell("gru", "GRU", hidden => new GruOptions(hidden)),
        new ImageCell("rnn", "RNN", hidden => new RnnOptions(hidden), RateFactor: 0.25),
    ],

    // Of the outputs at all rows: their mean, that at the last row, where the forward direction has seen everything, and
    // that at the first, where the backward direction has.
    Layers = (reader, recipe, classes) =>
    [
        reader,
        new PoolingOptions(PoolingKind.Mean, PoolingKind.Last, PoolingKind.First),
        new DropoutOptions(recipe.Dropout),
        new LinearOptions(classes),
    ],
    Small = new ImageRecipe { HiddenSize = 64, Epochs = 60, BatchSize = 32, PeakRate = 0.01, MaxShift = 1, Dropout = 0.3 },
    Large = new ImageRecipe
    {
        HiddenSize = 128,
        Epochs = 12,
        BatchSize = 64,
        PeakRate = 0.005,
        MaxShift = 2,
        MaxSlant = 0.15,
        Dropout = 0.2,
    },
}.Run(args);
