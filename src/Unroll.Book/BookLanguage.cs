namespace Unroll.Book;

/// <summary>A language of the book.</summary>
public enum BookLanguage
{
    /// <summary>English; its files and folders are called <c>en</c>.</summary>
    English,

    /// <summary>Japanese; its files and folders are called <c>ja</c>.</summary>
    Japanese,
}

/// <summary>What a language is called in paths.</summary>
public static class BookLanguages
{
    /// <summary>All languages of the book.</summary>
    public static IReadOnlyList<BookLanguage> All { get; } = [BookLanguage.English, BookLanguage.Japanese];

    /// <summary>The part of a path that names the language: <c>en</c> or <c>ja</c>.</summary>
    public static string Code(this BookLanguage language) => language == BookLanguage.Japanese ? "ja" : "en";
}
