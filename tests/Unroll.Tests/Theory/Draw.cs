using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>Random models and data, seeded: every value is distinct, so swapped gates or transposed weights cannot pass.</summary>
static class Draw
{
    public static double Uniform(Random random, double range) => range * ((2 * random.NextDouble()) - 1);

    public static void Parameters(Random random, IEnumerable<Cell> cells, double range = 0.8)
    {
        foreach (var cell in cells)
            cell.Parameters.Fill(() => Uniform(random, range));
    }

    public static double[] Vector(Random random, int length, double range = 1)
    {
        var values = new double[length];
        for (var k = 0; k < length; k++)
            values[k] = Uniform(random, range);
        return values;
    }

    public static Matrix Matrix(Random random, int rows, int cols)
    {
        var matrix = new Matrix(rows, cols);
        Vector(random, rows * cols).CopyTo(matrix.Values, 0);
        return matrix;
    }

    public static Sequence Sequence(Random random, int T, int B, int F) =>
        new(T, B, F, Vector(random, T * B * F).AsSpan());

    public static CellState[][] States(Random random, IEnumerable<Cell> cells, int B) =>
        [.. cells.Select(cell => Enumerable.Range(0, B)
            .Select(_ => new CellState(Vector(random, cell.HiddenSize), Vector(random, cell.CellSize))).ToArray())];

    /// <summary>Indices from 0 to <paramref name="count"/> − 1, [T, B].</summary>
    public static int[,] Tokens(Random random, int T, int B, int count)
    {
        var tokens = new int[T, B];
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                tokens[t, b] = random.Next(count);
        }

        return tokens;
    }

    /// <summary>Dropout masks, a quarter of them 0 and the others distinct, so that none can stand in for another; no row is all 0.</summary>
    public static VariationalMasks[] Masks(Random random, IEnumerable<Cell> cells, int B) =>
        [.. cells.Select(cell => new VariationalMasks(Mask(random, B, cell.InputSize), Mask(random, B, cell.HiddenSize)))];

    public static Matrix Mask(Random random, int rows, int cols)
    {
        var mask = new Matrix(rows, cols);
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < cols; c++)
                mask[r, c] = c > 0 && random.Next(4) == 0 ? 0 : 1 + Uniform(random, 0.5);
        }

        return mask;
    }

    /// <summary>The constructor of the cell of this name.</summary>
    public static Func<int, int, Cell> Cell(string name) => Cells().Single(cell => cell.Name == name).Make;

    /// <summary>The cells under test, each with its name.</summary>
    public static IEnumerable<(string Name, Func<int, int, Cell> Make)> Cells()
    {
        yield return ("RNN tanh", (I, H) => new RnnCell(I, H));
        yield return ("RNN relu", (I, H) => new RnnCell(I, H, RnnActivation.Relu));
        foreach (var options in LstmVariants())
            yield return (Name(options), (I, H) => new LstmCell(I, H, options));
        yield return ("LSTM layer norm", (I, H) => new LayerNormLstmCell(I, H));
        yield return ("GRU after product", (I, H) => new GruCell(I, H));
        yield return ("GRU before product", (I, H) => new GruCell(I, H, GruResetGate.BeforeProduct));
    }

    /// <summary>All 8 combinations of gates, each with and without peepholes.</summary>
    public static IEnumerable<LstmOptions> LstmVariants()
    {
        foreach (var peepholes in new[] { false, true })
        {
            for (var bits = 0; bits < 8; bits++)
            {
                yield return new LstmOptions
                {
                    InputGate = (bits & 1) != 0,
                    ForgetGate = (bits & 2) != 0,
                    OutputGate = (bits & 4) != 0,
                    Peepholes = peepholes,
                };
            }
        }
    }

    static string Name(LstmOptions options) =>
        $"LSTM {(options.InputGate ? 'i' : '-')}{(options.ForgetGate ? 'f' : '-')}{(options.OutputGate ? 'o' : '-')}{(options.Peepholes ? " peepholes" : "")}";
}
