using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>A layer's pass over steps [t0, t1) of rows [b0, b1).</summary>
delegate void RowPass(int t0, int t1, int b0, int b1);

/// <summary>
/// Hands over parts of a layer's pass to threads that have nothing left to do: rows never see each other, so some of them can go
/// through the rest of the steps elsewhere.
/// </summary>
sealed class RowParts(UnrolledLayer layer, Engine engine, RowPass pass)
{
    // Operations that are worth it: to hand them over takes some microseconds.
    const long SmallestFlops = 1_000_000;

    // Fewer rows take as long as twice as many: their products wait for the weights.
    const int SmallestRows = 4;

    readonly Part[] _parts = [.. Enumerable.Range(0, engine.Threads).Select(_ => new Part(pass))];

    /// <summary>Whether a thread waits for a part.</summary>
    public bool AreWanted => engine.Team.WantsPart;

    /// <summary>
    /// Hands over so many of rows [<paramref name="b"/>, <paramref name="b1"/>) that both threads end at once, if that is worth it:
    /// some that lie behind <paramref name="end"/>, for <paramref name="all"/> steps; or, where there are none, half of the others for
    /// those that are <paramref name="left"/>.
    /// </summary>
    public void HandOverRows(ref SharePart? handed, (int Start, int End) all, (int Start, int End) left, int b, ref int end, ref int b1)
    {
        int steps = left.End - left.Start, count = (b1 - b) / 2;
        if (end < b1)
        {
            // x·T = (rows behind end − x)·T + (rows before end)·(steps left)
            steps = all.End - all.Start;
            count = Math.Min(b1 - end, (((end - b) * (left.End - left.Start)) + ((b1 - end) * steps)) / (2 * steps));
            left = all;
        }

        if (count < SmallestRows || !TryHandOver(ref handed, left.Start, left.End, b1 - count, b1))
            return;
        b1 -= count;
        end = Math.Min(end, b1);
    }

    /// <summary>Hands over the later half of steps [<paramref name="t0"/>, <paramref name="t1"/>), which need none before them, if that is worth it.</summary>
    public void HandOverSteps(ref SharePart? handed, int t0, ref int t1, int b0, int b1)
    {
        var middle = (t0 + t1 + 1) / 2;
        if (TryHandOver(ref handed, middle, t1, b0, b1))
            t1 = middle;
    }

    /// <summary>Waits until all that was handed over in a pass is done.</summary>
    public void Join(SharePart? handed) => engine.Team.Join(handed);

    bool TryHandOver(ref SharePart? handed, int t0, int t1, int b0, int b1)
    {
        if (layer.FlopsPerStep * (t1 - t0) * (b1 - b0) < SmallestFlops || SharePart.Unused(_parts) is not { } part)
            return false;
        part.Set(t0, t1, b0, b1);
        return engine.Team.TryHandOver(part, ref handed);
    }

    sealed class Part(RowPass pass) : SharePart
    {
        int _t0, _t1, _b0, _b1;

        public void Set(int t0, int t1, int b0, int b1) => (_t0, _t1, _b0, _b1) = (t0, t1, b0, b1);

        protected override void Execute() => pass(_t0, _t1, _b0, _b1);
    }
}
