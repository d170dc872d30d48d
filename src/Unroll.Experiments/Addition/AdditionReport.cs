using System.Globalization;
using Unroll.Experiments.Hosting;
using Unroll.Plots;
using static Unroll.Experiments.Hosting.NumberText;

namespace Unroll.Experiments.Addition;

/// <summary>The pictures and the page of experiment 6.</summary>
sealed class AdditionReport
{
    const int QuestionsShown = 6;
    const int MistakesShown = 12;

    readonly AdditionExperiment _experiment;
    readonly ExperimentContext _context;
    readonly AdditionTask _task;
    readonly Machine _machine;
    readonly double _nearest;
    readonly IReadOnlyList<SeedRuns<AdditionRecipe, AdditionRun>> _results;

    public AdditionReport(
        AdditionExperiment experiment, ExperimentContext context, AdditionTask task, Machine machine, double nearest,
        IReadOnlyList<SeedRuns<AdditionRecipe, AdditionRun>> results)
    {
        (_experiment, _context, _task, _machine, _nearest, _results) = (experiment, context, task, machine, nearest, results);
    }

    public IReadOnlyList<string> TableHeader =>
        [$"right as a whole, % of {Count(_results[0].Runs[0].Answers.All.Count, $"{_task.Judges} question")}", "seeds", "mean", "min", "max", "wrong, mean", "characters, %", "train s"];

    /// <summary>Recipes first, then the baseline.</summary>
    public List<IReadOnlyList<string>> TableRows()
    {
        var rows = new List<IReadOnlyList<string>>();
        foreach (var (recipe, runs) in _results)
        {
            var summary = Summary.Of([.. runs.Select(run => run.Answers.ExactMatch)]);
            rows.Add([
                recipe.Name, $"{runs.Count}", Percent(summary.Mean), Percent(summary.Min), Percent(summary.Max), One(runs.Average(Wrong)),
                Percent(runs.Average(run => run.Answers.CharacterAccuracy)), One(Statistics.Median([.. runs.Select(run => run.TrainSeconds)])),
            ]);
        }

        rows.Add(["The answer of the nearest training question", "–", Percent(_nearest), "–", "–", One((1 - _nearest) * _results[0].Runs[0].Answers.All.Count), "–", "–"]);
        return rows;
    }

