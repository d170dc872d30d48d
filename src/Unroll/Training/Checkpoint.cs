using System.Globalization;
using Unroll.Formats;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>
/// A training run between two epochs, in one file: the model, the optimizer's memory, the generator, the schedule, the
/// place and state of streams, the callbacks and the history. A run resumed from it ends with the same bits as one that never stopped.
/// </summary>
/// <remarks>The file is a model file with more tensors, so <see cref="ModelFile.Load"/> opens it too.</remarks>
static class Checkpoint
{
    const string GeneratorKey = "unroll.checkpoint.generator";
    const string OptimizerKey = "unroll.checkpoint.optimizer";
    const int NumbersPerEpoch = 6;

    public static void Save(string path, TrainingProgress progress)
    {
        var (trainer, model) = (progress.Trainer, progress.Model);
        var optimizer = trainer.Optimizer;
        var writer = new CheckpointWriter(ModelFile.Tensors(model), ModelFile.Metadata(model));
        writer.Metadata[OptimizerKey] = optimizer.GetType().Name;
        writer.Metadata[GeneratorKey] = trainer.Random!.GetState().ToBase64();
        writer.Add("progress", [progress.Epoch, progress.Step]);
        writer.Add("optimizer", optimizer.Scalars);
        for (var index = 0; index < optimizer.MemoryCount; index++)
            writer.Add($"optimizer.{index}", optimizer.MemoryAt(index));
        writer.Add("schedule", trainer.Schedule.State);
        writer.Add("history", [.. progress.History.Epochs.SelectMany(epoch => new[]
        {
            epoch.Epoch, epoch.TrainingLoss, epoch.ValidationLoss, epoch.LearningRate, epoch.GradientNorm, epoch.Seconds,
        })]);
        trainer.Position?.Save(writer);
        foreach (var callback in trainer.Callbacks)
            callback.Save(writer);
        SafetensorsFile.Write(path, writer.Tensors, writer.Metadata);
    }

    /// <exception cref="ModelFileException">The file is no checkpoint of such a run.</exception>
    public static void Load(string path, TrainingProgress progress)
    {
        var (trainer, model) = (progress.Trainer, progress.Model);
        var optimizer = trainer.Optimizer;
        var file = SafetensorsFile.Read(path);
        var reader = new CheckpointReader(file);
        var name = file.GetMetadata(OptimizerKey);
        if (name != optimizer.GetType().Name)
            throw new ModelFileException(path, $"the checkpoint was made with the optimizer {name}, the run has {optimizer.GetType().Name}; resume with the same settings.");
        if (!ModelFile.Options(file).Equals(model.Options))
            throw new ModelFileException(path, "the checkpoint is of another model; resume with the layers and sizes it was made with.");
        var tensors = ModelFile.Fitting(file, model);
        var count = model.Parameters.Count;
        var memories = Enumerable.Range(0, optimizer.MemoryCount).Select(index => reader.Floats($"optimizer.{index}", count)).ToArray();
        var position = reader.Numbers("progress", 2);
        var scalars = reader.Numbers("optimizer", optimizer.Scalars.Length);
        var schedule = reader.Numbers("schedule", trainer.Schedule.State.Length);
        var history = reader.Numbers("history", (int)position[0] * NumbersPerEpoch);
        var takePosition = trainer.Position?.Read(reader);
        MersenneTwisterState generator;
        try
        {
            generator = MersenneTwisterState.FromBase64(file.GetMetadata(GeneratorKey));
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            throw new ModelFileException(path, $"the state of the random generator is damaged: {exception.Message}", exception);
        }

        // Each callback reads before it changes anything, so that a misfit leaves all as it was.
        foreach (var callback in trainer.Callbacks)
            callback.Restore(reader, progress);

        // Everything has been read and fits: from here on nothing fails half-way.
        ModelFile.Fill(tensors, model);
        for (var index = 0; index < memories.Length; index++)
            memories[index].CopyTo(optimizer.MemoryAt(index));
        (progress.Epoch, progress.Step) = ((int)position[0], (int)position[1]);
        takePosition?.Invoke();
        optimizer.Scalars = scalars;
        trainer.Schedule.State = schedule;
        trainer.Random!.SetState(generator);
        foreach (var epoch in history.Chunk(NumbersPerEpoch))
            progress.History.Add(new EpochRecord((int)epoch[0], epoch[1], epoch[2], epoch[3], epoch[4], epoch[5]));
    }
}

/// <summary>Collects what a checkpoint holds beside the model.</summary>
sealed class CheckpointWriter(List<SafetensorsTensor> tensors, Dictionary<string, string> metadata)
{
    public List<SafetensorsTensor> Tensors { get; } = tensors;

    public Dictionary<string, string> Metadata { get; } = metadata;

    /// <summary>Adds a tensor.</summary>
    public void Add(string name, ReadOnlyMemory<float> values) =>
        Tensors.Add(new SafetensorsTensor(ModelFile.CheckpointPrefix + name, [values.Length], values));

    /// <summary>Adds doubles, as their bits: also infinities and NaN come back as they were.</summary>
    public void Add(string name, double[] values) => Metadata[CheckpointReader.NumbersKey(name)] =
        string.Join(',', values.Select(value => BitConverter.DoubleToInt64Bits(value).ToString("x16", CultureInfo.InvariantCulture)));
}

/// <summary>Reads what a <see cref="CheckpointWriter"/> collected.</summary>
sealed class CheckpointReader(SafetensorsFile file)
{
    public static string NumbersKey(string name) => $"unroll.checkpoint.numbers.{name}";

    public ModelFileException Misfit(string problem) => new(file.FilePath, problem);

    /// <exception cref="ModelFileException">There is no such tensor, or not of this length.</exception>
    public ReadOnlyMemory<float> Floats(string name, int length) => file.Get(ModelFile.CheckpointPrefix + name, [length]).Data;

    /// <exception cref="ModelFileException">There are no such numbers, or not as many.</exception>
    public double[] Numbers(string name, int count)
    {
        var text = file.GetMetadata(NumbersKey(name));
        var parts = text.Length == 0 ? [] : text.Split(',');
        var values = new double[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!long.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits))
                throw new ModelFileException(file.FilePath, $"the numbers '{name}' of the checkpoint are damaged.");
            values[i] = BitConverter.Int64BitsToDouble(bits);
        }

        return values.Length == count
            ? values
            : throw new ModelFileException(file.FilePath, $"expected {count} numbers '{name}' in the checkpoint, got {values.Length}; resume with the same settings.");
    }
}
