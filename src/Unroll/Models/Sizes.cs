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
}
