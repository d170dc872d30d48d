using System.Globalization;
using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>Every gradient derived by hand against five-point differences, for every option of every cell in every composition.</summary>
/// <remarks>
/// T = 6, B = 3, I = 2, H = 4 (closed loop: a second cell of H = 3). The loss touches every step's output and the final h and c:
/// L = ½ Σ (y − target)² + ½ Σ (state_T − target)².
/// </remarks>
public class GradientCheckTests(ITestOutputHelper output)
{
    const double Bar = 1e-7;
    const int T = 6, B = 3, I = 2, H = 4;

    // The relu has no derivative at 0, where differences would straddle the kink. Weights are drawn again until every
    // pre-activation is at least this far from 0, well beyond what moving one value by 2 · 3·10⁻⁴ can do, and until every
    // step of every sample has an active unit, so that no gradient is 0 for want of one.
    const double KinkMargin = 0.03;

    static readonly Lazy<Dictionary<string, Func<IReadOnlyList<GradientError>>>> s_options = new(AllOptions);

    public static TheoryData<string> Options => [.. s_options.Value.Keys];

    [Theory]
    [MemberData(nameof(Options))]
    public void Gradient_EqualsDifferences_ForEveryTensor(string option)
    {
        var errors = s_options.Value[option]();
        Assert.NotEmpty(errors);
        Assert.All(errors, error =>
        {
            Assert.True(error.RelativeError <= Bar, $"{option}, {error.Name}: relative error {error.RelativeError:E2}");
            Assert.True(error.LargestGradient > 1e-4, $"{option}, {error.Name}: gradient vanishes, {error.LargestGradient:E2}");
        });

        var worst = errors.MaxBy(error => error.RelativeError)!;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{option}: worst {worst.RelativeError:E1} in {worst.Name}, {errors.Count} tensors"));
    }

    [Fact]
    public void Summary_StaysBelowBar_OverAllOptions()
    {
        output.WriteLine($"{"option",-50} {"tensors",8} {"worst error",12}  in");
        var overall = 0.0;
        foreach (var (option, run) in s_options.Value)
        {
            var errors = run();
            var worst = errors.MaxBy(error => error.RelativeError)!;
            overall = Math.Max(overall, worst.RelativeError);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{option,-50} {errors.Count,8} {worst.RelativeError,12:E1}  {worst.Name}"));
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"all",-50} {"",8} {overall,12:E1}"));
        Assert.True(overall <= Bar);
    }

    [Fact]
    public void Run_ReportsLargeError_WhenGradientIsWrong()
    {
        // L = θ₀³ + 2 θ₁, so dL/dθ = (3 θ₀², 2) = (12, 2) at θ = (2, 5).
        double[] theta = [2, 5];
        double Loss() => Math.Pow(theta[0], 3) + (2 * theta[1]);

        var errors = GradientCheck.Run(Loss, [new("right", theta, [12, 2]), new("wrong", theta, [12, -2]), new("NaN", theta, [12, double.NaN])]);

        Assert.True(errors[0].RelativeError < 1e-11);
        Assert.Equal(4.0 / 12, errors[1].RelativeError, 1e-10);
        Assert.True(double.IsNaN(errors[2].RelativeError));
        Assert.Equal([2.0, 5.0], theta);
    }

    [Fact]
    public void RelativeError_IsZero_WhenBothGradientsAreZero() => Assert.Equal(0, GradientCheck.RelativeError([0, 0], [0, 0]));

    static Dictionary<string, Func<IReadOnlyList<GradientError>>> AllOptions()
    {
        var options = new Dictionary<string, Func<IReadOnlyList<GradientError>>>();
        foreach (var (name, make) in Draw.Cells())
        {
            options[$"{name}, one layer"] = () => CheckLayer(() => new Recurrent(make(I, H)));
            options[$"{name}, reverse"] = () => CheckLayer(() => new Recurrent(make(I, H), reverse: true));
            options[$"{name}, two layers"] = () => CheckLayer(() => new Stacked(new Recurrent(make(I, H)), new Recurrent(make(H, 3))));
            options[$"{name}, bidirectional"] = () => CheckLayer(() => new Bidirectional(make(I, H), make(I, 3)));
            options[$"{name}, closed loop, mixed mask"] = () => CheckClosedLoop(MixedMask(), make(I, H));
            options[$"{name}, closed loop, two layers"] = () => CheckClosedLoop(ClosedLoop.FeedbackAfter(2, T, B), make(I, H), make(H, 3));
        }

        options["LSTM + GRU, two bidirectional layers"] = () => CheckLayer(() => new Stacked(
            new Bidirectional(new LstmCell(I, 3, LstmOptions.WithPeepholes), new GruCell(I, H)),
            new Bidirectional(new RnnCell(H + 3, 3), new LstmCell(H + 3, 3))));
        options["Linear"] = CheckLinear;
        options["Softmax"] = CheckSoftmax;
        options["Softmax cross-entropy"] = CheckSoftmaxCrossEntropy;
        options["Mean squared error"] = CheckMeanSquaredError;
        options["LSTM + Linear + softmax cross-entropy"] = CheckClassifier;
        return options;
    }

