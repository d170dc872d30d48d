namespace Unroll.Theory;

/// <summary>How the outputs of the two directions of a <see cref="Bidirectional"/> layer become one.</summary>
public enum BidirectionalMerge
{
    /// <summary>Side by side: y = (h→, h←), of H→ + H← features.</summary>
    Concat,

    /// <summary>y = h→ + h←.</summary>
    Sum,

    /// <summary>y = (h→ + h←) / 2.</summary>
    Average,

    /// <summary>y = h→ ⊙ h←.</summary>
    Product,
}
