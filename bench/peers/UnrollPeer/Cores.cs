namespace Unroll.Benchmarks.Peers;

/// <summary>Measuring on several cores at once.</summary>
public static class Cores
{
    /// <summary>What <paramref name="measure"/> gives on each of <paramref name="threads"/> threads that start together, this one and others.</summary>
    public static double[] Measure(int threads, Func<double> measure)
    {
        var figures = new double[threads];
        using var start = new Barrier(threads);
        var workers = Enumerable.Range(1, threads - 1).Select(index => new Thread(() => Run(index))).ToArray();
        foreach (var worker in workers)
            worker.Start();
        Run(0);
        foreach (var worker in workers)
            worker.Join();
        return figures;

        void Run(int index)
        {
            start.SignalAndWait();
            figures[index] = measure();
        }
    }
}
