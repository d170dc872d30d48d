namespace Unroll.Tests;

/// <summary>Tests that run beside no others: they set environment variables or count what threads allocate.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public class Alone;
