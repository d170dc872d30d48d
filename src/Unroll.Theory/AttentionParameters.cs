namespace Unroll.Theory;

/// <summary>The parameters of an <see cref="Attention"/>, or their gradients. What a kind of attention does not have is empty.</summary>
public sealed class AttentionParameters : TensorGroup
{
    internal AttentionParameters(Matrix? weightQuery = null, Matrix? weightKey = null, double[]? bias = null, double[]? weightScore = null)
    {
        WeightQuery = weightQuery ?? Matrix.Empty;
        WeightKey = weightKey ?? Matrix.Empty;
        Bias = bias ?? [];
        WeightScore = weightScore ?? [];
    }

    /// <summary>W_q of <see cref="AdditiveAttention"/>, [A, Q].</summary>
    public Matrix WeightQuery { get; }

    /// <summary>W_k: [A, K] of <see cref="AdditiveAttention"/>, [Q, K] of <see cref="MultiplicativeAttention"/>.</summary>
    public Matrix WeightKey { get; }

    /// <summary>b of <see cref="AdditiveAttention"/>, [A].</summary>
    public double[] Bias { get; }

    /// <summary>v of <see cref="AdditiveAttention"/>, [A].</summary>
    public double[] WeightScore { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<NamedTensor> Tensors => NotEmpty(
        new(nameof(WeightQuery), WeightQuery.Values),
        new(nameof(WeightKey), WeightKey.Values),
        new(nameof(Bias), Bias),
        new(nameof(WeightScore), WeightScore));
}
