using System.Text;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;
using Unroll.Numerics;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>Every code block of a chapter runs, as one continued script, and prints what the book prints.</summary>
/// <remarks>The console's writer belongs to the whole process, so these tests run beside no others.</remarks>
[Collection(nameof(Alone))]
public class ScriptTests
{
    public static TheoryData<string> Chapters => [.. BookPage.All.Where(page => page.Language == "en" && page.Fences.Any(fence => fence.Language == "csharp")).Select(page => page.Name)];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Chapters))]
    public async Task CodeBlocks_PrintWhatTheBookSays(string chapter)
    {
        var page = BookPage.All.Single(page => page.Language == "en" && page.Name == chapter);
        Report.Fail(await Problems(page));
    }

    [Fact]
    public async Task Blocks_ContinueOneScript_AndDifferencesAreFound()
    {
        var right = new BookPage("en", "01-test.md", "```csharp\nvar x = new Unroll.Theory.Matrix(2, 3);\nConsole.WriteLine($\"{x.Rows:F1}\");\n```\n\n```text\n2.0\n```\n\n```csharp\nvar y = x.Cols;\n```\n");
        Assert.Empty(await Problems(right));
        var wrong = new BookPage("en", "01-test.md", "```csharp\nConsole.WriteLine(1);\n```\n\n```text\n2\n```\n");
        Assert.Contains("prints", Assert.Single(await Problems(wrong)), StringComparison.Ordinal);
        var silent = new BookPage("en", "01-test.md", "```csharp\nConsole.WriteLine(1);\n```\n");
        Assert.Contains("prints", Assert.Single(await Problems(silent)), StringComparison.Ordinal);
        var broken = new BookPage("en", "01-test.md", "text\n\n```csharp\nvar ok = 1;\nvar no = z;\n```\n");
        Assert.StartsWith("docs/book/en/01-test.md:5: ", Assert.Single(await Problems(broken)), StringComparison.Ordinal);
        var throws = new BookPage("en", "01-test.md", "```csharp\nvar m = new Unroll.Theory.Matrix(0, 1);\n```\n");
        Assert.Contains("ArgumentOutOfRangeException", Assert.Single(await Problems(throws)), StringComparison.Ordinal);
    }

    static async Task<List<string>> Problems(BookPage page)
    {
        var problems = new List<string>();
        var options = ScriptOptions.Default
            .WithReferences([.. PlatformAssemblies(), typeof(Engine).Assembly.Location, typeof(RnnCell).Assembly.Location])
            .WithImports("System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Threading", "System.Threading.Tasks");
        var console = Console.Out;
        ScriptState<object>? state = null;
        try
        {
            for (var k = 0; k < page.Fences.Count; k++)
            {
                var fence = page.Fences[k];
                if (fence.Language != "csharp")
                    continue;
                var expected = page.Fences.ElementAtOrDefault(k + 1) is { Language: "text", FollowsDirectly: true } output ? output.Code : "";
                var printed = new StringWriter { NewLine = "\n" };
                Console.SetOut(printed);
                try
                {
                    state = state is null ? await CSharpScript.RunAsync(fence.Code, options) : await state.ContinueWithAsync(fence.Code);
                }
                finally
                {
                    Console.SetOut(console);
                }

                var got = printed.ToString().ReplaceLineEndings("\n").TrimEnd('\n');
                if (got != expected.TrimEnd())
                    problems.Add(page.At(fence.Line, $"the block prints what the book does not; put this into the ```text block behind it, in both languages:\n{Indented(got)}\nthe book has:\n{Indented(expected)}"));
            }
        }
        catch (CompilationErrorException exception)
        {
            var (fence, diagnostic) = (Running(), exception.Diagnostics[0]);
            problems.Add(page.At(fence.Line + 1 + diagnostic.Location.GetLineSpan().StartLinePosition.Line, $"the block does not compile: {diagnostic.Id} {diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture)}"));
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            problems.Add(page.At(Running().Line, $"the block throws {exception.GetType().Name}: {exception.Message}"));
        }

        return problems;

        // The block after those that ran: a block whose run ended has made a state of its own.
        Fence Running()
        {
            var done = 0;
            for (var s = state?.Script; s is not null; s = s.Previous as Script<object>)
                done++;
            return page.Fences.Where(fence => fence.Language == "csharp").ElementAt(done);
        }
    }

    static IEnumerable<string> PlatformAssemblies() =>
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is "mscorlib.dll" or "netstandard.dll" or ['S', 'y', 's', 't', 'e', 'm', '.', ..] && Path.GetDirectoryName(path) == Path.GetDirectoryName(typeof(object).Assembly.Location));

    static string Indented(string text) => new StringBuilder("    ").Append(text).Replace("\n", "\n    ").ToString();
}
