using Unroll.Data;
using Unroll.Experiments.Images;
using Unroll.Tests.Data;

namespace Unroll.Tests.Experiments;

public sealed class MnistFolderTests : DataFileFixture
{
    /// <summary>Three images of 2×2 to train on, two to test on.</summary>
    void WriteFour(string suffix = ".gz", uint testRows = 2)
    {
        byte[] Form(byte[] bytes) => suffix.Length > 0 ? Gzip(bytes) : bytes;
        Write("train-images-idx3-ubyte" + suffix, Form(Idx([3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
        Write("train-labels-idx1-ubyte" + suffix, Form(Idx([3], [9, 0, 5])));
        Write("t10k-images-idx3-ubyte" + suffix, Form(Idx([2, testRows, 2], new byte[4 * testRows])));
        Write("t10k-labels-idx1-ubyte" + suffix, Form(Idx([2], [1, 2])));
    }

    [Theory]
    [InlineData(".gz")]
    [InlineData("")]
    public void Read_FindsTheFourFiles_PackedOrNot(string suffix)
    {
        WriteFour(suffix);
        foreach (var (data, name, nine) in new[] { (MnistFolder.ReadDigits(Folder), "MNIST", "9"), (MnistFolder.ReadFashion(Folder), "Fashion-MNIST", "Ankle boot") })
        {
            Assert.Equal((name, 3, 2), (data.Name, data.Training.Count, data.Test.Count));
            Assert.Equal([9, 0, 5], data.Training.Labels.ToArray());
            Assert.Equal([9, 10, 11, 12], data.Training.Image(2).ToArray());
            Assert.Equal([1, 2], data.Test.Labels.ToArray());
            Assert.Equal(nine, data.Training.ClassNames[9]);
            Assert.Equal(10, data.Training.ClassNames.Count);
        }
    }

    [Theory]
    [InlineData("train-images-idx3-ubyte")]
    [InlineData("train-labels-idx1-ubyte")]
    [InlineData("t10k-images-idx3-ubyte")]
    [InlineData("t10k-labels-idx1-ubyte")]
    public void Read_NamesTheFileThatIsMissing_AndWhatToDo(string file)
    {
        WriteFour();
        File.Delete(Path.Combine(Folder, file + ".gz"));
        var problem = Assert.Throws<DataFileException>(() => MnistFolder.ReadDigits(Folder));
        Assert.Contains($"there is neither {file}.gz nor {file} where", problem.Message, StringComparison.Ordinal);
        Assert.Contains("--download", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Folder);
        Assert.Contains("dataset-fashion-mnist", Assert.Throws<DataFileException>(() => MnistFolder.ReadFashion(Folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mnist", "MNIST")]
    [InlineData("Fashion", "Fashion-MNIST")]
    [InlineData("my-fashion-mnist/", "Fashion-MNIST")]
    public void Read_TellsFashionByTheNameOfTheFolder(string folder, string name)
    {
        WriteFour();
        var path = Path.Combine(Folder, folder);
        Directory.CreateDirectory(path);
        foreach (var file in Directory.GetFiles(Folder))
            File.Move(file, Path.Combine(path, Path.GetFileName(file)));
        Assert.Equal(name, MnistFolder.Read(path).Name);
    }

    [Fact]
    public void Read_TakesNoFileHalfDownloaded()
    {
        WriteFour();
        File.Move(Path.Combine(Folder, "t10k-labels-idx1-ubyte.gz"), Path.Combine(Folder, "t10k-labels-idx1-ubyte.gz.part"));
        Assert.Contains("there is neither t10k-labels", Assert.Throws<DataFileException>(() => MnistFolder.ReadDigits(Folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_Refuses_AFolderThatIsNotThere()
    {
        var folder = Path.Combine(Folder, "absent");
        var problem = Assert.Throws<DataFileException>(() => MnistFolder.ReadDigits(folder));
        Assert.Contains("there is no such folder", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, folder);
    }

    [Fact]
    public void Read_Refuses_ImagesOfTwoSizes()
    {
        WriteFour(testRows: 3);
        var problem = Assert.Throws<DataFileException>(() => MnistFolder.ReadDigits(Folder));
        Assert.Contains("2×2 pixels where the test images have 3×2", problem.Message, StringComparison.Ordinal);
        AssertOneLine(problem, Folder);
    }

    [Fact]
    public void Mnist_IsRead_AndASourceShowsItsRows()
    {
        var data = MnistFolder.ReadDigits(Mnist);
        Assert.Equal((20_000, 10_000, 28, 28), (data.Training.Count, data.Test.Count, data.Test.Rows, data.Test.Columns));
        Assert.Equal([5, 0, 4, 1, 9, 2, 1, 3], data.Training.Labels[..8].ToArray());
        var (training, validation) = data.CutValidation(90);
        Assert.Equal(20_000, training.Count + validation.Count);
        for (byte label = 0; label < 10; label++)
            Assert.Equal(data.Training.Labels.Count(label) * 90 / 100, training.Labels.Count(label));
        var source = new ImageSequenceSource(data.Test);
        var batch = new SequenceBatch(28, 2, 28, 0);
        source.Fill(batch, [0, 9_999]);
        for (var t = 0; t < 28; t++)
        {
            for (var c = 0; c < 28; c++)
                Assert.Equal(data.Test.Image(9_999)[(t * 28) + c] / 255f, batch.Inputs[(((t * 2) + 1) * 28) + c]);
        }
    }

    [Fact]
    public void Fashion_IsRead_WhereItsPackageIsInstalled()
    {
        Assert.SkipUnless(Directory.Exists(MnistFolder.FashionPackageFolder), "The package dataset-fashion-mnist is not installed.");
        var data = MnistFolder.ReadFashion();
        Assert.Equal((60_000, 10_000, 28, 28), (data.Training.Count, data.Test.Count, data.Test.Rows, data.Test.Columns));
        for (byte label = 0; label < 10; label++)
            Assert.Equal((6000, 1000), (data.Training.Labels.Count(label), data.Test.Labels.Count(label)));
    }
}
