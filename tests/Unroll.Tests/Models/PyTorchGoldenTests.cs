using Unroll.Models;
using Unroll.Theory;

namespace Unroll.Tests.Models;

/// <summary>One pass forward and back, against PyTorch in double precision.</summary>
public class PyTorchGoldenTests(ITestOutputHelper output)
{
    // The fixture's numbers are rounded to float first (6e-8 relative), then each of the 6 steps rounds sums of up to 10
    // products, forward and back: about 40 roundings in a chain. They add up like a random walk, √40 · 6e-8 = 4e-7; were
    // they all to one side, it would be 2.4e-6.
    const double FloatTolerance = 1e-6;

    // Some 40 roundings of 1e-16 in either program, and a hundred times that for sums that cancel.
    const double DoubleTolerance = 1e-12;

    public static MatrixTheoryData<string, string> EngineCases => new(PyTorchFixture.Cells, ["1layer", "2layer"]);

    public static MatrixTheoryData<string, string> TheoryCases => new(PyTorchFixture.Cells, ["1layer", "2layer", "bidirectional"]);

    [Theory]
    [MemberData(nameof(EngineCases))]
    public void Engine_AgreesWithPyTorch_InEveryKernel(string cell, string name)
    {
        var fixture = PyTorchFixture.Load(cell);
        var data = fixture.GetProperty("cases").GetProperty(name);
        var (T, B, layers) = (fixture.Whole("T"), fixture.Whole("B"), data.Whole("layers"));
        var stack = Enumerable.Repeat(PyTorchFixture.Cell(cell, fixture.Whole("H")), layers).ToArray();
        var worst = 0.0;
        foreach (var kernel in Kernels.All)
        {
            var model = new SequenceModel(new SequenceModelOptions(fixture.Whole("I"), stack), Kernels.Engine(kernel));
            foreach (var parameter in model.Parameters.All)
            {
                var tensor = $"{PyTorchFixture.NameOf(parameter.Role)}_l{parameter.LayerIndex}";
                Assert.Equal(data.GetProperty("parameters").Shape(tensor), parameter.Shape);
                data.GetProperty("parameters").Floats(tensor).CopyTo(model.Parameters.ValuesOf(parameter));
            }

            Assert.Equal(4 * layers, data.GetProperty("parameters").EnumerateObject().Count());
            var unrolled = model.Unroll(T, B);
            data.Floats("x").CopyTo(unrolled.Input);
            Fill(unrolled.InitialState, "h0", "c0");
            unrolled.Forward();
            Check("y", unrolled.Output);
            var final = model.CreateState(B);
            unrolled.CopyFinalState(final);
            CheckState(final, "hT", "cT");

            data.Floats("dY").CopyTo(unrolled.OutputGradient);
            Fill(unrolled.FinalStateGradient, "dHT", "dCT");
            model.Parameters.ZeroGradients();
            unrolled.Backward(inputGradient: true, initialStateGradient: true);
            Check("dX", unrolled.InputGradient);
            CheckState(unrolled.InitialStateGradient, "dH0", "dC0");
            foreach (var parameter in model.Parameters.All)
            {
                var tensor = $"{PyTorchFixture.NameOf(parameter.Role)}_l{parameter.LayerIndex}";
                CheckValues(tensor, data.GetProperty("dParameters").Numbers(tensor), model.Parameters.GradientOf(parameter));
            }

            void Check(string tensor, ReadOnlySpan<float> actual) => CheckValues(tensor, data.Numbers(tensor), actual);

            void CheckValues(string tensor, double[] expected, ReadOnlySpan<float> actual)
            {
                Assert.NotEmpty(expected);
                var error = PyTorchFixture.Error(expected, PyTorchFixture.Wide(actual));
                Assert.True(error <= FloatTolerance, $"{cell} {name} {kernel} {tensor}: relative error {error:E2}");
                worst = Math.Max(worst, error);
            }

            void CheckState(ModelState state, string hidden, string memory)
            {
                Check(hidden, Joined(layer => state.Hidden(layer).ToArray()));
                if (cell == "lstm")
                    Check(memory, Joined(layer => state.Cell(layer).ToArray()));
            }
        }

        output.WriteLine($"{cell} {name}: worst relative error {worst:E2}");

        float[] Joined(Func<int, float[]> values) => [.. Enumerable.Range(0, layers).SelectMany(values)];

        void Fill(ModelState state, string hidden, string memory)
        {
            float[] h = data.Floats(hidden), c = data.Floats(memory);
            for (var layer = 0; layer < layers; layer++)
            {
                h.AsSpan(layer * h.Length / layers, h.Length / layers).CopyTo(state.Hidden(layer));
                c.AsSpan(layer * c.Length / layers, c.Length / layers).CopyTo(state.Cell(layer));
            }
        }
    }

