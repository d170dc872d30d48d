namespace Unroll.Models;

/// <summary>A model that reads sequences as they come, one step of every row at a time, and remembers where it stands.</summary>
/// <remarks>
/// It holds a copy of the model's weights, packed for the matrix product, taken when it was made or last refreshed, and
/// the state of its rows. A step allocates nothing. Its outputs have the bits of one pass over the whole sequence. One
/// object serves one thread at a time; clones share the weights, so thousands of them cost their states only.
/// </remarks>
public sealed class StreamingModel
{
    readonly InferenceWeights _weights;
    readonly InferencePass _pass;

    // Steps 0 and 1 take turns.
    int _next;

    internal StreamingModel(SequenceModel model, InferenceWeights weights, int batchSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        (Model, BatchSize) = (model, batchSize);
        _weights = weights;
        _pass = new InferencePass(model, weights, stream: true, maxSteps: 2, batchSize);
        _pass.Resize(2, batchSize);
        Reset();
    }

    /// <summary>The model.</summary>
    public SequenceModel Model { get; }

    /// <summary>B, the rows: independent sequences side by side.</summary>
    public int BatchSize { get; }

    /// <summary>Steps since the stream was made, reset or given a state.</summary>
    public long StepCount { get; private set; }

    /// <summary>Reads one step and computes its output.</summary>
    /// <param name="input">x [B, I].</param>
    /// <param name="output">y [B, O], overwritten. A model that keeps its last step gives the output as if this were it.</param>
    /// <exception cref="ArgumentException">A span has another length.</exception>
    public void Step(ReadOnlySpan<float> input, Span<float> output)
    {
        Sizes.CheckLength(input.Length, BatchSize * Model.InputSize, "inputs [B, I]", nameof(input));
        Sizes.CheckLength(output.Length, BatchSize * Model.OutputSize, "outputs [B, O]", nameof(output));
        input.CopyTo(_pass.Input(_next));
        _pass.Step(_next);
        _pass.Output(_next)[..output.Length].CopyTo(output);
        Advance();
    }

    /// <summary>Forgets everything: the state is 0 again.</summary>
    public void Reset()
    {
        _pass.SetState(_next, null);
        StepCount = 0;
    }

    /// <summary>Copies the state after the last step, to be restored later, here or in another stream of the model.</summary>
    /// <exception cref="ArgumentException">The state has other shapes or too few rows.</exception>
    public void SaveState(ModelState destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        destination.CheckFits(Model, BatchSize, nameof(destination));
        _pass.CopyState(_next, destination);
    }

    /// <summary>Goes on from a saved state.</summary>
    /// <exception cref="ArgumentException">The state has other shapes or too few rows.</exception>
    public void RestoreState(ModelState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.CheckFits(Model, BatchSize, nameof(state));
        _pass.SetState(_next, state);
        StepCount = 0;
    }

    /// <summary>Takes the model's present parameters, after training has changed them. Clones take them too.</summary>
    public void Refresh() => _weights.Refresh();

    /// <summary>A stream that stands where this one does, goes its own way from there, and shares the weights in memory.</summary>
    public StreamingModel Clone()
    {
        var clone = new StreamingModel(Model, _weights, BatchSize);
        var state = Model.CreateState(BatchSize);
        SaveState(state);
        clone.RestoreState(state);
        clone.StepCount = StepCount;
        return clone;
    }

    void Advance()
    {
        _next ^= 1;
        StepCount++;
    }
}
