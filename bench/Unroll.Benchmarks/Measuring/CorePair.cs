using Unroll.Benchmarks.Peers;
using Unroll.Experiments.Hosting;
using Unroll.Numerics;

namespace Unroll.Benchmarks.Measuring;

/// <summary>What the two cores of a turn are to each other.</summary>
enum CorePlace
{
    /// <summary>They are threads of one core, or other guests of the machine take the second: two do hardly more than one.</summary>
    Same,

    /// <summary>They share a cache.</summary>
    Near,

    /// <summary>They do not.</summary>
    Apart,
}

/// <summary>Two cores just before a turn.</summary>
/// <param name="Distance">Nanoseconds that a word takes from one to the other and back.</param>
/// <param name="Count">The multiply-adds of two threads over those of one.</param>
/// <remarks>A hypervisor moves virtual processors, minutes at a time, so this is measured before every turn.</remarks>
readonly record struct CorePair(double Distance, double Count)
{
    /// <summary>The <see cref="Distance"/> from which on they share no cache.</summary>
    public const double NearestApart = 300;

    /// <summary>The <see cref="Count"/> from which on they are two: threads of one core come to 1.0, two cores to 2.0.</summary>
    public const double FewestOfTwo = 1.6;

    public CorePlace Place => Count < FewestOfTwo ? CorePlace.Same : Distance < NearestApart ? CorePlace.Near : CorePlace.Apart;

    public static CorePair Measure()
    {
        var kernel = Engine.WidestKernel;
        return new(CoreDistance.Measure(), Peak.Measure(kernel, 2) / Peak.Measure(kernel, 1));
    }

    /// <summary>The median of each figure.</summary>
    public static CorePair Median(IReadOnlyCollection<CorePair> pairs) =>
        new(Statistics.Median([.. pairs.Select(pair => pair.Distance)]), Statistics.Median([.. pairs.Select(pair => pair.Count)]));
}
