namespace Unroll.Models;

/// <summary>Checks of sizes against those an object was made for.</summary>
static class Sizes
{
    public static void Check(int value, int maximum, string name)
    {
        if (value < 1 || value > maximum)
            throw new ArgumentOutOfRangeException(name, value, $"Expected 1 to {maximum}, the size this object was made for.");
    }

    public static void CheckLength(int actual, int expected, string what, string name)
    {
        if (actual != expected)
            throw new ArgumentException($"Expected {expected} {what}, got {actual}.", name);
    }

    public static void CheckLengths(ReadOnlySpan<int> lengths, int steps, int batchSize, string name)
    {
        CheckLength(lengths.Length, batchSize, "lengths [B]", name);
        for (var b = 0; b < lengths.Length; b++)
        {
            if (lengths[b] < 0 || lengths[b] > steps)
                throw new ArgumentException($"Expected lengths of 0 to T = {steps}, got {lengths[b]} in row {b}.", name);
        }
    }

    /// <summary>Sets the padded steps of x [T, B, features] to 0, so that what stands there (even a NaN) cannot matter.</summary>
    public static void ClearPadding(Span<float> x, ReadOnlySpan<int> lengths, int features)
    {
        var steps = x.Length / (lengths.Length * features);
        for (var b = 0; b < lengths.Length; b++)
        {
            for (var t = lengths[b]; t < steps; t++)
                x.Slice(((t * lengths.Length) + b) * features, features).Clear();
        }
    }
}
