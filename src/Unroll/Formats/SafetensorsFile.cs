namespace Unroll.Formats;

/// <summary>A safetensors file: named arrays and string metadata, whatever model they belong to.</summary>
/// <remarks>
/// <code>
/// 8 bytes    length n of the header, unsigned, little-endian
/// n bytes    header: a JSON object in UTF-8, then spaces up to a multiple of 8 bytes
///            { "__metadata__": { key: text, … },
///              name: { "dtype": "F32", "shape": [d₁, …], "data_offsets": [begin, end] }, … }
/// the rest   payload: the values of all tensors, little-endian, row by row, without holes;
///            data_offsets count bytes from the start of the payload
/// </code>
/// <see cref="Write(string, IReadOnlyList{SafetensorsTensor}, IReadOnlyDictionary{string, string}?)"/> adds two metadata,
/// which <see cref="Read"/> checks and takes out again: <c>sha256</c>, the SHA-256 of the payload, and
/// <c>sha256_header</c>, the SHA-256 of the header with the 64 digits of this value written as zeros. Files without them,
/// as other programs write, are read too.
/// Source: the format description at https://github.com/huggingface/safetensors.
/// </remarks>
public sealed partial class SafetensorsFile
{
    const int LengthBytes = 8;
    const int ChunkLength = 1 << 18; // floats that are read, hashed or written at once: 1 MiB, half of a common L2 cache

    readonly Dictionary<string, SafetensorsTensor> _byName;

    SafetensorsFile(string filePath, IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata, string? sha256)
    {
        FilePath = filePath;
        Tensors = tensors;
        Metadata = metadata;
        Sha256 = sha256;
        _byName = tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    /// <summary>The file, as the caller of <see cref="Read"/> named it.</summary>
    public string FilePath { get; }

    /// <summary>The arrays in the order of their bytes in the file, which is the order they were written in.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors { get; }

    /// <summary>The file's own texts, without the digests that were checked while reading.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>SHA-256 of the payload, 64 hexadecimal digits, checked; null if the file has none.</summary>
    public string? Sha256 { get; }

    /// <summary>Finds an array by its name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="tensor">The array, or null.</param>
    /// <returns>Whether the file has it.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SafetensorsTensor? tensor) =>
        _byName.TryGetValue(name, out tensor);

    /// <summary>The array of that name.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The array, of any shape.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ModelFileException">The file has no such tensor; the message names those it has.</exception>
    public SafetensorsTensor Get(string name)
    {
        if (_byName.TryGetValue(name, out var tensor))
            return tensor;
        var has = Tensors.Count == 0 ? "no tensor at all" : Describe.Names([.. Tensors.Select(t => t.Name)]);
        throw new ModelFileException(
            FilePath,
            $"missing tensor: '{Describe.Text(name)}' was expected and the file has {has}. Is it the file of another model?");
    }

    /// <summary>The array of that name, which must have that shape.</summary>
    /// <param name="name">The name.</param>
    /// <param name="shape">The shape it must have; empty for a scalar.</param>
    /// <returns>The array.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ModelFileException">The file has no such tensor, or it has another shape.</exception>
    public SafetensorsTensor Get(string name, ReadOnlySpan<int> shape)
    {
        var tensor = Get(name);
        return tensor.Shape.SequenceEqual(shape)
            ? tensor
            : throw new ModelFileException(
                FilePath,
                $"the tensor '{Describe.Text(name)}' has the shape {Describe.Shape(tensor.Shape)} where {Describe.Shape(shape)} was expected. Build the model with the sizes it was saved with.");
    }

    /// <summary>Checks that the file has no array but these.</summary>
    /// <param name="names">The names the model knows.</param>
    /// <exception cref="ArgumentNullException"><paramref name="names"/> is null.</exception>
    /// <exception cref="ModelFileException">The file has others; the message names them.</exception>
    public void RequireOnly(IEnumerable<string> names)
    {
        var known = names.ToHashSet(StringComparer.Ordinal);
        string[] unknown = [.. Tensors.Select(t => t.Name).Where(name => !known.Contains(name))];
        if (unknown.Length == 0)
            return;
        throw new ModelFileException(
            FilePath,
            $"unknown tensor{(unknown.Length == 1 ? "" : "s")}: {Describe.Names(unknown)} where only the model's {known.Count} {(known.Count == 1 ? "was" : "were")} expected. Is it the file of another model?");
    }

    /// <summary>The metadata text of that key.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    /// <exception cref="ModelFileException">The file has no such metadata; the message names those it has.</exception>
    public string GetMetadata(string key)
    {
        if (Metadata.TryGetValue(key, out var text))
            return text;
        var has = Metadata.Count == 0 ? "none" : Describe.Names([.. Metadata.Keys.Order(StringComparer.Ordinal)]);
        throw new ModelFileException(
            FilePath,
            $"missing metadata: '{Describe.Text(key)}' was expected and the file has {has}. Was it written by another program?");
    }
}
