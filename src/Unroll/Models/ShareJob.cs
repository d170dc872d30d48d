using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>Work of which each thread takes a share in its own way, given its number and that of the threads.</summary>
sealed class ShareJob(Action<int, int> share) : ParallelJob
{
    /// <summary>Does the work, as a part of some <paramref name="flops"/> operations in all.</summary>
    public void Run(Engine engine, long flops) => engine.Team.Run(this, RowJob.Workers(engine, flops));

    public override void Execute(int worker, int workers) => share(worker, workers);
}
