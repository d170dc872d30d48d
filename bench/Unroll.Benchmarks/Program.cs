return Unroll.Benchmarks.Commands.CommandLine.Run(args, Console.Out, Console.Error);
