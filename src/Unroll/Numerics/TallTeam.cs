namespace Unroll.Numerics;

/// <summary>
/// The threads that compute a model's tall products: the room of each for its copies, and the rows of C that one hands over to
/// another which has nothing left to do.
/// </summary>
sealed unsafe class TallTeam
{
    // Rows of C and operations that are worth it: whoever takes them copies the right operand once more.
    const int SmallestRows = 24;
    const long SmallestFlops = 4_000_000;

    readonly Engine _engine;
    readonly Part[] _parts;
    readonly int[] _isUsed;
    AlignedBuffer[] _scratch = [];
    long _length;

    public TallTeam(Engine engine)
    {
        _engine = engine;
        _parts = [.. Enumerable.Range(0, engine.Threads).Select(_ => new Part(this))];
        _isUsed = new int[engine.Threads];
    }

    /// <summary>Whether a thread waits for rows.</summary>
    public bool IsWanted => _engine.Team.WantsPart;

    /// <summary>Floats that are reserved for each thread.</summary>
    public long ScratchLength => _length;

    /// <summary>Reserves what a thread needs for <paramref name="rows"/> rows of C, so many of each matrix.</summary>
    public void Reserve(int rows, params ReadOnlySpan<int> widths) =>
        _length = Math.Max(_length, TallProduct.ScratchLength(_engine.Kernel, rows, widths));

    /// <summary>Allocates what was reserved.</summary>
    public void Commit()
    {
        if (_length > 0)
            _scratch = [.. Enumerable.Range(0, _engine.Threads).Select(_ => new AlignedBuffer(_length))];
    }

    /// <summary>Computes rows [<paramref name="m0"/>, <paramref name="m1"/>) of C, as <see cref="TallProduct"/> does.</summary>
    public void Accumulate<S, V>(in TallProblem problem, int m0, int m1, int worker, int k = 0)
        where S : struct, ISimd<V>
        where V : struct
    {
        var index = Rent(worker);
        var handed = TallProduct.Accumulate<S, V>(problem, m0, m1, _scratch[index].Pointer, k, this);
        Volatile.Write(ref _isUsed[index], 0);
        _engine.Team.Join(handed);
    }

    /// <summary>
    /// Hands over so many rows from the end of [<paramref name="m"/>, <paramref name="m1"/>) that both threads end at once, if that
    /// is worth it. Rows [<paramref name="m0"/>, <paramref name="m"/>) have all up to <paramref name="k1"/>, these up to <paramref name="k0"/>.
    /// </summary>
    /// <returns>The end of the rows that stay.</returns>
    public int HandOver(ref SharePart? handed, in TallProblem problem, int k0, int k1, int m0, int m, int m1, int tileRows)
    {
        // x·(K − k0) = (m1 − m0 − x)·(K − k1) + (m1 − m − x)·(k1 − k0)
        long left = problem.K - k0, after = problem.K - k1;
        var count = (int)Math.Min(m1 - m, ((after * (m1 - m0)) + ((left - after) * (m1 - m))) / (2 * left)) / tileRows * tileRows;
        if (count < SmallestRows || 2 * count * left * problem.N < SmallestFlops || SharePart.Unused(_parts) is not { } part)
            return m1;
        part.Set(problem, k0, m1 - count, m1);
        return _engine.Team.TryHandOver(part, ref handed) ? m1 - count : m1;
    }

    // Every thread rents one at a time: while it waits for what it has handed over, it may take from others and needs none itself.
    int Rent(int worker)
    {
        for (var index = worker; ; index = index + 1 == _isUsed.Length ? 0 : index + 1)
        {
            if (Interlocked.CompareExchange(ref _isUsed[index], 1, 0) == 0)
                return index;
        }
    }

    sealed class Part(TallTeam team) : SharePart
    {
        const int MostColumns = 4;

        readonly TallColumns[] _columns = new TallColumns[MostColumns];
        TallRows _rows;
        float* _a;
        nint _aRow;
        int _k, _m0, _m1, _count;

        public void Set(in TallProblem problem, int k, int m0, int m1)
        {
            _a = problem.A;
            (_rows, _aRow, _k, _m0, _m1, _count) = (problem.Rows, problem.ARow, k, m0, m1, problem.Columns.Length);
            problem.Columns.CopyTo(_columns);
        }

        protected override void Execute()
        {
            var pass = new Pass { Part = this };
            team._engine.Run(ref pass);
        }

        struct Pass : IKernelAction
        {
            public Part Part;

            public readonly void Invoke<S, V>()
                where S : struct, ISimd<V>
                where V : struct => Part.Accumulate<S, V>();
        }

        void Accumulate<S, V>()
            where S : struct, ISimd<V>
            where V : struct =>
            team.Accumulate<S, V>(new TallProblem(_rows, _a, _aRow, _columns.AsSpan(0, _count)), _m0, _m1, worker: 0, _k);
    }
}
