using Unroll.Numerics;

namespace Unroll.Tests.Numerics;

/// <summary>Alone, because the environment is everybody's.</summary>
[Collection(nameof(Alone))]
public class EngineTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1025)]
    public void ThreadsOutOfRange_AreRejected(int threads) =>
        Assert.Contains("1 to 1024", Assert.Throws<ArgumentOutOfRangeException>(() => new Engine(threads)).Message, StringComparison.Ordinal);

    [Fact]
    public void Environment_ChoosesThreadsAndKernel_WhereTheCallerDoesNot()
    {
        With("UNROLL_THREADS", "3", () =>
        {
            Assert.Equal(3, new Engine().Threads);
            Assert.Equal(2, new Engine(2).Threads);
        });
        With("UNROLL_THREADS", "", () => Assert.Equal(Environment.ProcessorCount, new Engine().Threads));
        foreach (var kernel in Kernels.All)
        {
            With("UNROLL_KERNEL", kernel.ToString().ToUpperInvariant(), () => Assert.Equal(kernel, new Engine(1).Kernel));
            With("UNROLL_KERNEL", "naive", () => Assert.Equal(kernel, new Engine(1, kernel).Kernel));
        }

        With("UNROLL_KERNEL", null, () => Assert.Equal(Engine.WidestKernel, new Engine(1).Kernel));
    }

    [Theory]
    [InlineData("UNROLL_THREADS", "0")]
    [InlineData("UNROLL_THREADS", "1025")]
    [InlineData("UNROLL_THREADS", "two")]
    [InlineData("UNROLL_THREADS", "1.5")]
    [InlineData("UNROLL_KERNEL", "avx")]
    [InlineData("UNROLL_KERNEL", "1")]
    public void UnknownEnvironment_IsRejected_ByName(string variable, string value) => With(variable, value, () =>
        Assert.StartsWith($"{variable} is '{value}'; expected", Assert.Throws<InvalidOperationException>(() => new Engine()).Message, StringComparison.Ordinal));

    static void With(string variable, string? value, Action action)
    {
        var before = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, value);
        try
        {
            action();
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, before);
        }
    }
}
