using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks.Peers;

/// <summary>
/// The steps of every mode, over tensors allocated once in the runtime's own memory. Variants: <c>run</c> is Run with
/// OrtValues, <c>iobinding</c> is RunWithBinding.
/// </summary>
static class OrtSteps
{
    public static Action Build(Configuration configuration)
    {
        if (configuration.IsTraining)
            throw new NotSupportedException($"Expected a mode of infer or stream, got '{configuration.Mode}': ONNX Runtime does not train.");
        var binding = configuration.Variant switch
        {
            "run" => false,
            "iobinding" => true,
            _ => throw new FormatException($"Expected a variant of run or iobinding, got '{configuration.Variant}'."),
        };
        var options = new SessionOptions
        {
            IntraOpNumThreads = configuration.Threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        var stateful = configuration.Mode == "stream";
        var session = new InferenceSession(OnnxModel.Build(configuration, stateful), options);
        return stateful ? Stream(configuration, session, binding) : Infer(configuration, session, binding);
    }

    static Action Infer(Configuration configuration, InferenceSession session, bool binding)
    {
        var (b, t, i, h) = configuration.Shape;
        var step = Step(session, binding, ["X"], [Tensor(1, t, b, i)], ["Yh"], [Tensor(0, 1, b, h)]);
        return () => step();
    }

    /// <summary>One time step per call. Two sets of state tensors take turns as input and output, so nothing is copied.</summary>
    static Action Stream(Configuration configuration, InferenceSession session, bool binding)
    {
        var (_, _, i, h) = configuration.Shape;
        string[] states = configuration.Cell == "lstm" ? ["h0", "c0"] : ["h0"];
        string[] outputs = configuration.Cell == "lstm" ? ["Yh", "Yc"] : ["Yh"];
        var x = Tensor(1, 1, 1, i);
        var even = Array.ConvertAll(states, _ => Tensor(0, 1, 1, h));
        var odd = Array.ConvertAll(states, _ => Tensor(0, 1, 1, h));
        var fromEven = Step(session, binding, ["X", .. states], [x, .. even], outputs, odd);
        var fromOdd = Step(session, binding, ["X", .. states], [x, .. odd], outputs, even);
        var isEven = true;
        return () =>
        {
            (isEven ? fromEven : fromOdd)();
            isEven = !isEven;
        };
    }

    static Action Step(InferenceSession session, bool binding, string[] inputNames, OrtValue[] inputs, string[] outputNames, OrtValue[] outputs)
    {
        var run = new RunOptions();
        if (!binding)
            return () => session.Run(run, inputNames, inputs, outputNames, outputs);
        var bound = session.CreateIoBinding();
        for (var index = 0; index < inputs.Length; index++)
            bound.BindInput(inputNames[index], inputs[index]);
        for (var index = 0; index < outputs.Length; index++)
            bound.BindOutput(outputNames[index], outputs[index]);
        return () => session.RunWithBinding(run, bound);
    }

    /// <summary>A tensor uniform in (−<paramref name="scale"/>, <paramref name="scale"/>).</summary>
    static OrtValue Tensor(float scale, params long[] shape)
    {
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, shape);
        var random = new Random(2);
        foreach (ref var element in value.GetTensorMutableDataAsSpan<float>())
            element = scale * ((2 * random.NextSingle()) - 1);
        return value;
    }
}
