using System.Diagnostics;
using Unroll.Data;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>The training loop: examples → mini-batches → forward → loss → backward → clip → update.</summary>
/// <remarks>A step allocates nothing; what it computes in is allocated when the run starts.</remarks>
public sealed class Trainer
{
    const int MaximumValidationBatch = 256;

    readonly TrainerOptions _options;

    /// <summary>Prepares to train <paramref name="model"/>.</summary>
    /// <param name="model">What is trained, its parameters initialised.</param>
    /// <param name="optimizer">An optimizer of this model.</param>
    /// <param name="loss">What is made small.</param>
    /// <param name="options">How.</param>
    /// <exception cref="ArgumentException">An option is out of range, or the optimizer belongs to another model.</exception>
    public Trainer(TrainableModel model, Optimizer optimizer, Loss loss, TrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(loss);
        ArgumentNullException.ThrowIfNull(options);
        if (!ReferenceEquals(optimizer.Parameters, model.Parameters))
            throw new ArgumentException("Expected an optimizer of the model that is trained; it was made for another.", nameof(optimizer));
        AtLeastOne(options.Epochs, "epochs");
        AtLeastOne(options.BatchSize, "rows in a batch");
        AtLeastOne(options.StepsPerEpoch ?? 1, "steps per epoch");
        if (options.ClipNorm is { } clip && !(clip > 0))
            throw new ArgumentOutOfRangeException(nameof(options), clip, "Expected a positive gradient norm to clip at, or null.");
        if (options.TeacherForcing is not null && model is not EncoderDecoder)
            throw new ArgumentException("Expected teacher forcing to be set for an encoder–decoder only; a sequence model's own outputs are fed back where its examples say so.", nameof(options));
        (Model, Optimizer, Loss, _options) = (model, optimizer, loss, options);
    }

    /// <summary>What is trained.</summary>
    public TrainableModel Model { get; }

    /// <summary>What moves the parameters.</summary>
    public Optimizer Optimizer { get; }

    /// <summary>What is made small.</summary>
    public Loss Loss { get; }

    internal LearningRateSchedule Schedule => _options.LearningRate;

    internal MersenneTwister? Random { get; private set; }

    /// <summary>Where a run over streams stands.</summary>
    internal StreamPosition? Position { get; private set; }

    internal IReadOnlyList<TrainingCallback> Callbacks { get; private set; } = [];

    /// <summary>Trains.</summary>
    /// <param name="training">The examples to learn from.</param>
    /// <param name="random">Draws the order of the examples and the dropout masks.</param>
    /// <param name="validation">Examples to judge each epoch by, if any.</param>
    /// <param name="callbacks">What happens beside.</param>
    /// <param name="resumeFrom">A checkpoint file of an earlier run with the same settings, to go on from exactly where it stood.</param>
    /// <param name="cancellation">Ends the run cleanly after the present step.</param>
    /// <returns>What happened.</returns>
    /// <exception cref="ArgumentException">The examples do not fit the model.</exception>
    /// <exception cref="TrainingDivergedException">The loss or the gradient is not finite.</exception>
    public TrainingHistory Fit(
        ISequenceSource training,
        MersenneTwister random,
        ISequenceSource? validation = null,
        IReadOnlyList<TrainingCallback>? callbacks = null,
        string? resumeFrom = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(random);
        CheckSource(training, nameof(training));
        if (training.Streams > 0 && training.Streams != _options.BatchSize)
            throw new ArgumentException($"Expected a batch size of {training.Streams}, one row for each stream of the source; the options have {_options.BatchSize}.", nameof(training));
        if (validation is not null)
            CheckSource(validation, nameof(validation));
        Random = random;
        // Checkpoints come last, so that they hold what the other callbacks made of the epoch.
        Callbacks = [.. (callbacks ?? []).OrderBy(callback => callback is CheckpointCallback)];
        var history = new TrainingHistory();
        var progress = new TrainingProgress(this, history, _options.Epochs);
        var run = new Run(this, training, validation, random, progress);
        if (resumeFrom is not null)
            Checkpoint.Load(resumeFrom, progress);
        run.ToEnd(cancellation);
        return history;
    }

