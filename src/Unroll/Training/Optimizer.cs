using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>A rule that moves the parameters along their gradients: one pass over the flat buffers per step.</summary>
/// <remarks>
/// Legend of the equations: θ parameters, d gradient, η learning rate, k the step from 1. Its memory (moments) mirrors
/// the parameter buffer and is allocated once.
/// </remarks>
public abstract unsafe class Optimizer
{
    readonly AlignedBuffer[] _memory;
    readonly Engine _engine;
    readonly Job _job;

    private protected Optimizer(TrainableModel model, int memories)
    {
        ArgumentNullException.ThrowIfNull(model);
        Parameters = model.Parameters;
        _engine = model.Engine;
        _memory = new AlignedBuffer[memories];
        for (var index = 0; index < memories; index++)
            _memory[index] = new AlignedBuffer(Parameters.Count);
        _job = new Job(this);
    }

    /// <summary>What is optimised.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Steps taken.</summary>
    public long StepCount { get; private protected set; }

    internal int MemoryCount => _memory.Length;

    /// <summary>Numbers besides the memory that the next step depends on, for a checkpoint.</summary>
    internal virtual double[] Scalars
    {
        get => [StepCount];
        set => StepCount = (long)value[0];
    }

    /// <summary>Updates every parameter from its gradient.</summary>
    /// <param name="learningRate">η, finite and not negative.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rate is negative or not finite.</exception>
    public void Step(double learningRate)
    {
        if (!(learningRate >= 0) || !double.IsFinite(learningRate))
            throw new ArgumentOutOfRangeException(nameof(learningRate), learningRate, "Expected a finite learning rate of at least 0.");
        StepCount++;
        Prepare(learningRate);
        var workers = Parameters.Count < SmallestParallelCount ? 1 : _engine.Threads;
        _engine.Team.Run(_job, workers);
        GC.KeepAlive(this);
    }

    // Below this a second thread costs more than it does.
    const int SmallestParallelCount = 15_000;

    internal Memory<float> MemoryAt(int index) => _memory[index].Memory;

    private protected float* Memory(int index) => _memory[index].Pointer;

    /// <summary>Computes the step's constants.</summary>
    private protected abstract void Prepare(double learningRate);

    /// <summary>Updates the parameters [start, end), a vector of N lanes at a time (see <see cref="Lanes{S, V}.Valid"/>).</summary>
    private protected abstract void Update<S, V, N>(int start, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant;

    sealed class Job(Optimizer owner) : ParallelJob
    {
        public override void Execute(int worker, int workers)
        {
            var (start, end) = Share(owner.Parameters.Count, worker, workers);
            var update = new UpdateAction { Owner = owner, Start = start, End = end };
            owner._engine.Run(ref update);
        }
    }

    struct UpdateAction : IKernelAction
    {
        public Optimizer Owner;
        public int Start, End;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            var whole = End - ((End - Start) % S.Count);
            Owner.Update<S, V, C16>(Start, whole);
            Owner.Update<S, V, C0>(whole, End);
        }
    }
}

/// <summary>Stochastic gradient descent with momentum μ: v ← μ·v + d, θ ← θ − η·v.</summary>
/// <remarks>Polyak, USSR Computational Mathematics 4 (1964); in the form of Sutskever et al. (ICML 2013) that PyTorch uses.</remarks>
public sealed unsafe class Sgd : Optimizer
{
    readonly float _momentum;
    float _rate;

    /// <summary>Makes the optimizer of <paramref name="model"/>.</summary>
    /// <param name="model">Whose parameters are updated.</param>
    /// <param name="momentum">μ, at least 0 and below 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">μ is out of range.</exception>
    public Sgd(TrainableModel model, double momentum = 0)
        : base(model, memories: 1)
    {
        _momentum = Fraction.Check(momentum, nameof(momentum));
    }

    private protected override void Prepare(double learningRate) => _rate = (float)learningRate;

