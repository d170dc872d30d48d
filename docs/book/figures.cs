#:project ../../src/Unroll.Book

// The measured figures of the book: their numbers and their drawings in both languages
//
//   dotnet run -c Release docs/book/figures.cs
//
// Names of figures choose some; --check measures again and compares with the files; --draw draws from the numbers in the
// files; --list tells the names.
using Unroll.Book;

return new FigureCommand(Path.Combine(AppContext.GetData("EntryPointFileDirectoryPath") as string ?? "docs/book", "figures")).Run(args);
