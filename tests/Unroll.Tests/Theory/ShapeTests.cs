using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>A wrong shape is an ArgumentException whose message has the expected and the actual value.</summary>
public class ShapeTests
{
    const int T = 4, B = 2, I = 3, H = 5;

    static readonly LstmCell s_cell = new(I, H);
    static readonly Recurrent s_layer = new(s_cell);
    static readonly ClosedLoop s_loop = new([new GruCell(I, H)], new Linear(H, I));

    static void Throws(string expected, string actual, Action action)
    {
        var error = Assert.ThrowsAny<ArgumentException>(action);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(actual, error.Message, StringComparison.Ordinal);
    }

    static void Throws(string expected, string actual, Func<object> function) => Throws(expected, actual, () => { _ = function(); });

    [Fact]
    public void Sizes_Throw_WhenNotPositive()
    {
        Throws("at least 1", "got 0", () => new RnnCell(0, H));
        Throws("at least 1", "got -2", () => new LstmCell(I, -2));
        Throws("at least 1", "got 0", () => new GruCell(I, 0));
        Throws("at least 1", "got 0", () => new Linear(I, 0));
        Throws("at least 1", "got 0", () => new Sequence(0, B, I));
        Throws("at least 1", "got 0", () => new Matrix(0, 1));
        Throws("at least 1", "got 0", () => Softmax.Forward([], []));
        Throws("at least 1", "got 0", () => new Stacked());
        Throws("at least 1", "got 0", () => new ClosedLoop([], new Linear(H, I)));
    }

    [Fact]
    public void FlatValues_Throw_WhenLengthDiffers()
    {
        Throws("24", "got 23", () => new Sequence(T, B, I, new double[23]));
        Throws("24", "got 25", () => new Sequence(T, B, I, new float[25]));
        Throws("24", "got 1", () => new Sequence(T, B, I).CopyTo(new float[1]));
        Throws("WeightIh 60", "got 59", () => s_cell.Parameters.Tensors[0].CopyFrom(new float[59]));
        Throws("WeightIh 60", "got 61", () => s_cell.Parameters.Tensors[0].CopyFrom(new double[61]));
        Throws("WeightIh 60", "got 2", () => s_cell.Parameters.Tensors[0].CopyTo(new float[2]));
        Throws("expected length 7 modulo B = 2", "got 1", () => CellState.Split(2, new double[7]));
    }

    [Fact]
    public void Matrix_Throws_WhenVectorDoesNotFit()
    {
        var matrix = new Matrix(2, 3);
        Throws("expected length 3", "got 2", () => matrix.MultiplyAdd(new double[2], new double[2]));
        Throws("expected length 2", "got 3", () => matrix.TransposeMultiplyAdd(new double[3], new double[3]));
        Throws("expected length 3", "got 4", () => matrix.OuterProductAdd(new double[2], new double[4]));
    }

    [Fact]
    public void Cell_Throws_WhenVectorDoesNotFit()
    {
        var cache = s_cell.Forward(new double[I], s_cell.ZeroState());
        Throws("inputSize = 3", "got 2", () => s_cell.Forward(new double[2], s_cell.ZeroState()));
        Throws("length of c 5", "got 0", () => s_cell.Forward(new double[I], new CellState(new double[H])));
        Throws("length of h 5", "got 4", () => s_cell.Backward(cache, new CellState(new double[4]), new double[I], s_cell.CreateGradients()));
        Throws("inputSize = 3", "got 1", () => s_cell.Backward(cache, s_cell.ZeroState(), new double[1], s_cell.CreateGradients()));
        Throws("rows of WeightIh 20", "got 15", () => s_cell.Backward(cache, s_cell.ZeroState(), new double[I], new GruCell(I, H).CreateGradients()));
        Throws("expected LstmCache", "got RnnCache", () => s_cell.Backward(
            new RnnCell(I, H).Forward(new double[I], new CellState(new double[H])), s_cell.ZeroState(), new double[I], s_cell.CreateGradients()));
    }

    [Fact]
    public void Layer_Throws_WhenShapeDoesNotFit()
    {
        var x = new Sequence(T, B, I);
        var cache = s_layer.Forward(x);
        var other = new Recurrent(s_cell).Forward(x);
        Throws("inputSize = 3", "got 2", () => s_layer.Forward(new Sequence(T, B, 2)));
        Throws("per cell, 1", "got 2", () => s_layer.Forward(x, [[], []]));
        Throws("B = 2", "got 1", () => s_layer.Forward(x, [[s_cell.ZeroState()]]));
        Throws("[4, 2, 5]", "[3, 2, 5]", () => s_layer.Backward(cache, new Sequence(3, B, H)));
        Throws("length of c 5", "got 0", () => s_layer.Backward(cache, cache.Y, [CellState.Split(B, new double[B * H])]));
        Throws("this Recurrent", "another Recurrent", () => s_layer.Backward(other, other.Y));
        Throws("inputSize 3", "got 2", () => new Bidirectional(s_cell, new LstmCell(2, H)));
        Throws("outputSize of layer 0 = 5", "got 3", () => new Stacked(s_layer, s_layer));
    }