    /// <summary>The mean loss over all examples of a source, without training.</summary>
    /// <exception cref="ArgumentException">The examples do not fit the model.</exception>
    public double Evaluate(ISequenceSource source)
    {
        CheckSource(source, nameof(source));
        return new Evaluation(this, source).MeanLoss();
    }

    static void AtLeastOne(int value, string what)
    {
        if (value < 1)
            throw new ArgumentException($"Expected at least 1 {what}, got {value}.");
    }

    void CheckSource(ISequenceSource source, string name)
    {
        ArgumentNullException.ThrowIfNull(source, name);
        if (source.InputSize != Model.InputSize)
            throw new ArgumentException($"Expected examples of {Model.InputSize} input features, as the model has; got {source.InputSize}.", name);
        if (source.Count < 1)
            throw new ArgumentException("Expected at least one example, got none.", name);
        if (source.Streams < 0 || (source.Streams > 0 && source.Count % source.Streams != 0))
            throw new ArgumentException($"Expected as many windows of every stream; got {source.Count} examples of {source.Streams} streams.", name);
        if (source.Streams > 0 && Model is not SequenceModel { ReadsForward: true })
            throw new ArgumentException("Expected a model that reads forward in time for a source of streams; a bidirectional layer has no state to carry on.", name);
    }

    /// <summary>The mean loss over a source in fixed order.</summary>
    sealed class Evaluation(Trainer trainer, ISequenceSource source)
    {
        readonly TrainingPass _passes = TrainingPass.Of(trainer.Model, trainer.Loss, source, source.Streams > 0 ? source.Streams : Math.Min(source.Count, MaximumValidationBatch));
        int[] _indices = [];

        public double MeanLoss()
        {
            if (_indices.Length != source.Count)
                _indices = [.. Enumerable.Range(0, source.Count)];
            var sum = 0.0;
            for (var start = 0; start < _indices.Length; start += _passes.Batch.MaxBatch)
            {
                var rows = Math.Min(_passes.Batch.MaxBatch, _indices.Length - start);
                sum += rows * _passes.Forward(_indices.AsSpan(start, rows), training: false, noise: 0, teacherForcing: 1);
            }

            return sum / _indices.Length;
        }
    }

    /// <summary>One call of Fit.</summary>
    sealed class Run
    {
        readonly Trainer _trainer;
        readonly ISequenceSource _source;
        readonly MersenneTwister _random;
        readonly TrainingProgress _progress;
        readonly TrainingPass _passes;
        readonly Evaluation? _validation;
        readonly GradientClipper _clipper;
        int[] _order = [];
        double _lossSum, _normSum, _lastNorm, _rate;
        int _steps;

        public Run(Trainer trainer, ISequenceSource source, ISequenceSource? validation, MersenneTwister random, TrainingProgress progress)
        {
            (_trainer, _source, _random, _progress) = (trainer, source, random, progress);
            var batchSize = trainer._options.StepsPerEpoch is null ? Math.Min(trainer._options.BatchSize, source.Count) : trainer._options.BatchSize;
            _passes = TrainingPass.Of(trainer.Model, trainer.Loss, source, batchSize);
            _validation = validation is null ? null : new Evaluation(trainer, validation);
            _clipper = new GradientClipper(trainer.Model);
            trainer.Position = source.Streams > 0 ? new StreamPosition(source, _passes.CarriedState) : null;
        }

        public void ToEnd(CancellationToken cancellation)
        {
            var options = _trainer._options;
            foreach (var callback in _trainer.Callbacks)
                callback.OnStart(_progress);
            while (_progress.Epoch < options.Epochs && !_progress.StopRequested && !cancellation.IsCancellationRequested)
            {
                _progress.Epoch++;
                Epoch(cancellation);
            }

            _progress.History.End = cancellation.IsCancellationRequested ? TrainingEnd.Cancelled
                : _progress.StopRequested ? TrainingEnd.Stopped
                : TrainingEnd.Completed;
            foreach (var callback in _trainer.Callbacks)
                callback.OnEnd(_progress);
        }

