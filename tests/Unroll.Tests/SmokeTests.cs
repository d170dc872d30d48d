namespace Unroll.Tests;

public class SmokeTests
{
    [Fact]
    public void Runner_Runs() => Assert.Equal(4, 2 + 2);
}