    private protected override void Update<S, V, N>(int start, int end)
    {
        float* theta = Parameters.ValuesPointer, gradient = Parameters.GradientsPointer, velocity = Memory(0);
        V momentum = S.Broadcast(_momentum), rate = S.Broadcast(_rate);
        for (var i = start; i < end; i += S.Count)
        {
            var n = Lanes<S, V>.Valid<N>(end - i);
            var v = S.Fma(momentum, Lanes<S, V>.Load(velocity + i, n), Lanes<S, V>.Load(gradient + i, n));
            v = CellGradient.Flush<S, V>(v);
            Lanes<S, V>.Store(velocity + i, v, n);
            Lanes<S, V>.Store(theta + i, S.NegatedFma(rate, v, Lanes<S, V>.Load(theta + i, n)), n);
        }
    }
}

/// <summary>What Adam and AdamW share: first and second moments of the gradient, corrected for their start at 0.</summary>
public abstract unsafe class MomentOptimizer : Optimizer
{
    readonly double _beta1, _beta2, _epsilon, _weightDecay;
    double _power1 = 1, _power2 = 1;
    float _rate, _scale, _decay;

    private protected MomentOptimizer(TrainableModel model, double beta1, double beta2, double epsilon, double weightDecay)
        : base(model, memories: 2)
    {
        Fraction.Check(beta1, nameof(beta1));
        Fraction.Check(beta2, nameof(beta2));
        Epsilon.Check(epsilon);
        ArgumentOutOfRangeException.ThrowIfNegative(weightDecay);
        (_beta1, _beta2, _epsilon, _weightDecay) = (beta1, beta2, epsilon, weightDecay);
    }

    internal override double[] Scalars
    {
        get => [StepCount, _power1, _power2];
        set => (StepCount, _power1, _power2) = ((long)value[0], value[1], value[2]);
    }

    private protected override void Prepare(double learningRate)
    {
        // βᵏ by repeated products: the same bits on every platform, unlike a power function.
        _power1 *= _beta1;
        _power2 *= _beta2;
        _rate = (float)(learningRate / (1 - _power1));
        _scale = (float)(1 / Math.Sqrt(1 - _power2));
        _decay = (float)(1 - (learningRate * _weightDecay));
    }

    private protected override void Update<S, V, N>(int start, int end)
    {
        float* theta = Parameters.ValuesPointer, gradient = Parameters.GradientsPointer;
        float* first = Memory(0), second = Memory(1);
        V beta1 = S.Broadcast((float)_beta1), beta2 = S.Broadcast((float)_beta2);
        V rest1 = S.Broadcast((float)(1 - _beta1)), rest2 = S.Broadcast((float)(1 - _beta2));
        V rate = S.Broadcast(_rate), scale = S.Broadcast(_scale), decay = S.Broadcast(_decay);
        V epsilon = S.Broadcast((float)_epsilon);
        for (var i = start; i < end; i += S.Count)
        {
            var n = Lanes<S, V>.Valid<N>(end - i);
            var d = Lanes<S, V>.Load(gradient + i, n);
            var m = S.Fma(rest1, d, S.Multiply(beta1, Lanes<S, V>.Load(first + i, n)));
            var v = S.Fma(S.Multiply(rest2, d), d, S.Multiply(beta2, Lanes<S, V>.Load(second + i, n)));
            m = CellGradient.Flush<S, V>(m);
            v = CellGradient.Flush<S, V>(v);
            var step = S.Divide(S.Multiply(rate, m), S.Fma(S.Sqrt(v), scale, epsilon));
            var next = S.Subtract(S.Multiply(decay, Lanes<S, V>.Load(theta + i, n)), step);
            Lanes<S, V>.Store(first + i, m, n);
            Lanes<S, V>.Store(second + i, v, n);
            Lanes<S, V>.Store(theta + i, next, n);
        }
    }
}

/// <summary>
/// Adam: m ← β₁m + (1 − β₁)d, v ← β₂v + (1 − β₂)d², θ ← θ − η·(m/(1 − β₁ᵏ)) / (√(v/(1 − β₂ᵏ)) + ε).
/// </summary>
/// <remarks>Kingma and Ba, arXiv:1412.6980, algorithm 1.</remarks>
public sealed class Adam : MomentOptimizer
{
    /// <summary>Makes the optimizer of <paramref name="model"/>.</summary>
    /// <param name="model">Whose parameters are updated.</param>
    /// <param name="beta1">β₁, at least 0 and below 1.</param>
    /// <param name="beta2">β₂, at least 0 and below 1.</param>
    /// <param name="epsilon">ε, at least 1e-12.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public Adam(TrainableModel model, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8)
        : base(model, beta1, beta2, epsilon, weightDecay: 0)
    {
    }
}

