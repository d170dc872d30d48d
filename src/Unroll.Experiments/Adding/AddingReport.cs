using System.Globalization;
using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Plots;
using static Unroll.Experiments.Hosting.NumberText;

namespace Unroll.Experiments.Adding;

/// <summary>The pictures and the page of experiment 3.</summary>
sealed class AddingReport
{
    // Below this an error is no longer that of the constant answer; feeling the latest of the second marks alone gives a few percent.
    const double OffThePlateau = 0.9 * AddingData.ConstantAnswerError;

    readonly AddingExperiment _experiment;
    readonly ExperimentContext _context;
    readonly AddingScale _scale;
    readonly Machine _machine;
    readonly IReadOnlyList<SeedRuns<AddingCell, AddingRun>> _results;

    public AddingReport(
        AddingExperiment experiment, ExperimentContext context, AddingScale scale, Machine machine, IReadOnlyList<SeedRuns<AddingCell, AddingRun>> results)
    {
        (_experiment, _context, _scale, _machine, _results) = (experiment, context, scale, machine, results);
    }

    public IReadOnlyList<string> TableHeader { get; } =
        ["fresh sequences: mean squared error", string.Create(CultureInfo.InvariantCulture, $"below {AddingExperiment.Solved}"), "median", "mean", "min", "max", "updates", "train s"];