    /// <summary>Writes the PNG pictures and <c>report.html</c>.</summary>
    public void Write(string folder)
    {
        var figures = Figures().ToDictionary(figure => figure.File);
        foreach (var (file, chart, _) in figures.Values)
            ChartRenderer.SavePng(chart, Path.Combine(folder, file));

        var scale = _task.Scale;
        var main = _results[0].Way;
        var (form, training, judges) = _task.Questions(TypicalOf(_results[0]).Seed, main.Reverse);
        var report = new HtmlReport(_experiment.Title, $"Unroll, experiment {_experiment.Name}, numbers of up to {Count(scale.Digits, "digit")}");
        report.Section("The task");
        report.Paragraph(string.Create(CultureInfo.InvariantCulture, $"A question is a text of {form.QuestionLength} characters such as `{Example(form)}`, its answer one of {form.AnswerLength}. Nobody tells the network what a digit is worth, what a plus does or what a carry is: it sees {AdditionData.Alphabet.Length} different characters and {training.Count:N0} examples. One recurrent network, the encoder, reads the question and ends in a state of {scale.HiddenSize} numbers. Another, the decoder, starts from that state and writes the answer, character by character, reading each that it has written. It is judged by {judges.Count:N0} questions that it has not seen, nor with their numbers swapped."));
        report.Table(
            ["question", $"as the way “{main.Name}” reads it", "answer to write", "carries"],
            judges.Take(QuestionsShown).Select(question => (IReadOnlyList<string>)[
                $"{question.A}+{question.B}", $"`{Visible(question.Question)}`", $"`{Visible(question.Answer)}`", $"{question.Carries}",
            ]));
        report.Note($"`{Visible(" ")}` is a space: short questions and answers are filled up, so that all have the same length. The numbers are drawn by their length first, so that short ones come often too; where there are few pairs, all are taken.");
        report.Section("The result");
        report.Table(TableHeader, TableRows(), highlightedRow: 0);
        report.Paragraph(Verdict());
        report.Settings(_results.Select(result => (result.Way.Name, result.Way.Title)));
        if (_task.Validate)
            report.Note("The questions judged by are the last tenth of the **training** questions, held out to choose settings by. The test questions were not looked at.");
        else if (!_context.Quick)
            report.Note("The settings were chosen on a part of the training questions (`--validate`), not on these test questions, which each model was asked once, after its training.");
        Add("loss.png");

        report.Section("Carries");
        report.Paragraph("A column whose digits sum to ten or more carries a one into the next. With many carries a digit of the answer depends on columns far away: 999+1 has three. The table gives the right answers in per cent.");
        Add("carries.png");
        report.Table(["carries", "questions", .. _results.Select(result => result.Way.Name)], CarryRows());

        report.Section("Right and wrong");
        report.Table(["way", "question", "answer given", "right would be", "how sure, %"], ExampleRows());
        report.Note($"For each way the first {QuestionsShown / 2} right answers of its median seed and its surest mistakes, at most {MistakesShown / 2}. How sure: the product of the probabilities of the characters written.");

        if (figures.ContainsKey("attention.png"))
        {
            report.Section("Where the decoder looks");
            report.Paragraph("Without attention all that the decoder knows of the question has to pass through one state. With attention it looks back at every step: each character of the question gets a weight, and the mean of the encoder's outputs, so weighted, is given to the decoder. The weights are learnt like everything else; nobody says where to look.");
            Add("attention.png");
            Add("attention-mean.png");
            report.Paragraph("An output of the encoder tells of more than its own character: it is the state after reading up to there, or, read in both directions, from both ends. So the weight need not lie on the very digit that is added.");
        }

        report.Section(MicroscopeCharts.Heading);
        foreach (var paragraph in MicroscopeText())
            report.Paragraph(paragraph);
        Add("microscope-gradients.png");
        Add("microscope-influence.png");

        report.Section("The training");
        report.Settings([.. AdditionExperiment.Describe(scale), .. _results.Select(result => (result.Way.Name, result.Way.Describe()))]);
        report.Section("Every seed");
        report.Table(
            ["way", "seed", "whole answers right, %", "wrong answers", "characters right, %", "training loss", "train s"],
            _results.SelectMany(result => result.Runs.Select(run => (IReadOnlyList<string>)[
                result.Way.Name, $"{run.Seed}", Percent(run.Answers.ExactMatch), $"{Wrong(run)}", Percent(run.Answers.CharacterAccuracy),
                Scientific(run.History.Epochs[^1].TrainingLoss), One(run.TrainSeconds),
            ])));
        report.Note("Every seed has questions of its own, a start of its own and an order of its own.");
        report.Section("The settings and the machine");
        report.Settings(
        [
            ("program", $"experiments/{_experiment.Name}.cs"), ("ask the models", $"`{_experiment.AskCommand(_context, judges[0])}`"),
            ("digits", $"up to {scale.Digits}"), ("hidden units", $"{scale.HiddenSize}"), ("seeds", _context.SeedText),
            ("quick", _context.Quick ? "yes: shorter numbers, a smaller model, fewer epochs" : "no"),
            .. _results.Select(result => ($"model, {result.Way.Name}", result.Runs[0].Model.ToString().ReplaceLineEndings("; "))),
            .. _machine.Describe(),
        ]);
        report.Save(Path.Combine(folder, "report.html"));

        void Add(string file) => report.Chart(figures[file].Chart, figures[file].Caption);
    }

    IEnumerable<(string File, Chart Chart, string Caption)> Figures()
    {
        yield return ("loss.png", LossChart(), "The training curves (median seed): the cross-entropy of a character, with the right ones before it given.");
        yield return ("carries.png", CarriesChart(), "The share of wrong answers by the number of carries, all seeds together.");
        foreach (var figure in MicroscopeFigures())
            yield return figure;
        if (_results.FirstOrDefault(result => !Attention(result).IsEmpty) is not { } looking)
            yield break;
        var (form, _, _) = _task.Questions(looking.Runs[0].Seed, looking.Way.Reverse);
        var answers = TypicalOf(looking).Answers.All;

        // The most carries are the most interesting; of these the first that has no space in it.
        var shown = answers.Where(answer => answer.IsRight).DefaultIfEmpty(answers[0])
            .OrderByDescending(answer => form.IsFull(answer.Question)).ThenByDescending(answer => answer.Question.Carries).First();
        yield return ("attention.png", AttentionChart(shown, form), $"The weights while “{looking.Way.Name}” answers one question (seed {TypicalOf(looking).Seed}). A row belongs to a character of the answer, from top to bottom as it is written, and sums to 1.");
        var full = answers.Where(answer => form.IsFull(answer.Question)).DefaultIfEmpty(shown).ToArray();
        yield return ("attention-mean.png", MeanAttentionChart(full, form), $"The same, mean over the {Count(full.Length, $"{_task.Judges} question")} whose numbers have all {Count(form.Digits, "digit")}: a₁ is the first digit of the first number, b₁ that of the second.");
    }

