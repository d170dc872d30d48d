using Unroll.Layers;
using Unroll.Models;
using Unroll.Theory;
using LstmOptions = Unroll.Layers.LstmOptions;

namespace Unroll.Tests.Models;

/// <summary>
/// The double-precision twin of a model of recurrent layers and a final linear one: same parameters, inputs and states.
/// </summary>
sealed class TheoryTwin
{
    readonly Cell[] _cells;
    readonly global::Unroll.Theory.Linear _linear;

    public TheoryTwin(SequenceModel model)
    {
        var recurrent = model.Options.Layers.OfType<RecurrentOptions>().ToArray();
        _cells = new Cell[recurrent.Length];
        for (var layer = 0; layer < recurrent.Length; layer++)
        {
            var inputSize = layer == 0 ? model.InputSize : recurrent[layer - 1].HiddenSize;
            _cells[layer] = CellOf(recurrent[layer], inputSize);
        }

        _linear = new global::Unroll.Theory.Linear(recurrent[^1].HiddenSize, model.OutputSize);
        foreach (var parameter in model.Parameters.All)
        {
            var target = TensorOf(parameter, layer => _cells[layer].Parameters, _linear.Parameters);
            var values = model.Parameters.ValuesOf(parameter);
            for (var i = 0; i < values.Length; i++)
                target[i] = values[i];
        }
    }

    /// <summary>The loss is Σ dY⊙y + Σ dhT⊙hT + Σ dcT⊙cT, so that its gradients are what the caller filled in.</summary>
    public (double[] Output, Dictionary<string, double[]> Gradients) Run(UnrolledModel unrolled, bool[,] feedback)
    {
        var (T, B) = (unrolled.Steps, unrolled.BatchSize);
        var x = new Sequence(T, B, unrolled.Model.InputSize, unrolled.Input);
        var initial = States(unrolled.InitialState, B);
        var final = States(unrolled.FinalStateGradient, B);
        var gradients = new Dictionary<string, double[]>();
        var dY = new Sequence(T, B, unrolled.Model.OutputSize, unrolled.OutputGradient);

        double[] output;
        Sequence dX;
        CellParameters[] dCells;
        LinearParameters dLinear;
        CellState[][] dInitial;
        if (unrolled.Model.InputSize == unrolled.Model.OutputSize)
        {
            var loop = new ClosedLoop(_cells, _linear);
            var cache = loop.Forward(x, feedback, initial);
            output = cache.Y.Values;
            (dX, dCells, dLinear, dInitial) = loop.Backward(cache, dY, final);
        }
        else
        {
            var stack = new Stacked([.. _cells.Select(cell => (SequenceLayer)new Recurrent(cell))]);
            var cache = stack.Forward(x, initial);
            output = _linear.Forward(cache.Y).Values;
            var back = _linear.Backward(cache.Y, dY);
            dLinear = back.DParameters;
            (dX, dCells, dInitial) = stack.Backward(cache, back.DX, final);
        }

        foreach (var parameter in unrolled.Model.Parameters.All)
            gradients[parameter.Name] = TensorOf(parameter, layer => dCells[layer], dLinear);
        gradients["x"] = dX.Values;
        for (var layer = 0; layer < _cells.Length; layer++)
        {
            gradients[$"h0[{layer}]"] = CellState.JoinH(dInitial[layer]);
            gradients[$"c0[{layer}]"] = CellState.JoinC(dInitial[layer]);
        }

        return (output, gradients);
    }

    public static double[] TensorOf(Parameter parameter, Func<int, CellParameters> cell, LinearParameters linear) => parameter.Role switch
    {
        ParameterRole.WeightIh => cell(parameter.LayerIndex).WeightIh.Values,
        ParameterRole.WeightHh => cell(parameter.LayerIndex).WeightHh.Values,
        ParameterRole.BiasIh => cell(parameter.LayerIndex).BiasIh,
        ParameterRole.BiasHh => cell(parameter.LayerIndex).BiasHh,
        ParameterRole.WeightPeephole => cell(parameter.LayerIndex).WeightPeephole,
        ParameterRole.GainIh => cell(parameter.LayerIndex).GainIh,
        ParameterRole.GainHh => cell(parameter.LayerIndex).GainHh,
        ParameterRole.GainCell => cell(parameter.LayerIndex).GainCell,
        ParameterRole.BiasCell => cell(parameter.LayerIndex).BiasCell,
        ParameterRole.Weight => linear.Weight.Values,
        _ => linear.Bias,
    };

    public static Cell CellOf(RecurrentOptions options, int inputSize) => options switch
    {
        RnnOptions rnn => new global::Unroll.Theory.RnnCell(inputSize, rnn.HiddenSize, rnn.Nonlinearity == Nonlinearity.Relu ? RnnActivation.Relu : RnnActivation.Tanh),
        LstmOptions lstm => new global::Unroll.Theory.LstmCell(inputSize, lstm.HiddenSize, new global::Unroll.Theory.LstmOptions
        {
            InputGate = lstm.InputGate,
            ForgetGate = lstm.ForgetGate,
            OutputGate = lstm.OutputGate,
            Peepholes = lstm.Peepholes,
        }),
        LayerNormLstmOptions lstm => new LayerNormLstmCell(inputSize, lstm.HiddenSize),
        GruOptions gru => new global::Unroll.Theory.GruCell(inputSize, gru.HiddenSize, gru.ResetGate == ResetGate.BeforeProduct ? GruResetGate.BeforeProduct : GruResetGate.AfterProduct),
        _ => throw new ArgumentException($"no twin of {options}"),
    };

    public static CellState[][] States(ModelState state, int batchSize) =>
    [
        .. Enumerable.Range(0, state.LayerCount).Select(layer =>
        {
            var rows = state.BatchSize;
            var h = state.Hidden(layer)[..(state.Hidden(layer).Length / rows * batchSize)];
            var c = state.Cell(layer)[..(state.Cell(layer).Length / rows * batchSize)];
            return CellState.Split(batchSize, h, c);
        }),
    ];
}
