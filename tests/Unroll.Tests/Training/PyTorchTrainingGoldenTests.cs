using System.Text.Json;
using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Tests.Models;
using Unroll.Training;

namespace Unroll.Tests.Training;

/// <summary>Whole training runs, the cross-entropy and the schedules, against PyTorch in double precision.</summary>
public class PyTorchTrainingGoldenTests(ITestOutputHelper output)
{
    // Ten updates of numbers of about 1, each rounded to float (6e-8) once or twice; a loss is the mean of 36 squares.
    const double LossTolerance = 1e-6;

    // Momentum adds ten such errors up, and Adam and RMSProp divide a gradient by its own size, so that small gradients
    // carry the rounding of the large terms they are sums of.
    const double ParameterTolerance = 2e-6;

    public static MatrixTheoryData<string, string> Runs => new(PyTorchFixture.Cells, ["sgd", "adam", "adamw", "rmsprop"]);

    public static TheoryData<string> CrossEntropyCases =>
        [.. PyTorchFixture.Load("cross-entropy").GetProperty("cases").EnumerateObject().Select(one => one.Name)];

    [Theory]
    [MemberData(nameof(Runs))]
    public void TenSteps_FollowPyTorch_InEveryKernel(string cell, string name)
    {
        var fixture = PyTorchFixture.Load($"training-{cell}");
        var run = fixture.GetProperty("runs").GetProperty(name);
        double worstLoss = 0, worstNorm = 0, worstParameter = 0;
        foreach (var kernel in Kernels.All)
        {
            var model = new SequenceModel(
                new SequenceModelOptions(fixture.Whole("I"), [PyTorchFixture.Cell(cell, fixture.Whole("H")), new LinearOptions(fixture.Whole("O"))]),
                Kernels.Engine(kernel));
            foreach (var parameter in model.Parameters.All)
                fixture.GetProperty("initialParameters").Floats(NameOf(parameter)).CopyTo(model.Parameters.ValuesOf(parameter));
            var options = run.GetProperty("options");
            var trainer = new Trainer(model, Optimizer(name, options, model), new MeanSquaredError(), new TrainerOptions
            {
                Epochs = fixture.Whole("steps"),
                BatchSize = fixture.Whole("B"),
                LearningRate = new ConstantRate(options.GetProperty("lr").GetDouble()),
                ClipNorm = fixture.GetProperty("clipNorm").GetDouble(),
            });

            // An epoch is one step on all rows.
            var history = trainer.Fit(new Rows(fixture), new MersenneTwister(1), cancellation: TestContext.Current.CancellationToken);
            Assert.Equal(fixture.Whole("steps"), history.Epochs.Count);
            Check("losses", run.Numbers("losses"), [.. history.Epochs.Select(epoch => epoch.TrainingLoss)], LossTolerance, ref worstLoss);
            Check("gradient norms", run.Numbers("gradientNorms"), [.. history.Epochs.Select(epoch => epoch.GradientNorm)], LossTolerance, ref worstNorm);
            foreach (var parameter in model.Parameters.All)
            {
                Check(
                    NameOf(parameter), run.GetProperty("finalParameters").Numbers(NameOf(parameter)),
                    PyTorchFixture.Wide(model.Parameters.ValuesOf(parameter)), ParameterTolerance, ref worstParameter);
            }

            void Check(string what, double[] expected, double[] actual, double tolerance, ref double worst)
            {
                var error = PyTorchFixture.Error(expected, actual);
                Assert.True(error <= tolerance, $"{cell} {name} {kernel} {what}: relative error {error:E2}");
                worst = Math.Max(worst, error);
            }
        }

        output.WriteLine($"{cell} {name}: worst relative errors: loss {worstLoss:E2}, gradient norm {worstNorm:E2}, parameters {worstParameter:E2}");
    }

