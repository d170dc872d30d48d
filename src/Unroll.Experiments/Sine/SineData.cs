using Unroll.Data;
using Unroll.Experiments.Baselines;
using Unroll.Experiments.Hosting;
using Unroll.Numerics;

namespace Unroll.Experiments.Sine;

/// <summary>The data of experiments 1, 2 and 4: a sine of period 100 with uniform noise of ±0.05, t = 0 … 250.</summary>
public sealed class SineData
{
    /// <summary>The values given before a model is on its own; also the window of the classic recipe.</summary>
    public const int WarmUp = 25;

    /// <summary>The steps of the continuation that is judged.</summary>
    public const int Horizon = 500;

    /// <summary>The period, in steps. No model is told it.</summary>
    public const int Period = 100;

    const int Length = 251;
    const uint NoiseSeed = 12;
    const double Noise = 0.05;

    /// <summary>Draws the noise and cuts the data in two: 90 % to train on, 10 % to watch.</summary>
    public SineData()
    {
        Noisy = NoisySine.Generate(Length, new MersenneTwister(NoiseSeed), Period, Noise);
        Split = (int)(Length * 0.9);
        Training = Noisy[..Split];
        Validation = Noisy[(Split - WarmUp)..];
        Target = NoisySine.Clean(Horizon, Period, start: WarmUp);
    }

    /// <summary>x_t for t = 0 … 250.</summary>
    public float[] Noisy { get; }

    /// <summary>The first step that is not trained on.</summary>
    public int Split { get; }

    /// <summary>The noisy values before <see cref="Split"/>.</summary>
    public float[] Training { get; }

    /// <summary>The noisy values from <see cref="Split"/> on, with a warm-up before them.</summary>
    public float[] Validation { get; }

    /// <summary>The clean sine for t = 25 … 524: what a continuation is compared with, and never trained on.</summary>
    public float[] Target { get; }

    /// <summary>What simple methods reach with the same data: continuations by name.</summary>
    public IReadOnlyList<KeyValuePair<string, float[]>> Baselines() =>
    [
        new("sineFit", SineFit.Of(Noisy).Evaluate(Horizon, WarmUp)),
        new("ar25", AutoRegression.Fit(Noisy, WarmUp).Forecast(Noisy.AsSpan(0, WarmUp), Horizon)),
        new("repeatLastPeriod", RepeatLastPeriod()),
    ];

    /// <summary>The root mean square error of a continuation against the clean sine.</summary>
    public double Error(float[] continuation) => Statistics.RootMeanSquareError(continuation, Target);

    /// <summary>The last 100 noisy values, in phase, over and over.</summary>
    float[] RepeatLastPeriod()
    {
        var start = Length - Period;
        return [.. Enumerable.Range(WarmUp, Horizon).Select(t => Noisy[start + (((t - start) % Period) + Period) % Period])];
    }
}
