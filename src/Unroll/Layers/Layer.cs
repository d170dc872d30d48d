using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>A layer's options and the views of its parameters. What it computes in is its <see cref="UnrolledLayer"/>.</summary>
abstract class Layer(LayerOptions options, int inputSize, int outputSize)
{
    public LayerOptions Options { get; } = options;

    public int InputSize { get; } = inputSize;

    public int OutputSize { get; } = outputSize;

    /// <summary>Room for the weights as a forward pass reads them; null for a layer without weights.</summary>
    public virtual PackedWeights? CreateWeights(Engine engine) => null;

    /// <summary>Whether each input step has an output step; otherwise one step is made of all.</summary>
    public virtual bool HasOutputAtEveryStep => true;

    /// <summary>Whether an output depends on no later input.</summary>
    public virtual bool ReadsForward => true;

    /// <summary>The recurrent layers within, in the order of their states.</summary>
    public virtual IReadOnlyList<RecurrentLayer> Recurrences => [];

    /// <summary>Reserves the activations of up to T steps and B rows; <paramref name="weights"/> come from <see cref="CreateWeights"/>.</summary>
    public abstract UnrolledLayer Unroll(UnrollContext context, PackedWeights? weights, Keep keep, int maxSteps, int maxBatch);
}

/// <summary>What of a layer's pass is kept.</summary>
enum Keep
{
    /// <summary>All that a backward pass needs.</summary>
    Everything,

    /// <summary>All that a backward pass needs when the loss sees the last step only.</summary>
    EverythingForLastStep,

    /// <summary>The same, and nobody reads the outputs of other steps.</summary>
    EverythingForLastOutput,

    /// <summary>The outputs of all steps.</summary>
    Outputs,

    /// <summary>The output of the last step.</summary>
    LastOutput,

    /// <summary>The outputs of the last two steps, which take turns as steps 0 and 1: a stream has no end.</summary>
    TwoSteps,
}

static class Keeping
{
    /// <summary>Whether a backward pass may come.</summary>
    public static bool IsForBackward(this Keep keep) => keep is Keep.Everything or Keep.EverythingForLastStep or Keep.EverythingForLastOutput;
}

/// <summary>What the layers of one unrolled model share.</summary>
sealed unsafe class UnrollContext(Engine engine, ParameterSet parameters, bool addsGradients = true)
{
    readonly AlignedBuffer _one = new(1);
    readonly Queue<Arena.Region> _sharedOutputs = new();

    public Engine Engine { get; } = engine;

    public ParameterSet Parameters { get; } = parameters;

    public Arena Arena { get; } = new();

    /// <summary>Computes the weight gradients.</summary>
    public TallTeam Tall { get; } = new(engine);

    /// <summary>Makes the layers' outputs take turns in two places of this length, since nobody needs them all.</summary>
    public void ShareOutputs(long length)
    {
        _sharedOutputs.Enqueue(Arena.Reserve(length));
        _sharedOutputs.Enqueue(Arena.Reserve(length));
    }

    /// <summary>Whether outputs share memory now; a layer within a layer keeps its own.</summary>
    public bool SharesOutputs { get; set; } = true;

    /// <summary>Room for a layer's output.</summary>
    public Arena.Region ReserveOutput(long length)
    {
        if (!SharesOutputs || !_sharedOutputs.TryDequeue(out var region))
            return Arena.Reserve(length);
        _sharedOutputs.Enqueue(region);
        return region;
    }

    /// <summary>
    /// Whether ∂loss/∂parameters are added to what is there. Otherwise they are written over it, and their memory is free from
    /// the beginning of a pass until they are computed.
    /// </summary>
    public bool AddsGradients { get; } = addsGradients;

    /// <summary>The number 1: the input whose weight is a bias.</summary>
    public float* One => _one.Pointer;

    /// <summary>Allocates everything that was reserved.</summary>
    public void Commit()
    {
        Arena.Commit();
        _one.Span[0] = 1f;
        Tall.Commit();
    }
}

/// <summary>
/// The activations of one layer over T steps and B rows, and its two passes over any range of steps and rows.
/// </summary>
/// <remarks>
/// Rows never see each other, so disjoint row ranges may run on different threads. A pass over [0, T) is the ordinary
/// one; a closed loop calls all layers step by step instead, over the same buffers, with the same result as one call.
/// </remarks>
abstract unsafe class UnrolledLayer(Layer layer)
{
    public Layer Layer { get; } = layer;

    /// <summary>T, the steps of the input.</summary>
    public int Steps { get; private set; }

    /// <summary>B, the rows.</summary>
    public int Batch { get; private set; }

    /// <summary>The steps of the output.</summary>
    public virtual int OutputSteps => Steps;

    /// <summary>x [T, B, I].</summary>
    public float* Input { get; protected set; }

    /// <summary>y [T', B, O].</summary>
    public abstract float* Output { get; }