    [Theory]
    [MemberData(nameof(TheoryCases))]
    public void Theory_AgreesWithPyTorch(string cell, string name)
    {
        var fixture = PyTorchFixture.Load(cell);
        var data = fixture.GetProperty("cases").GetProperty(name);
        var (T, B, I, H) = (fixture.Whole("T"), fixture.Whole("B"), fixture.Whole("I"), fixture.Whole("H"));
        string[] suffixes = name == "bidirectional" ? ["l0", "l0_reverse"] : [.. Enumerable.Range(0, data.Whole("layers")).Select(layer => $"l{layer}")];
        var cells = suffixes.Select(suffix => TheoryCell(cell, suffix.StartsWith("l0", StringComparison.Ordinal) ? I : H, H)).ToArray();
        for (var k = 0; k < cells.Length; k++)
        {
            foreach (var (tensor, values) in Tensors(cells[k].Parameters, suffixes[k]))
                data.GetProperty("parameters").Numbers(tensor).CopyTo(values, 0);
        }

        SequenceLayer layer = name == "bidirectional"
            ? new Bidirectional(cells[0], cells[1])
            : new Stacked([.. cells.Select(one => (SequenceLayer)new Recurrent(one))]);
        var worst = 0.0;
        var cache = layer.Forward(new Sequence(T, B, I, data.Numbers("x")), States("h0", "c0"));
        Check("y", data.Numbers("y"), cache.Y.Values);
        CheckStates("hT", "cT", cache.FinalStates);

        var gradients = layer.Backward(cache, new Sequence(T, B, layer.OutputSize, data.Numbers("dY")), States("dHT", "dCT"));
        Check("dX", data.Numbers("dX"), gradients.DX.Values);
        CheckStates("dH0", "dC0", gradients.DInitialStates);
        for (var k = 0; k < cells.Length; k++)
        {
            foreach (var (tensor, values) in Tensors(gradients.DParameters[k], suffixes[k]))
                Check(tensor, data.GetProperty("dParameters").Numbers(tensor), values);
        }

        output.WriteLine($"{cell} {name}: worst relative error {worst:E2}");

        CellState[][] States(string hidden, string memory)
        {
            double[] h = data.Numbers(hidden), c = data.Numbers(memory);
            return
            [
                .. Enumerable.Range(0, cells.Length).Select(k => CellState.Split(
                    B, h.AsSpan(k * h.Length / cells.Length, h.Length / cells.Length), c.AsSpan(k * c.Length / cells.Length, c.Length / cells.Length))),
            ];
        }

        void CheckStates(string hidden, string memory, CellState[][] states)
        {
            Check(hidden, data.Numbers(hidden), [.. states.SelectMany(CellState.JoinH)]);
            if (cell == "lstm")
                Check(memory, data.Numbers(memory), [.. states.SelectMany(CellState.JoinC)]);
        }

        void Check(string tensor, double[] expected, double[] actual)
        {
            Assert.NotEmpty(expected);
            var error = PyTorchFixture.Error(expected, actual);
            Assert.True(error <= DoubleTolerance, $"{cell} {name} {tensor}: relative error {error:E2}");
            worst = Math.Max(worst, error);
        }
    }

    static (string Name, double[] Values)[] Tensors(CellParameters parameters, string suffix) =>
    [
        ($"weight_ih_{suffix}", parameters.WeightIh.Values), ($"weight_hh_{suffix}", parameters.WeightHh.Values),
        ($"bias_ih_{suffix}", parameters.BiasIh), ($"bias_hh_{suffix}", parameters.BiasHh),
    ];

    static Cell TheoryCell(string name, int inputSize, int hiddenSize) => name switch
    {
        "rnn-tanh" => new RnnCell(inputSize, hiddenSize),
        "rnn-relu" => new RnnCell(inputSize, hiddenSize, RnnActivation.Relu),
        "lstm" => new LstmCell(inputSize, hiddenSize),
        _ => new GruCell(inputSize, hiddenSize),
    };
}
