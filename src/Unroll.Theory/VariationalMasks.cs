namespace Unroll.Theory;

/// <summary>The masks of variational recurrent dropout for one cell: one for the inputs and one for the recurrent product, the same at every step.</summary>
/// <remarks>
/// <code>
/// state_t = cell(m_x ⊙ x_t, state_{t−1}),   W_hh reads m_h ⊙ h_{t−1} instead of h_{t−1}
/// m = 0 with probability p, else 1 / (1 − p)
/// </code>
/// All gates share the masks (the paper's tied weights), and h_{t−1} itself is carried on unmasked: the GRU's z ⊙ h_{t−1} reads it as it is.
/// The masks are inputs, so the mathematics has no randomness.
/// Source: Y. Gal, Z. Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks", NIPS 2016, section 4.2.
/// </remarks>
/// <param name="Input">m_x, [B, I]: one row per sample; null for no dropout.</param>
/// <param name="Hidden">m_h, [B, H]: one row per sample; null for no dropout.</param>
public sealed record VariationalMasks(Matrix? Input, Matrix? Hidden);
