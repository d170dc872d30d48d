namespace Unroll.Theory;

/// <summary>The shape checks of the textbook: each failure states the expected and the actual value.</summary>
static class Shape
{
    /// <summary>Requires a size of at least one.</summary>
    public static void Positive(int size, string name)
    {
        if (size < 1)
            throw new ArgumentOutOfRangeException(name, size, $"{name}: expected at least 1, got {size}.");
    }

    /// <summary>Requires <paramref name="actual"/> to be <paramref name="expected"/>; <paramref name="what"/> names the quantity.</summary>
    public static void Equal(int expected, int actual, string what, string name)
    {
        if (actual != expected)
            throw new ArgumentException($"{name}: expected {what} {expected}, got {actual}.", name);
    }

    /// <summary>Requires the shape [T, B] and no feedback at step 0.</summary>
    public static void Feedback(int T, int B, bool[,]? feedback, string name)
    {
        if (feedback is null)
            return;
        Table(T, B, feedback, name);
        for (var b = 0; b < B; b++)
        {
            if (feedback[0, b])
                throw new ArgumentException($"{name}: expected [0, {b}] to be false, got true; there is no output before step 0.", name);
        }
    }

    /// <summary>Requires a token of 0 … V − 1.</summary>
    public static void Token(int vocabularySize, int token, string name)
    {
        if (token < 0 || token >= vocabularySize)
            throw new ArgumentException($"{name}: expected a token from 0 to {vocabularySize - 1}, got {token}.", name);
    }

    /// <summary>Requires the shape [T, B, F].</summary>
    public static void Sequence(int T, int B, int F, Sequence actual, string name)
    {
        if (actual.T != T || actual.B != B || actual.F != F)
            throw new ArgumentException($"{name}: expected shape [{T}, {B}, {F}], got [{actual.T}, {actual.B}, {actual.F}].", name);
    }

    /// <summary>Requires the shape [T, B] of one value per step and sample.</summary>
    public static void Table<TValue>(int T, int B, TValue[,] actual, string name)
    {
        if (actual.GetLength(0) != T || actual.GetLength(1) != B)
            throw new ArgumentException($"{name}: expected shape [{T}, {B}], got [{actual.GetLength(0)}, {actual.GetLength(1)}].", name);
    }

    /// <summary>Requires the shape [B, hiddenSize] of h and [B, cellSize] of c.</summary>
    public static void States(Cell cell, int B, CellState[] states, string name)
    {
        Equal(B, states.Length, "one state per sample, B =", name);
        foreach (var state in states)
            State(cell, state, name);
    }

    /// <summary>Requires the lengths hiddenSize of h and cellSize of c.</summary>
    public static void State(Cell cell, CellState state, string name)
    {
        Equal(cell.HiddenSize, state.H.Length, "length of h", name);
        Equal(cell.CellSize, state.C.Length, "length of c", name);
    }
}
