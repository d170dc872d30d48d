using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>Attention from queries [T, B, Q] to the outputs of an encoder [S, B, K]: y = (c, q) [T, B, K + Q].</summary>
sealed class Attention : Layer
{
    public Attention(AttentionOptions options, int querySize, int keySize, int scoreSize, ParameterBuilder parameters)
        : base(new AttentionLayerOptions(options), querySize, keySize + querySize)
    {
        (KeySize, ScoreSize, Additive) = (keySize, scoreSize, options is AdditiveAttentionOptions);
        if (Additive)
            WeightQuery = parameters.Add(ParameterRole.WeightQuery, scoreSize, querySize);
        WeightKey = parameters.Add(ParameterRole.WeightKey, scoreSize, keySize);
        if (Additive)
        {
            Bias = parameters.Add(ParameterRole.Bias, scoreSize);
            WeightScore = parameters.Add(ParameterRole.WeightScore, scoreSize);
        }
    }

    /// <summary>K, the features of a key and of the context.</summary>
    public int KeySize { get; }

    /// <summary>A, the rows of W_k.</summary>
    public int ScoreSize { get; }

    /// <summary>Whether the score is additive; else it is multiplicative.</summary>
    public bool Additive { get; }

    public Parameter? WeightQuery { get; }

    public Parameter WeightKey { get; }

    public Parameter? Bias { get; }

    public Parameter? WeightScore { get; }

    public override PackedWeights CreateWeights(Engine engine) => new AttentionWeights(this);

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        throw new NotSupportedException("An attention is unrolled over a source as well.");

    /// <summary>Reserves the activations for up to S steps of the source and T steps of B·<paramref name="queriesPerSource"/> rows.</summary>
    public UnrolledAttention Unroll(
        UnrollContext context, AttentionWeights weights, Keep keep, int maxSourceSteps, int maxSteps, int maxSources, int queriesPerSource = 1) => Additive
        ? new UnrolledAdditiveAttention(this, context, weights, keep, maxSourceSteps, maxSteps, maxSources, queriesPerSource)
        : new UnrolledMultiplicativeAttention(this, context, weights, keep, maxSourceSteps, maxSteps, maxSources, queriesPerSource);

    /// <summary>Stands where a layer's options do; a file has those of the attention.</summary>
    sealed record AttentionLayerOptions(AttentionOptions Attention) : LayerOptions
    {
        internal override Layer Build(int inputSize, ParameterBuilder parameters) =>
            throw new NotSupportedException("An attention is built by an encoder–decoder.");
    }
}

/// <summary>An attention over T steps of queries; its kinds differ in the score.</summary>
/// <remarks>
/// <code>
/// p_s = W_k·k_s (+ b)         once per source
/// e_s = score(q, p_s),  a = softmax(e),  c = Σ_s a_s·k_s,  y = (c, q)
/// backward:   (dC, dQ) = dY,   dA_s = k_s·dC,   dE_s = a_s·(dA_s − Σ_r a_r·dA_r)
/// dQ, dP_s += scoreBackward(dE_s),   dK_s = Σ_t a_ts·dC_t + W_kᵀ·dP_s
/// </code>
/// A row of the batch is on its own, as in every layer: its scores are small matrix products. Sums over the features of a
/// key have the steps of the source in the lanes of a vector, all others the features, so that nothing is summed across
/// lanes. Several rows may ask the same source (the hypotheses of a beam search); only without a backward pass.
/// </remarks>
abstract unsafe class UnrolledAttention : UnrolledLayer
{
    readonly AttentionWeights _weights;
    readonly Arena.Region _projected, _packed, _a, _y, _dY, _dScores, _dProjected;
    readonly long _packedLength;
    readonly int _queriesPerSource;
    readonly int[] _lengths;
    float* _keys, _keysGradient;

