using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>An array [slots, B, width] of which every step has its place, or whose places the steps use in turn.</summary>
/// <remarks>
/// A backward pass needs the values of all steps. Without one, a step needs those of the step before at most: two places,
/// or a single one that is overwritten in place.
/// </remarks>
sealed unsafe class StepBuffer
{
    readonly Arena _arena;
    readonly Arena.Region _region;
    readonly int _slots, _first;
    nint _stride;

    StepBuffer(Arena arena, Arena.Region region, int width, int slots, int first)
    {
        (_arena, _region, Width, _slots, _first) = (arena, region, width, slots, first);
    }

    /// <summary>Floats in a row.</summary>
    public int Width { get; }

    /// <summary>A place for each of the steps 0 to <paramref name="steps"/> − 1.</summary>
    public static StepBuffer ForSteps(Arena arena, int steps, int maxBatch, int width) =>
        new(arena, arena.Reserve((long)steps * maxBatch * width), width, steps, 0);

    /// <summary>A place for each of the steps −1 (the initial state) to <paramref name="steps"/> − 1.</summary>
    public static StepBuffer ForStates(Arena arena, int steps, int maxBatch, int width) =>
        InRegion(arena, arena.Reserve((steps + 1L) * maxBatch * width), steps, width);

    /// <summary>The same in memory that is shared with others.</summary>
    public static StepBuffer InRegion(Arena arena, Arena.Region region, int steps, int width) =>
        new(arena, region, width, steps + 1, 1);

    /// <summary>One or two places in turn.</summary>
    public static StepBuffer InTurn(Arena arena, int slots, int maxBatch, int width) =>
        new(arena, arena.Reserve((long)slots * maxBatch * width), width, slots, slots);

    /// <summary>Takes B of the next passes.</summary>
    public void Resize(int batch) => _stride = (nint)batch * Width;

    /// <summary>Row <paramref name="b"/> of step <paramref name="t"/>.</summary>
    public float* At(int t, int b)
    {
        // Only one or two places are taken in turn.
        var slot = t + _first;
        if (slot >= _slots)
            slot &= _slots - 1;
        return _arena.Pointer(_region) + (slot * _stride) + ((nint)b * Width);
    }
}
