namespace Unroll.Models;

/// <summary>How targets are searched for.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens of a target, at least 1; without an end token every target has as many.</summary>
    public required int MaxSteps { get; init; }

    /// <summary>W, the hypotheses that are followed at a time, 1 to 4096; 1 takes the likeliest token at every step (greedy).</summary>
    public int BeamWidth { get; init; } = 1;

    /// <summary>The token that ends a target, if there is one.</summary>
    public int? EndToken { get; init; }

    /// <summary>
    /// α, 0 to 10: targets of n tokens are ranked by log p / ((5 + n) / 6)^α, so that long ones are not at a disadvantage.
    /// Wu et al., Google's neural machine translation system, arXiv:1609.08144, equation 14.
    /// </summary>
    public double LengthPenalty { get; init; }
}

/// <summary>A target that was written.</summary>
/// <param name="Tokens">Its tokens, with the end token if it was written.</param>
/// <param name="LogProbability">ln p(tokens | source).</param>
/// <param name="Score">What it is ranked by; see <see cref="GenerationOptions.LengthPenalty"/>.</param>
/// <param name="Attention">The weights [tokens, S] that each token gave the steps of the source; empty without attention.</param>
public sealed record GeneratedSequence(IReadOnlyList<int> Tokens, double LogProbability, double Score, ReadOnlyMemory<float> Attention);
