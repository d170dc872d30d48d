namespace Unroll.Data;

/// <summary>Pairs of a source and a target of tokens: what an encoder–decoder learns from.</summary>
/// <remarks>
/// Inputs [S, B, 1] are the tokens of the sources, labels [T, B] those of the targets. Rows shorter than the longest of
/// their batch are filled up with token 0: their lengths are told, and the weight of a filled up label is 0.
/// </remarks>
public sealed class TokenPairSource : ISequenceSource
{
    readonly int[][] _sources;
    readonly int[][] _targets;
    readonly bool _sameSources;

    /// <summary>Takes the pairs.</summary>
    /// <param name="sources">N sequences of at least one token each, none negative; copied.</param>
    /// <param name="targets">As many, of the same kind; with their end token, if they are to have one.</param>
    /// <exception cref="ArgumentException">There is no pair, the counts differ, a sequence is empty, or a token is negative.</exception>
    public TokenPairSource(IReadOnlyList<int[]> sources, IReadOnlyList<int[]> targets)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(targets);
        if (sources.Count == 0 || sources.Count != targets.Count)
            throw new ArgumentException($"Expected at least one source and as many targets, got {sources.Count} and {targets.Count}.", nameof(targets));
        (_sources, _targets) = (Copy(sources, nameof(sources)), Copy(targets, nameof(targets)));
        MaxSteps = _sources.Concat(_targets).Max(tokens => tokens.Length);
        _sameSources = _sources.All(tokens => tokens.Length == _sources[0].Length);
    }

    /// <inheritdoc/>
    public int Count => _sources.Length;

    /// <summary>The most steps of a source or a target.</summary>
    public int MaxSteps { get; }

    /// <inheritdoc/>
    public int InputSize => 1;

    /// <inheritdoc/>
    public int TargetSize => 0;

    /// <inheritdoc/>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        ArgumentNullException.ThrowIfNull(batch);
        int rows = indices.Length, steps = 0, targetSteps = 0;
        foreach (var index in indices)
        {
            steps = Math.Max(steps, _sources[index].Length);
            targetSteps = Math.Max(targetSteps, _targets[index].Length);
        }

        batch.Resize(steps, rows, targetSteps, weights: true, lengths: !_sameSources);
        for (var b = 0; b < rows; b++)
        {
            var (source, target) = (_sources[indices[b]], _targets[indices[b]]);
            for (var s = 0; s < steps; s++)
                batch.Inputs[(s * rows) + b] = s < source.Length ? source[s] : 0;
            if (!_sameSources)
                batch.Lengths[b] = source.Length;
            for (var t = 0; t < targetSteps; t++)
            {
                batch.Labels[(t * rows) + b] = t < target.Length ? target[t] : 0;
                batch.Weights[(t * rows) + b] = t < target.Length ? 1f : 0f;
            }
        }
    }

    static int[][] Copy(IReadOnlyList<int[]> sequences, string name)
    {
        var copy = new int[sequences.Count][];
        for (var i = 0; i < copy.Length; i++)
        {
            var tokens = sequences[i];
            if (tokens is null || tokens.Length == 0)
                throw new ArgumentException($"Expected sequences of at least one token, but sequence {i} has none.", name);
            if (tokens.Min() < 0)
                throw new ArgumentException($"Expected tokens of at least 0, got {tokens.Min()} in sequence {i}.", name);
            copy[i] = [.. tokens];
        }

        return copy;
    }
}