    IEnumerable<string> MicroscopeText()
    {
        var run = TypicalOf(_results[0]);
        var (form, _, _) = _task.Questions(run.Seed, _results[0].Way.Reverse);
        var encoder = run.Slides.After.Layers[0].HiddenGradientNorms;
        yield return $"The first {_task.Judges} questions whose numbers have all {Count(form.Digits, "digit")}, {AdditionExperiment.MicroscopeQuestions} at the most, sent through “{_results[0].Way.Name}” of the median seed and back, the right characters given. {MicroscopeCharts.Reading}";
        yield return $"In the decoder each character adds its error, so the curve rises towards the answer's first character. What is left there goes through one state into the encoder: {Scientific(encoder[^1])} after the question's last character, {Scientific(encoder[0])} after its first, after the training.";
        yield return "The map is the counterpart of an attention map where there is no attention: by how much the logits of each character of the answer change with each character of the question. With the right characters before it given, a digit depends on the digits of its own column, and on those behind through the carry.";
    }

    IEnumerable<(string File, Chart Chart, string Caption)> MicroscopeFigures()
    {
        var run = TypicalOf(_results[0]);
        var (form, _, _) = _task.Questions(run.Seed, _results[0].Way.Reverse);
        yield return (
            "microscope-gradients.png",
            MicroscopeCharts.GradientNorms($"{_results[0].Way.Name}: gradients through question and answer", run.Slides, layer => layer.Name.StartsWith("decoder", StringComparison.Ordinal) ? form.QuestionLength : 0) with
            {
                XLabel = "character of the question, then of the answer",
                VerticalMarkers = [new Marker(form.QuestionLength, "answer")],
            },
            "The norm of ∂loss/∂h after each character, of the encoder and of the decoder behind it. Dashed: before the training.");
        yield return (
            "microscope-influence.png",
            (HeatMap)MicroscopeCharts.Influence($"{_results[0].Way.Name}: which characters an answer depends on", run.Slides.Influence) with
            {
                XLabel = form.Reverse ? "the question as it is read, backwards" : "the question",
                YLabel = "character of the answer",
                RowLabels = AnswerPlaces(form),
                ColumnLabels = QuestionPlaces(form),
            },
            "The norm of ∂logits/∂x for each character of the answer (row) and of the question (column), root mean square over these questions.");
    }

    string Verdict()
    {
        var texts = _results.Select(result =>
        {
            var mean = result.Runs.Average(run => run.Answers.ExactMatch);
            return $"**{result.Way.Name}** {Percent(mean)} %";
        });
        return $"Whole answers right, on average over {Count(_results[0].Runs.Count, "seed")}: {string.Join(", ", texts)}. Who gives the answer of the training question with the nearest numbers is right in {Percent(_nearest)} % of cases: near is not right, so remembering alone does not help.";
    }

    IEnumerable<IReadOnlyList<string>> CarryRows()
    {
        for (var carries = 0; carries <= _task.Scale.Digits; carries++)
        {
            var own = carries;
            yield return [
                $"{carries}", $"{_results[0].Runs.Sum(run => run.Answers.OfCarries(own).Count)}",
                .. _results.Select(result => ShareOfCarries(result, own) is { } share ? Percent(share) : "–"),
            ];
        }
    }

    /// <summary>The share of right answers among the questions with a number of carries, all seeds together; null if there are none.</summary>
    static double? ShareOfCarries(SeedRuns<AdditionRecipe, AdditionRun> result, int carries)
    {
        var counts = result.Runs.Select(run => run.Answers.OfCarries(carries)).ToArray();
        var questions = counts.Sum(count => count.Count);
        return questions > 0 ? counts.Sum(count => count.Right) / (double)questions : null;
    }

    IEnumerable<IReadOnlyList<string>> ExampleRows()
    {
        foreach (var result in _results)
        {
            var answers = TypicalOf(result).Answers.All;
            var shown = answers.Where(answer => answer.IsRight).Take(QuestionsShown / 2)
                .Concat(answers.Where(answer => !answer.IsRight).OrderByDescending(answer => answer.Probability).Take(MistakesShown / 2));
            foreach (var answer in shown)
            {
                var (question, text) = (answer.Question, answer.Text.TrimEnd());
                yield return [
                    result.Way.Name, $"{question.A}+{question.B}", answer.IsRight ? text : $"**{(text.Length > 0 ? Visible(text) : "nothing")}** (wrong)", question.Answer.TrimEnd(), Two(100 * answer.Probability),
                ];
            }
        }
    }

