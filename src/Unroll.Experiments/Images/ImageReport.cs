using System.Globalization;
using Unroll.Data;
using Unroll.Experiments.Hosting;
using Unroll.Plots;
using static Unroll.Experiments.Hosting.NumberText;

namespace Unroll.Experiments.Images;

/// <summary>The pictures and the page of experiment 5.</summary>
sealed class ImageReport
{
    const int SamplesPerClass = 4;
    const int SamplesPerRow = 10;
    const int MistakesShown = 20;
    const int MistakesPerRow = 5;

    readonly ImageExperiment _experiment;
    readonly ExperimentContext _context;
    readonly ImageTask _task;
    readonly Machine _machine;
    readonly double _nearestMean;
    readonly IReadOnlyList<SeedRuns<ImageReading, ImageRun>> _results;
    readonly ImageRun _typical;
    readonly int[,] _confusion;
    readonly IReadOnlyList<int> _mistakes;

    public ImageReport(
        ImageExperiment experiment, ExperimentContext context, ImageTask task, Machine machine, double nearestMean,
        IReadOnlyList<SeedRuns<ImageReading, ImageRun>> results)
    {
        (_experiment, _context, _task, _machine, _nearestMean, _results) = (experiment, context, task, machine, nearestMean, results);
        _typical = TypicalOf(results[0]);
        _confusion = _typical.Answers.Confusion();
        _mistakes = _typical.Answers.Mistakes();
    }

    public IReadOnlyList<string> TableHeader =>
        [$"right, % of {Count(_task.Data.Test.Count, $"{_task.Judges} image")}", "seeds", "mean", "min", "max", "wrong images, mean", "train s"];

