namespace Unroll.Tests.Book;

/// <summary>Says that a test computes a numbered equation of the book as printed and compares it with a member.</summary>
/// <param name="number">The equation's number as in its tag, such as "3.4".</param>
/// <param name="member">The member that the line under the equation names, such as "RnnCell.Backward".</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class EquationAttribute(string number, string member) : Attribute
{
    public string Number { get; } = number;

    public string Member { get; } = member;
}
