using Unroll.Layers;
using Unroll.Numerics;

namespace Unroll.Models;

/// <summary>A model's weights as a forward pass reads them, packed once and shared by whoever predicts with them.</summary>
sealed class InferenceWeights
{
    readonly SequenceModel _model;
    readonly PackedWeights?[] _layers;

    public InferenceWeights(SequenceModel model)
    {
        _model = model;
        _layers = [.. model.Layers.Select(layer => layer.CreateWeights(model.Engine))];
        Refresh();
    }

    public PackedWeights? this[int layer] => _layers[layer];

    /// <summary>Takes the model's present parameters.</summary>
    public void Refresh()
    {
        foreach (var layer in _layers)
            layer?.Pack(_model.Engine, _model.Parameters);
        GC.KeepAlive(this);
    }
}

/// <summary>A model's layers without what only training needs: dropout, gates and gradients.</summary>
sealed unsafe class InferencePass
{
    readonly SequenceModel _model;
    readonly UnrollContext _context;
    readonly UnrolledLayer[] _layers;
    readonly int[] _lengths;
    readonly Arena.Region _input;
    readonly RowJob _job;
    readonly StepJob _stepJob = new();
    readonly bool _stream;
    readonly long _flopsPerStep;
    int _first, _end, _t0, _t1;

    /// <param name="model">The model.</param>
    /// <param name="weights">Its packed weights.</param>
    /// <param name="stream">Whether steps 0 and 1 take turns for ever; otherwise a pass starts anew at step 0.</param>
    /// <param name="maxSteps">The most steps.</param>
    /// <param name="maxBatch">The most rows.</param>
    public InferencePass(SequenceModel model, InferenceWeights weights, bool stream, int maxSteps, int maxBatch)
    {
        (_model, _stream) = (model, stream);
        _context = new UnrollContext(model.Engine, model.Parameters);
        _input = _context.Arena.Reserve((long)maxSteps * maxBatch * model.InputSize);
        var plan = Plan(model, stream);
        var widest = plan.Where(layer => layer.Keep == Keep.Outputs).Select(layer => layer.Layer.OutputSize).DefaultIfEmpty(0).Max();
        if (!stream)
            _context.ShareOutputs((maxSteps + 1L) * maxBatch * widest);

        var (steps, behindPooling) = (maxSteps, false);
        var layers = new List<UnrolledLayer>();
        foreach (var (layer, index, keep) in plan)
        {
            layers.Add(layer.Unroll(_context, weights[index], keep, steps, maxBatch));
            layers[^1].IsBehindPooling = behindPooling;
            if (!layer.HasOutputAtEveryStep || keep == Keep.LastOutput)
                (steps, behindPooling) = (1, true);
        }

        _layers = [.. layers];
        _lengths = new int[maxBatch];
        _flopsPerStep = layers.Sum(layer => layer.FlopsPerStep);
        _job = new RowJob(Rows);
        _context.Commit();
    }

    /// <summary>T of the pass.</summary>
    public int Steps { get; private set; }

    /// <summary>B of the pass.</summary>
    public int BatchSize { get; private set; }

    /// <summary>The steps of the output.</summary>
    public int OutputSteps => _layers[^1].OutputSteps;

    /// <summary>Bytes of all activations.</summary>
    public long Bytes => _context.Arena.Bytes;

    /// <summary>The layers that compute, and what each keeps.</summary>
    /// <remarks>
    /// The recurrent layer before a last step keeps its last output only, and the last step has nothing left to do; in a
    /// stream every step is the last one so far.
    /// </remarks>
    static List<(Layer Layer, int Index, Keep Keep)> Plan(SequenceModel model, bool stream)
    {
        var plan = new List<(Layer, int, Keep)>();
        for (var index = 0; index < model.Layers.Count; index++)
        {
            var layer = model.Layers[index];
            if (layer is Dropout)
                continue;
            if (stream)
            {
                if (layer is not LastStep)
                    plan.Add((layer, index, Keep.TwoSteps));
            }
            else if (layer is LastStep && plan is [.., (RecurrentLayer below, var belowIndex, _)])
            {
                plan[^1] = (below, belowIndex, Keep.LastOutput);
            }
            else
            {
                plan.Add((layer, index, Keep.Outputs));
            }
        }

        return plan;
    }

    /// <summary>x of step <paramref name="t"/> [B, I] and those that follow.</summary>
    public Span<float> Input(int t) =>
        _context.Arena.Span(_input).Slice(t * BatchSize * _model.InputSize, (Steps - t) * BatchSize * _model.InputSize);

    /// <summary>y of step <paramref name="t"/> [B, O] and those that follow.</summary>
    public ReadOnlySpan<float> Output(int t) => _layers.Length == 0
        ? Input(t)
        : _context.Arena.Span(_layers[^1].Output + ((nint)t * BatchSize * _model.OutputSize), (OutputSteps - t) * BatchSize * _model.OutputSize);

    /// <summary>Whether any layer computes; otherwise the output is the input.</summary>
    public bool HasLayers => _layers.Length > 0;

