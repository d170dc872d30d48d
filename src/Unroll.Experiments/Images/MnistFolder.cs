using Unroll.Data;

namespace Unroll.Experiments.Images;

/// <summary>The four IDX files of MNIST, and of the data sets that took over its form, in one folder.</summary>
public static class MnistFolder
{
    /// <summary>Images to train on, 60,000 in the whole data set.</summary>
    public const string TrainingImages = "train-images-idx3-ubyte";

    /// <summary>Their labels.</summary>
    public const string TrainingLabels = "train-labels-idx1-ubyte";

    /// <summary>Images to test on, 10,000.</summary>
    public const string TestImages = "t10k-images-idx3-ubyte";

    /// <summary>Their labels.</summary>
    public const string TestLabels = "t10k-labels-idx1-ubyte";

    /// <summary>Where the package dataset-fashion-mnist of Debian and Ubuntu puts Fashion-MNIST.</summary>
    public const string FashionPackageFolder = "/usr/share/datasets/fashion-mnist";

    /// <summary>The classes of MNIST.</summary>
    public static IReadOnlyList<string> Digits { get; } = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

    /// <summary>The classes of Fashion-MNIST.</summary>
    public static IReadOnlyList<string> Garments { get; } =
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

    /// <summary>Reads the data set in a folder: Fashion-MNIST where the folder's name has "fashion" in it, otherwise MNIST.</summary>
    /// <exception cref="DataFileException">A file is missing or damaged, or they do not belong together.</exception>
    public static ImageData Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        return name.Contains("fashion", StringComparison.OrdinalIgnoreCase) ? ReadFashion(folder) : ReadDigits(folder);
    }

    /// <summary>Reads MNIST: handwritten digits of 28×28 pixels (LeCun, Cortes, Burges).</summary>
    /// <exception cref="DataFileException">A file is missing or damaged, or they do not belong together.</exception>
    public static ImageData ReadDigits(string folder) =>
        Read("MNIST", folder, Digits, "Get the files with --download, or name the folder that has them.");

    /// <summary>Reads Fashion-MNIST: garments of 28×28 pixels (Xiao, Rasul, Vollgraf, 2017).</summary>
    /// <exception cref="DataFileException">A file is missing or damaged, or they do not belong together.</exception>
    public static ImageData ReadFashion(string folder = FashionPackageFolder) =>
        Read("Fashion-MNIST", folder, Garments, "Install the package dataset-fashion-mnist, or name the folder that has the files.");

    static ImageData Read(string name, string folder, IReadOnlyList<string> classNames, string hint)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new DataFileException(folder, $"there is no such folder where one with the files of {name} was expected. {hint}");
        var training = ImageSet.Read(Find(TrainingImages), Find(TrainingLabels), classNames);
        var test = ImageSet.Read(Find(TestImages), Find(TestLabels), classNames);
        if ((training.Rows, training.Columns) != (test.Rows, test.Columns))
            throw new DataFileException(folder, $"the training images have {training.Rows}×{training.Columns} pixels where the test images have {test.Rows}×{test.Columns}. Are these the files of one data set?");
        return new ImageData(name, training, test);

        string Find(string file)
        {
            var path = Path.Combine(folder, file);
            return File.Exists($"{path}.gz") ? $"{path}.gz"
                : File.Exists(path) ? path
                : throw new DataFileException(folder, $"there is neither {file}.gz nor {file} where the files of {name} were expected. {hint}");
        }
    }
}