        void Epoch(CancellationToken cancellation)
        {
            var clock = Stopwatch.GetTimestamp();
            (_lossSum, _normSum, _steps) = (0, 0, 0);
            if (_trainer.Position is { } position)
                StreamSteps(position, _trainer._options.StepsPerEpoch ?? _source.Count / _source.Streams, cancellation);
            else if (_trainer._options.StepsPerEpoch is { } count)
                SampledSteps(count, cancellation);
            else
                ShuffledSteps(cancellation);
            if (cancellation.IsCancellationRequested)
                return;

            var validationLoss = _validation?.MeanLoss() ?? double.NaN;
            var trainingLoss = _lossSum / _steps;
            _progress.History.Add(new EpochRecord(
                _progress.Epoch, trainingLoss, validationLoss, _rate, _normSum / _steps, Stopwatch.GetElapsedTime(clock).TotalSeconds));
            _trainer.Schedule.Observe(double.IsNaN(validationLoss) ? trainingLoss : validationLoss);
            foreach (var callback in _trainer.Callbacks)
                callback.OnEpochEnd(_progress);
        }

        void ShuffledSteps(CancellationToken cancellation)
        {
            if (_order.Length != _source.Count)
                _order = new int[_source.Count];
            for (var i = 0; i < _order.Length; i++)
                _order[i] = i;
            _random.Shuffle(_order);
            for (var start = 0; start < _order.Length; start += _passes.Batch.MaxBatch)
            {
                var rows = Math.Min(_passes.Batch.MaxBatch, _order.Length - start);
                Announce();
                if (!Step(_order.AsSpan(start, rows), cancellation))
                    return;
            }
        }

        void SampledSteps(int count, CancellationToken cancellation)
        {
            if (_order.Length != _passes.Batch.MaxBatch)
                _order = new int[_passes.Batch.MaxBatch];
            for (var step = 0; step < count; step++)
            {
                // A callback may change how many examples there are, such as by a growing horizon.
                Announce();
                foreach (ref var index in _order.AsSpan())
                    index = (int)_random.NextInterval((uint)(_source.Count - 1));
                if (!Step(_order, cancellation))
                    return;
            }
        }

        /// <summary>The next windows of all streams, and the first again after the last.</summary>
        void StreamSteps(StreamPosition position, int count, CancellationToken cancellation)
        {
            if (_order.Length != _source.Streams)
                _order = new int[_source.Streams];
            for (var step = 0; step < count; step++)
            {
                Announce();
                for (var stream = 0; stream < _order.Length; stream++)
                    _order[stream] = position.Next + stream;
                position.Next = (position.Next + _order.Length) % _source.Count;
                if (!Step(_order, cancellation))
                    return;
            }
        }

        void Announce()
        {
            _progress.Step++;
            for (var i = 0; i < _trainer.Callbacks.Count; i++)
                _trainer.Callbacks[i].OnStepStarting(_progress);
        }

        /// <summary>One update; false when the run is to end.</summary>
        bool Step(ReadOnlySpan<int> indices, CancellationToken cancellation)
        {
            var options = _trainer._options;
            var parameters = _trainer.Model.Parameters;
            var noise = ((ulong)_random.NextUInt32() << 32) | _random.NextUInt32();
            var time = options.ScheduleUnit == ScheduleUnit.Epoch ? _progress.Epoch - 1 : _progress.Step - 1;
            var loss = _passes.Forward(indices, training: true, noise, options.TeacherForcing?.Invoke(time) ?? 1);
            _passes.Backward();
            var norm = _clipper.Clip(options.ClipNorm);
            if (!double.IsFinite(loss) || !double.IsFinite(norm))
                throw new TrainingDivergedException(_progress.Epoch, _progress.Step, loss, norm, _lastNorm);

            _rate = _trainer.Schedule.Rate(time);
            _trainer.Optimizer.Step(_rate);
            _lossSum += loss;
            _normSum += norm;
            _lastNorm = norm;
            _steps++;
            _progress.StepLoss = loss;
            for (var i = 0; i < _trainer.Callbacks.Count; i++)
                _trainer.Callbacks[i].OnStepEnd(_progress);
            return !cancellation.IsCancellationRequested && !_progress.StopRequested;
        }
    }
}
