using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Models;
using Unroll.Training;

namespace Unroll.Tests.Training;

public class InitializationTests
{
    [Fact]
    public void PyTorch_IsUniformWithinOneOverRootOfHiddenSize_AndOfFanIn()
    {
        foreach (var cell in CellOptions.All(40))
        {
            var model = Initialized(new SequenceModelOptions(9, [cell, new LinearOptions(30)]), Initialization.PyTorch);
            foreach (var parameter in model.Parameters.All)
            {
                if (parameter.Role is ParameterRole.GainIh or ParameterRole.GainHh or ParameterRole.GainCell)
                    Assert.All(model.Parameters.ValuesOf(parameter).ToArray(), gain => Assert.Equal(1f, gain));
                else
                    AssertUniform(model.Parameters.ValuesOf(parameter), 1 / Math.Sqrt(40), parameter.Name);
            }
        }

        var linear = Initialized(new SequenceModelOptions(100, [new LinearOptions(50)]), Initialization.PyTorch);
        AssertUniform(linear.Parameters.Values, 0.1, "linear");
    }

    [Fact]
    public void Glorot_IsUniformWithinItsBound_OfEachGate()
    {
        var glorot = new Initialization
        {
            InputWeights = WeightInitializer.GlorotUniform,
            RecurrentWeights = WeightInitializer.GlorotUniform,
            LinearWeights = WeightInitializer.GlorotUniform,
        };
        foreach (var cell in CellOptions.All(40))
        {
            var model = Initialized(new SequenceModelOptions(9, [cell, new LinearOptions(30)]), glorot);
            var parameters = model.Parameters;
            AssertUniform(parameters.ValuesOf(parameters.Find(0, ParameterRole.WeightIh)), Math.Sqrt(6.0 / 49), "W_ih");
            AssertUniform(parameters.ValuesOf(parameters.Find(0, ParameterRole.WeightHh)), Math.Sqrt(6.0 / 80), "W_hh");
            AssertUniform(parameters.ValuesOf(parameters.Find(1, ParameterRole.Weight)), Math.Sqrt(6.0 / 70), "W");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(50)]
    public void OrthogonalRecurrence_MakesEveryGateOrthogonal_AndEveryBiasZero(int H)
    {
        foreach (var cell in CellOptions.All(H))
        {
            var model = Initialized(new SequenceModelOptions(2, [cell, new LinearOptions(1)]), Initialization.OrthogonalRecurrence);
            var parameters = model.Parameters;
            var weights = parameters.ValuesOf(parameters.Find(0, ParameterRole.WeightHh));
            for (var gate = 0; gate < weights.Length / (H * H); gate++)
                AssertOrthonormalRows(weights.Slice(gate * H * H, H * H), H, H);
            foreach (var parameter in parameters.All.Where(parameter => parameter.Role is ParameterRole.BiasIh or ParameterRole.BiasHh or ParameterRole.BiasCell or ParameterRole.Bias))
                Assert.Equal(new float[parameter.Length], parameters.ValuesOf(parameter));
            Assert.NotEqual(0, weights[0]);
        }
    }

    [Fact]
    public void Orthogonal_HasOrthonormalRowsOrColumns_WhicheverAreFewer()
    {
        var orthogonal = new Initialization { LinearWeights = WeightInitializer.Orthogonal, InputWeights = WeightInitializer.Orthogonal };
        var wide = Initialized(new SequenceModelOptions(9, [new LinearOptions(4)]), orthogonal);
        AssertOrthonormalRows(wide.Parameters.ValuesOf(wide.Parameters.All[0]), 4, 9);

        var tall = Initialized(new SequenceModelOptions(4, [new GruOptions(9)]), orthogonal);
        var weights = tall.Parameters.ValuesOf(tall.Parameters.Find(0, ParameterRole.WeightIh));
        for (var gate = 0; gate < 3; gate++)
        {
            var transposed = new float[36];
            for (var row = 0; row < 9; row++)
            {
                for (var column = 0; column < 4; column++)
                    transposed[(column * 9) + row] = weights[(gate * 36) + (row * 4) + column];
            }

            AssertOrthonormalRows(transposed, 4, 9);
        }
    }

    [Fact]
    public void Orthogonal_GatesDifferFromEachOther()
    {
        var model = Initialized(new SequenceModelOptions(1, [new LstmOptions(6)]), Initialization.OrthogonalRecurrence);
        var weights = model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.WeightHh));
        for (var gate = 1; gate < 4; gate++)
            Assert.NotEqual(weights[..36].ToArray(), weights.Slice(gate * 36, 36).ToArray());
    }

    [Theory]
    [InlineData(WeightInitializer.PyTorchUniform)]
    [InlineData(WeightInitializer.Zero)]
    public void ForgetGateBias_IsTheSumOfBothBiases_OnTheForgetGateAlone(WeightInitializer biases)
    {
        const int H = 5;
        var plain = new Initialization { Biases = biases };
        foreach (var cell in CellOptions.All(H))
        {
            var options = new SequenceModelOptions(2, [cell, new LinearOptions(1)]);
            var with = Initialized(options, plain with { ForgetGateBias = 1.5 });
            var without = Initialized(options, plain);
            var forget = cell switch
            {
                LstmOptions { ForgetGate: true } lstm => lstm.InputGate ? 1 : 0,
                LayerNormLstmOptions => 1,
                _ => -1,
            };
            foreach (var parameter in with.Parameters.All)
            {
                var changed = with.Parameters.ValuesOf(parameter);
                var original = without.Parameters.ValuesOf(parameter);
                for (var i = 0; i < parameter.Length; i++)
                {
                    var isForgetBias = parameter.Role is ParameterRole.BiasIh or ParameterRole.BiasHh && i / H == forget;
                    if (!isForgetBias)
                        Assert.Equal(original[i], changed[i]);
                }
            }

            if (forget < 0)
                continue;
            var (ih, hh) = (with.Parameters.Find(0, ParameterRole.BiasIh), with.Parameters.Find(0, ParameterRole.BiasHh));
            for (var unit = 0; unit < H; unit++)
                Assert.Equal(1.5f, with.Parameters.ValuesOf(ih)[(forget * H) + unit] + with.Parameters.ValuesOf(hh)[(forget * H) + unit]);
        }
    }

    [Theory]
    [InlineData(7)]
    [InlineData(40)]
    public void IdentityRecurrence_MakesEveryGateTheIdentity_AndEveryBiasZero(int H)
    {
        foreach (var cell in CellOptions.All(H))
        {
            var parameters = Initialized(new SequenceModelOptions(2, [cell, new LinearOptions(30)]), Initialization.IdentityRecurrence).Parameters;
            var weights = parameters.ValuesOf(parameters.Find(0, ParameterRole.WeightHh));
            for (var i = 0; i < weights.Length; i++)
                Assert.Equal(i / H % H == i % H ? 1 : 0, weights[i]);
            foreach (var parameter in parameters.All.Where(parameter => parameter.Role is ParameterRole.BiasIh or ParameterRole.BiasHh or ParameterRole.Bias))
                Assert.Equal(new float[parameter.Length], parameters.ValuesOf(parameter));
            AssertUniform(parameters.ValuesOf(parameters.Find(1, ParameterRole.Weight)), 1 / Math.Sqrt(H), "W");
        }
    }

    [Fact]
    public void IdentityRecurrence_KeepsAStateOfReluUnits_WhereTheInputIsZero()
    {
        const int T = 40, H = 6;
        var model = Initialized(new SequenceModelOptions(3, [new RnnOptions(H) { Nonlinearity = Nonlinearity.Relu }]), Initialization.IdentityRecurrence);
        var unrolled = model.Unroll(T, 1);
        float[] state = [0, 0.1f, 1, 2, 3.7f, 40];
        state.CopyTo(unrolled.InitialState.Hidden(0));
        unrolled.Forward();
        Assert.Equal(state, unrolled.Output[^H..]);
    }

    [Fact]
    public void Identity_OfARectangle_HasItsOnesOnTheMainDiagonal()
    {
        var identity = new Initialization { LinearWeights = WeightInitializer.Identity };
        var wide = Initialized(new SequenceModelOptions(3, [new LinearOptions(2)]), identity);
        Assert.Equal([1, 0, 0, 0, 1, 0], wide.Parameters.ValuesOf(wide.Parameters.All[0]));
        var tall = Initialized(new SequenceModelOptions(2, [new LinearOptions(3)]), identity);
        Assert.Equal([1, 0, 0, 1, 0, 0], tall.Parameters.ValuesOf(tall.Parameters.All[0]));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(50)]
    [InlineData(750)]
    public void Chrono_GivesTheKeepingGateMemoriesUniformInLength_AndTheInputGateTheOpposite(int longest)
    {
        const int H = 400;
        foreach (var cell in CellOptions.All(H))
        {
            var parameters = Initialized(new SequenceModelOptions(2, [cell, new LinearOptions(1)]), Initialization.Chrono(longest)).Parameters;
            var (keep, write) = cell switch
            {
                LstmOptions { ForgetGate: true, InputGate: true } or LayerNormLstmOptions => (1, 0),
                LstmOptions { ForgetGate: true } => (0, -1),
                GruOptions => (1, -1), // r z n
                _ => (-1, -1),
            };
            var bias = parameters.ValuesOf(parameters.Find(0, ParameterRole.BiasIh));
            for (var i = 0; i < bias.Length; i++)
            {
                if (i / H == keep)
                    Assert.InRange(Math.Exp(bias[i]), 1 - 1e-6, (longest - 1) * (1 + 1e-6));
                else
                    Assert.Equal(i / H == write ? -bias[(keep * H) + (i % H)] : 0, bias[i]);
            }

            Assert.Equal(new float[bias.Length], parameters.ValuesOf(parameters.Find(0, ParameterRole.BiasHh)));
            Assert.Equal(new float[1], parameters.ValuesOf(parameters.Find(1, ParameterRole.Bias)));
            if (keep < 0)
                continue;

            // exp b − T_max/2 is uniform on ±(T_max − 2)/2.
            var centred = bias.Slice(keep * H, H).ToArray().Select(b => (float)(Math.Exp(b) - (longest / 2.0))).ToArray();
            AssertUniform(centred, (longest - 2) / 2.0 * (1 + 1e-5), $"{cell}");
        }
    }

    [Fact]
    public void Chrono_OfTheShortestMemory_HalvesTheStateInAStep()
    {
        var model = Initialized(new SequenceModelOptions(1, [new GruOptions(4)]), Initialization.Chrono(2));
        Assert.Equal(new float[12], model.Parameters.ValuesOf(model.Parameters.Find(0, ParameterRole.BiasIh)));
    }

    [Fact]
    public void LongestMemory_LeavesOtherBiasesAsTheyAre()
    {
        const int H = 5;
        var with = Initialized(new SequenceModelOptions(2, [new LstmOptions(H)]), Initialization.PyTorch with { LongestMemory = 20 }).Parameters;
        var without = Initialized(new SequenceModelOptions(2, [new LstmOptions(H)]), Initialization.PyTorch).Parameters;
        var (ih, hh) = (with.Find(0, ParameterRole.BiasIh), with.Find(0, ParameterRole.BiasHh));
        Assert.Equal(without.ValuesOf(ih)[(2 * H)..], with.ValuesOf(ih)[(2 * H)..]);
        Assert.Equal(new float[2 * H], with.ValuesOf(hh)[..(2 * H)]);
        Assert.DoesNotContain(0f, with.ValuesOf(hh)[(2 * H)..].ToArray());
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(-3, null)]
    [InlineData(20, 1.0)]
    public void LongestMemory_RefusesWhatMakesNoSense(int longest, double? forgetGateBias)
    {
        var model = new SequenceModel(new SequenceModelOptions(1, [new LstmOptions(2)]), Kernels.Engine(Kernels.Chosen));
        var initialization = new Initialization { LongestMemory = longest, ForgetGateBias = forgetGateBias };
        var exception = Assert.Throws<InvalidOperationException>(() => initialization.Apply(model, new MersenneTwister(1)));
        Assert.Contains($"{longest}", exception.Message, StringComparison.Ordinal);
        if (longest < 2)
            Assert.Throws<ArgumentOutOfRangeException>(() => Initialization.Chrono(longest));
    }

    [Fact]
    public void Zero_ClearsWhatWasThere()
    {
        var model = new SequenceModel(new SequenceModelOptions(2, [new LstmOptions(3), new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        model.Parameters.Values.Fill(7);
        var zero = new Initialization
        {
            InputWeights = WeightInitializer.Zero,
            RecurrentWeights = WeightInitializer.Zero,
            LinearWeights = WeightInitializer.Zero,
            Biases = WeightInitializer.Zero,
        };
        zero.Apply(model, new MersenneTwister(1));
        Assert.Equal(new float[model.Parameters.Count], model.Parameters.Values);
    }

    [Fact]
    public void SameSeed_GivesTheSameBits_AndAnotherSeedOthers()
    {
        foreach (var initialization in new[] { Initialization.PyTorch, Initialization.OrthogonalRecurrence, Initialization.IdentityRecurrence, Initialization.Chrono(100) })
        {
            var options = new SequenceModelOptions(2, [new LstmOptions(6) { Peepholes = true }, new GruOptions(5), new LinearOptions(1)]);
            Assert.Equal(Bits(7), Bits(7));
            Assert.NotEqual(Bits(7), Bits(8));

            float[] Bits(uint seed) => Initialized(options, initialization, seed).Parameters.Values.ToArray();
        }
    }

    [Fact]
    public void MissingArguments_AreRejected()
    {
        var model = new SequenceModel(new SequenceModelOptions(1, [new LinearOptions(1)]), Kernels.Engine(Kernels.Chosen));
        Assert.Throws<ArgumentNullException>(() => Initialization.PyTorch.Apply(null!, new MersenneTwister(1)));
        Assert.Throws<ArgumentNullException>(() => Initialization.PyTorch.Apply(model, null!));
    }

    static SequenceModel Initialized(SequenceModelOptions options, Initialization initialization, uint seed = 3)
    {
        var model = new SequenceModel(options, Kernels.Engine(Kernels.Chosen));
        initialization.Apply(model, new MersenneTwister(seed));
        return model;
    }

    static void AssertUniform(ReadOnlySpan<float> values, double bound, string name)
    {
        double largest = 0, sum = 0;
        foreach (var value in values)
        {
            largest = Math.Max(largest, Math.Abs(value));
            sum += value;
        }

        Assert.True(largest <= bound * (1 + 1e-7), $"{name}: {largest} exceeds {bound}");
        // The largest of n ≥ 30 falls below 3/4 of the bound in one case of 0.75³⁰ ≈ 2e-4; the seed is fixed.
        Assert.True(largest >= 0.75 * bound, $"{name}: {largest} leaves the range up to {bound} empty");
        Assert.True(Math.Abs(sum / values.Length) <= 5 * bound / Math.Sqrt(3.0 * values.Length), $"{name}: mean {sum / values.Length}");
    }

    /// <summary>W·Wᵀ = I within 1e-6: the rounding of W to single precision, 6e-8, and little more.</summary>
    static void AssertOrthonormalRows(ReadOnlySpan<float> matrix, int rows, int columns)
    {
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < rows; j++)
            {
                var dot = 0.0;
                for (var k = 0; k < columns; k++)
                    dot += (double)matrix[(i * columns) + k] * matrix[(j * columns) + k];
                Assert.Equal(i == j ? 1 : 0, dot, 1e-6);
            }
        }
    }

    [Theory]
    [InlineData(WeightInitializer.Orthogonal)]
    [InlineData(WeightInitializer.GlorotUniform)]
    public void Biases_RefuseInitializersOfMatrices(WeightInitializer initializer)
    {
        var model = new SequenceModel(new SequenceModelOptions(1, [new RnnOptions(2)]), Kernels.Engine(Kernels.Chosen));
        var exception = Assert.Throws<InvalidOperationException>(() => new Initialization { Biases = initializer }.Apply(model, new MersenneTwister(1)));
        Assert.Contains($"got {initializer}", exception.Message, StringComparison.Ordinal);
    }
}
