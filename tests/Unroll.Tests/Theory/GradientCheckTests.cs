using System.Globalization;
using Unroll.Theory;

namespace Unroll.Tests.Theory;

/// <summary>Every gradient derived by hand against five-point differences, for every option of every cell in every composition.</summary>
/// <remarks>
/// T = 6, B = 3, I = 2, H = 4 (closed loop: a second cell of H = 3). The loss touches every step's output and the final h and c:
/// L = ½ Σ (y − target)² + ½ Σ (state_T − target)². Where there are lengths they are 6, 0 and 4; the loss then reads padded outputs too, which are 0.
/// </remarks>
public partial class GradientCheckTests(ITestOutputHelper output)
{
    const double Bar = 1e-7;
    const int T = 6, B = 3, I = 2, H = 4;

    // The relu has no derivative at 0, where differences would straddle the kink. Weights are drawn again until every
    // pre-activation is at least this far from 0, well beyond what moving one value by 2 · 3·10⁻⁴ can do, and until every
    // step of every sample has an active unit, so that no gradient is 0 for want of one.
    const double KinkMargin = 0.03;

    // Where the elements of a vector are nearly equal, its layer normalisation bends so much that differences are off by more than
    // the bar (9.5·10⁻⁷ for one draw with deviations below this, 16 times less at half the step). Such draws are passed over.
    const double LeastDeviation = 0.05;

    static readonly int[] s_ragged = [T, 0, 4];

    static readonly Dictionary<string, Lazy<IReadOnlyList<GradientError>>> s_options = AllOptions();

    public static TheoryData<string> Options => [.. s_options.Keys];

    [Theory]
    [MemberData(nameof(Options))]
    public void Gradient_EqualsDifferences_ForEveryTensor(string option)
    {
        var errors = s_options[option].Value;
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
        output.WriteLine($"{"option",-80} {"tensors",8} {"worst error",12}  in");
        var overall = 0.0;
        foreach (var (option, result) in s_options)
        {
            var errors = result.Value;
            var worst = errors.MaxBy(error => error.RelativeError)!;
            overall = Math.Max(overall, worst.RelativeError);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{option,-80} {errors.Count,8} {worst.RelativeError,12:E1}  {worst.Name}"));
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"all",-80} {"",8} {overall,12:E1}"));
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

    static Dictionary<string, Lazy<IReadOnlyList<GradientError>>> AllOptions()
    {
        var options = new Dictionary<string, Func<IReadOnlyList<GradientError>>>();
        AddLayers(options);
        AddParts(options);
        AddEncoderDecoders(options);
        return options.ToDictionary(option => option.Key, option => new Lazy<IReadOnlyList<GradientError>>(option.Value));
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
