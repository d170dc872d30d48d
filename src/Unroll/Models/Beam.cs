using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>The hypotheses of one source: how they came about, and those that are complete.</summary>
sealed class Beam
{
    readonly GenerationOptions _options;
    readonly int[] _parents, _tokens;
    readonly float[] _attention;
    readonly List<GeneratedSequence> _complete = [];
    double[] _logProbabilities, _nextLogProbabilities;
    int _steps, _sourceSteps;

    /// <param name="options">How to search.</param>
    /// <param name="maxSourceSteps">The most attention weights of a step; 0 without attention.</param>
    public Beam(GenerationOptions options, int maxSourceSteps)
    {
        _options = options;
        var hypotheses = checked(options.MaxSteps * options.BeamWidth);
        (_parents, _tokens) = (new int[hypotheses], new int[hypotheses]);
        _attention = new float[checked(hypotheses * maxSourceSteps)];
        (_logProbabilities, _nextLogProbabilities) = (new double[options.BeamWidth], new double[options.BeamWidth]);
    }

    /// <summary>The hypotheses that go on; they have the first places.</summary>
    public int Live { get; private set; }

    /// <summary>Begins with one hypothesis, the empty one.</summary>
    public void Start()
    {
        (_steps, Live, _logProbabilities[0]) = (0, 1, 0);
        _complete.Clear();
    }

    /// <summary>The last token of a hypothesis.</summary>
    public int Token(int slot) => _tokens[((_steps - 1) * _options.BeamWidth) + slot];

    /// <summary>The place before the last step of what became this hypothesis.</summary>
    public int Parent(int slot) => _parents[((_steps - 1) * _options.BeamWidth) + slot];

    /// <summary>Takes the best continuations.</summary>
    /// <param name="logits">The logits [W, V] of all places.</param>
    /// <param name="attention">Their attention weights [W, S], or nothing.</param>
    public void Advance(ReadOnlySpan<float> logits, ReadOnlySpan<float> attention)
    {
        if (Live == 0)
            return;
        var width = _options.BeamWidth;
        _sourceSteps = attention.Length / width;
        attention.CopyTo(_attention.AsSpan(_steps * attention.Length));
        var parents = _parents.AsSpan(_steps * width, width);
        var tokens = _tokens.AsSpan(_steps * width, width);
        var chosen = Choose(logits, parents, tokens, width - _complete.Count);
        (_logProbabilities, _nextLogProbabilities) = (_nextLogProbabilities, _logProbabilities);
        _steps++;
        var live = 0;
        for (var slot = 0; slot < chosen; slot++)
        {
            if (_steps == _options.MaxSteps || tokens[slot] == _options.EndToken)
            {
                _complete.Add(Trace(slot));
            }
            else
            {
                (parents[live], tokens[live], _logProbabilities[live]) = (parents[slot], tokens[slot], _logProbabilities[slot]);
                live++;
            }
        }

        Live = live;
    }

    /// <summary>The complete hypotheses, the best first.</summary>
    public GeneratedSequence[] Ranked() => [.. _complete.OrderByDescending(sequence => sequence.Score)]; // stable

    /// <summary>The likeliest continuations in falling order.</summary>
    int Choose(ReadOnlySpan<float> logits, Span<int> parents, Span<int> tokens, int most)
    {
        var vocabulary = logits.Length / _options.BeamWidth;
        var chosen = 0;
        for (var parent = 0; parent < Live; parent++)
        {
            var row = logits.Slice(parent * vocabulary, vocabulary);
            var (maximum, sum) = SoftmaxSum.Of(row);
            var before = _logProbabilities[parent] - maximum - Logarithm.Of(sum);
            for (var token = 0; token < vocabulary; token++)
            {
                var probability = before + row[token];
                if (chosen == most && !(probability > _nextLogProbabilities[most - 1]))
                    continue;
                var place = chosen < most ? chosen++ : most - 1;
                for (; place > 0 && _nextLogProbabilities[place - 1] < probability; place--)
                {
                    (parents[place], tokens[place], _nextLogProbabilities[place]) =
                        (parents[place - 1], tokens[place - 1], _nextLogProbabilities[place - 1]);
                }

                (parents[place], tokens[place], _nextLogProbabilities[place]) = (parent, token, probability);
            }
        }

        return chosen;
    }

    /// <summary>The hypothesis that came to a place in the last step.</summary>
    GeneratedSequence Trace(int slot)
    {
        var tokens = new int[_steps];
        var attention = new float[_steps * _sourceSteps];
        var place = slot;
        for (var step = _steps - 1; step >= 0; step--)
        {
            var at = (step * _options.BeamWidth) + place;
            (tokens[step], place) = (_tokens[at], _parents[at]);
            _attention.AsSpan(((step * _options.BeamWidth) + place) * _sourceSteps, _sourceSteps).CopyTo(attention.AsSpan(step * _sourceSteps));
        }

        var logProbability = _logProbabilities[slot];
        return new GeneratedSequence(tokens, logProbability, logProbability / LengthFactor(), attention);
    }

    /// <summary>((5 + n) / 6)^α to float's precision, with the same bits on every platform.</summary>
    double LengthFactor() =>
        Activations.Exp<SimdScalar, float>((float)(_options.LengthPenalty * Logarithm.Of((5.0 + _steps) / 6)));
}
