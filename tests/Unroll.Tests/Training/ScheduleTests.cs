using Unroll.Training;

namespace Unroll.Tests.Training;

public class ScheduleTests
{
    [Fact]
    public void ConstantRate_IsConstant()
    {
        var schedule = new ConstantRate(0.02);
        foreach (var index in new[] { 0, 1, 1_000_000 })
            Assert.Equal(0.02, schedule.Rate(index));
    }

    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(3, 0.1)]
    [InlineData(7, 0.9)]
    public void StepDecay_MultipliesByGamma_AfterEveryStepSize(int stepSize, double gamma)
    {
        var schedule = new StepDecay(0.2, stepSize, gamma);
        for (var index = 0; index < 50; index++)
        {
            var expected = 0.2 * Math.Pow(gamma, index / stepSize);
            Assert.Equal(expected, schedule.Rate(index), expected * 1e-14); // up to 50 roundings
        }
    }

    [Fact]
    public void CosineDecay_FallsFromRateToMinimum_AndStaysThere()
    {
        var schedule = new CosineDecay(0.5, 40, 0.1);
        Assert.Equal(0.5, schedule.Rate(0), 1e-15);
        Assert.Equal(0.3, schedule.Rate(20), 1e-15);
        Assert.Equal(0.1 + (0.4 * (1 + Math.Sqrt(0.5)) / 2), schedule.Rate(10), 1e-15);
        for (var index = 0; index <= 40; index++)
            Assert.Equal(0.1 + (0.2 * (1 + Math.Cos(Math.PI * index / 40))), schedule.Rate(index), 1e-15);
        for (var index = 1; index <= 40; index++)
            Assert.True(schedule.Rate(index) < schedule.Rate(index - 1));
        Assert.Equal(0.1, schedule.Rate(40), 1e-15);
        Assert.Equal(0.1, schedule.Rate(41), 1e-15);
        Assert.Equal(0.1, schedule.Rate(int.MaxValue), 1e-15);
        Assert.Equal(0, new CosineDecay(1, 5).Rate(5), 1e-15);
    }

    [Fact]
    public void OneCycle_RisesToThePeak_AndFallsToZero()
    {
        var schedule = new OneCycle(0.5, 40, 0.25);
        Assert.Equal(0.02, schedule.Rate(0), 1e-15); // a 25th of the peak
        Assert.Equal((0.02 + 0.5) / 2, schedule.Rate(5), 1e-15);
        Assert.Equal(0.5, schedule.Rate(10), 1e-15);
        Assert.Equal(0.25, schedule.Rate(25), 1e-15);
        for (var index = 0; index <= 10; index++)
            Assert.Equal(0.02 + (0.48 * (1 - Math.Cos(Math.PI * index / 10)) / 2), schedule.Rate(index), 1e-15);
        for (var index = 10; index <= 40; index++)
            Assert.Equal(0.25 * (1 + Math.Cos(Math.PI * (index - 10) / 30)), schedule.Rate(index), 1e-15);
        Assert.Equal(0, schedule.Rate(40), 1e-15);
        Assert.Equal(0, schedule.Rate(int.MaxValue), 1e-15);
        Assert.Equal(0.04, new OneCycle(1, 1).Rate(0), 1e-15);
    }

    [Fact]
    public void ReduceOnPlateau_FollowsAHandMadeSequence()
    {
        var schedule = new ReduceOnPlateau(1, factor: 0.5, patience: 2, threshold: 0.1, minimum: 0.2);
        (double Loss, double RateAfter)[] sequence =
        [
            (10, 1), // the best so far
            (9.5, 1), // less than a tenth better: bad epoch 1
            (8.9, 1), // more than a tenth better than 10: the new best
            (8.9, 1), // bad 1
            (9, 1), // bad 2, borne
            (8.5, 0.5), // bad 3, more than the patience: reduced, the count begins anew
            (8.5, 0.5), // bad 1
            (8.5, 0.5), // bad 2
            (7, 0.5), // a new best clears the count
            (7, 0.5), (7, 0.5), (7, 0.25),
            (double.NaN, 0.25), (double.NaN, 0.25), (double.NaN, 0.2), // no number is no progress; the minimum holds
            (7, 0.2), (7, 0.2), (7, 0.2),
        ];
        Assert.Equal(1, schedule.Rate(0));
        for (var epoch = 0; epoch < sequence.Length; epoch++)
        {
            schedule.Observe(sequence[epoch].Loss);
            Assert.True(sequence[epoch].RateAfter == schedule.Rate(epoch), $"after epoch {epoch}: {schedule.Rate(epoch)}");
        }
    }

    [Fact]
    public void ReduceOnPlateau_ReducesAtOnce_WithoutPatience()
    {
        var schedule = new ReduceOnPlateau(1, factor: 0.25, patience: 0);
        schedule.Observe(1);
        Assert.Equal(1, schedule.Rate(1));
        schedule.Observe(1);
        Assert.Equal(0.25, schedule.Rate(2));
        schedule.Observe(0.5);
        Assert.Equal(0.25, schedule.Rate(3));
    }

    [Fact]
    public void TimeAlone_DecidesTheOtherSchedules()
    {
        foreach (LearningRateSchedule schedule in new LearningRateSchedule[] { new ConstantRate(1), new StepDecay(1, 2), new CosineDecay(1, 9), new OneCycle(1, 9) })
        {
            var before = schedule.Rate(3);
            for (var epoch = 0; epoch < 20; epoch++)
                schedule.Observe(1);
            Assert.Equal(before, schedule.Rate(3));
        }
    }

    [Fact]
    public void BadNumbers_AreRejected_ByName()
    {
        foreach (var rate in new[] { 0, -1, double.NaN, double.PositiveInfinity })
        {
            Check("rate", () => _ = new ConstantRate(rate));
            Check("rate", () => _ = new StepDecay(rate, 1));
            Check("rate", () => _ = new CosineDecay(rate, 1));
            Check("peak", () => _ = new OneCycle(rate, 1));
            Check("rate", () => _ = new ReduceOnPlateau(rate));
        }

        Check("stepSize", () => _ = new StepDecay(1, 0));
        Check("gamma", () => _ = new StepDecay(1, 1, 0));
        Check("length", () => _ = new CosineDecay(1, 0));
        Check("length", () => _ = new OneCycle(1, 0));
        Check("minimum", () => _ = new CosineDecay(1, 1, -0.1));
        Check("minimum", () => _ = new CosineDecay(1, 1, double.NaN));
        foreach (var factor in new[] { 0, 1, 1.5, double.NaN })
        {
            Check("warmUp", () => _ = new OneCycle(1, 9, factor));
            Check("factor", () => _ = new ReduceOnPlateau(1, factor));
        }

        static void Check(string parameter, Action action) =>
            Assert.Equal(parameter, Assert.Throws<ArgumentOutOfRangeException>(action).ParamName);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 0, 0)]
    [InlineData(0.5, -1, 0)]
    [InlineData(0.5, 0, -0.1)]
    [InlineData(0.5, 0, 0.2)]
    public void ReduceOnPlateau_RefusesNumbersOutOfRange(double factor, int patience, double minimum) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ReduceOnPlateau(0.1, factor, patience, minimum: minimum));
}