    /// <summary>Cells first, then the constant answer.</summary>
    public List<IReadOnlyList<string>> TableRows()
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var result in _results)
        {
            var summary = Summary.Of([.. result.Runs.Select(run => run.TestError)]);
            rows.Add([
                result.Way.Name, $"{SolvedCount(result)} of {result.Runs.Count}",
                Error(summary.Median), Error(summary.Mean), Error(summary.Min), Error(summary.Max),
                $"{MedianOf(result, run => run.Updates):F0}", One(MedianOf(result, run => run.TrainSeconds)),
            ]);
        }

        var constant = Error(AddingData.ConstantAnswerError);
        rows.Add(["Always answering 1", "–", constant, constant, constant, constant, "–", "–"]);
        return rows;
    }

    /// <summary>Writes the PNG pictures and <c>report.html</c>.</summary>
    public void Write(string folder)
    {
        (string File, Chart Chart, string Caption)[] charts =
        [
            ("data.png", DataChart(), $"One of the sequences: {_scale.Steps} numbers, two of them marked. The answer wanted after the last step is the sum of the two."),
            ("loss.png", LossChart(), "The error on the same validation sequences while each cell trains (median seed). A curve on the dotted line knows no more than the average of all sums; one that ends early had learnt enough."),
            ("answers.png", AnswersChart(), $"The answers to {AnswerProbe.Sequences} test sequences after the training (median seed). On the diagonal they are right; a level cloud is an answer that does not depend on the sequence."),
            ("gradient.png", GradientChart(), "How strongly the answer depends on the input d steps before the end (root mean square over the test sequences, median seed). Dashed: before the training; solid: after. The axis is logarithmic: a straight line falls by the same factor with every step."),
            .. MicroscopeFigures(),
        ];
        foreach (var (file, chart, _) in charts)
            ChartRenderer.SavePng(chart, Path.Combine(folder, file));

        var report = new HtmlReport(_experiment.Title, $"Unroll, experiment {_experiment.Name}");
        report.Section("The task");
        report.Paragraph($"At every step a network is given a number, uniform on [0, 1), and a mark. Two of the {_scale.Steps} marks are 1, one in each half of the sequence; the others are 0. After the last step it is to answer the sum of the two marked numbers. So it must notice a mark, keep the number through up to {_scale.Steps - 1} steps of numbers that do not matter, and add. Who always answers 1, the average, has a mean squared error of 1/6 = 0.1667. To do better one must remember.");
        report.Chart(charts[0].Chart, charts[0].Caption);
        report.Section("The result");
        report.Table(TableHeader, TableRows(), highlightedRow: 0);
        foreach (var result in _results)
            report.Paragraph(Verdict(result));
        report.Chart(charts[1].Chart, charts[1].Caption);
        report.Chart(charts[2].Chart, charts[2].Caption);
        report.Section("What the answer depends on");
        foreach (var paragraph in Explanation())
            report.Paragraph(paragraph);
        report.Chart(charts[3].Chart, charts[3].Caption);
        var (near, half, far) = Distances();
        report.Table(
            ["cell", "training", "d = 0", $"d = {near}", $"d = {half}", $"d = {far}", "factor per step"],
            _results.SelectMany(result => new[] { ("before", (Func<AddingRun, AnswerProbe>)(run => run.Before)), ("after", run => run.After) }.Select(when => (IReadOnlyList<string>)[
                result.Way.Name, when.Item1,
                .. new[] { 0, near, half, far }.Select(d => Norm(MedianOf(result, run => when.Item2(run).Norms[d]))),
                Factor(MedianOf(result, run => FactorPerStep(when.Item2(run).Norms))),
            ])));
        report.Note($"Medians over the seeds of √(mean of ‖∂y/∂xₜ‖²) at the distance d = T − 1 − t from the last step. The first mark is at least {half} steps back, so what a network can learn of it passes through the numbers of that column. 0 stands for gradients that have sunk below 1e-30, which the engine treats as vanished. The factor is the average one from d = 0 to d = {half}, or to where the gradient has vanished.");
        report.Table(
            ["cell", "∂y/∂v at the first mark", "at the second mark", "elsewhere (rms)"],
            [
                .. _results.Select(result => (IReadOnlyList<string>)[
                    result.Way.Name, Slope(MedianOf(result, run => run.After.FirstMark)), Slope(MedianOf(result, run => run.After.SecondMark)), Slope(MedianOf(result, run => run.After.Unmarked)),
                ]),
                ["The sum itself", "1", "1", "0"],
            ]);
        report.Note("By how much the answer of the trained network changes with the number of a step, where that step is marked and where it is not.");
        report.Section(MicroscopeCharts.Heading);
        foreach (var paragraph in MicroscopeText())
            report.Paragraph(paragraph);
        foreach (var (_, chart, caption) in charts[4..])
            report.Chart(chart, caption);
        report.Section("The training");
        report.Paragraph($"All cells see the same sequences in the same order. The gradient is clipped far below its usual length, so that every update is about equally long: the plateau has a weak and noisy gradient, the way down from it a strong one, and with steps in proportion the weights of the gates either hardly move or run into saturation. The gates must move far, from memories of all lengths to a switch that the mark throws, hence the large learning rate of LSTM and GRU. The recipe was found on the first seeds and on shorter sequences; the test sequences are new for every seed and entered no choice.");
        report.Settings(_experiment.Describe(_scale).Select(setting => (setting.Key, setting.Value)).Concat(_results.Select(result => (result.Way.Name, AddingExperiment.StartOf(result.Way)))));
        report.Section("Every seed");
        report.Table(
            ["cell", "seed", "test error", "validation error", "updates", "∂y/∂v, first mark", "second mark", "train s"],
            _results.SelectMany(result => result.Runs.Select(run => (IReadOnlyList<string>)[
                result.Way.Name, $"{run.Seed}", Error(run.TestError), Error(run.History.Epochs[^1].ValidationLoss), $"{run.Updates}",
                Slope(run.After.FirstMark), Slope(run.After.SecondMark), One(run.TrainSeconds),
            ])));
        foreach (var result in _results)
        {
            foreach (var (seed, how) in result.Diverged)
                report.Note($"{result.Way.Name}, seed {seed}, has no result. {how}");
        }

        report.Section("The settings and the machine");
        report.Settings(
        [
            ("program", $"experiments/{_experiment.Name}.cs"), ("length", $"{_scale.Steps} steps"), ("hidden units", $"{_scale.HiddenSize}"),
            ("seeds", _context.SeedText), ("quick", _context.Quick ? "yes: shorter sequences, smaller batches" : "no"),
            ("model", _results[0].Runs[0].Model.ToString().ReplaceLineEndings("; ")),
            .. _machine.Describe(),
        ]);
        report.Save(Path.Combine(folder, "report.html"));
    }

    static string Verdict(SeedRuns<AddingCell, AddingRun> result)
    {
        var (count, error) = (result.Runs.Count, MedianOf(result, run => run.TestError));
        var solved = SolvedCount(result);
        var times = (AddingData.ConstantAnswerError / error).ToString("F0", CultureInfo.InvariantCulture);
        if (solved > 0)
            return $"**{result.Way.Name}** {(count == 1 ? "solves the task" : $"solves the task with {solved} of {count} seeds")}: its error on fresh sequences is {Error(error)}{(count == 1 ? "" : " (median)")}, {times} times less than that of the constant answer.";
        return error < OffThePlateau
            ? $"**{result.Way.Name}** is on its way and has not arrived: {Error(error)}, {One(AddingData.ConstantAnswerError / error)} times less than the constant answer."
            : $"**{result.Way.Name}** stays at the plateau: {Error(error)}, where the constant answer has {Error(AddingData.ConstantAnswerError)}. The next section shows why.";
    }

    IEnumerable<string> Explanation()
    {
        yield return "Back-propagation through time can only teach a network what its answer already depends on, however faintly: the gradient that a step's input and the weights acting on it receive is the error of the answer times ∂y/∂xₜ. So the figure shows what each cell can learn from. The distance that counts here is that of the marks.";
        if (Find("rnn") is { } rnn)
        {
            var (near, half, _) = Distances();
            var start = MedianOf(rnn, run => FactorPerStep(run.Before.Norms));
            yield return $"**The plain RNN forgets exponentially.** Going back one step multiplies the gradient by diag(1 − h²)·W_hh, and a product of {half} such factors decides. Before the training each step keeps {Factor(start)} of it: from {Norm(MedianOf(rnn, run => run.Before.Norms[0]))} at the last step to {Norm(MedianOf(rnn, run => run.Before.Norms[near]))} at d = {near} and {Norm(MedianOf(rnn, run => run.Before.Halfway))} at d = {half}. The only marks it feels are the second ones that happen to stand near the end, and of the first it feels nothing. Making the weights larger is no way out: where 1 − h² is near 1 the product then explodes, else the units saturate and 1 − h² is near 0. So the RNN learns the average and stays there. This is the vanishing gradient of Hochreiter (1991) and of Bengio, Simard and Frasconi (1994).";
            yield return "It is not that a recurrence without gates could not add. Two ReLU units do it without error: a = relu(v + m − 1) is the number at a mark and 0 elsewhere, and s ← s + a keeps the sum. But no gradient shows the RNN the way there.";
        }

        foreach (var gated in _results.Where(result => result.Way.Word is "lstm" or "gru").Take(1))
        {
            yield return $"**A gate lets the state pass.** In an LSTM the cell goes on as c ← f⊙c + i⊙g, in a GRU the state as h ← z⊙h + (1 − z)⊙n: along this path the factor per step is the gate itself, an open gate passes all, and each unit can have its own. The chrono start sets the gates so that the units' memories have all lengths from 2 to T = {_scale.Steps} steps: σ(ln u) = u/(1 + u) forgets the share 1/(1 + u) in a step. So before the training the gradient of the {gated.Way.Name} is {Norm(MedianOf(gated, run => run.Before.Halfway))} at d = {_scale.Steps / 2} and at the first step still {Norm(MedianOf(gated, run => run.Before.Norms[^1]))}: small, but there. Training makes it the size that the task asks for.";
        }

        if (Find("irnn") is { } irnn)
            yield return $"**The recurrence may also be set to keep.** The IRNN is the plain RNN with ReLU units and the identity for W_hh (Le, Jaitly and Hinton, 2015): a step back multiplies by exactly 1 where a unit is active. Nothing vanishes, the gradient at d = {_scale.Steps / 2} is {Norm(MedianOf(irnn, run => run.Before.Halfway))} before the training{(MedianOf(irnn, run => run.TestError) < OffThePlateau ? ", and a network without any gate leaves the plateau" : "")}. But nothing holds the factor at 1 either: as soon as the weights move, the product over all steps grows or falls exponentially, which is why its learning rate must be small and its curve is rough.";
        yield return $"A trained network that has understood the task depends on the two marked numbers alone, each with the slope 1. As either half has {_scale.Steps / 2} places for its mark, the solid lines of such a network lie near √(1/{_scale.Steps / 2}) = {Two(Math.Sqrt(1 / (_scale.Steps / 2.0)))} or above at every distance; what is above is how the answer depends on the marks themselves.";
    }

    IEnumerable<string> MicroscopeText()
    {
        var (cell, slides) = (_results[0].Way.Name, Typical(_results[0]).Slides);
        var marked = Marked(Example());
        yield return $"The sequence at the top of this page, sent through the trained models and back. {MicroscopeCharts.Reading}";
        yield return $"All curves begin at the last step, where the only error is. Going left, those of the {cell} reach the first step with {Norm(slides.After.Layers[0].HiddenGradientNorms[0])} on h{(slides.After.Layers[0].CellGradientNorms is [var first, ..] ? $" and {Norm(first)} on c" : "")}; before the training it was {Norm(slides.Before.Layers[0].HiddenGradientNorms[0])} on h. A level stretch is a state that is carried on as it is; a step in a curve lies where a gate has acted, as at the marks, t = {marked[0]} and t = {marked[1]}.";
        var rest = Enumerable.Range(0, _scale.Steps).Where(t => !marked.Contains(t)).Max(t => slides.Influence[0, t]);
        yield return $"Of the {_scale.Steps} inputs this one answer depends on the two marked ones with {Four(slides.Influence[0, marked[0]])} and {Four(slides.Influence[0, marked[1]])}, on any other with {Four(rest)} at the most.";
    }

    IEnumerable<(string File, Chart Chart, string Caption)> MicroscopeFigures()
    {
        var (cell, slides) = (_results[0].Way.Name, Typical(_results[0]).Slides);
        var markers = Marked(Example()).Select(t => new Marker(t, "")).ToArray();
        yield return (
            "microscope-gradients.png",
            MicroscopeCharts.GradientNorms("The error of the answer on its way back", [.. _results.Select(result => (result.Way.Name, Typical(result).Slides.After))]) with { VerticalMarkers = markers },
            "The norm of ∂loss/∂h after each step, and of ∂loss/∂c (dashed) where there is a cell, for one sequence after the training (median seed). Vertical lines: the marks.");
        if (MicroscopeCharts.KeepingGate(slides.After.Layers[0]) is { } gate)
        {
            yield return (
                "microscope-gates.png", MicroscopeCharts.Openings($"{cell}: what each unit keeps of its state, gate {gate}", slides.After.Layers[0].Gates[gate]),
                $"The gate {gate} of every unit at every step of that sequence: 1 keeps what was there, 0 takes the new. A dark row is a unit that remembers for long; where a column differs from its neighbours, the mark threw a switch.");
        }

        yield return (
            "microscope-influence.png", MicroscopeCharts.Influence($"{cell}: which inputs the answer depends on", slides.Influence, markers: markers),
            "The norm of ∂y/∂x at each step of that sequence: a network that has understood depends on the marked steps (vertical lines) and on no other.");
    }

    SeedRuns<AddingCell, AddingRun>? Find(string word) => _results.FirstOrDefault(result => result.Way.Word == word);

    LineChart DataChart()
    {
        var batch = Example();
        var values = Enumerable.Range(0, _scale.Steps).Select(t => (double)batch.Inputs[2 * t]).ToArray();
        var marked = Marked(batch);
        return new LineChart
        {
            Title = string.Create(CultureInfo.InvariantCulture, $"{values[marked[0]]:F2} + {values[marked[1]]:F2} = {batch.Targets[0]:F2}"),
            XLabel = "step t",
            YLabel = "number",
            Series =
            [
                new Series("numbers", Range(_scale.Steps), values) { Style = SeriesStyle.Points, Color = 5, Opacity = 0.7 },
                new Series("marked", [.. marked.Select(t => (double)t)], [.. marked.Select(t => values[t])]) { Style = SeriesStyle.Points, Color = 1, Width = 4 },
            ],
            VerticalMarkers = [.. marked.Select(t => new Marker(t, ""))],
            YRange = (-0.03, 1.03),
        };
    }

    SequenceBatch Example() => AddingData.TestSet(_scale.Steps, AddingExperiment.ExampleSeed, 1).Example();

    int[] Marked(SequenceBatch example) => [.. Enumerable.Range(0, _scale.Steps).Where(t => example.Inputs[(2 * t) + 1] != 0)];

    LineChart LossChart() => new()
    {
        Title = $"Learning to add over {_scale.Steps} steps",
        XLabel = "updates",
        YLabel = "mean squared error, validation",
        LogY = true,
        Series =
        [
            .. _results.Select((result, index) =>
            {
                var epochs = Typical(result).History.Epochs;
                var updates = (double)Typical(result).Updates / epochs.Count;
                return new Series(result.Way.Name, [.. epochs.Select(epoch => epoch.Epoch * updates)], [.. epochs.Select(epoch => epoch.ValidationLoss)]) { Color = ColorOf(index) };
            }),
        ],
        HorizontalMarkers = [new Marker(AddingData.ConstantAnswerError, "always answering 1: 1/6")],
        YRange = (Math.Min(1e-4, 0.7 * _results.SelectMany(result => Typical(result).History.Epochs).Min(epoch => epoch.ValidationLoss)), 1),
    };

    LineChart AnswersChart() => new()
    {
        Title = "Answers after the training",
        XLabel = "sum of the marked numbers",
        YLabel = "answer",
        Series =
        [
            new Series("right", [0, 2], [0, 2]) { Opacity = 0.35, Width = 5, Color = RightColor },
            // The last cells first, so that the one the experiment is about lies on top.
            .. _results.Select((result, index) =>
            {
                var probe = Typical(result).After;
                return new Series(result.Way.Name, Doubles(probe.Targets), Doubles(probe.Answers)) { Style = SeriesStyle.Points, Color = ColorOf(index), Opacity = 0.75, Width = 1.3 };
            }).Reverse(),
        ],
        XRange = (0, 2),
        YRange = (-0.1, 2.1),
    };

    LineChart GradientChart()
    {
        var smallest = _results.Select(Typical).SelectMany(run => run.Before.Norms.Concat(run.After.Norms)).Where(norm => norm >= MicroscopeCharts.SmallestDrawn).DefaultIfEmpty(1).Min();
        return new LineChart
        {
            Title = "What is left of the gradient, d steps before the end",
            XLabel = "distance in time d, steps",
            YLabel = "norm of ∂y/∂x",
            LogY = true,
            Series =
            [
                .. _results.SelectMany((result, index) =>
                {
                    var run = Typical(result);
                    return new[]
                    {
                        Curve("", run.Before.Norms, SeriesStyle.Dashed, ColorOf(index)),
                        Curve(result.Way.Name, run.After.Norms, SeriesStyle.Line, ColorOf(index)),
                    };
                }),
            ],
            VerticalMarkers = [new Marker(_scale.Steps / 2, "first marks lie beyond")],
            YRange = (Math.Min(1e-6, smallest / 3), 100),
        };
    }

    /// <summary>A curve of the gradient up to where it vanishes.</summary>
    static Series Curve(string name, double[] norms, SeriesStyle style, int color)
    {
        double[] shown = [.. norms.TakeWhile(norm => norm >= MicroscopeCharts.SmallestDrawn)];
        return new Series(name, Range(Math.Max(1, shown.Length)), shown.Length > 0 ? shown : [MicroscopeCharts.SmallestDrawn]) { Style = style, Color = color };
    }

    /// <summary>The average factor from one distance to the next, from d = 0 to T/2 or to where the gradient has vanished.</summary>
    static double FactorPerStep(double[] norms)
    {
        var last = Array.FindLastIndex(norms, norms.Length / 2, norm => norm > 0);
        return last < 1 ? 0 : Math.Pow(norms[last] / norms[0], 1.0 / last);
    }

    /// <summary>A small distance, half the length, and the largest.</summary>
    (int Near, int Half, int Far) Distances() => (Math.Max(1, _scale.Steps / 10), _scale.Steps / 2, _scale.Steps - 1);

    static AddingRun Typical(SeedRuns<AddingCell, AddingRun> result) => result.Runs.OrderBy(run => run.TestError).ElementAt((result.Runs.Count - 1) / 2);

    static int SolvedCount(SeedRuns<AddingCell, AddingRun> result) => result.Runs.Count(run => run.TestError < AddingExperiment.Solved);

    static double MedianOf(SeedRuns<AddingCell, AddingRun> result, Func<AddingRun, double> number) => Statistics.Median([.. result.Runs.Select(number)]);

    // Blue is for what is right.
    const int RightColor = 0;

    static int ColorOf(int cell) => 1 + cell;

    static double[] Range(int count) => [.. Enumerable.Range(0, count).Select(t => (double)t)];

    static double[] Doubles(float[] values) => [.. values.Select(value => (double)value)];

    static string Error(double value) => value.ToString("F5", CultureInfo.InvariantCulture);

    // The sum makes −0 a plain 0.
    static string Slope(double value) => Four(Math.Round(value, 4) + 0.0);

    static string Factor(double value) => value.ToString("F3", CultureInfo.InvariantCulture);

    static string Norm(double value) => value == 0 ? "0" : value.ToString("0.0e+0", CultureInfo.InvariantCulture);
}
