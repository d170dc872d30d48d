using Spectre.Console;

namespace Unroll.Experiments.Hosting;

/// <summary>Shows how far several runs are: bars on a terminal, a plain line at every quarter where output is redirected.</summary>
public sealed class ProgressBoard
{
    readonly TextWriter _output;
    readonly string[] _labels;
    readonly int[] _quarters;
    readonly ProgressTask[]? _bars;

    ProgressBoard(TextWriter output, string[] labels, ProgressTask[]? bars)
    {
        (_output, _labels, _bars) = (output, labels, bars);
        _quarters = new int[labels.Length];
    }

    /// <summary>Runs <paramref name="work"/> while showing the progress of the runs named by <paramref name="labels"/>.</summary>
    public static void Show(TextWriter output, string[] labels, Action<ProgressBoard> work)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(work);
        if (Console.IsOutputRedirected || !ReferenceEquals(output, Console.Out))
        {
            work(new ProgressBoard(output, labels, null));
            return;
        }

        AnsiConsole.Progress()
            .AutoClear(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .Start(context =>
            {
                var bars = labels.Select(label => context.AddTask(Markup.Escape(label), autoStart: false, maxValue: 1)).ToArray();
                work(new ProgressBoard(output, labels, bars));
            });
    }

    /// <summary>Tells that run <paramref name="index"/> has done <paramref name="fraction"/> of its work. Any thread may call.</summary>
    public void Report(int index, double fraction, string detail)
    {
        if (_bars is not null)
        {
            var bar = _bars[index];
            if (!bar.IsStarted)
                bar.StartTask();
            bar.Value = fraction;
            bar.Description = Markup.Escape($"{_labels[index]}  {detail}");
            return;
        }

        lock (_output)
        {
            var quarter = (int)(fraction * 4);
            if (quarter <= _quarters[index])
                return;
            _quarters[index] = quarter;
            _output.WriteLine($"{_labels[index]}: {fraction:P0}, {detail}");
        }
    }
}
