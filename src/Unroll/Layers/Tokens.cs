using System.Globalization;

namespace Unroll.Layers;

/// <summary>Tokens as the inputs of a layer: whole numbers in floats, exact up to 2²⁴.</summary>
static class Tokens
{
    const int MaximumVocabulary = 1 << 24;

    public static int CheckVocabulary(int size, string name) => size is >= 1 and <= MaximumVocabulary
        ? size
        : throw new ArgumentOutOfRangeException(name, size, $"Expected 1 to {MaximumVocabulary} tokens.");

    public static void CheckFeatures(int inputSize)
    {
        if (inputSize != 1)
            throw new ArgumentException($"Expected one input feature, the token's number, before a layer of tokens; got {inputSize} features.", nameof(inputSize));
    }

    /// <summary>The token that a float stands for.</summary>
    /// <exception cref="ArgumentException">It is no whole number from 0 to V − 1.</exception>
    public static int At(float value, int vocabularySize, int step, int row)
    {
        var token = (int)value; // saturates; 0 for NaN
        return token == value && (uint)token < (uint)vocabularySize ? token : throw Foreign(value, vocabularySize, step, row);
    }

    static ArgumentException Foreign(float value, int vocabularySize, int step, int row) => new(string.Create(
        CultureInfo.InvariantCulture, $"Expected tokens as whole numbers from 0 to {vocabularySize - 1}, got {value} in step {step} of row {row}."));
}