    protected UnrolledAttention(
        Attention layer, UnrollContext context, AttentionWeights weights, Keep keep, int maxSourceSteps, int maxSteps, int maxSources, int queriesPerSource)
        : base(layer)
    {
        (Attention, Context, _weights, _queriesPerSource) = (layer, context, weights, queriesPerSource);
        (Q, K, A) = (layer.InputSize, layer.KeySize, layer.ScoreSize);
        var arena = context.Arena;
        var rows = (long)maxSources * queriesPerSource;
        _lengths = new int[maxSources];
        _packedLength = PackedMatrix.Length(Math.Max(K, A), maxSourceSteps);
        _projected = arena.Reserve((long)maxSourceSteps * maxSources * A);
        _packed = arena.Reserve(maxSources * _packedLength);
        _a = arena.Reserve(maxSteps * rows * maxSourceSteps);
        _y = arena.Reserve(maxSteps * rows * layer.OutputSize);
        KeepsGradients = keep == Keep.Everything;
        if (!KeepsGradients)
            return;
        _dY = arena.Reserve(maxSteps * rows * layer.OutputSize);
        _dScores = arena.Reserve(maxSteps * rows * maxSourceSteps);
        _dProjected = arena.Reserve((long)maxSourceSteps * maxSources * A);
        WeightKeyBack = new PackedMatrix(A, K);
        context.Tall.Reserve(A, K, 1);
        context.Tall.Reserve(A, Q);
    }

    protected Attention Attention { get; }

    protected UnrollContext Context { get; }

    protected bool KeepsGradients { get; }

    /// <summary>Features of a query.</summary>
    protected int Q { get; }

    /// <summary>Features of a key.</summary>
    protected int K { get; }

    /// <summary>Features of a projected key p.</summary>
    protected int A { get; }

    /// <summary>S, the steps of the source.</summary>
    public int SourceSteps { get; private set; }

    /// <summary>a [T, B, S] of the last forward pass.</summary>
    public float* Weights => Context.Arena.Pointer(_a);

    public override float* Output => Context.Arena.Pointer(_y);

    public override float* OutputGradient => Context.Arena.Pointer(_dY);

    public override long FlopsPerStep => 2L * SourceSteps * (A + K);

    protected int Sources => Batch / _queriesPerSource;

    /// <summary>p [S, sources, A].</summary>
    protected float* Projected => Context.Arena.Pointer(_projected);

    /// <summary>∂loss/∂p [S, B, A].</summary>
    protected float* ProjectedGradient => Context.Arena.Pointer(_dProjected);

    /// <summary>∂loss/∂e [T, B, S].</summary>
    protected float* ScoreGradient => Context.Arena.Pointer(_dScores);

    /// <summary>W_k for the backward product.</summary>
    protected PackedMatrix? WeightKeyBack { get; }

    /// <summary>Takes the source of the next pass: keys [S, sources, K] and the place of their gradient, overwritten.</summary>
    public void SetSource(float* keys, float* keysGradient, int steps, ReadOnlySpan<int> lengths)
    {
        _keys = keys;
        _keysGradient = keysGradient;
        SourceSteps = steps;
        lengths.CopyTo(_lengths);
    }

    protected int SourceLength(int source) => _lengths[source];

    protected int SourceOf(int row) => row / _queriesPerSource;

    protected float* PackOf(int source) => Context.Arena.Pointer(_packed) + (source * (nint)_packedLength);