/// <summary>Adam with decoupled weight decay λ: θ ← (1 − η·λ)·θ before Adam's step.</summary>
/// <remarks>Loshchilov and Hutter, arXiv:1711.05101, algorithm 2.</remarks>
public sealed class AdamW : MomentOptimizer
{
    /// <summary>Makes the optimizer of <paramref name="model"/>.</summary>
    /// <param name="model">Whose parameters are updated.</param>
    /// <param name="weightDecay">λ ≥ 0.</param>
    /// <param name="beta1">β₁, at least 0 and below 1.</param>
    /// <param name="beta2">β₂, at least 0 and below 1.</param>
    /// <param name="epsilon">ε, at least 1e-12.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public AdamW(TrainableModel model, double weightDecay = 0.01, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8)
        : base(model, beta1, beta2, epsilon, weightDecay)
    {
    }
}

/// <summary>RMSProp: v ← α·v + (1 − α)·d², θ ← θ − η·d/(√v + ε).</summary>
/// <remarks>Tieleman and Hinton, Neural Networks for Machine Learning, lecture 6e (2012).</remarks>
public sealed unsafe class RmsProp : Optimizer
{
    readonly double _alpha, _epsilon;
    float _rate;

    /// <summary>Makes the optimizer of <paramref name="model"/>.</summary>
    /// <param name="model">Whose parameters are updated.</param>
    /// <param name="alpha">α, at least 0 and below 1.</param>
    /// <param name="epsilon">ε, at least 1e-12.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of range.</exception>
    public RmsProp(TrainableModel model, double alpha = 0.99, double epsilon = 1e-8)
        : base(model, memories: 1)
    {
        Fraction.Check(alpha, nameof(alpha));
        Epsilon.Check(epsilon);
        (_alpha, _epsilon) = (alpha, epsilon);
    }

    private protected override void Prepare(double learningRate) => _rate = (float)learningRate;

    private protected override void Update<S, V, N>(int start, int end)
    {
        float* theta = Parameters.ValuesPointer, gradient = Parameters.GradientsPointer, square = Memory(0);
        V alpha = S.Broadcast((float)_alpha), rest = S.Broadcast((float)(1 - _alpha));
        V rate = S.Broadcast(_rate), epsilon = S.Broadcast((float)_epsilon);
        for (var i = start; i < end; i += S.Count)
        {
            var n = Lanes<S, V>.Valid<N>(end - i);
            var d = Lanes<S, V>.Load(gradient + i, n);
            var v = S.Fma(S.Multiply(rest, d), d, S.Multiply(alpha, Lanes<S, V>.Load(square + i, n)));
            v = CellGradient.Flush<S, V>(v);
            Lanes<S, V>.Store(square + i, v, n);
            var step = S.Divide(S.Multiply(rate, d), S.Add(S.Sqrt(v), epsilon));
            Lanes<S, V>.Store(theta + i, S.Subtract(Lanes<S, V>.Load(theta + i, n), step), n);
        }
    }
}

/// <summary>Checks of the number that keeps a quotient finite.</summary>
static class Epsilon
{
    // Moments below 1e-30 are cut to 0: ε must stay far above their root, 1e-15, for the cut to mean nothing.
    const double Minimum = 1e-12;

    public static void Check(double epsilon)
    {
        if (!(epsilon >= Minimum) || !double.IsFinite(epsilon))
            throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, $"Expected a finite number of at least {Minimum}.");
    }
}

/// <summary>Checks of numbers in [0, 1).</summary>
static class Fraction
{
    public static float Check(double value, string name) => value is >= 0 and < 1
        ? (float)value
        : throw new ArgumentOutOfRangeException(name, value, "Expected at least 0 and below 1.");
}
