using Unroll.Experiments.Hosting;
using Unroll.Plots;
using static Unroll.Experiments.Hosting.NumberText;

namespace Unroll.Experiments.Sine;

/// <summary>The pictures and the page of experiments 1, 2 and 4.</summary>
sealed class SineReport
{
    // Steps over which the growth of the error is averaged: half a period.
    const int ErrorWindow = 50;

    static readonly Dictionary<string, string> s_baselineNames = new()
    {
        ["sineFit"] = "A sine fitted to the same points (the floor)",
        ["ar25"] = "AR(25), least squares, closed loop",
        ["repeatLastPeriod"] = "Repeating the last period",
    };

    static readonly Dictionary<string, string> s_shortNames = new()
    {
        ["sineFit"] = "sine fit (floor)",
        ["ar25"] = "AR(25)",
        ["repeatLastPeriod"] = "last period repeated",
    };

    // Indices into the palette: blue, vermillion, then green, purple, orange, sky blue for the recipes.
    const int CleanColor = 0;
    const int DataColor = 1;
    static readonly int[] s_baselineColors = [0, 1, 6];

    readonly SineExperiment _experiment;
    readonly ExperimentContext _context;
    readonly int _hidden;
    readonly Machine _machine;
    readonly SineData _data;
    readonly IReadOnlyList<SineResult> _results;

    public SineReport(
        SineExperiment experiment, ExperimentContext context, int hidden, Machine machine, SineData data, IReadOnlyList<SineResult> results)
    {
        (_experiment, _context, _hidden, _machine, _data, _results) = (experiment, context, hidden, machine, data, results);
    }

    public IReadOnlyList<string> TableHeader { get; } = ["closed loop, 500 steps: RMSE against the clean sine", "seeds", "median", "mean", "min", "max", "train s"];

