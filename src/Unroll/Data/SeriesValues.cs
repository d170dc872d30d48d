namespace Unroll.Data;

/// <summary>Checks of a series of numbers that somebody else supplied.</summary>
static class SeriesValues
{
    /// <summary>The series as floats [T, F].</summary>
    /// <exception cref="ArgumentException">A value is NaN or infinite, or the length is no multiple of the features.</exception>
    public static float[] Check(ReadOnlySpan<float> values, int features)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(features, 1);
        if (values.Length % features != 0)
            throw new ArgumentException($"Expected a multiple of {features} values, one per feature and step; got {values.Length}.", nameof(values));
        for (var i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                throw new ArgumentException(
                    $"Expected finite numbers, got {values[i]} at step {i / features}, feature {i % features}; fill or remove missing values first.", nameof(values));
            }
        }

        return values.ToArray();
    }
}
