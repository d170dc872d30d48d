namespace Unroll.Tests;

static class Allocations
{
    /// <summary>
    /// Asserts that <paramref name="use"/>, called a hundred times, allocates nothing on this thread. Tiered compilation allocates now
    /// and then: one of several windows without any proves that the calls themselves do not.
    /// </summary>
    public static void AssertNone(Action use)
    {
        use();
        var windows = new long[6];
        foreach (ref var window in windows.AsSpan())
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 100; i++)
                use();
            window = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Contains(0, windows);
    }
}
