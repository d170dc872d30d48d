using System.Text.RegularExpressions;
using Unroll.Book;

namespace Unroll.Tests.Book;

/// <summary>The book is whole: all pages, every item of its plan as a section in both languages, every figure shown.</summary>
public partial class CompletenessTests
{
    static readonly string[] s_pages =
    [
        "README.md", "01-what-is-an-rnn.md", "02-architectures.md", "03-bptt.md", "04-vanishing-gradients.md", "05-lstm.md", "06-gru.md",
        "07-bidirectional.md", "08-encoder-decoder.md", "09-training.md", "10-engine.md", "glossary.md",
    ];

    // An item, its section, and what the heading says in English and in Japanese.
    static readonly (string Item, string Section, string English, string Japanese)[] s_plan =
    [
        ("what an RNN is", "1.2", "recurrence", "再帰"),
        ("notation and shapes", "1.5", "shapes", "形"),
        ("recurrence between hidden units", "2.2", "hidden to hidden", "隠れ層から隠れ層"),
        ("recurrence from output to hidden", "2.3", "output to hidden", "出力から隠れ層"),
        ("teacher forcing", "2.4", "Teacher forcing", "教師強制"),
        ("one output at the end", "2.6", "One output", "一つの出力"),
        ("where each architecture is used", "2.7", "Which one", "どれを選ぶか"),
        ("the unrolled graph", "3.2", "Unrolling", "展開"),
        ("the squared error", "3.3", "squared error", "二乗誤差"),
        ("softmax cross-entropy", "3.4", "softmax cross-entropy", "ソフトマックス交差エントロピー"),
        ("the error terms", "3.5", "error terms", "誤差項"),
        ("the update equations", "3.6", "gradients of the parameters", "パラメータの勾配"),
        ("the algorithm of BPTT", "3.7", "algorithm", "アルゴリズム"),
        ("truncated BPTT", "3.10", "Truncated", "打ち切り"),
        ("cost in time and memory", "3.11", "costs", "計算量と記憶量"),
        ("the product of Jacobians", "4.2", "product of Jacobians", "ヤコビ行列の積"),
        ("bounds by tanh'", "4.4", "bound", "上界"),
        ("bounds by the spectral radius", "4.5", "spectral radius", "スペクトル半径"),
        ("the saddle between exploding and vanishing", "4.6", "saddle", "鞍"),
        ("clipping", "4.7", "Clipping", "クリッピング"),
        ("orthogonal and identity initialisation", "4.8", "orthogonal and identity", "直交行列と単位行列"),
        ("CEC", "5.1", "constant error carousel", "定誤差カルーセル"),
        ("input and output weight conflict", "5.2", "conflicts", "衝突"),
        ("the two gates", "5.3", "Input and output gates", "入力ゲートと出力ゲート"),
        ("the forget gate", "5.4", "forget gate", "忘却ゲート"),
        ("peephole connections", "5.5", "Peephole", "覗き穴結合"),
        ("the full formulation", "5.6", "full formulation", "完全な定式化"),
        ("the full formulation, backward", "5.7", "Backward", "逆伝搬"),
        ("which historical variant has which part", "5.9", "variant", "変種"),
        ("both forms of the reset gate", "6.2", "two forms of the reset gate", "リセットゲートの二つの形"),
        ("the GRU's backward equations, reset after", "6.3", "Backward", "逆伝搬"),
        ("the GRU's backward equations, reset before", "6.4", "Backward", "逆伝搬"),
        ("GRU against LSTM", "6.5", "GRU against LSTM", "GRU と LSTM"),
        ("bidirectional RNN", "7.2", "Two directions", "二つの方向"),
        ("bidirectional RNN with variable lengths", "7.4", "different lengths", "長さの異なる"),
        ("encoder–decoder", "8.2", "Encoder", "符号化器"),
        ("attention", "8.5", "Attention", "注意"),
        ("greedy and beam search", "8.8", "Which target to write", "どの系列を書くべきか"),
        ("scaling", "9.1", "Scaling", "標準化"),
        ("initialisation", "9.2", "weights start", "初期値"),
        ("optimizers", "9.3", "optimizers", "最適化"),
        ("regularisation", "9.5", "Regularisation", "正則化"),
        ("closed-loop forecasts", "9.7", "Closed loop", "閉ループ"),
        ("why closed-loop forecasts drift", "9.8", "drift", "ずれる"),
        ("how the engine lays out time", "10.2", "layout", "並べ方"),
        ("how it batches the products", "10.3", "matrix product", "行列積"),
        ("how it keeps the bits equal", "10.7", "same bits", "同じビット"),
    ];

