namespace Unroll.Training;

/// <summary>The learning rate as a function of time, where time counts epochs or steps (see <see cref="TrainerOptions"/>).</summary>
public abstract class LearningRateSchedule
{
    /// <summary>The rate at time <paramref name="index"/>, from 0.</summary>
    public abstract double Rate(int index);

    /// <summary>Tells the schedule the monitored loss at the end of an epoch.</summary>
    public virtual void Observe(double loss)
    {
    }

    /// <summary>The schedule's memory, for a checkpoint.</summary>
    internal virtual double[] State
    {
        get => [];
        set
        {
            // No memory: the rate depends on time alone.
        }
    }

    private protected static double Positive(double value, string name) => value > 0 && double.IsFinite(value)
        ? value
        : throw new ArgumentOutOfRangeException(name, value, "Expected a positive number.");
}

/// <summary>η(k) = η₀.</summary>
/// <param name="rate">η₀ &gt; 0.</param>
public sealed class ConstantRate(double rate) : LearningRateSchedule
{
    readonly double _rate = Positive(rate, nameof(rate));

    /// <inheritdoc/>
    public override double Rate(int index) => _rate;
}

/// <summary>η(k) = η₀·γ^⌊k/s⌋.</summary>
/// <param name="rate">η₀ &gt; 0.</param>
/// <param name="stepSize">s ≥ 1, the time between two decays.</param>
/// <param name="gamma">γ &gt; 0, the factor of a decay.</param>
public sealed class StepDecay(double rate, int stepSize, double gamma = 0.1) : LearningRateSchedule
{
    readonly double _rate = Positive(rate, nameof(rate));
    readonly double _gamma = Positive(gamma, nameof(gamma));
    readonly int _stepSize = stepSize >= 1 ? stepSize : throw new ArgumentOutOfRangeException(nameof(stepSize), stepSize, "Expected at least 1.");

    /// <inheritdoc/>
    public override double Rate(int index)
    {
        var rate = _rate;
        for (var decay = index / _stepSize; decay > 0; decay--)
            rate *= _gamma;
        return rate;
    }
}

/// <summary>η(k) = η₁ + (η₀ − η₁)·(1 + cos(π·min(k, n)/n))/2: Loshchilov and Hutter, arXiv:1608.03983, eq. 5.</summary>
/// <param name="rate">η₀ &gt; 0, the first rate.</param>
/// <param name="length">n ≥ 1, the time of the fall.</param>
/// <param name="minimum">η₁ ≥ 0, the last rate.</param>
public sealed class CosineDecay(double rate, int length, double minimum = 0) : LearningRateSchedule
{
    readonly double _rate = Positive(rate, nameof(rate));
    readonly int _length = length >= 1 ? length : throw new ArgumentOutOfRangeException(nameof(length), length, "Expected at least 1.");
    readonly double _minimum = minimum >= 0 ? minimum : throw new ArgumentOutOfRangeException(nameof(minimum), minimum, "Expected at least 0.");

    /// <inheritdoc/>
    public override double Rate(int index) =>
        _minimum + (_rate - _minimum) * (1 + double.CosPi(Math.Min(index, _length) / (double)_length)) / 2;
}

/// <summary>
/// One cycle: η(k) = η₁·(1/25 + (1 − 1/25)·(1 − cos(π·k/(w·n)))/2) up to k = w·n, a warm-up to the peak η₁, and then
/// η₁·(1 + cos(π·(k − w·n)/(n − w·n)))/2, a fall to 0 at k = n.
/// </summary>
/// <remarks>
/// A large rate in the middle reaches wide minima in few steps; the warm-up lets a fresh model bear it. Smith and Topin,
/// arXiv:1708.07120; the start at a 25th of the peak and the cosines are those of PyTorch's <c>OneCycleLR</c>.
/// </remarks>
/// <param name="peak">η₁ &gt; 0, the largest rate.</param>
/// <param name="length">n ≥ 1, the time of the cycle.</param>
/// <param name="warmUp">w, the share of the rise: above 0 and below 1.</param>
public sealed class OneCycle(double peak, int length, double warmUp = 0.3) : LearningRateSchedule
{
    const double StartShare = 1.0 / 25;

    readonly double _peak = Positive(peak, nameof(peak));
    readonly int _length = length >= 1 ? length : throw new ArgumentOutOfRangeException(nameof(length), length, "Expected at least 1.");
    readonly double _warmUp = warmUp is > 0 and < 1 ? warmUp : throw new ArgumentOutOfRangeException(nameof(warmUp), warmUp, "Expected above 0 and below 1.");

    /// <inheritdoc/>
    public override double Rate(int index)
    {
        var top = _warmUp * _length;
        return index < top
            ? _peak * (StartShare + ((1 - StartShare) * (1 - double.CosPi(index / top)) / 2))
            : _peak * (1 + double.CosPi((Math.Min(index, _length) - top) / (_length - top))) / 2;
    }
}

/// <summary>
/// Multiplies the rate by <paramref name="factor"/> when the monitored loss has not fallen below
/// (1 − <paramref name="threshold"/>) × its best for more than <paramref name="patience"/> epochs.
/// </summary>
/// <param name="rate">η₀ &gt; 0.</param>
/// <param name="factor">The factor of a reduction, above 0 and below 1.</param>
/// <param name="patience">Epochs without progress that are borne, at least 0.</param>
/// <param name="threshold">The relative progress that counts, at least 0 and below 1.</param>
/// <param name="minimum">The rate is not reduced below this; at least 0, at most η₀.</param>
public sealed class ReduceOnPlateau(double rate, double factor = 0.1, int patience = 10, double threshold = 1e-4, double minimum = 0)
    : LearningRateSchedule
{
    double _rate = Positive(rate, nameof(rate));
    readonly double _factor = factor is > 0 and < 1 ? factor : throw new ArgumentOutOfRangeException(nameof(factor), factor, "Expected above 0 and below 1.");
    readonly int _patience = patience >= 0 ? patience : throw new ArgumentOutOfRangeException(nameof(patience), patience, "Expected at least 0.");
    readonly double _threshold = threshold is >= 0 and < 1 ? threshold : throw new ArgumentOutOfRangeException(nameof(threshold), threshold, "Expected at least 0 and below 1.");
    readonly double _minimum = minimum >= 0 && minimum <= rate ? minimum : throw new ArgumentOutOfRangeException(nameof(minimum), minimum, "Expected at least 0 and at most the rate.");
    double _best = double.PositiveInfinity;
    int _badEpochs;

    internal override double[] State
    {
        get => [_rate, _best, _badEpochs];
        set => (_rate, _best, _badEpochs) = (value[0], value[1], (int)value[2]);
    }

    /// <inheritdoc/>
    public override double Rate(int index) => _rate;

    /// <inheritdoc/>
    public override void Observe(double loss)
    {
        if (loss < _best * (1 - _threshold))
        {
            _best = loss;
            _badEpochs = 0;
        }
        else if (++_badEpochs > _patience)
        {
            _rate = Math.Max(_rate * _factor, _minimum);
            _badEpochs = 0;
        }
    }
}