    /// <summary>Takes the sizes of the passes that follow, for which <see cref="Input"/> will be filled.</summary>
    public void Resize(int steps, int batch) => Resize(steps, batch, _context.Arena.Pointer(_input));

    /// <summary>Takes the sizes and the input of the next pass.</summary>
    /// <param name="steps">T.</param>
    /// <param name="batch">B.</param>
    /// <param name="input">x [T, B, I] of the next pass alone.</param>
    public void Resize(int steps, int batch, float* input)
    {
        (Steps, BatchSize) = (steps, batch);
        foreach (var layer in _layers)
        {
            layer.Resize(steps, batch, input);
            input = layer.Output;
            steps = layer.OutputSteps;
        }
    }

    /// <summary>Computes a whole pass over [0, T).</summary>
    /// <param name="initialState">The state before it; all 0 if null.</param>
    /// <param name="finalState">Takes the state after it.</param>
    /// <param name="lengths">The valid steps of each row, or empty.</param>
    public void Forward(ModelState? initialState, ModelState? finalState, ReadOnlySpan<int> lengths)
    {
        lengths.CopyTo(_lengths);
        var (steps, state) = (Steps, 0);
        var flops = _flopsPerStep * Steps * BatchSize;
        for (var index = 0; index < _layers.Length; index++)
        {
            // Layers share the memory of their outputs, their states within: no thread may be a layer ahead.
            var layer = _layers[index];
            layer.Lengths = lengths.IsEmpty || layer.IsBehindPooling ? null : _lengths;
            for (var i = 0; i < layer.Recurrences.Count; i++)
                SetState(layer.Recurrences[i], 0, initialState, state + i);
            (_first, _end, _t0, _t1) = (index, index + 1, 0, Math.Min(steps, layer.Steps));
            _job.Run(_model.Engine, BatchSize, flops);
            for (var i = 0; i < layer.Recurrences.Count; i++, state++)
            {
                if (finalState is not null)
                    layer.Recurrences[i].CopyFinalState(finalState.Hidden(state), finalState.Cell(state));
                layer.Recurrences[i].ClearLastOutputOfEmptyRows();
            }
        }

        GC.KeepAlive(this);
    }

    /// <summary>Computes step <paramref name="t"/> of a stream, which goes on from the states as they are.</summary>
    /// <remarks>
    /// Threads share the rows; where there are more threads than rows, they share the units of each layer, which costs a
    /// barrier per layer.
    /// </remarks>
    public void Step(int t)
    {
        var engine = _model.Engine;
        var flops = _flopsPerStep * BatchSize;
        if (BatchSize >= engine.Threads || !_stepJob.TryRun(engine, _layers, t, flops))
        {
            (_first, _end, _t0, _t1) = (0, _layers.Length, t, t + 1);
            _job.Run(engine, BatchSize, flops);
        }

        _stepJob.End(engine, flops);
        GC.KeepAlive(this);
    }

    /// <summary>Sets the state before step <paramref name="t"/> of a stream, all 0 if null.</summary>
    public void SetState(int t, ModelState? state)
    {
        var index = 0;
        foreach (var layer in _layers)
        {
            for (var i = 0; i < layer.Recurrences.Count; i++)
                SetState(layer.Recurrences[i], t, state, index++);
        }

        GC.KeepAlive(this);
    }

    /// <summary>Copies the state before step <paramref name="t"/> of a stream.</summary>
    public void CopyState(int t, ModelState destination)
    {
        var index = 0;
        foreach (var layer in _layers)
        {
            for (var i = 0; i < layer.Recurrences.Count; i++, index++)
            {
                var length = BatchSize * layer.Layer.OutputSize;
                new ReadOnlySpan<float>(layer.Recurrences[i].HiddenAt(t - 1), length).CopyTo(destination.Hidden(index));
                if (layer.Recurrences[i].CellAt(t - 1) != null)
                    new ReadOnlySpan<float>(layer.Recurrences[i].CellAt(t - 1), length).CopyTo(destination.Cell(index));
            }
        }

        GC.KeepAlive(this);
    }

    void SetState(UnrolledRecurrent layer, int t, ModelState? state, int index)
    {
        var length = BatchSize * layer.Layer.OutputSize;
        Copy(state is null ? default : state.Hidden(index)[..length], layer.HiddenAt(t - 1), length);
        if (layer.CellAt(t - 1) != null)
            Copy(state is null ? default : state.Cell(index)[..length], layer.CellAt(t - 1), length);
        layer.StartsAtZero = !_stream && (state is null || !state.Hidden(index)[..length].ContainsAnyExcept(0f));

        static void Copy(ReadOnlySpan<float> source, float* destination, int length)
        {
            var target = new Span<float>(destination, length);
            if (source.IsEmpty)
                target.Clear();
            else
                source.CopyTo(target);
        }
    }

    void Rows(int b0, int b1)
    {
        for (var index = _first; index < _end; index++)
            _layers[index].Forward(_t0, _t1, b0, b1);
    }
}
