using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>y = E_token: E [V, size].</summary>
sealed class Embedding : Layer
{
    public Embedding(EmbeddingOptions options, ParameterBuilder parameters)
        : base(options, 1, options.Size)
    {
        VocabularySize = options.VocabularySize;
        Weight = parameters.Add(ParameterRole.WeightEmbedding, options.VocabularySize, options.Size);
    }

    public int VocabularySize { get; }

    public Parameter Weight { get; }

    public override PackedWeights CreateWeights(Engine engine) => new EmbeddingWeights(this);

    public override UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch) =>
        new UnrolledEmbedding(this, context, (EmbeddingWeights)weights!, keep, maxSteps, maxBatch);
}

/// <summary>The vectors of T·B tokens.</summary>
sealed unsafe class UnrolledEmbedding : UnrolledLayer
{
    // Shares of several threads begin at a cache line of the gradient's rows.
    const int ColumnGrain = 16;

    readonly Embedding _layer;
    readonly UnrollContext _context;
    readonly EmbeddingWeights _weights;
    readonly Arena.Region _y, _dY;

    public UnrolledEmbedding(Embedding layer, UnrollContext context, EmbeddingWeights weights, Keep keep, int maxSteps, int maxBatch)
        : base(layer)
    {
        (_layer, _context, _weights) = (layer, context, weights);
        var length = (long)maxSteps * maxBatch * layer.OutputSize;
        _y = context.ReserveOutput(length);
        if (keep.IsForBackward())
            _dY = context.Arena.Reserve(length);
    }

    public override float* Output => _context.Arena.Pointer(_y);

    public override float* OutputGradient => _context.Arena.Pointer(_dY);

    public override void Forward(int t0, int t1, int b0, int b1)
    {
        var size = Layer.OutputSize;
        for (var t = t0; t < t1; t++)
        {
            for (var b = b0; b < b1; b++)
            {
                var at = ((nint)t * Batch) + b;
                var token = Tokens.At(Input[at], _layer.VocabularySize, t, b);
                new ReadOnlySpan<float>(_weights.Vectors + ((nint)token * size), size).CopyTo(new Span<float>(Output + (at * size), size));
            }
        }
    }

    /// <summary>A token's number has no gradient.</summary>
    public override void Backward(int t0, int t1, int b0, int b1)
    {
        for (var t = t0; t < t1 && InputGradient != null; t++)
            new Span<float>(InputGradient + ((nint)t * Batch) + b0, b1 - b0).Clear();
    }

    public override void AccumulateGradients(int worker, int workers)
    {
        var (start, end) = ParallelJob.Share(Layer.OutputSize, worker, workers, ColumnGrain);
        var pass = new GradientPass { Owner = this, Start = start, End = end };
        _context.Engine.Run(ref pass);
    }

    /// <summary>dE_token = dY summed over all steps and rows in rising order, or what it was and that, for some of the columns.</summary>
    struct GradientPass : IKernelAction
    {
        public UnrolledEmbedding Owner;
        public int Start, End;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            var size = Owner.Layer.OutputSize;
            var gradient = Owner._context.Parameters.GradientPointer(Owner._layer.Weight);
            for (nint token = 0; !Owner._context.AddsGradients && token < Owner._layer.Weight.Shape[0]; token++)
                new Span<float>(gradient + (token * size) + Start, End - Start).Clear();
            var rows = (nint)Owner.Steps * Owner.Batch;
            for (nint row = 0; row < rows; row++)
            {
                var dE = gradient + ((nint)Owner.Input[row] * size);
                var dY = Owner.OutputGradient + (row * size);
                for (var j = Start; j < End; j += S.Count)
                    Lanes<S, V>.Store(dE + j, S.Add(Lanes<S, V>.Load(dE + j, End - j), Lanes<S, V>.Load(dY + j, End - j)), End - j);
            }
        }
    }
}
