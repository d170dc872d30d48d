namespace Unroll.Theory;

/// <summary>Writes the target of a source with an <see cref="EncoderDecoder"/>: greedy, which is W = 1, or by beam search.</summary>
/// <remarks>
/// <code>
/// log p(y_0 … y_{n−1} | x) = Σ_t log p(y_t | y_0 … y_{t−1}, x)
/// score(y) = log p(y | x) / ((5 + n) / 6)^α
/// B_0      = {()}
/// B_{t+1}  = the likeliest W − (number of complete ones) of {(y, k) : y in B_t, k = 0 … V−1}, without those that are complete
/// </code>
/// A hypothesis is complete when it ends with the end token or has the most tokens allowed; it then leaves the beam with its place. The complete ones are
/// ranked by their score. Of equal ones the better parent, then the smaller token, goes first. Each hypothesis is read again from its beginning at
/// every step: no state is kept, so that the code is the equation.
/// Sources: A. Graves, "Sequence Transduction with Recurrent Neural Networks", 2012, arXiv:1211.3711; Sutskever, Vinyals and Le 2014;
/// the score is that of Y. Wu et al., "Google's Neural Machine Translation System", 2016, arXiv:1609.08144, equation 14, without coverage.
/// </remarks>
/// <param name="model">The model.</param>
/// <param name="startToken">The token that the decoder reads first.</param>
/// <param name="maxSteps">The most tokens of a target.</param>
public sealed class BeamSearch(EncoderDecoder model, int startToken, int maxSteps)
{
    /// <summary>W, the hypotheses that are followed at a time; 1 takes the likeliest token at every step.</summary>
    public int Width { get; init; } = 1;

    /// <summary>The token that ends a target, if there is one.</summary>
    public int? EndToken { get; init; }

    /// <summary>α: 0 ranks by probability, more favours longer targets.</summary>
    public double LengthPenalty { get; init; }

    /// <summary>The logarithm of the probability of a target.</summary>
    /// <remarks><code>log p(y | x) = Σ_t log p(y_t | y_0 … y_{t−1}, x)</code></remarks>
    /// <param name="x">The source, [S, 1, I].</param>
    /// <param name="tokens">y, at least one token, with the end token if it has one.</param>
    /// <returns>The logarithm, 0 or less.</returns>
    /// <exception cref="ArgumentException">The source is a batch, or a token is not one of the model's.</exception>
    public double LogProbability(Sequence x, IReadOnlyList<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        Shape.Positive(tokens.Count, nameof(tokens));
        var logits = Read(x, tokens.Take(tokens.Count - 1));
        return Enumerable.Range(0, tokens.Count).Sum(t => Softmax.LogProbability(logits[t, 0], tokens[t]));
    }

    /// <summary>What a target of n tokens is ranked by.</summary>
    /// <remarks><code>score = log p / ((5 + n) / 6)^α</code></remarks>
    public double Score(double logProbability, int length) => logProbability / Math.Pow((5.0 + length) / 6, LengthPenalty);

    /// <summary>Searches.</summary>
    /// <param name="x">The source, [S, 1, I].</param>
    /// <returns>Up to W targets, the best first.</returns>
    /// <exception cref="ArgumentException">The source is a batch.</exception>
    public IReadOnlyList<Hypothesis> Run(Sequence x)
    {
        Shape.Positive(maxSteps, nameof(maxSteps));
        Shape.Positive(Width, nameof(Width));
        var complete = new List<Hypothesis>();
        List<Hypothesis> beam = [new([], 0, 0)];
        for (var t = 0; t < maxSteps && beam.Count > 0; t++)
        {
            var best = beam.SelectMany(hypothesis => Continue(x, hypothesis)).OrderByDescending(next => next.LogProbability).Take(Width - complete.Count).ToList();
            complete.AddRange(best.Where(IsComplete));
            beam = best.FindAll(hypothesis => !IsComplete(hypothesis));
        }

        return [.. complete.OrderByDescending(hypothesis => hypothesis.Score)];
    }

    bool IsComplete(Hypothesis hypothesis) => hypothesis.Tokens.Count == maxSteps || hypothesis.Tokens[^1] == EndToken;

    /// <summary>A hypothesis and one more token, for each token.</summary>
    /// <remarks><code>log p(y, k) = log p(y) + log p(k | y, x)</code></remarks>
    IEnumerable<Hypothesis> Continue(Sequence x, Hypothesis hypothesis)
    {
        var length = hypothesis.Tokens.Count + 1;
        var logits = Read(x, hypothesis.Tokens);
        for (var k = 0; k < logits.F; k++)
        {
            var logProbability = hypothesis.LogProbability + Softmax.LogProbability(logits[length - 1, 0], k);
            yield return new Hypothesis([.. hypothesis.Tokens, k], logProbability, Score(logProbability, length));
        }
    }

    /// <summary>The logits after the start token and after each of these tokens, [1 + tokens, 1, V].</summary>
    Sequence Read(Sequence x, IEnumerable<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(x);
        Shape.Equal(1, x.B, "one source, B =", nameof(x));
        int[] read = [startToken, .. tokens];
        var column = new int[read.Length, 1];
        for (var t = 0; t < read.Length; t++)
            column[t, 0] = read[t];
        return model.Forward(x, column).Logits;
    }
}

/// <summary>A target that a <see cref="BeamSearch"/> follows or has found.</summary>
/// <param name="Tokens">Its tokens, with the end token if it was written.</param>
/// <param name="LogProbability">log p(tokens | source).</param>
/// <param name="Score">What it is ranked by.</param>
public sealed record Hypothesis(IReadOnlyList<int> Tokens, double LogProbability, double Score);
