using Microsoft.ML.OnnxRuntime;
using Unroll.Benchmarks.Peers;
using Unroll.Benchmarks.Protocol;

return Contender.Run(
    args,
    "ONNX Runtime",
    OrtEnv.Instance().GetVersionString(),
    configuration => Contender.Timed(OrtSteps.Build(configuration)));
