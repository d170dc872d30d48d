using Unroll.Data;
using Unroll.Experiments.Sine;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>The trained models that the figures of the closed loop share: an RNN of 24 units on the noisy sine of experiment 1.</summary>
/// <remarks>
/// Adam from 0.003 falling to 0 by a cosine, clipped to norm 1, batches of 8. One-step: windows of 50 values, the value after
/// each is the target. Closed loop: 25 values given, then the model's own outputs, 10 steps at first, 200 after 80 % of the updates.
/// </remarks>
static class SineModels
{
    public const int Hidden = 24;
    public const int Seeds = 5;

    const int Updates = 1500;
    const int FewUpdates = 500;
    const int StepsPerEpoch = 10;
    const int BatchSize = 8;
    const int Window = 50;
    const int FirstHorizon = 10;
    const int LastHorizon = 200;
    const int Starts = 31;
    const double GrowthShare = 0.8;

    static readonly Engine s_engine = new(threads: 1);
    static readonly Lock s_lock = new();
    static readonly Dictionary<(bool, uint, bool), SequenceModel> s_models = [];

    public static SineData Data { get; } = new();

    /// <summary>Trained in closed loop, from an orthogonal start.</summary>
    public static SequenceModel ClosedLoop(uint seed) => Get(closed: true, seed, brief: false);

    /// <summary>Trained on one-step prediction, from the same start and for as many updates.</summary>
    public static SequenceModel OneStep(uint seed) => Get(closed: false, seed, brief: false);

    /// <summary>Trained on one-step prediction from PyTorch's start for a third of the updates.</summary>
    public static SequenceModel Brief(uint seed) => Get(closed: false, seed, brief: true);

    /// <summary>The root mean square error of one-step prediction over the training values, once the state has settled.</summary>
    public static double OneStepError(SequenceModel model)
    {
        var stream = model.CreateStream();
        var y = new float[1];
        var sum = 0.0;
        var count = 0;
        for (var t = 0; t + 1 < Data.Training.Length; t++)
        {
            stream.Step(Data.Training.AsSpan(t, 1), y);
            if (t < SineData.WarmUp)
                continue;
            sum += Math.Pow(y[0] - Data.Training[t + 1], 2);
            count++;
        }

        return Math.Sqrt(sum / count);
    }

    // Figures are measured side by side; what one has trained, another takes.
    static SequenceModel Get(bool closed, uint seed, bool brief)
    {
        lock (s_lock)
        {
            if (!s_models.TryGetValue((closed, seed, brief), out var model))
                s_models[(closed, seed, brief)] = model = Train(closed, seed, brief);
            return model;
        }
    }

    static SequenceModel Train(bool closed, uint seed, bool brief)
    {
        var model = new SequenceModel(new SequenceModelOptions(1, [new RnnOptions(Hidden), new LinearOptions(1)]), s_engine);
        var random = new MersenneTwister(seed);
        (brief ? Initialization.PyTorch : Initialization.OrthogonalRecurrence).Apply(model, random);
        var updates = brief ? FewUpdates : Updates;
        var trainer = new Trainer(model, new Adam(model), new MeanSquaredError(), new TrainerOptions
        {
            Epochs = updates / StepsPerEpoch,
            StepsPerEpoch = StepsPerEpoch,
            BatchSize = BatchSize,
            LearningRate = new CosineDecay(0.003, updates),
            ScheduleUnit = ScheduleUnit.Step,
            ClipNorm = 1,
        });
        if (!closed)
        {
            trainer.Fit(new WindowSource(Data.Training, Window, WindowTarget.EachNext), random);
            return model;
        }

        var source = new ClosedLoopSource(Data.Training, SineData.WarmUp, LastHorizon, minimumStarts: Starts);
        trainer.Fit(source, random, callbacks: [new GrowingHorizon(source, updates)]);
        return model;
    }

    sealed class GrowingHorizon(ClosedLoopSource source, int updates) : TrainingCallback
    {
        public override void OnStepStarting(TrainingProgress progress)
        {
            var share = Math.Min(1, progress.Step / (GrowthShare * updates));
            source.Horizon = FirstHorizon + (int)((LastHorizon - FirstHorizon) * share * share);
        }
    }
}
