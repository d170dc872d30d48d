using System.Globalization;
using System.IO.Compression;
using Unroll.Data;
using Unroll.Experiments.Images;
using Unroll.Numerics;

namespace Unroll.Experiments.Digits;

/// <summary>1,797 handwritten digits of 8×8 pixels, 0 … 16 each, that are part of this assembly.</summary>
/// <remarks>
/// Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
/// https://doi.org/10.24432/C50P49, licence CC BY 4.0.
/// </remarks>
public static class UciDigits
{
    /// <summary>What a report that shows the digits has to say.</summary>
    public const string Attribution =
        "E. Alpaydin, C. Kaynak, \"Optical Recognition of Handwritten Digits\", UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49, CC BY 4.0";

    const string Resource = "uci-digits.csv.gz";
    const int Size = 8;
    const int Fields = (Size * Size) + 1;
    const byte FullInk = 16;
    const int TrainingPercent = 80;

    /// <summary>The images, of each digit 80 % to train on and 20 % to test on, always the same.</summary>
    /// <remarks>The rule is that of <see cref="ImageSet.Split"/>, with the generator of seed <see cref="ImageData.SplitSeed"/>.</remarks>
    public static ImageData Load()
    {
        var (training, test) = LoadAll().Split(TrainingPercent, new MersenneTwister(ImageData.SplitSeed));
        return new ImageData("UCI digits", training, test);
    }

    /// <summary>All images, in the order of the file.</summary>
    public static ImageSet LoadAll()
    {
        using var stream = typeof(UciDigits).Assembly.GetManifestResourceStream(Resource)!;
        return Read(stream, Resource);
    }

    /// <summary>Reads the file: gzip of lines of 64 pixels and a label, separated by commas.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="DataFileException">The file is damaged; the message names the line.</exception>
    public static ImageSet Read(Stream stream, string name)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        List<byte> pixels = [], labels = [];
        try
        {
            using var reader = new StreamReader(new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true));
            while (reader.ReadLine() is { } line)
                AddLine(line, name, pixels, labels);
        }
        catch (InvalidDataException e)
        {
            throw new DataFileException(name, "the gzip data are damaged. Get the file again.", e);
        }

        return labels.Count > 0
            ? new ImageSet(Size, Size, pixels.ToArray(), labels.ToArray(), MnistFolder.Digits, FullInk)
            : throw new DataFileException(name, $"the file holds no line where lines of {Fields} numbers were expected. Get it again.");
    }

    static void AddLine(string line, string name, List<byte> pixels, List<byte> labels)
    {
        var number = labels.Count + 1;
        var fields = line.Split(',');
        if (fields.Length != Fields)
            throw new DataFileException(name, $"line {number} has {fields.Length} fields where {Fields} were expected: 64 pixels and a label. Get the file again.");
        for (var i = 0; i < Fields; i++)
        {
            var (largest, values) = i < Fields - 1 ? (FullInk, pixels) : ((byte)9, labels);
            if (!byte.TryParse(fields[i], NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > largest)
                throw new DataFileException(name, $"field {i + 1} of line {number} is no whole number of 0 to {largest}, as was expected. Get the file again.");
            values.Add(value);
        }
    }
}