    /// <summary>Recipes first, then baselines.</summary>
    public List<IReadOnlyList<string>> TableRows()
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var result in _results)
        {
            var summary = Summary.Of([.. result.Runs.Select(run => run.Error)]);
            rows.Add([
                NameOf(result), $"{result.Runs.Count}", Four(summary.Median), Four(summary.Mean), Four(summary.Min), Four(summary.Max),
                One(Statistics.Median([.. result.Runs.Select(run => run.TrainSeconds)])),
            ]);
        }

        foreach (var (name, continuation) in _data.Baselines())
        {
            var error = Four(_data.Error(continuation));
            rows.Add([s_baselineNames[name], "–", error, error, error, error, "–"]);
        }

        return rows;
    }

    /// <summary>Writes the PNG pictures and <c>report.html</c>.</summary>
    public void Write(string folder)
    {
        (string File, Chart Chart, string Caption)[] charts =
        [
            ("data.png", DataChart(), $"The data: 251 noisy points, of which the first {_data.Split} are trained on. The clean sine is shown for the eye; no model sees it."),
            ("loss.png", LossChart(), "The training curve of each recipe (median seed). The closed-loop recipes predict further ahead as they go, so their curve may rise while the model gets better."),
            ("continuation.png", ContinuationChart(), $"The continuation of the median seed: {SineData.WarmUp} noisy values are given, the next {SineData.Horizon} are the model's own."),
            ("error-growth.png", ErrorChart(), $"How the error grows with the distance: root mean square over {ErrorWindow} steps, median over the seeds."),
            .. MicroscopeFigures(),
        ];
        foreach (var (file, chart, _) in charts)
            ChartRenderer.SavePng(chart, Path.Combine(folder, file));

        var report = new HtmlReport(_experiment.Title, $"Unroll, experiment {_experiment.Name}");
        report.Section("The task");
        report.Paragraph($"A wave sin(2πt/{SineData.Period}) is seen through noise of ±0.05 at 251 points. A network with one {_experiment.CellName} layer of {_hidden} units learns from them, is then given the first {SineData.WarmUp} noisy values, and continues the wave for {SineData.Horizon} steps **on its own output**: each prediction is its next input. The measure is the root mean square error against the clean sine, which no model is trained on. Nobody tells the model that the wave is periodic.");
        report.Chart(charts[0].Chart, charts[0].Caption);
        report.Section("The result");
        report.Table(TableHeader, TableRows(), highlightedRow: 0);
        foreach (var sentence in Verdict())
            report.Paragraph(sentence);
        report.Chart(charts[2].Chart, charts[2].Caption);
        report.Chart(charts[3].Chart, charts[3].Caption);
        report.Section("Why it works, and why the classic recipe drifts");
        foreach (var paragraph in Explanation())
            report.Paragraph(paragraph);
        report.Table(
            ["recipe", "radius at the start", "period", "amplitude", "phase drift, rad"],
            _results.Select(result => (IReadOnlyList<string>)[
                result.Recipe.Name, Two(MedianOf(result, run => run.StartRadius)), Two(MedianOf(result, run => run.Fit.Period)), Four(MedianOf(result, run => run.Fit.Amplitude)),
                Four(MedianOf(result, run => PhaseDrift(run.Fit.Period))),
            ]));
        report.Note("Medians over the seeds. The radius is the spectral radius of the recurrent matrix (of the first gate) before training. Period and amplitude are those of a sine fitted to each continuation; the true ones are 100 and 1. The drift is what the error of the period alone adds up to over 500 steps, without its sign; for a continuation that has died it says nothing.");
        report.Section(MicroscopeCharts.Heading);
        foreach (var paragraph in MicroscopeText())
            report.Paragraph(paragraph);
        foreach (var (_, chart, caption) in charts[4..])
            report.Chart(chart, caption);
        report.Section("The training");
        report.Chart(charts[1].Chart, charts[1].Caption);
        foreach (var result in _results)
        {
            report.Paragraph($"**{NameOf(result)}**");
            report.Settings(result.Recipe.Describe().Select(setting => (setting.Key, setting.Value)));
        }

        report.Section("Every seed");
        report.Table(
            ["recipe", "seed", "RMSE, 500 steps", "training loss", "validation loss", "period", "amplitude", "train s"],
            _results.SelectMany(result => result.Runs).Select(run => (IReadOnlyList<string>)[
                run.Recipe.Name, $"{run.Seed}", Four(run.Error), Scientific(run.History.Epochs[^1].TrainingLoss),
                Scientific(run.History.Epochs[^1].ValidationLoss), Two(run.Fit.Period), Four(run.Fit.Amplitude), One(run.TrainSeconds),
            ]));
        report.Section("The settings and the machine");
        report.Settings(
        [
            ("program", $"experiments/{_experiment.Name}.cs"), ("hidden units", $"{_hidden}"),
            ("seeds", _context.SeedText),
            ("quick", _context.Quick ? "yes: a fifth of the updates" : "no"),
            ("model", _results[0].Runs[0].Model.ToString().ReplaceLineEndings("; ")),
            .. _machine.Describe(),
        ]);
        report.Save(Path.Combine(folder, "report.html"));
    }

    static string NameOf(SineResult result) => $"{result.Recipe.Name}: {result.Recipe.Title}";

    IEnumerable<string> Verdict()
    {
        var error = MedianOf(_results[0], run => run.Error);
        var baselines = _data.Baselines().ToDictionary(baseline => baseline.Key, baseline => _data.Error(baseline.Value));
        yield return $"The median seed of the recipe '{_results[0].Recipe.Name}' is {Four(error)} away from the clean sine; the noise of the data alone is 0.029 (0.05/√3). It is {Below(error, baselines["repeatLastPeriod"])} repeating the last period and {Below(error, baselines["ar25"])} the AR(25) model. The floor is {Four(baselines["sineFit"])}: what is left when one knows that the data are a sine and fits it to all 251 points.";

        static string Below(double error, double baseline) => error < baseline ? "below" : "**not below**";
    }

    IEnumerable<string> Explanation()
    {
        yield return "A closed loop is an oscillator. Its **amplitude** settles where the network's limit cycle is, whatever it was started with; if there is none, the wave dies or runs into saturation. Its **phase** is never corrected: an error of 0.1 % in the period adds up to 0.03 rad over 500 steps. One-step training asks for neither. Its loss is at the level of the noise long before the period is right, because the next value of a slow wave is nearly the present one.";
        yield return "So the model is trained as it is used: warmed up, then run on its own output, with back-propagation through the fed-back values. Now a wrong period is a large loss, and the average over the whole stretch takes the noise out of it.";
        if (Find("full-horizon") is { } full)
            yield return $"**The horizon must grow.** While a network cannot yet hold the phase, a wave is a worse guess for a far step than the constant 0 (whose error is 0.707), and going to the constant is a way down the loss that ends in a dead state. A short horizon at first keeps each stretch in phase. All 200 steps at once give {Four(MedianOf(full, run => run.Error))} instead of {Four(MedianOf(_results[0], run => run.Error))} here; the plain RNN suffers most, the gated cells little.";
        if (Find("uniform-start") is { } uniform)
            yield return $"**The recurrence must keep what it is given.** An orthogonal matrix has every eigenvalue on the unit circle (spectral radius {Two(MedianOf(_results[0], run => run.StartRadius))} here), mostly in complex pairs: the state neither fades nor grows, and the network starts as a bank of oscillators that learning only has to tune. PyTorch's uniform start has the radius {Two(MedianOf(uniform, run => run.StartRadius))}: what came ten steps ago is multiplied by {MedianOf(uniform, run => Math.Pow(run.StartRadius, 10)):F4}. It ends at {Four(MedianOf(uniform, run => run.Error))}. The gates of LSTM and GRU carry memory past the matrix, so they depend on the start less.";
        yield return "What is left is mostly the data's own: the sine fitted to the same points is off by the floor in the table, because 251 noisy points fix period, amplitude and phase no better.";
        yield return "A word of caution: the recipe (learning rate, clipping, growth of the horizon) was found by trying several and looking at this same measure on the first ten seeds. The clean sine enters no training and no choice of weights, but the choice of the recipe has seen it.";
    }

    IEnumerable<string> MicroscopeText()
    {
        var slides = _results[0].Typical.Slides;
        var (before, after) = (slides.Before.Layers[0].HiddenGradientNorms, slides.After.Layers[0].HiddenGradientNorms);
        var outputs = slides.Influence.GetLength(0);
        yield return $"The first example of the training, {after.Count} steps long, sent through the median seed's model and back. {MicroscopeCharts.Reading}";
        if (outputs == 1)
        {
            yield return $"The window's one error enters at its last step. At its first step {Scientific(after[0] / after[^1])} of the gradient on h is left after the training ({Scientific(before[0] / before[^1])} before): what is older than the window the model cannot learn from at all.";
            yield break;
        }

        yield return $"Every step on its own output adds its error, and the gradient runs back through all of them, through the state and through the fed-back values: from {Scientific(after[^1])} on h at the last step to {Scientific(after[SineData.WarmUp])} where the model is first on its own ({Scientific(before[^1])} and {Scientific(before[SineData.WarmUp])} before the training). So a phase that is wrong after {outputs - SineData.WarmUp} steps still teaches the first ones.";
        yield return $"The map shows what the {SineData.WarmUp} given values mean to each output. A row's norm at the end of the example is {Scientific(Row(outputs - 1))}, against {Scientific(Row(SineData.WarmUp))} at the first step on its own: a loop that holds its phase is moved for good by a nudge, one that forgets goes blank downwards. The stripes are the wave: where it is steep a shift of phase changes the output most, at its crests least.";

        double Row(int t) => Math.Sqrt(Enumerable.Range(0, SineData.WarmUp).Sum(s => slides.Influence[t, s] * slides.Influence[t, s]));
    }

    IEnumerable<(string File, Chart Chart, string Caption)> MicroscopeFigures()
    {
        var slides = _results[0].Typical.Slides;
        var layer = slides.After.Layers[0];
        var isLoop = slides.Influence.GetLength(0) > 1;
        Marker[] markers = isLoop ? [new Marker(SineData.WarmUp, "on its own")] : [];
        yield return (
            "microscope-gradients.png", MicroscopeCharts.GradientNorms($"{_experiment.CellName}: gradients through time", slides) with { VerticalMarkers = markers },
            $"The norm of ∂loss/∂h after each step{(layer.CellGradientNorms.Count > 0 ? ", and of ∂loss/∂c" : "")}. Dashed: before the training.");
        if (MicroscopeCharts.KeepingGate(layer) is { } gate)
        {
            yield return (
                "microscope-gates.png", MicroscopeCharts.Openings($"{_experiment.CellName}: what each unit keeps of its state, gate {gate}", layer.Gates[gate]),
                $"The gate {gate} of every unit at every step after the training: 1 keeps what was there, 0 takes the new. Waves along a row are a gate that opens and closes with the sine.");
        }

        yield return (
            "microscope-influence.png",
            MicroscopeCharts.Influence($"{_experiment.CellName}: which inputs the outputs depend on", slides.Influence, isLoop ? SineData.WarmUp : null),
            isLoop ? $"The norm of ∂y/∂x of each output t for each of the {SineData.WarmUp} given values s; all later inputs are the model's own outputs." : "The norm of ∂y/∂x for each value of the window.");
    }

    SineResult? Find(string recipe) => _results.FirstOrDefault(result => result.Recipe.Name == recipe && !ReferenceEquals(result, _results[0]));

    LineChart DataChart()
    {
        var t = Range(0, _data.Noisy.Length);
        return new LineChart
        {
            Title = "A noisy sine, 251 points",
            XLabel = "step t",
            YLabel = "x",
            Series =
            [
                new Series("clean sine", t, Doubles(Data.NoisySine.Clean(_data.Noisy.Length, SineData.Period))) { Opacity = 0.35, Width = 5, Color = CleanColor },
                new Series("noisy data", t, Doubles(_data.Noisy)) { Style = SeriesStyle.Points, Color = DataColor },
            ],
            VerticalMarkers = [new Marker(_data.Split, "validation")],
        };
    }

    LineChart LossChart() => new()
    {
        Title = $"{_experiment.CellName}: training loss",
        XLabel = "share of the training, %",
        YLabel = "mean squared error",
        LogY = true,
        Series =
        [
            .. _results.Select((result, index) =>
            {
                var epochs = result.Typical.History.Epochs;
                return new Series(
                    result.Recipe.Name,
                    [.. epochs.Select(epoch => 100.0 * epoch.Epoch / epochs.Count)],
                    [.. epochs.Select(epoch => Math.Max(epoch.TrainingLoss, 1e-12))]) { Color = ColorOf(index) };
            }),
        ],
    };

    LineChart ContinuationChart()
    {
        var t = Range(SineData.WarmUp, SineData.Horizon);
        return new LineChart
        {
            Title = $"{_experiment.CellName}: the wave continued for {SineData.Horizon} steps",
            XLabel = "step t",
            YLabel = "x",
            Series =
            [
                new Series("clean sine", t, Doubles(_data.Target)) { Opacity = 0.35, Width = 5, Color = CleanColor },
                .. _results.Select((result, index) => new Series(result.Recipe.Name, t, Doubles(result.Typical.Continuation))
                {
                    Style = index == 0 ? SeriesStyle.Line : SeriesStyle.Dashed, Color = ColorOf(index), Width = index == 0 ? 1.5 : 1,
                }),
                new Series("given", Range(0, SineData.WarmUp), Doubles(_data.Noisy[..SineData.WarmUp])) { Style = SeriesStyle.Points, Color = DataColor },
            ],
            VerticalMarkers = [new Marker(SineData.WarmUp, "on its own"), new Marker(_data.Noisy.Length, "end of the data")],
        };
    }

    LineChart ErrorChart()
    {
        var series = _results.Select((result, index) => (Name: result.Recipe.Name, Style: SeriesStyle.Line, Color: ColorOf(index), Errors: Growth([.. result.Runs.Select(run => run.Continuation)])))
            .Concat(_data.Baselines().Select((baseline, index) => (Name: s_shortNames[baseline.Key], Style: SeriesStyle.Dashed, Color: s_baselineColors[index], Errors: Growth([baseline.Value]))));
        return new LineChart
        {
            Title = $"{_experiment.CellName}: error against distance",
            XLabel = "steps since the last given value",
            YLabel = "RMSE",
            LogY = true,
            Series = [.. series.Select(line => new Series(line.Name, Range(ErrorWindow, SineData.Horizon - ErrorWindow + 1), line.Errors) { Style = line.Style, Color = line.Color })],
        };
    }

    /// <summary>The median over continuations of the error over the 50 steps up to each.</summary>
    List<double> Growth(IReadOnlyList<float[]> continuations) =>
    [
        .. Enumerable.Range(0, SineData.Horizon - ErrorWindow + 1).Select(start => Statistics.Median(
        [
            .. continuations.Select(continuation => Statistics.RootMeanSquareError(
                continuation.AsSpan(start, ErrorWindow), _data.Target.AsSpan(start, ErrorWindow))),
        ])),
    ];

    static int ColorOf(int recipe) => 2 + recipe;

    static double PhaseDrift(double period) => Math.Abs(2 * Math.PI * SineData.Horizon * ((1 / period) - (1.0 / SineData.Period)));

    static double MedianOf(SineResult result, Func<SineRun, double> number) => Statistics.Median([.. result.Runs.Select(number)]);

    static double[] Range(int start, int count) => [.. Enumerable.Range(start, count).Select(t => (double)t)];

    static double[] Doubles(float[] values) => [.. values.Select(value => (double)value)];
}
