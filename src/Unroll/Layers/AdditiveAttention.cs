using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Attention with the score e_s = v·u_s, u_s = tanh(r + p_s), r = W_q·q, p_s = W_k·k_s + b.</summary>
/// <remarks>
/// <code>
/// dU_s = dE_s·v⊙(1 − u_s²),   dR = Σ_s dU_s,   dP_s = Σ_t dU_ts,   dV = Σ_ts dE_ts·u_ts,   dQ += W_qᵀ·dR
/// </code>
/// u is computed anew in the backward pass: T·S·B·A numbers are not kept.
/// </remarks>
sealed unsafe class UnrolledAdditiveAttention : UnrolledAttention
{
    readonly AttentionWeights _weights;
    readonly Arena.Region _r, _dR, _dV;
    readonly PackedMatrix? _weightQueryBack;

    public UnrolledAdditiveAttention(
        Attention layer, UnrollContext context, AttentionWeights weights, Keep keep, int maxSourceSteps, int maxSteps, int maxSources, int queriesPerSource)
        : base(layer, context, weights, keep, maxSourceSteps, maxSteps, maxSources, queriesPerSource)
    {
        _weights = weights;
        var rows = (long)maxSteps * maxSources * queriesPerSource;
        _r = context.Arena.Reserve(rows * A);
        if (!KeepsGradients)
            return;
        _dR = context.Arena.Reserve(rows * A);
        _dV = context.Arena.Reserve((long)maxSources * A);
        _weightQueryBack = new PackedMatrix(A, Q);
    }

    // Rows of a source's packed keys [A, PackRow]: whole vectors of every kernel.
    int PackRow => (SourceSteps + 15) / 16 * 16;

    protected override void PackKeys(int source) =>
        TransposedCopy.Copy(Projected + ((nint)source * A), (nint)Sources * A, SourceSteps, A, PackOf(source), PackRow);

    protected override void ReadQueries(int t0, int t1, int b0, int b1) => Context.Engine.Multiply(new GemmProblem
    {
        Blocks = t1 - t0,
        ABlock = (nint)Batch * Q,
        CBlock = (nint)Batch * A,
        M = b1 - b0,
        N = A,
        K = Q,
        A = Input + (RowOf(t0, b0) * Q),
        ARow = Q,
        B = _weights.Query,
        C = Context.Arena.Pointer(_r) + (RowOf(t0, b0) * A),
        CRow = A,
    });

    [MethodImpl(Kernel.Compilation)]
    protected override void Scores<S, V>(int t0, int t1, int row)
    {
        var packed = PackOf(SourceOf(row));
        for (var t = t0; t < t1; t++)
        {
            var r = Context.Arena.Pointer(_r) + (RowOf(t, row) * A);
            var e = Weights + (RowOf(t, row) * SourceSteps);
            for (var s = 0; s < SourceSteps; s += S.Count)
            {
                var sum = S.Broadcast(0f);
                for (var j = 0; j < A; j++)
                {
                    var u = Activations.Tanh<S, V>(S.Add(S.Broadcast(r[j]), S.Load(packed + ((nint)j * PackRow) + s)));
                    sum = S.Fma(S.Broadcast(_weights.Score[j]), u, sum);
                }

                Lanes<S, V>.Store(e + s, sum, SourceSteps - s);
            }
        }
    }

    [MethodImpl(Kernel.Compilation)]
    protected override void ScoreBackward<S, V>(int t0, int t1, int row)
    {
        var length = SourceLength(row);
        var one = S.Broadcast(1f);
        for (var s = 0; s < SourceSteps; s++)
            new Span<float>(ProjectedGradient + ((((nint)s * Batch) + row) * A), A).Clear();
        for (var j = 0; j < A; j += S.Count)
        {
            var n = A - j;
            var v = Lanes<S, V>.Load(_weights.Score + j, n);
            var dV = S.Broadcast(0f);
            for (var t = t0; t < t1; t++)
            {
                var dE = ScoreGradient + (RowOf(t, row) * SourceSteps);
                var r = Lanes<S, V>.Load(Context.Arena.Pointer(_r) + (RowOf(t, row) * A) + j, n);
                var dR = S.Broadcast(0f);
                for (var s = 0; s < length; s++)
                {
                    var at = ((((nint)s * Batch) + row) * A) + j;
                    var u = Activations.Tanh<S, V>(S.Add(r, Lanes<S, V>.Load(Projected + at, n)));
                    var dScore = S.Broadcast(dE[s]);
                    dV = S.Fma(dScore, u, dV);
                    var dU = CellGradient.Flush<S, V>(S.Multiply(S.Multiply(dScore, v), S.NegatedFma(u, u, one)));
                    dR = S.Add(dR, dU);
                    Lanes<S, V>.Store(ProjectedGradient + at, S.Add(Lanes<S, V>.Load(ProjectedGradient + at, n), dU), n);
                }

                Lanes<S, V>.Store(Context.Arena.Pointer(_dR) + (RowOf(t, row) * A) + j, dR, n);
            }

            Lanes<S, V>.Store(Context.Arena.Pointer(_dV) + ((nint)row * A) + j, dV, n);
        }
    }

    public override void PackBackward(int worker, int workers)
    {
        base.PackBackward(worker, workers);
        _weightQueryBack!.Pack(Context.Engine.Kernel, Context.Parameters.ValuePointer(Attention.WeightQuery!), transposed: false, worker, workers);
    }

    protected override void QueryGradient(int t0, int t1, int b0, int b1) => Context.Engine.Multiply(new GemmProblem
    {
        Blocks = t1 - t0,
        ABlock = (nint)Batch * A,
        CBlock = (nint)Batch * Q,
        M = b1 - b0,
        N = Q,
        K = A,
        A = Context.Arena.Pointer(_dR) + (RowOf(t0, b0) * A),
        ARow = A,
        B = _weightQueryBack!.Pointer,
        C = InputGradient + (RowOf(t0, b0) * Q),
        CRow = Q,
        Start = TileStart.Destination,
    });

    protected override void AccumulateGradients<S, V>(int worker, int workers)
    {
        base.AccumulateGradients<S, V>(worker, workers);
        var parameters = Context.Parameters;
        var (start, end) = TallProduct.Share(A, worker, workers);
        ReadOnlySpan<TallColumns> columns = [TallColumns.Matrix(Input, Q, parameters.GradientPointer(Attention.WeightQuery!), Context.AddsGradients)];
        Context.Tall.Accumulate<S, V>(new TallProblem(TallRows.First(Steps * Batch), Context.Arena.Pointer(_dR), A, columns), start, end, worker);

        // dv = Σ_b dV_b, or what it was and that, in rising order of b.
        if (worker == 0)
            WeightedSum.Of<S, V>(parameters.GradientPointer(Attention.WeightScore!), A, Context.One, 0, Context.Arena.Pointer(_dV), A, Batch, Context.AddsGradients);
    }
}