    /// <summary>∂loss/∂x [T, B, I], overwritten; null when nobody asks for it.</summary>
    public float* InputGradient { get; set; }

    /// <summary>∂loss/∂y [T', B, O].</summary>
    public abstract float* OutputGradient { get; }

    /// <summary>The recurrent layers within, in the order of their states.</summary>
    public virtual IReadOnlyList<UnrolledRecurrent> Recurrences => [];

    /// <summary>Whether a layer below has made one step of all.</summary>
    public bool IsBehindPooling { get; set; }

    /// <summary>
    /// The valid steps of each row [B], or null when all are valid. A step behind them is padding: a recurrent layer's
    /// state stays, its output there is 0, and no gradient comes from it or reaches it.
    /// </summary>
    public virtual int[]? Lengths { get; set; }

    /// <summary>The valid steps of row <paramref name="b"/>.</summary>
    protected int LengthOf(int b) => Lengths is { } lengths ? lengths[b] : Steps;

    /// <summary>The step that takes the place of step <paramref name="t"/> when its row is turned round: padding stays.</summary>
    protected int Turned(int t, int b) => t < LengthOf(b) ? LengthOf(b) - 1 - t : t;

    /// <summary>Makes each layer's input gradient the output gradient of the layer before it, and the first one's <paramref name="inputGradient"/>.</summary>
    public static void ChainGradients(ReadOnlySpan<UnrolledLayer> layers, float* inputGradient, InputTrace? trace)
    {
        foreach (var layer in layers)
        {
            layer.InputGradient = inputGradient;
            inputGradient = layer.OutputGradient;
            if (inputGradient == null && trace is not null)
                inputGradient = trace.OneHotGradient;
        }
    }

    /// <summary>Takes the sizes of the next pass and the source of its input.</summary>
    public virtual void Resize(int steps, int batch, float* input)
    {
        Steps = steps;
        Batch = batch;
        Input = input;
    }

    /// <summary>Makes ready for a forward pass: draws masks. Runs on one thread.</summary>
    public virtual void PrepareForward(bool training, ulong noise)
    {
    }

    /// <summary>Makes ready for a backward pass. Runs on one thread.</summary>
    public virtual void PrepareBackward()
    {
    }

    /// <summary>Packs one worker's share of the weights as <see cref="Backward"/> reads them.</summary>
    public virtual void PackBackward(int worker, int workers)
    {
    }

    /// <summary>Computes the output of steps [t0, t1) of rows [b0, b1), in rising order of calls.</summary>
    public abstract void Forward(int t0, int t1, int b0, int b1);

    /// <summary>
    /// The parts of one step of a stream that several threads can share, one part after another; 0 where a step is one
    /// thread's.
    /// </summary>
    public virtual int StepParts => 0;

    /// <summary>Computes one worker's share of a part of a stream's step <paramref name="t"/>, for all rows.</summary>
    public virtual void ForwardPart(int t, int part, int worker, int workers) => throw new NotSupportedException($"A {GetType().Name} has no parts.");

    /// <summary>
    /// Computes <see cref="InputGradient"/> of steps [t0, t1) of rows [b0, b1) from <see cref="OutputGradient"/>, in
    /// falling order of calls.
    /// </summary>
    public abstract void Backward(int t0, int t1, int b0, int b1);

    /// <summary>
    /// The steps that go back before their weight gradients are summed, counted from the last one; fewer than all in a layer
    /// that holds the states of so many only.
    /// </summary>
    public virtual int SegmentSteps => Steps;

    /// <summary>Before Backward of steps [t0, t1), where they are a segment. Runs on one thread.</summary>
    public virtual void BeginSegment(int t0, int t1)
    {
    }

    /// <summary>
    /// After the weight gradients of a segment that others follow; returns whether <see cref="PackBackward"/> is needed again.
    /// Runs on one thread.
    /// </summary>
    public virtual bool EndSegment() => false;

    /// <summary>Makes ready for <see cref="AccumulateGradients"/>, after all of Backward or that of a segment. Runs on one thread.</summary>
    public virtual void PrepareGradients()
    {
    }

    /// <summary>Computes one worker's share of ∂loss/∂parameters, or adds it (<see cref="UnrollContext.AddsGradients"/>).</summary>
    public virtual void AccumulateGradients(int worker, int workers)
    {
    }

    /// <summary>Whether <see cref="AccumulateGradients"/> leaves a part of the sums to be added by <see cref="MergeGradients"/>.</summary>
    public virtual bool MergesGradients => false;

    /// <summary>Adds one worker's share of what AccumulateGradients has summed apart.</summary>
    public virtual void MergeGradients(int worker, int workers)
    {
    }

    /// <summary>Multiply-adds of a forward pass per row and step, times two.</summary>
    public virtual long FlopsPerStep => 0;
}
