using Unroll.Layers;

namespace Unroll.Tests.Models;

/// <summary>Every option of every cell.</summary>
static class CellOptions
{
    public static RecurrentOptions[] All(int hiddenSize) =>
    [
        new RnnOptions(hiddenSize),
        new RnnOptions(hiddenSize) { Nonlinearity = Nonlinearity.Relu },
        .. from gates in Enumerable.Range(0, 8)
           from peepholes in new[] { false, true }
           select new LstmOptions(hiddenSize)
           {
               InputGate = (gates & 1) != 0, ForgetGate = (gates & 2) != 0, OutputGate = (gates & 4) != 0, Peepholes = peepholes,
           },
        new LayerNormLstmOptions(hiddenSize),
        new GruOptions(hiddenSize),
        new GruOptions(hiddenSize) { ResetGate = ResetGate.BeforeProduct },
        .. WithDropout(hiddenSize),
    ];

    /// <summary>Every kind of cell with dropout of its recurrent input.</summary>
    public static RecurrentOptions[] WithDropout(int hiddenSize) =>
    [
        new RnnOptions(hiddenSize) { RecurrentDropout = 0.3 },
        new LstmOptions(hiddenSize) { Peepholes = true, RecurrentDropout = 0.3 },
        new LayerNormLstmOptions(hiddenSize) { RecurrentDropout = 0.3 },
        new GruOptions(hiddenSize) { RecurrentDropout = 0.3 },
        new GruOptions(hiddenSize) { ResetGate = ResetGate.BeforeProduct, RecurrentDropout = 0.3 },
    ];
}
