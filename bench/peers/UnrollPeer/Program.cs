using System.Reflection;
using Unroll.Benchmarks.Peers;
using Unroll.Benchmarks.Protocol;
using Unroll.Models;

var version = typeof(SequenceModel).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
return Contender.Run(
    args,
    "Unroll",
    version.Split('+')[0],
    configuration => configuration.Mode == Configuration.PeakMode ? Peak.Build(configuration) : Contender.Timed(UnrollSteps.Build(configuration)));
