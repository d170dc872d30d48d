using System.Diagnostics;
using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks.Measuring;

/// <summary>One library in one configuration: what a comparison takes turns between.</summary>
/// <param name="Library">Whose program.</param>
/// <param name="Configuration">What it measures.</param>
sealed record Entry(Library Library, Configuration Configuration)
{
    /// <summary>Whether it is no library but the machine itself.</summary>
    public bool IsPeak => Configuration.Mode == Configuration.PeakMode;

    /// <summary>Whether its process is set up beyond what the library's own interface offers.</summary>
    public bool IsTuned => Configuration.Variant == Configuration.TcMallocVariant;

    public override string ToString() => $"{Library.Name} ({string.Join(' ', Configuration.ToArguments())})";
}

/// <summary>The driver's side of <see cref="Contender"/>: a child process that measures one configuration.</summary>
sealed class ContenderProcess : IDisposable
{
    readonly Entry _entry;
    readonly Process _process;
    readonly TaskCompletionSource<string> _firstError = new();

    /// <summary>Starts the process without waiting for it.</summary>
    public ContenderProcess(Entry entry)
    {
        _entry = entry;
        var start = new ProcessStartInfo("dotnet", [entry.Library.Assembly, .. entry.Configuration.ToArguments()])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (entry.IsTuned)
            start.Environment["LD_PRELOAD"] = TcMalloc.Path;
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) => _firstError.TrySetResult(line.Data ?? "no message");
        _process.BeginErrorReadLine();
    }

    /// <summary>Waits until the model is built.</summary>
    /// <exception cref="InvalidOperationException">The process ended.</exception>
    public Ready WaitUntilReady() => Ready.Parse(Answer());

    /// <summary>Has a window measured and waits for it.</summary>
    /// <returns>The window, and the cores that other processes had meanwhile.</returns>
    /// <exception cref="InvalidOperationException">The process ended.</exception>
    public (Window Window, double Others) Go(double seconds)
    {
        var before = CpuTimes.Now(_process);
        Start(seconds);
        var window = Window.Parse(Answer());
        return (window, CpuTimes.Now(_process).OthersSince(before));
    }

    /// <summary>Has a window measured without waiting for it.</summary>
    public void Start(double seconds)
    {
        _process.StandardInput.WriteLine(Contender.GoLine(seconds));
        _process.StandardInput.Flush();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    string Answer() => _process.StandardOutput.ReadLine()
        ?? throw new InvalidOperationException($"{_entry} ended before it answered: {_firstError.Task.Result}");
}