    static IReadOnlyList<GradientError> CheckLayer(Func<SequenceLayer> make)
    {
        for (var seed = 1; ; seed++)
        {
            var random = new Random(seed);
            var layer = make();
            Draw.Parameters(random, layer.Cells);
            var x = Draw.Sequence(random, T, B, layer.InputSize);
            var states = Draw.States(random, layer.Cells, B);
            var target = Draw.Sequence(random, T, B, layer.OutputSize);
            var stateTargets = Draw.States(random, layer.Cells, B);

            var cache = layer.Forward(x, states);
            if (!IsFitForDifferences(layer.Cells, Steps(cache)))
                continue;
            var gradients = layer.Backward(cache, Minus(cache.Y, target), Minus(cache.FinalStates, stateTargets));

            return GradientCheck.Run(
                () =>
                {
                    var pass = layer.Forward(x, states);
                    return HalfSquare(pass.Y, target) + HalfSquare(pass.FinalStates, stateTargets);
                },
                [
                    new("x", x.Values, gradients.DX.Values),
                    .. ParameterTensors(layer.Cells, gradients.DParameters),
                    .. StateTensors(states, gradients.DInitialStates),
                ]);
        }
    }

    static IReadOnlyList<GradientError> CheckClosedLoop(bool[,] feedback, params Cell[] cells)
    {
        for (var seed = 1; ; seed++)
        {
            var random = new Random(seed);
            Draw.Parameters(random, cells);
            var linear = new Linear(cells[^1].HiddenSize, I);
            linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
            var model = new ClosedLoop(cells, linear);
            var x = Draw.Sequence(random, T, B, I);
            var states = Draw.States(random, cells, B);
            var target = Draw.Sequence(random, T, B, I);
            var stateTargets = Draw.States(random, cells, B);

            var cache = model.Forward(x, feedback, states);
            if (!IsFitForDifferences(cells, cache.Steps.Cast<CellCache>()))
                continue;
            var gradients = model.Backward(cache, Minus(cache.Y, target), Minus(cache.FinalStates, stateTargets));

            return GradientCheck.Run(
                () =>
                {
                    var pass = model.Forward(x, feedback, states);
                    return HalfSquare(pass.Y, target) + HalfSquare(pass.FinalStates, stateTargets);
                },
                [
                    new("x", x.Values, gradients.DX.Values),
                    .. ParameterTensors(cells, gradients.DParameters),
                    .. Pair("linear ", linear.Parameters.Tensors, gradients.DLinear.Tensors),
                    .. StateTensors(states, gradients.DInitialStates),
                ]);
        }
    }