    [Fact]
    public void EveryPage_IsThere_InBothLanguages() => Report.Fail(
        from language in BookLanguages.All
        let there = BookPage.All.Where(page => page.Language == language.Code()).Select(page => page.Name).ToHashSet(StringComparer.Ordinal)
        from name in s_pages.Where(name => !there.Contains(name)).Select(name => (name, what: "is not there")).Concat(there.Except(s_pages).Select(name => (name, what: "is no page of the plan")))
        select $"docs/book/{language.Code()}/{name.name} {name.what}.");

    [Fact]
    public void EveryItemOfThePlan_IsASection_InBothLanguages() => Report.Fail(
        from language in BookLanguages.All
        from item in s_plan
        let chapter = item.Section.Split('.')[0]
        let page = BookPage.All.FirstOrDefault(page => page.Language == language.Code() && page.Chapter == chapter)
        let heading = page?.Headings.FirstOrDefault(heading => heading.Number == item.Section)
        let words = language == BookLanguage.Japanese ? item.Japanese : item.English
        where heading is null || !heading.Text.Contains(words, StringComparison.OrdinalIgnoreCase)
        select $"docs/book/{language.Code()}, chapter {chapter}: expected section {item.Section} to be about {item.Item} (\"{words}\"), got \"{heading?.Text}\".");

    [Fact]
    public void EveryFigureAndDiagram_IsShown_InBothLanguages() => Report.Fail(
        from folder in new[] { "figures", "diagrams" }
        from path in Directory.EnumerateFiles(Path.Combine(BookPage.Root, folder), "*.svg").Order(StringComparer.Ordinal)
        let file = $"{folder}/{Path.GetFileName(path)}"
        from language in BookLanguages.All.Select(language => language.Code())
        where !OtherLanguage(file, language) && !BookPage.All.Any(page => page.Language == language && page.Images.Any(image => image.File == file))
        select $"docs/book/{file} is shown on no page of docs/book/{language}; show it, or delete it and its code.");

    [Fact]
    public void EveryChapter_HasEquations_Code_AndAPicture() => Report.Fail(
        from page in BookPage.All
        where page.Chapter is not null
        from missing in new[]
        {
            (Is: page.CodeLines.Count < 4, What: "fewer than 4 lines from equations to code"),
            (Is: !page.Fences.Any(fence => fence.Language == "csharp"), What: "no code block"),
            (Is: !page.Images.Any(), What: "no picture"),
        }
        where missing.Is
        select page.At(1, $"{missing.What}."));

    /// <summary>
    /// GitHub sees a formula in dollars only behind a blank, and takes out of it what is Markdown; between $` and `$ it does neither.
    /// </summary>
    [Fact]
    public void InlineFormulas_AreSeenByGitHub() => Report.Fail(
        from page in BookPage.All
        from line in page.Prose
        let text = BookPage.InlineCodeFormula().Replace(line.Original, match => new string('x', match.Length))
        from Match formula in BookPage.InlineFormula().Matches(text)
        where line.Text[formula.Index] == BookPage.InFormula
        let problem = formula.Index > 0 && !char.IsWhiteSpace(text[formula.Index - 1]) ? $"stands directly behind {text[formula.Index - 1]}"
            : TakenForMarkdown().IsMatch(formula.Value) ? "holds what Markdown would take for its own"
            : null
        where problem is not null
        select page.At(line.Line, $"{formula.Value} {problem}, and GitHub would not show it; write $`{formula.Value[1..^1]}`$."));

    static bool OtherLanguage(string file, string language) =>
        Regex.Match(file, @"\.(en|ja)\.svg$") is { Success: true } match && match.Groups[1].Value != language;

    // A backslash before punctuation, an underscore that may begin emphasis, an asterisk, or a tag.
    [GeneratedRegex(@"\\[!-/:-@\[-`{-~]|(?<=[^A-Za-z0-9\\])_|\*|<[A-Za-z/!]")]
    private static partial Regex TakenForMarkdown();
}
