namespace Unroll.Theory;

/// <summary>How <see cref="Pooling"/> makes one vector of the steps of a sample.</summary>
public enum PoolingKind
{
    /// <summary>The last valid step.</summary>
    Last,

    /// <summary>The mean over the valid steps.</summary>
    Mean,

    /// <summary>The largest value of each feature over the valid steps.</summary>
    Max,
}