    [Fact]
    public void Lengths_Throw_WhenTheyDoNotFit()
    {
        var x = new Sequence(T, B, I);
        Throws("B = 2", "got 3", () => s_layer.Forward(x, lengths: [1, 2, 3]));
        Throws("from 0 to T = 4", "got 5", () => s_layer.Forward(x, lengths: [0, 5]));
        Throws("from 0 to T = 4", "got -1", () => new Bidirectional(s_cell, s_cell).Forward(x, lengths: [-1, 4]));
        Throws("from 0 to T = 4", "got 5", () => Lengths.Weights(4, [5]));
        Throws("at least 1", "got 0", () => Lengths.Weights(4, []));
    }

    [Fact]
    public void LossWeights_Throw_WhenTheyDoNotFit()
    {
        var y = new Sequence(T, B, I);
        var targets = new int[T, B];
        Throws("[4, 2]", "[4, 3]", () => SoftmaxCrossEntropy.Forward(y, targets, new double[T, 3]));
        Throws("above 0", "got 0", () => SoftmaxCrossEntropy.Backward(y, targets, new double[T, B]));
        Throws("none below 0", "got -1", () => MeanSquaredError.Forward(y, y, new double[,] { { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, -1 } }));
        Throws("none below 0", "got NaN", () => MeanSquaredError.Backward(y, y, new double[,] { { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, double.NaN } }));
        targets[0, 0] = 7;
        Throws("from 0 to 2", "got 7", () => SoftmaxCrossEntropy.Forward(y, targets, Lengths.Weights(T, [1, 0])));
    }

    [Fact]
    public void Linear_Throws_WhenShapeDoesNotFit()
    {
        var linear = new Linear(I, H);
        var x = new Sequence(T, B, I);
        Throws("inputSize = 3", "got 4", () => linear.Forward(new Sequence(T, B, 4)));
        Throws("outputSize = 5", "got 4", () => linear.Forward(new double[I], new double[4]));
        Throws("[4, 2, 5]", "[4, 2, 3]", () => linear.Backward(x, x));
    }

    [Fact]
    public void ClosedLoop_Throws_WhenShapeDoesNotFit()
    {
        var x = new Sequence(T, B, I);
        var feedback = new bool[T, B];
        feedback[0, 1] = true;
        Throws("[0, 1] to be false", "got true", () => s_loop.Forward(x, feedback));
        Throws("[4, 2]", "[4, 3]", () => s_loop.Forward(x, new bool[T, 3]));
        Throws("inputSize = 3", "got 2", () => s_loop.Forward(new Sequence(T, B, 2), 1));
        Throws("at least 1", "got 0", () => s_loop.Forward(x, 0));
        Throws("[4, 2, 3]", "[4, 1, 3]", () => s_loop.Backward(s_loop.Forward(x, 1), new Sequence(T, 1, I)));
        Throws("first cell = 3", "got 2", () => new ClosedLoop([new GruCell(I, H)], new Linear(H, 2)));
        Throws("last cell = 5", "got 4", () => new ClosedLoop([new GruCell(I, H)], new Linear(4, I)));
        Throws("hiddenSize of cell 0 = 5", "got 4", () => new ClosedLoop([new GruCell(I, H), new GruCell(4, H)], new Linear(H, I)));
    }

    [Fact]
    public void Losses_Throw_WhenShapeDoesNotFit()
    {
        var y = new Sequence(T, B, I);
        Throws("[4, 2, 3]", "[4, 2, 1]", () => MeanSquaredError.Forward(y, new Sequence(T, B, 1)));
        Throws("[4, 2]", "[4, 1]", () => SoftmaxCrossEntropy.Forward(y, new int[T, 1]));
        Throws("from 0 to 2", "got 3", () => SoftmaxCrossEntropy.Backward(y, new[,] { { 0, 1 }, { 2, 3 }, { 0, 0 }, { 0, 0 } }));
        Throws("expected length 3", "got 2", () => Softmax.Forward(new double[3], new double[2]));
        Throws("expected length 3", "got 2", () => Softmax.Backward(new double[3], new double[2], new double[3]));
        Throws("expected length 2", "got 1", () => GradientCheck.RelativeError([1, 2], [1]));
        Throws("gradient of w 2", "got 1", () => GradientCheck.Run(() => 0, [new CheckedTensor("w", new double[2], new double[1])]));
    }
}