    static IReadOnlyList<GradientError> CheckLinear()
    {
        var random = new Random(1);
        var linear = new Linear(H, 3);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, B, H);
        var target = Draw.Sequence(random, T, B, 3);
        var gradients = linear.Backward(x, Minus(linear.Forward(x), target));
        return GradientCheck.Run(
            () => HalfSquare(linear.Forward(x), target),
            [new("x", x.Values, gradients.DX.Values), .. Pair("", linear.Parameters.Tensors, gradients.DParameters.Tensors)]);
    }

    static IReadOnlyList<GradientError> CheckSoftmax()
    {
        var random = new Random(1);
        var logits = Draw.Vector(random, 5, range: 2);
        var weights = Draw.Vector(random, 5);
        var p = new double[5];
        var dLogits = new double[5];
        Softmax.Forward(logits, p);
        Softmax.Backward(p, weights, dLogits);
        return GradientCheck.Run(
            () =>
            {
                var probabilities = new double[5];
                Softmax.Forward(logits, probabilities);
                return probabilities.Zip(weights, (a, w) => a * w).Sum();
            },
            [new("logits", logits, dLogits)]);
    }

    static IReadOnlyList<GradientError> CheckSoftmaxCrossEntropy()
    {
        var random = new Random(1);
        var logits = Draw.Sequence(random, T, B, 5);
        var targets = RandomTargets(random, 5);
        return GradientCheck.Run(
            () => SoftmaxCrossEntropy.Forward(logits, targets),
            [new("logits", logits.Values, SoftmaxCrossEntropy.Backward(logits, targets).Values)]);
    }

    static IReadOnlyList<GradientError> CheckMeanSquaredError()
    {
        var random = new Random(1);
        var y = Draw.Sequence(random, T, B, 3);
        var target = Draw.Sequence(random, T, B, 3);
        return GradientCheck.Run(
            () => MeanSquaredError.Forward(y, target),
            [new("y", y.Values, MeanSquaredError.Backward(y, target).Values)]);
    }

    static IReadOnlyList<GradientError> CheckClassifier()
    {
        var random = new Random(1);
        var layer = new Recurrent(new LstmCell(I, H));
        Draw.Parameters(random, layer.Cells);
        var linear = new Linear(H, 5);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var targets = RandomTargets(random, 5);

        var cache = layer.Forward(x, states);
        var outer = linear.Backward(cache.Y, SoftmaxCrossEntropy.Backward(linear.Forward(cache.Y), targets));
        var inner = layer.Backward(cache, outer.DX);
        return GradientCheck.Run(
            () => SoftmaxCrossEntropy.Forward(linear.Forward(layer.Forward(x, states).Y), targets),
            [
                new("x", x.Values, inner.DX.Values),
                .. ParameterTensors(layer.Cells, inner.DParameters),
                .. Pair("linear ", linear.Parameters.Tensors, outer.DParameters.Tensors),
                .. StateTensors(states, inner.DInitialStates),
            ]);
    }

    /// <summary>Feedback that differs from sample to sample and goes on and off; none at t = 0.</summary>
    static bool[,] MixedMask()
    {
        var feedback = new bool[T, B];
        for (var t = 1; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                feedback[t, b] = ((t + b) % 3) != 0;
        }

        return feedback;
    }

    static int[,] RandomTargets(Random random, int classes)
    {
        var targets = new int[T, B];
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                targets[t, b] = random.Next(classes);
        }

        return targets;
    }

    static IEnumerable<CheckedTensor> ParameterTensors(IReadOnlyList<Cell> cells, CellParameters[] gradients) =>
        cells.SelectMany((cell, k) => Pair($"cell {k} ", cell.Parameters.Tensors, gradients[k].Tensors));

    static IEnumerable<CheckedTensor> Pair(string prefix, IReadOnlyList<NamedTensor> values, IReadOnlyList<NamedTensor> gradients) =>
        values.Zip(gradients, (value, gradient) => new CheckedTensor(prefix + value.Name, value.Values, gradient.Values));

    static IEnumerable<CheckedTensor> StateTensors(CellState[][] states, CellState[][] gradients)
    {
        for (var k = 0; k < states.Length; k++)
        {
            for (var b = 0; b < states[k].Length; b++)
            {
                yield return new($"h0[{k}][{b}]", states[k][b].H, gradients[k][b].H);
                if (states[k][b].C.Length > 0)
                    yield return new($"c0[{k}][{b}]", states[k][b].C, gradients[k][b].C);
            }
        }
    }

    static IEnumerable<CellCache> Steps(LayerCache cache) => cache switch
    {
        RecurrentCache recurrent => recurrent.Steps.Cast<CellCache>(),
        BidirectionalCache both => Steps(both.Forward).Concat(Steps(both.Backward)),
        StackedCache stacked => stacked.Layers.SelectMany(Steps),
        _ => throw new ArgumentException($"unknown cache {cache.GetType().Name}", nameof(cache)),
    };

    static bool IsFitForDifferences(IEnumerable<Cell> cells, IEnumerable<CellCache> steps)
    {
        if (!cells.OfType<RnnCell>().Any(cell => cell.Activation == RnnActivation.Relu))
            return true;
        var preactivations = steps.Cast<RnnCache>().Select(step => step.A).ToArray();
        return preactivations.All(a => a.Min(Math.Abs) >= KinkMargin && a.Any(value => value > 0)) && preactivations.Any(a => a.Any(value => value < 0));
    }

    static double HalfSquare(Sequence y, Sequence target) => y.Values.Zip(target.Values, (a, b) => 0.5 * (a - b) * (a - b)).Sum();

    static double HalfSquare(CellState[][] states, CellState[][] targets)
    {
        var loss = 0.0;
        foreach (var (state, target) in states.SelectMany(s => s).Zip(targets.SelectMany(s => s)))
        {
            loss += state.H.Zip(target.H, (a, b) => 0.5 * (a - b) * (a - b)).Sum();
            loss += state.C.Zip(target.C, (a, b) => 0.5 * (a - b) * (a - b)).Sum();
        }

        return loss;
    }

    static Sequence Minus(Sequence y, Sequence target) => new(y.T, y.B, y.F, y.Values.Zip(target.Values, (a, b) => a - b).ToArray().AsSpan());

    static CellState[][] Minus(CellState[][] states, CellState[][] targets) =>
        [.. states.Zip(targets, (batch, batchTargets) => batch.Zip(batchTargets, (state, target) => new CellState(
            [.. state.H.Zip(target.H, (a, b) => a - b)],
            [.. state.C.Zip(target.C, (a, b) => a - b)])).ToArray())];
}