    /// <summary>Makes ready to score the keys of sources [b0, b1), before any query of theirs.</summary>
    public void ReadKeys(int b0, int b1)
    {
        Context.Engine.Multiply(new GemmProblem
        {
            Blocks = SourceSteps,
            ABlock = (nint)Sources * K,
            CBlock = (nint)Sources * A,
            M = b1 - b0,
            N = A,
            K = K,
            A = _keys + ((nint)b0 * K),
            ARow = K,
            B = _weights.Key,
            C = Projected + ((nint)b0 * A),
            CRow = A,
            Start = Attention.Additive ? TileStart.Bias : TileStart.Zero,
            Bias = _weights.Bias,
        });
        for (var b = b0; b < b1; b++)
            PackKeys(b);
    }

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        ReadQueries(t0, t1, b0, b1);
        var pass = new ForwardPass { Owner = this, T0 = t0, T1 = t1, B0 = b0, B1 = b1 };
        Context.Engine.Run(ref pass);
    }

    /// <summary>
    /// The gradient of the queries of all steps; <see cref="BackwardKeys"/> follows. It is called for all steps at once.
    /// </summary>
    public override void Backward(int t0, int t1, int b0, int b1)
    {
        var pass = new BackwardPass { Owner = this, T0 = t0, T1 = t1, B0 = b0, B1 = b1 };
        Context.Engine.Run(ref pass);
        QueryGradient(t0, t1, b0, b1);
    }

    /// <summary>The gradient of the keys, after that of all queries.</summary>
    public void BackwardKeys(int b0, int b1)
    {
        var pass = new KeyPass { Owner = this, B0 = b0, B1 = b1 };
        Context.Engine.Run(ref pass);
        Context.Engine.Multiply(new GemmProblem
        {
            Blocks = SourceSteps,
            ABlock = (nint)Batch * A,
            CBlock = (nint)Batch * K,
            M = b1 - b0,
            N = K,
            K = A,
            A = ProjectedGradient + ((nint)b0 * A),
            ARow = A,
            B = WeightKeyBack!.Pointer,
            C = _keysGradient + ((nint)b0 * K),
            CRow = K,
            Start = TileStart.Destination,
        });
    }

    public override void PackBackward(int worker, int workers) =>
        WeightKeyBack!.Pack(Context.Engine.Kernel, Context.Parameters.ValuePointer(Attention.WeightKey), transposed: false, worker, workers);

    public override void AccumulateGradients(int worker, int workers)
    {
        var pass = new GradientPass { Owner = this, Worker = worker, Workers = workers };
        Context.Engine.Run(ref pass);
    }

    /// <summary>Lays the projected keys of a source as <see cref="Scores"/> reads them.</summary>
    protected abstract void PackKeys(int source);

    /// <summary>What is computed of the queries before their scores.</summary>
    protected virtual void ReadQueries(int t0, int t1, int b0, int b1)
    {
    }

    /// <summary>e of a row's steps, where a is to stand; those of padded steps may be anything.</summary>
    protected abstract void Scores<S, V>(int t0, int t1, int row)
        where S : struct, ISimd<V>
        where V : struct;

    /// <summary>From dE of a row's steps: what of dQ and dP goes row by row. dQ is accumulated into.</summary>
    protected abstract void ScoreBackward<S, V>(int t0, int t1, int row)
        where S : struct, ISimd<V>
        where V : struct;

    /// <summary>The rest of dQ, for all rows at once.</summary>
    protected virtual void QueryGradient(int t0, int t1, int b0, int b1)
    {
    }

    /// <summary>dP of a row, from dE of all steps, where <see cref="ScoreBackward"/> has not made it.</summary>
    protected virtual void ProjectedKeyGradient<S, V>(int row)
        where S : struct, ISimd<V>
        where V : struct
    {
    }

    protected virtual void AccumulateGradients<S, V>(int worker, int workers)
        where S : struct, ISimd<V>
        where V : struct
    {
        var (start, end) = TallProduct.Share(A, worker, workers);
        var parameters = Context.Parameters;
        Span<TallColumns> columns = stackalloc TallColumns[2];
        columns[0] = TallColumns.Matrix(_keys, K, parameters.GradientPointer(Attention.WeightKey), Context.AddsGradients);
        if (Attention.Bias is { } bias)
            columns[1] = TallColumns.Bias(Context.One, parameters.GradientPointer(bias), Context.AddsGradients);
        Context.Tall.Accumulate<S, V>(
            new TallProblem(TallRows.First(SourceSteps * Batch), ProjectedGradient, A, columns[..(Attention.Bias is null ? 1 : 2)]), start, end, worker);
    }

    protected nint RowOf(int t, int row) => ((nint)t * Batch) + row;

    void Attend<S, V>(int t0, int t1, int row)
        where S : struct, ISimd<V>
        where V : struct
    {
        var source = SourceOf(row);
        var length = SourceLength(source);
        Scores<S, V>(t0, t1, row);
        for (var t = t0; t < t1; t++)
        {
            var a = Weights + (RowOf(t, row) * SourceSteps);
            Softmax<S, V>(a, length);
            new Span<float>(a + length, SourceSteps - length).Clear();
            var y = Output + (RowOf(t, row) * Layer.OutputSize);
            WeightedSum.Of<S, V>(y, K, a, 1, _keys + ((nint)source * K), (nint)Sources * K, length, accumulate: false);
            new ReadOnlySpan<float>(Input + (RowOf(t, row) * Q), Q).CopyTo(new Span<float>(y + K, Q));
        }
    }

    void Return<S, V>(int t0, int t1, int row)
        where S : struct, ISimd<V>
        where V : struct
    {
        // dA = dC·kᵀ over the steps of the source
        PackedMatrix.Pack(Context.Engine.Kernel, _keys + ((nint)row * K), (nint)Batch * K, transposed: true, K, SourceSteps, PackOf(row));
        Gemm.Multiply<S, V>(new GemmProblem
        {
            M = t1 - t0,
            N = SourceSteps,
            K = K,
            A = OutputGradient + (RowOf(t0, row) * Layer.OutputSize),
            ARow = (nint)Batch * Layer.OutputSize,
            B = PackOf(row),
            C = ScoreGradient + (RowOf(t0, row) * SourceSteps),
            CRow = (nint)Batch * SourceSteps,
        });
        var length = SourceLength(row);
        for (var t = t0; t < t1; t++)
        {
            var dE = ScoreGradient + (RowOf(t, row) * SourceSteps);
            SoftmaxBackward(Weights + (RowOf(t, row) * SourceSteps), dE, length);
            new Span<float>(dE + length, SourceSteps - length).Clear();
            new ReadOnlySpan<float>(OutputGradient + (RowOf(t, row) * Layer.OutputSize) + K, Q).CopyTo(new Span<float>(InputGradient + (RowOf(t, row) * Q), Q));
        }

        ScoreBackward<S, V>(t0, t1, row);
    }

    void ReturnToKeys<S, V>(int row)
        where S : struct, ISimd<V>
        where V : struct
    {
        for (var s = 0; s < SourceSteps; s++)
        {
            WeightedSum.Of<S, V>(
                _keysGradient + ((((nint)s * Batch) + row) * K), K, Weights + ((nint)row * SourceSteps) + s, (nint)Batch * SourceSteps,
                OutputGradient + ((nint)row * Layer.OutputSize), (nint)Batch * Layer.OutputSize, Steps, accumulate: false);
        }

        ProjectedKeyGradient<S, V>(row);
    }

    /// <summary>a_s = e^(e_s − m) / Σ_r e^(e_r − m) with m the largest e, in e's place.</summary>
    static void Softmax<S, V>(float* e, int count)
        where S : struct, ISimd<V>
        where V : struct
    {
        var maximum = float.NegativeInfinity;
        for (var s = 0; s < count; s++)
            maximum = e[s] > maximum || float.IsNaN(e[s]) ? e[s] : maximum;
        var m = S.Broadcast(maximum);
        for (var s = 0; s < count; s += S.Count)
            Lanes<S, V>.Store(e + s, Activations.Exp<S, V>(S.Subtract(Lanes<S, V>.Load(e + s, count - s), m)), count - s);
        var sum = 0f;
        for (var s = 0; s < count; s++)
            sum += e[s];
        for (var s = 0; s < count; s += S.Count)
            Lanes<S, V>.Store(e + s, S.Divide(Lanes<S, V>.Load(e + s, count - s), S.Broadcast(sum)), count - s);
    }

    /// <summary>dE_s = a_s·(dA_s − Σ_r a_r·dA_r), in dA's place; what has vanished is 0.</summary>
    static void SoftmaxBackward(float* a, float* dA, int count)
    {
        var mean = 0f;
        for (var s = 0; s < count; s++)
            mean = MathF.FusedMultiplyAdd(a[s], dA[s], mean);
        for (var s = 0; s < count; s++)
            dA[s] = CellGradient.Flush<SimdScalar, float>(a[s] * (dA[s] - mean));
    }

    struct ForwardPass : IKernelAction
    {
        public UnrolledAttention Owner;
        public int T0, T1, B0, B1;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            for (var row = B0; row < B1; row++)
                Owner.Attend<S, V>(T0, T1, row);
        }
    }

    struct BackwardPass : IKernelAction
    {
        public UnrolledAttention Owner;
        public int T0, T1, B0, B1;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            for (var row = B0; row < B1; row++)
                Owner.Return<S, V>(T0, T1, row);
        }
    }

    struct KeyPass : IKernelAction
    {
        public UnrolledAttention Owner;
        public int B0, B1;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            for (var row = B0; row < B1; row++)
                Owner.ReturnToKeys<S, V>(row);
        }
    }

    struct GradientPass : IKernelAction
    {
        public UnrolledAttention Owner;
        public int Worker, Workers;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.AccumulateGradients<S, V>(Worker, Workers);
    }
}
