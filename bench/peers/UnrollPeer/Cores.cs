namespace Unroll.Benchmarks.Peers;

/// <summary>Measuring on several cores at once.</summary>
public static class Cores
{
    /// <summary>What <paramref name="measure"/> gives on each of <paramref name="threads"/> threads that start together.</summary>
    public static double[] Measure(int threads, Func<double> measure)
    {
        var figures = new double[threads];
        using var start = new Barrier(threads);
        var workers = Enumerable.Range(0, threads).Select(index => new Thread(() =>
        {
            start.SignalAndWait();
            figures[index] = measure();
        })).ToArray();
        foreach (var worker in workers)
            worker.Start();
        foreach (var worker in workers)
            worker.Join();
        return figures;
    }
}