    LineChart LossChart() => new()
    {
        Title = $"Learning to add numbers of up to {Count(_task.Scale.Digits, "digit")}",
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

    HeatMap CarriesChart()
    {
        int[] carries = [.. Enumerable.Range(0, _task.Scale.Digits + 1).Where(count => ShareOfCarries(_results[0], count) is not null)];
        var wrong = new double[_results.Count, carries.Length];
        for (var way = 0; way < _results.Count; way++)
        {
            for (var column = 0; column < carries.Length; column++)
                wrong[way, column] = Math.Round(100 * (1 - (ShareOfCarries(_results[way], carries[column]) ?? 1)), 2);
        }

        return new HeatMap
        {
            Title = $"Wrong answers, % of the {_task.Judges} questions",
            XLabel = "carries",
            YLabel = "way",
            Values = wrong,
            RowLabels = [.. _results.Select(result => result.Way.Name)],
            ColumnLabels = [.. carries.Select(count => $"{count}")],
            ShowValues = true,
        };
    }

    static HeatMap AttentionChart(AdditionAnswer answer, AdditionForm form) => new()
    {
        Title = string.Create(CultureInfo.InvariantCulture, $"{answer.Question.A}+{answer.Question.B} = {answer.Text.TrimEnd()}"),
        XLabel = form.Reverse ? "the question as it is read, backwards" : "the question",
        YLabel = "the answer",
        Values = Weights([answer], form),
        RowLabels = [.. Visible(answer.Text).Select(character => character.ToString())],
        ColumnLabels = [.. Visible(answer.Question.Question).Select(character => character.ToString())],
        ShowValues = true,
    };

    static HeatMap MeanAttentionChart(IReadOnlyList<AdditionAnswer> answers, AdditionForm form)
    {
        return new HeatMap
        {
            Title = "Where the decoder looks, on average",
            XLabel = form.Reverse ? "the question as it is read, backwards" : "the question",
            YLabel = "character of the answer",
            Values = Weights(answers, form),
            RowLabels = AnswerPlaces(form),
            ColumnLabels = QuestionPlaces(form),
            ShowValues = true,
        };
    }

    static string[] AnswerPlaces(AdditionForm form) => [.. Enumerable.Range(1, form.AnswerLength).Select(place => $"{place}.")];

    /// <summary>a₁ a₂ … + b₁ b₂ …, in the order in which they are read.</summary>
    static string[] QuestionPlaces(AdditionForm form)
    {
        string[] places = [.. Places("a"), "+", .. Places("b")];
        if (form.Reverse)
            Array.Reverse(places);
        return places;

        IEnumerable<string> Places(string number) => Enumerable.Range(0, form.Digits).Select(place => $"{number}{(char)('₁' + place)}");
    }

    /// <summary>The mean of the weights [D + 1, 2·D + 1], to two decimals.</summary>
    static double[,] Weights(IReadOnlyList<AdditionAnswer> answers, AdditionForm form)
    {
        var values = new double[form.AnswerLength, form.QuestionLength];
        for (var t = 0; t < form.AnswerLength; t++)
        {
            for (var s = 0; s < form.QuestionLength; s++)
                values[t, s] = Math.Round(answers.Average(answer => (double)answer.Attention.Span[(t * form.QuestionLength) + s]), 2);
        }

        return values;
    }

    /// <summary>The weights of the first answer; empty without attention.</summary>
    static ReadOnlyMemory<float> Attention(SeedRuns<AdditionRecipe, AdditionRun> result) => result.Runs[0].Answers.All[0].Attention;

    /// <summary>The longest question that the digits 1, 2, 3, … make.</summary>
    static string Example(AdditionForm form)
    {
        var digits = string.Concat(Enumerable.Range(0, 2 * form.Digits).Select(place => (char)('1' + (place % 9))));
        return $"{digits[..form.Digits]}+{digits[form.Digits..]}";
    }

    /// <summary>The run whose exact match is the (lower) median.</summary>
    static AdditionRun TypicalOf(SeedRuns<AdditionRecipe, AdditionRun> result) => result.Runs.OrderBy(run => run.Answers.ExactMatch).ElementAt((result.Runs.Count - 1) / 2);

    static int Wrong(AdditionRun run) => run.Answers.All.Count(answer => !answer.IsRight);

    static string Visible(string text) => text.Replace(' ', '_');

    static string Percent(double share) => Two(100 * share);
}
