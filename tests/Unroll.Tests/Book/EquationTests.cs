using System.Reflection;
using System.Text.RegularExpressions;
using Unroll.Numerics;
using Unroll.Tests.Documentation;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>Every numbered equation names the member that computes it, and a test compares the two.</summary>
public class EquationTests
{
    static readonly (string Folder, Assembly Assembly)[] s_assemblies =
    [
        ("src/Unroll.Theory/", typeof(RnnCell).Assembly),
        ("src/Unroll/", typeof(Engine).Assembly),
    ];

    [Fact]
    public void EveryTag_HasALineThatNamesItsMember_InItsSection() => Report.Fail(BookPage.All.SelectMany(page =>
    {
        var problems = new List<string>();
        foreach (var formula in page.Formulas)
        {
            foreach (var tag in formula.Tags)
            {
                var end = page.Headings.Select(heading => heading.Line).FirstOrDefault(line => line > formula.Line, int.MaxValue);
                var lines = page.CodeLines.Where(line => line.Tags.Contains(tag)).ToList();
                if (lines.Count == 0)
                    problems.Add(page.At(formula.Line, $"({tag}) has no line that names its code; write below it: > ({tag}) → [`Type.Member`](../../../src/Unroll.Theory/Type.cs)"));
                else if (lines.Count > 1)
                    problems.Add(page.At(lines[1].Line, $"({tag}) already has its line in line {lines[0].Line}; name all its members there."));
                else if (lines[0].Line < formula.EndLine || lines[0].Line > end)
                    problems.Add(page.At(lines[0].Line, $"the line of ({tag}) does not follow its formula of line {formula.Line}; put it below, in the same section."));
            }
        }

        var tags = page.Formulas.SelectMany(formula => formula.Tags).ToHashSet();
        problems.AddRange(page.CodeLines.SelectMany(line => line.Tags.Where(tag => !tags.Contains(tag)).Select(tag => page.At(line.Line, $"there is no \\tag{{{tag}}} on this page."))));
        return problems;
    }));

    [Fact]
    public void EveryMember_Exists_InTheFileOfItsLink() => Report.Fail(
        from page in BookPage.All
        from line in page.CodeLines
        from member in line.Members
        from problem in MemberProblems(page, member.Member, member.Path)
        select page.At(line.Line, problem));

    [Fact]
    public void EveryEquation_HasATest_AndEveryTestAnEquation()
    {
        var present = BookPage.All.Where(page => page is { Language: "en", Chapter: not null }).ToList();
        var chapters = present.Select(page => page.Chapter).ToHashSet();
        var printed = present.SelectMany(page => page.CodeLines.SelectMany(line =>
            line.Tags.SelectMany(tag => line.Members.Select(member => (Equation: (tag, member.Member), Where: page.At(line.Line, ""))))))
            .ToLookup(pair => pair.Equation, pair => pair.Where);
        var tested = Tested().Where(pair => chapters.Contains(pair.Equation.Number.Split('.')[0])).ToLookup(pair => pair.Equation, pair => pair.Method);
        Report.Fail(
        [
            .. printed.Where(equation => !tested.Contains(equation.Key)).Select(equation =>
                $"{equation.First()}no test of ({equation.Key.tag}) against {equation.Key.Member}; write one with [Equation(\"{equation.Key.tag}\", \"{equation.Key.Member}\")] in Chapter{equation.Key.tag.Split('.')[0].PadLeft(2, '0')}Tests."),
            .. tested.Where(test => !printed.Contains(test.Key)).Select(test =>
                $"{test.First()}: [Equation(\"{test.Key.Number}\", \"{test.Key.Member}\")], but the book has no line > ({test.Key.Number}) → [`{test.Key.Member}`](…)."),
            .. Tested().Where(test => !test.IsTest).Select(test => $"{test.Method} has [Equation] but is no test; add [Fact]."),
        ]);
    }

    static IEnumerable<((string Number, string Member) Equation, string Method, bool IsTest)> Tested() =>
        from type in Assembly.GetExecutingAssembly().GetTypes()
        from method in type.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
        from attribute in method.GetCustomAttributes<EquationAttribute>()
        select ((attribute.Number, attribute.Member), $"{type.Name}.{method.Name}", method.GetCustomAttributes().Any(a => a is FactAttribute));

    static IEnumerable<string> MemberProblems(BookPage page, string name, string path)
    {
        var file = Path.GetFullPath(Path.Combine(BookPage.Folder(page.Language), path));
        var relative = Path.GetRelativePath(Repository.Root, file).Replace('\\', '/');
        if (!File.Exists(file))
            return [$"{path} does not exist."];
        if (s_assemblies.FirstOrDefault(pair => relative.StartsWith(pair.Folder, StringComparison.Ordinal)) is not (not null, not null) place)
            return [$"{path} is neither in src/Unroll.Theory nor in src/Unroll."];
        if (place.Folder == "src/Unroll/" && page.Chapter != "10")
            return [$"{path} is in src/Unroll; equations outside chapter 10 name members of Unroll.Theory."];
        if (name.Split('.') is not [var typeName, var memberName])
            return [$"`{name}`: expected Type.Member."];
        var types = place.Assembly.GetTypes().Where(type => type.Name.Split('`')[0] == typeName).ToList();
        if (types.Count == 0)
            return [$"`{name}`: {place.Folder} has no type {typeName}."];
        if (!types.Any(type => HasMember(type, memberName)))
            return [$"`{name}`: {typeName} has no member {memberName}."];
        return Regex.IsMatch(File.ReadAllText(file), $@"\b(class|struct|record|enum|interface)\s+{typeName}\b")
            ? []
            : [$"{path} does not declare {typeName}; link the file that does."];
    }

    static bool HasMember(Type type, string name) =>
        type.GetMember(name, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static).Length > 0;
}