    [Theory]
    [MemberData(nameof(CrossEntropyCases))]
    public void CrossEntropy_AgreesWithPyTorch(string name)
    {
        // The exponential in float, 1e-7 of its value; losses up to 16 000 are exact but for the logits' own rounding.
        const double Tolerance = 1e-6;
        var data = PyTorchFixture.Load("cross-entropy").GetProperty("cases").GetProperty(name);
        var logits = data.Floats("logits");
        var labels = data.GetProperty("labels").EnumerateArray().Select(label => label.GetInt32()).ToArray();
        var each = data.Numbers("lossEach");
        var rows = labels.Length;
        var classes = logits.Length / rows;
        var batch = new SequenceBatch(maxSteps: 1, maxBatch: rows, inputSize: 1, targetSize: 0);
        labels.CopyTo(batch.Labels);
        var gradient = new float[logits.Length];
        var loss = new SoftmaxCrossEntropy().Evaluate(logits, batch, gradient);

        var mean = data.GetProperty("lossMean").GetDouble();
        Assert.True(Math.Abs(loss - mean) <= Tolerance * Math.Max(1, mean), $"{name}: loss {loss}, PyTorch {mean}");
        var expected = data.Numbers("dLogits");
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - gradient[i]) <= Tolerance / rows, $"{name}: gradient {i} is {gradient[i]}, PyTorch {expected[i]}");

        for (var row = 0; row < rows; row++)
        {
            batch.Resize(1, 1, 1);
            batch.Labels[0] = labels[row];
            var one = new SoftmaxCrossEntropy().Evaluate(logits.AsSpan(row * classes, classes), batch, default);
            Assert.True(Math.Abs(one - each[row]) <= Tolerance * Math.Max(1, each[row]), $"{name}: loss of row {row} is {one}, PyTorch {each[row]}");
        }

        output.WriteLine($"{name}: error of the loss {Math.Abs(loss - mean):E2}");
    }

    [Fact]
    public void Schedules_AgreeWithPyTorch()
    {
        var compared = new List<string>();
        foreach (var data in PyTorchFixture.Load("schedules").GetProperty("cases").EnumerateArray())
        {
            var options = data.GetProperty("options");
            var rates = data.Numbers("learningRates");
            var metrics = data.Numbers("metrics");
            if (Schedule(data.GetProperty("schedule").GetString()!, data.GetProperty("baseLearningRate").GetDouble(), options) is not { } schedule)
                continue;

            // PyTorch's cosine rises again after T_max; this one stays at its minimum.
            var length = options.TryGetProperty("T_max", out var end) ? end.GetInt32() + 1 : rates.Length;
            for (var epoch = 0; epoch < rates.Length; epoch++)
            {
                // PyTorch multiplies its last rate by a ratio in every epoch, so it is only near the formula, and the
                // more so, relatively, the nearer the rate is to 0.
                var expected = rates[Math.Min(epoch, length - 1)];

                // PyTorch leaves a rate alone once it would fall by less than 1e-8; this one falls on.
                if (metrics.Length > 0 && expected < 1.1e-8)
                    Assert.True(schedule.Rate(epoch) <= expected);
                else
                    Assert.True(Math.Abs(expected - schedule.Rate(epoch)) <= 1e-15 + (1e-12 * expected), $"{schedule}, epoch {epoch}: {schedule.Rate(epoch)}, PyTorch {expected}");
                if (metrics.Length > 0)
                    schedule.Observe(metrics[epoch]);
            }

            compared.Add(schedule.GetType().Name);
        }

        Assert.Equal(["StepDecay", "StepDecay", "CosineDecay", "CosineDecay", "ReduceOnPlateau", "ReduceOnPlateau"], compared);
    }

    static LearningRateSchedule? Schedule(string name, double rate, JsonElement options)
    {
        double Number(string option) => options.GetProperty(option).GetDouble();
        return name switch
        {
            "StepLR" => new StepDecay(rate, options.Whole("step_size"), Number("gamma")),
            "CosineAnnealingLR" => new CosineDecay(rate, options.Whole("T_max"), Number("eta_min")),

            // Neither a cool-down nor a metric to be made large exists here.
            _ when options.Whole("cooldown") > 0 || options.GetProperty("mode").GetString() == "max" => null,
            _ => new ReduceOnPlateau(rate, Number("factor"), options.Whole("patience"), Number("threshold"), Number("min_lr")),
        };
    }

    static Optimizer Optimizer(string name, JsonElement options, SequenceModel model)
    {
        double Number(string option) => options.GetProperty(option).GetDouble();
        double Beta(int index) => options.GetProperty("betas")[index].GetDouble();
        return name switch
        {
            "sgd" => new Sgd(model, Number("momentum")),
            "adam" => new Adam(model, Beta(0), Beta(1), Number("eps")),
            "adamw" => new AdamW(model, Number("weight_decay"), Beta(0), Beta(1), Number("eps")),
            _ => new RmsProp(model, Number("alpha"), Number("eps")),
        };
    }

    static string NameOf(Parameter parameter) =>
        parameter.LayerIndex == 0 ? $"rnn.{PyTorchFixture.NameOf(parameter.Role)}_l0" : $"linear.{PyTorchFixture.NameOf(parameter.Role)}";

    /// <summary>The rows of the fixture's one batch, whose order does not matter.</summary>
    sealed class Rows(JsonElement fixture) : ISequenceSource
    {
        readonly float[] _x = fixture.Floats("x"), _target = fixture.Floats("target");

        public int Count { get; } = fixture.Whole("B");

        public int MaxSteps { get; } = fixture.Whole("T");

        public int InputSize { get; } = fixture.Whole("I");

        public int TargetSize { get; } = fixture.Whole("O");

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
        {
            batch.Resize(MaxSteps, indices.Length, MaxSteps);
            for (var t = 0; t < MaxSteps; t++)
            {
                for (var b = 0; b < indices.Length; b++)
                {
                    _x.AsSpan(((t * Count) + indices[b]) * InputSize, InputSize).CopyTo(batch.Inputs[(((t * indices.Length) + b) * InputSize)..]);
                    _target.AsSpan(((t * Count) + indices[b]) * TargetSize, TargetSize).CopyTo(batch.Targets[(((t * indices.Length) + b) * TargetSize)..]);
                }
            }
        }
    }
}
