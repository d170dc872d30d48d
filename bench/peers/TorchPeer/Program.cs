using System.Reflection;
using TorchSharp;
using Unroll.Benchmarks.Peers;
using Unroll.Benchmarks.Protocol;

return Contender.Run(
    args,
    "TorchSharp",
    typeof(torch).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0],
    configuration => Contender.Timed(TorchSteps.Build(configuration)));
