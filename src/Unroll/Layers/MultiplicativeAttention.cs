using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Attention with the score e_s = q·p_s, p_s = W_k·k_s; backward dQ += Σ_s dE_s·p_s, dP_s = Σ_t dE_ts·q_t.</summary>
sealed unsafe class UnrolledMultiplicativeAttention(
    Attention layer, UnrollContext context, AttentionWeights weights, Keep keep, int maxSourceSteps, int maxSteps, int maxSources, int queriesPerSource)
    : UnrolledAttention(layer, context, weights, keep, maxSourceSteps, maxSteps, maxSources, queriesPerSource)
{
    protected override void PackKeys(int source) => PackedMatrix.Pack(
        Context.Engine.Kernel, Projected + ((nint)source * A), (nint)Sources * A, transposed: true, A, SourceSteps, PackOf(source));

    protected override void Scores<S, V>(int t0, int t1, int row) => Gemm.Multiply<S, V>(new GemmProblem
    {
        M = t1 - t0,
        N = SourceSteps,
        K = Q,
        A = Input + (RowOf(t0, row) * Q),
        ARow = (nint)Batch * Q,
        B = PackOf(SourceOf(row)),
        C = Weights + (RowOf(t0, row) * SourceSteps),
        CRow = (nint)Batch * SourceSteps,
    });

    protected override void ScoreBackward<S, V>(int t0, int t1, int row)
    {
        for (var t = t0; t < t1; t++)
        {
            WeightedSum.Of<S, V>(
                InputGradient + (RowOf(t, row) * Q), Q, ScoreGradient + (RowOf(t, row) * SourceSteps), 1,
                Projected + ((nint)row * A), (nint)Batch * A, SourceLength(row), accumulate: true);
        }
    }

    protected override void ProjectedKeyGradient<S, V>(int row)
    {
        for (var s = 0; s < SourceSteps; s++)
        {
            WeightedSum.Of<S, V>(
                ProjectedGradient + ((((nint)s * Batch) + row) * A), A, ScoreGradient + ((nint)row * SourceSteps) + s, (nint)Batch * SourceSteps,
                Input + ((nint)row * Q), (nint)Batch * Q, Steps, accumulate: false);
        }
    }
}
