using Unroll.Data;
using Unroll.Numerics;

namespace Unroll.Book.Figures;

/// <summary>Strings of the embedded Reber grammar: B, a mark T or P, a string of Reber's grammar, the mark again, E.</summary>
/// <remarks>Source: F. A. Gers, J. Schmidhuber, F. Cummins, "Learning to Forget: Continual Prediction with LSTM", Neural Computation 12 (2000).</remarks>
static class EmbeddedReber
{
    public const string Alphabet = "BTSXPVE";

    // From each node of Reber's graph two symbols lead on, each as likely as the other; node 5 is the end.
    static readonly (char Symbol, int To)[][] s_edges =
    [
        [('T', 1), ('P', 2)],
        [('S', 1), ('X', 3)],
        [('T', 2), ('V', 4)],
        [('X', 2), ('S', 5)],
        [('P', 3), ('V', 5)],
    ];

    /// <summary>A string, as indices into <see cref="Alphabet"/>; the mark stands at 1 and again at the last place but one.</summary>
    public static int[] Draw(MersenneTwister random)
    {
        var mark = random.NextInterval(1) == 0 ? 'T' : 'P';
        var symbols = new List<char> { 'B', mark, 'B' };
        for (var node = 0; node < s_edges.Length;)
        {
            var (symbol, to) = s_edges[node][random.NextInterval(1)];
            symbols.Add(symbol);
            node = to;
        }

        return [.. symbols.Append('E').Append(mark).Append('E').Select(symbol => Alphabet.IndexOf(symbol, StringComparison.Ordinal))];
    }
}

/// <summary>Single strings, each from a state of 0.</summary>
sealed class SingleReber(MersenneTwister random) : ISequenceSource
{
    // One string in 100,000 is longer; such are drawn again.
    const int LongestString = 60;

    public int Count => 1 << 20;

    public int MaxSteps => LongestString - 1;

    public int InputSize => EmbeddedReber.Alphabet.Length;

    public int TargetSize => 0;

    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        var rows = indices.Length;
        batch.Resize(MaxSteps, rows, MaxSteps, lengths: true);
        batch.Inputs.Clear();
        batch.Labels.Clear();
        for (var b = 0; b < rows; b++)
        {
            int[] symbols;
            do
                symbols = EmbeddedReber.Draw(random);
            while (symbols.Length > LongestString);
            batch.Lengths[b] = symbols.Length - 1;
            for (var t = 0; t + 1 < symbols.Length; t++)
            {
                batch.Inputs[(((t * rows) + b) * InputSize) + symbols[t]] = 1;
                batch.Labels[(t * rows) + b] = symbols[t + 1];
            }
        }
    }
}

/// <summary>Endless streams of strings, one behind the other without a mark between; windows of them in order.</summary>
sealed class ContinualReber : ISequenceSource
{
    readonly MersenneTwister _random;
    readonly int[][] _strings;
    readonly int[] _next;

    /// <param name="streams">Streams side by side.</param>
    /// <param name="window">The steps of a window.</param>
    /// <param name="windows">The windows that will be asked for.</param>
    /// <param name="random">Draws the strings.</param>
    public ContinualReber(int streams, int window, int windows, MersenneTwister random)
    {
        (Streams, MaxSteps, Count, _random) = (streams, window, streams * windows, random);
        _strings = [.. Enumerable.Range(0, streams).Select(_ => EmbeddedReber.Draw(random))];
        _next = new int[streams];
        AsksForMark = new bool[window * streams];
    }

    public int Count { get; }

    public int MaxSteps { get; }

    public int InputSize => EmbeddedReber.Alphabet.Length;

    public int TargetSize => 0;

    public int Streams { get; }

    /// <summary>Whether the label of a step of the last window is a mark to be remembered, [T, B].</summary>
    public bool[] AsksForMark { get; }

    /// <summary>Fills in the next window of all streams, whatever the indices.</summary>
    public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
    {
        batch.Resize(MaxSteps, Streams, MaxSteps);
        batch.Inputs.Clear();
        for (var t = 0; t < MaxSteps; t++)
        {
            for (var b = 0; b < Streams; b++)
            {
                var at = (t * Streams) + b;
                batch.Inputs[(at * InputSize) + _strings[b][_next[b]]] = 1;
                _next[b]++;
                AsksForMark[at] = _next[b] == _strings[b].Length - 2;
                if (_next[b] == _strings[b].Length)
                    (_strings[b], _next[b]) = (EmbeddedReber.Draw(_random), 0);
                batch.Labels[at] = _strings[b][_next[b]];
            }
        }
    }
}
