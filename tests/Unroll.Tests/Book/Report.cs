namespace Unroll.Tests.Book;

/// <summary>Fails with one line for each problem, so that an author sees all of them at once.</summary>
static class Report
{
    public static void Fail(IEnumerable<string> problems)
    {
        var list = problems.ToList();
        if (list.Count > 0)
            Assert.Fail($"{list.Count} to correct:\n{string.Join('\n', list)}");
    }
}