    /// <summary>Readings first, then the baseline.</summary>
    public List<IReadOnlyList<string>> TableRows()
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var result in _results)
        {
            var summary = Summary.Of([.. result.Runs.Select(run => run.Answers.Accuracy)]);
            rows.Add([
                $"{_task.Cell.Name}, {result.Way.Title}", $"{result.Runs.Count}", Percent(summary.Mean), Percent(summary.Min), Percent(summary.Max),
                One(Wrong(summary.Mean)), One(Statistics.Median([.. result.Runs.Select(run => run.TrainSeconds)])),
            ]);
        }

        rows.Add(["The nearest of the classes' mean images", "–", Percent(_nearestMean), Percent(_nearestMean), Percent(_nearestMean), One(Wrong(_nearestMean)), "–"]);
        return rows;
    }

    /// <summary>Writes the PNG pictures and <c>report.html</c>.</summary>
    public void Write(string folder)
    {
        var figures = Figures().ToDictionary(figure => figure.File);
        foreach (var (file, chart, _) in figures.Values)
            ChartRenderer.SavePng(chart, Path.Combine(folder, file));

        var (data, recipe) = (_task.Data, _task.Recipe);
        var report = new HtmlReport(_experiment.Title, $"Unroll, experiment {_experiment.Name}, on {data.Name}");
        report.Section("The task");
        report.Paragraph(string.Create(CultureInfo.InvariantCulture, $"An image of {data.Training.Rows}×{data.Training.Columns} pixels is a sequence: its rows are the time steps, the {data.Training.Columns} pixels of a row are the input of a step. One {_task.Cell.Name} of {recipe.HiddenSize} units reads the rows from top to bottom, another from bottom to top. What both say of every row is averaged over the rows; beside that stand the outputs at the last row, where the forward one has seen everything, and at the first, where the backward one has. A linear map of these features gives a number for each class, and the largest is the answer."));
        Add("samples.png");
        report.Section("The result");
        report.Table(TableHeader, TableRows(), highlightedRow: 0);
        report.Paragraph(Verdict());
        if (_task.Validate)
            report.Note("The images judged by are a fifth of each class of the **training** images, held out to choose settings by. The test images were not looked at.");
        else
            report.Note("The settings were chosen on a part of the training images (`--validate`), not on these test images, which each model saw once, after its training.");
        Add("confusion.png");
        report.Table(["class", "images", "found, % (recall)", "right when answered, % (precision)", "F1, %", "taken for"], ClassRows());
        if (_mistakes.Count > 0)
        {
            report.Section("The surest mistakes");
            Add("mistakes.png");
        }

        if (figures.ContainsKey("directions.png"))
        {
            report.Section("What one direction alone reaches");
            report.Paragraph("Two more models, trained by the same recipe: one layer of the same cell and size, with the same readout. The forward one reads from the top row down. The backward one is the same model on images turned upside down, so it reads from the bottom row up. Each has half the recurrent parameters of the whole. They are models of their own, not halves of the bidirectional one with the rest covered up: what a half does that was trained beside the other says little of what it would have learnt alone.");
            Add("directions.png");
        }

        report.Section(MicroscopeCharts.Heading);
        foreach (var paragraph in MicroscopeText())
            report.Paragraph(paragraph);
        foreach (var file in figures.Keys.Where(file => file.StartsWith("microscope", StringComparison.Ordinal)))
            Add(file);
        report.Section("The training");
        Add("loss.png");
        report.Settings(recipe.Describe(_task.Cell));
        report.Section("Every seed");
        report.Table(
            ["reading", "seed", "right, %", "wrong images", "training loss", "train s"],
            _results.SelectMany(result => result.Runs.Select(run => (IReadOnlyList<string>)[
                result.Way.Name, $"{run.Seed}", Percent(run.Answers.Accuracy), $"{Math.Round(Wrong(run.Answers.Accuracy))}",
                Four(run.History.Epochs[^1].TrainingLoss), One(run.TrainSeconds),
            ])));
        report.Section("The settings and the machine");
        report.Settings(
        [
            ("program", $"experiments/{_experiment.Name}.cs"),
            ("data", $"{data.Name}: {_task.Source}"),
            ("images", string.Create(CultureInfo.InvariantCulture, $"{data.Training.Count:N0} to train on, {data.Test.Count:N0} {_task.Judges} images")),
            ("hidden units", $"{recipe.HiddenSize} in each direction"), ("seeds", _context.SeedText),
            ("quick", _context.Quick ? "yes: a quarter of the epochs, at most 2,000 images of each kind" : "no"),
            ("model", _results[0].Runs[0].Model.ToString().ReplaceLineEndings("; ")),
            .. _machine.Describe(),
        ]);
        report.Save(Path.Combine(folder, "report.html"));

        void Add(string file) => report.Chart(figures[file].Chart, figures[file].Caption);
    }

    IEnumerable<(string File, Chart Chart, string Caption)> Figures()
    {
        yield return ("samples.png", SamplesChart(), "The first images of each class among those to train on.");
        yield return ("confusion.png", ConfusionChart(), $"How often a class (row) was answered as another (column), for the median seed, {_typical.Seed}. Empty cells are 0; right answers are on the diagonal.");
        if (_mistakes.Count > 0)
        {
            var shown = Math.Min(MistakesShown, _mistakes.Count);
            yield return ("mistakes.png", MistakesChart(shown), $"The {(shown < _mistakes.Count ? $"{shown} surest of the {_mistakes.Count}" : $"{shown}")} wrong answers of seed {_typical.Seed}: the true class, what the model takes it for, and the probability it gives to that.");
        }

        if (_results.Count > 1)
            yield return ("directions.png", DirectionsChart(), $"The share of {_task.Judges} images read wrongly, mean over the seeds: each direction alone, and both.");
        foreach (var figure in MicroscopeFigures())
            yield return figure;
        yield return ("loss.png", LossChart(), "The training curve (median seed): cross-entropy on images moved at random and with dropout, so it stays above what the model does on images as they are.");
    }

    IEnumerable<string> MicroscopeText()
    {
        var slides = _typical.Slides;
        var rows = slides.Influence.GetLength(1);
        double[] influence = [.. Enumerable.Range(0, rows).Select(s => slides.Influence[0, s])];
        yield return $"The first {slides.After.Layers[0].Gates.Values.FirstOrDefault()?.BatchSize ?? ImageExperiment.MicroscopeImages} {_task.Judges} images, sent through the median seed's model and back. {MicroscopeCharts.Reading}";
        var (before, after) = (slides.Before.Layers[0].HiddenGradientNorms, slides.After.Layers[0].HiddenGradientNorms);
        yield return $"The forward direction reads down, so its gradient runs up, from the last row (t = {rows - 1}) to the first; that of the backward direction runs down. The readout takes the outputs of the first and the last row by themselves and the mean of all rows, so a little is added at every step and no row depends on the long way alone. From the last row to the first the norm on the forward direction's h goes from {Scientific(after[^1])} to {Scientific(after[0])}; before the training from {Scientific(before[^1])} to {Scientific(before[0])}. An image whose class is sure and right has next to no gradient: what is left after the training comes from the others.";
        yield return $"The answer depends most on row {Array.IndexOf(influence, influence.Max())} and least on row {Array.IndexOf(influence, influence.Min())}. Every row is near the end of one of the two ways.";
    }

    IEnumerable<(string File, Chart Chart, string Caption)> MicroscopeFigures()
    {
        var slides = _typical.Slides;
        var layer = slides.After.Layers[0];
        yield return (
            "microscope-gradients.png", MicroscopeCharts.GradientNorms($"{_task.Cell.Name}: gradients through the rows", slides) with { XLabel = "row t" },
            $"The norm of ∂loss/∂h of both directions after each row{(layer.CellGradientNorms.Count > 0 ? ", and of ∂loss/∂c" : "")}. Dashed: before the training.");
        if (MicroscopeCharts.KeepingGate(layer) is { } gate)
        {
            yield return (
                "microscope-gates.png", MicroscopeCharts.Openings($"{_task.Cell.Name}, forward: what each unit keeps of its state, gate {gate}", layer.Gates[gate]),
                $"The gate {gate} of every unit of the forward direction at every row of the first of these images, after the training: 1 keeps what was there, 0 takes the new.");
        }

        yield return (
            "microscope-influence.png", MicroscopeCharts.Influence($"{_task.Cell.Name}: which rows the answer depends on", slides.Influence) with { XLabel = "row" },
            "The norm of ∂y/∂x of the logits for each row of the image, root mean square over these images, after the training.");
    }

    string Verdict()
    {
        var mean = _results[0].Runs.Average(run => run.Answers.Accuracy);
        return $"{Percent(mean)} % of the {_task.Judges} images are read rightly, on average over {Count(_results[0].Runs.Count, "seed")}. Comparing the pixels with the mean image of each class gives {Percent(_nearestMean)} %.";
    }

    IEnumerable<IReadOnlyList<string>> ClassRows()
    {
        var names = _task.Data.Test.ClassNames;
        for (var label = 0; label < names.Count; label++)
        {
            var own = label;
            var right = _confusion[own, own];
            var shown = Enumerable.Range(0, names.Count).Sum(answer => _confusion[own, answer]);
            var answered = Enumerable.Range(0, names.Count).Sum(other => _confusion[other, own]);
            var wrong = Enumerable.Range(0, names.Count).Where(answer => answer != own && _confusion[own, answer] > 0)
                .OrderByDescending(answer => _confusion[own, answer]).Take(3).Select(answer => $"{names[answer]} ({_confusion[own, answer]}×)");
            var taken = string.Join(", ", wrong);
            yield return [names[own], $"{shown}", Share(right, shown), Share(right, answered), Share(2 * right, shown + answered), taken.Length > 0 ? taken : "nothing else"];
        }

        static string Share(int part, int whole) => whole > 0 ? One(100.0 * part / whole) : "–";
    }

    ImageGrid SamplesChart()
    {
        var images = _task.Data.Training;
        var shown = Enumerable.Range(0, SamplesPerClass).SelectMany(nth => Enumerable.Range(0, images.ClassNames.Count).Select(label => (Nth: nth, Label: label)))
            .Select(place => (Place: place, Index: IndexOf(images, place.Label, place.Nth)))
            .Where(sample => sample.Index >= 0)
            .Select(sample => new GridImage(Ink(images, sample.Index), images.ClassNames[sample.Place.Label]));
        return new ImageGrid { Title = $"{_task.Data.Name}: images to train on", Columns = SamplesPerRow, Images = [.. shown] };
    }

    /// <summary>The n-th image of a class, from 0; −1 if there are not that many.</summary>
    static int IndexOf(ImageSet images, int label, int nth)
    {
        for (var image = 0; image < images.Count; image++)
        {
            if (images.Labels[image] == label && nth-- == 0)
                return image;
        }

        return -1;
    }

    HeatMap ConfusionChart()
    {
        var values = new double[_confusion.GetLength(0), _confusion.GetLength(1)];
        Array.Copy(_confusion, values, values.Length);
        return new HeatMap
        {
            Title = $"Confusion matrix: {Percent(_typical.Answers.Accuracy)} % right, {_mistakes.Count} wrong",
            XLabel = "answer",
            YLabel = "class",
            Values = values,
            RowLabels = _task.Data.Test.ClassNames,
            ColumnLabels = _task.Data.Test.ClassNames,
            ShowValues = true,
            HideZeros = true,
        };
    }

    ImageGrid MistakesChart(int shown)
    {
        var images = _task.Data.Test;
        return new ImageGrid
        {
            Title = "The surest mistakes",
            Columns = MistakesPerRow,
            Images =
            [
                .. _mistakes.Take(shown).Select(image => new GridImage(
                    Ink(images, image),
                    string.Create(CultureInfo.InvariantCulture, $"{images.ClassNames[images.Labels[image]]} as {images.ClassNames[_typical.Answers.Answer(image)]}: {100 * _typical.Answers.Confidence(image):F1} %"))),
            ],
        };
    }

    BarChart DirectionsChart()
    {
        // The whole last, so that it stands beside its parts.
        var ordered = _results.Skip(1).Append(_results[0]).ToArray();
        return new BarChart
        {
            Title = $"{_task.Cell.Name}: images read wrongly",
            YLabel = $"wrong, % of the {_task.Judges} images",
            Labels = [.. ordered.Select(result => result.Way.Name)],
            Values = [.. ordered.Select(result => Math.Round(100 * (1 - result.Runs.Average(run => run.Answers.Accuracy)), 2))],
        };
    }

    LineChart LossChart() => new()
    {
        Title = $"{_task.Cell.Name}: training loss",
        XLabel = "epoch",
        YLabel = "cross-entropy",
        LogY = true,
        Series =
        [
            .. _results.Select(result =>
            {
                var epochs = TypicalOf(result).History.Epochs;
                return new Series(
                    result.Way.Name,
                    [.. epochs.Select(epoch => (double)epoch.Epoch)],
                    [.. epochs.Select(epoch => Math.Max(epoch.TrainingLoss, 1e-12))]);
            }),
        ],
    };

    /// <summary>The run whose accuracy is the (lower) median.</summary>
    static ImageRun TypicalOf(SeedRuns<ImageReading, ImageRun> result) => result.Runs.OrderBy(run => run.Answers.Accuracy).ElementAt((result.Runs.Count - 1) / 2);

    static double[,] Ink(ImageSet images, int index)
    {
        var pixels = images.Image(index);
        var ink = new double[images.Rows, images.Columns];
        for (var i = 0; i < pixels.Length; i++)
            ink[i / images.Columns, i % images.Columns] = pixels[i] / (double)images.PixelMaximum;
        return ink;
    }

    double Wrong(double accuracy) => _task.Data.Test.Count * (1 - accuracy);

    static string Percent(double share) => Two(100 * share);
}
