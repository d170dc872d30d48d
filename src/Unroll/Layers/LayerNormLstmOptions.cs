namespace Unroll.Layers;

/// <summary>Long short-term memory whose pre-activations and cell output are layer-normalised.</summary>
/// <remarks>
/// <code>
/// (i, f, g, o)ₜ = α_ih⊙N(W_ih·xₜ) + b_ih + α_hh⊙N(W_hh·hₜ₋₁) + b_hh
/// cₜ = σ(fₜ)⊙cₜ₋₁ + σ(iₜ)⊙tanh(gₜ)
/// hₜ = σ(oₜ)⊙tanh(α_c⊙N(cₜ) + b_c)
/// N(a) = (a − mean(a)) / √(variance(a) + 10⁻⁵)
/// </code>
/// The two products are normalised apart, each over all its 4H elements; the state c is carried on as it is. The gains α
/// start at 1 (see <c>Initialization</c>); a model of zeros gives zeros. Ba, Kiros and Hinton, Layer normalization,
/// arXiv:1607.06450 (2016), equations 20 to 22 of the supplement, whose third bias of the gates is left out: the sum of
/// two is all that counts.
/// </remarks>
public sealed record LayerNormLstmOptions : RecurrentOptions
{
    /// <inheritdoc cref="RnnOptions(int)"/>
    public LayerNormLstmOptions(int hiddenSize)
        : base(hiddenSize)
    {
    }

    internal override Layer Build(int inputSize, ParameterBuilder parameters) => new LayerNormLstm(this, inputSize, parameters);
}
