#:project ../src/Unroll.Experiments

// All experiments, one after another, and a page that leads to their reports
//
//   dotnet run -c Release experiments/all.cs
//
// Options: --quick for a few seconds each, --out DIR for another folder than results/.
using Unroll.Experiments.Hosting;

return new AllExperiments(AppContext.GetData("EntryPointFileDirectoryPath") as string ?? "experiments").Run(args);
