using System.Text.Json;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Formats;

/// <summary>
/// A model in one safetensors file: parameters by PyTorch's names and in its gate order (i f g o; r z n), the model's
/// options as JSON and a SHA-256 in the metadata. What is saved and loaded again is equal bit by bit.
/// </summary>
public static class ModelFile
{
    /// <summary>Metadata key of the options.</summary>
    internal const string OptionsKey = "unroll.model";

    /// <summary>Prefix of tensors that a checkpoint holds beside the model's own.</summary>
    internal const string CheckpointPrefix = "checkpoint.";

    /// <summary>Saves a model, complete or not at all: an existing file is replaced only when the new one is on disk.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="IOException">The file cannot be written; an existing one is untouched.</exception>
    public static void Save(string path, SequenceModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        SafetensorsFile.Write(path, Tensors(model), Metadata(model));
    }

    /// <summary>Loads a model that <see cref="Save"/> wrote, or the model within a checkpoint.</summary>
    /// <param name="path">The file.</param>
    /// <param name="engine">What the model computes with; the default engine if null.</param>
    /// <exception cref="ModelFileException">The file is missing, damaged, or describes no model.</exception>
    public static SequenceModel Load(string path, Engine? engine = null)
    {
        var file = SafetensorsFile.Read(path);
        return Build(file, engine);
    }

    /// <summary>
    /// Fills a model's parameters from a file that need not carry options, such as one written by PyTorch with
    /// <c>safetensors.torch.save_file(module.state_dict(), path)</c>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model; untouched unless everything fits.</param>
    /// <exception cref="ModelFileException">The file is missing or damaged, or its names or shapes are not the model's.</exception>
    public static void LoadParameters(string path, SequenceModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Fill(SafetensorsFile.Read(path), model);
    }

    internal static List<SafetensorsTensor> Tensors(SequenceModel model)
    {
        var parameters = model.Parameters.All;
        var names = ParameterNames.Of(model.Options, parameters);
        return
        [
            .. parameters.Select((parameter, index) => new SafetensorsTensor(
                names[index], [.. parameter.Shape], model.Parameters.ValuesMemory.Slice(parameter.Offset, parameter.Length))),
        ];
    }

    internal static Dictionary<string, string> Metadata(SequenceModel model) => new()
    {
        ["format"] = "pt", // what tools of the safetensors family expect there
        [OptionsKey] = ModelJson.Write(model.Options),
    };

    internal static SequenceModel Build(SafetensorsFile file, Engine? engine)
    {
        var model = new SequenceModel(Options(file), engine);
        Fill(file, model);
        return model;
    }

    /// <summary>The options in the metadata, of a model no larger than the file.</summary>
    /// <exception cref="ModelFileException">The metadata describe no such model.</exception>
    internal static SequenceModelOptions Options(SafetensorsFile file)
    {
        var json = file.GetMetadata(OptionsKey);
        try
        {
            var options = ModelJson.Read(json);
            CheckSize(file, options);
            return options;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or OverflowException)
        {
            throw new ModelFileException(file.FilePath, $"the metadata '{OptionsKey}' does not describe a model: {Describe.Message(exception)}", exception);
        }
    }

    internal static void Fill(SafetensorsFile file, SequenceModel model) => Fill(Fitting(file, model), model);

    /// <summary>The tensors of the model's parameters, in their order.</summary>
    /// <exception cref="ModelFileException">The file's names or shapes are not the model's.</exception>
    internal static SafetensorsTensor[] Fitting(SafetensorsFile file, SequenceModel model)
    {
        var parameters = model.Parameters.All;
        var names = ParameterNames.Of(model.Options, parameters);
        file.RequireOnly([.. names, .. file.Tensors.Select(tensor => tensor.Name).Where(name => name.StartsWith(CheckpointPrefix, StringComparison.Ordinal))]);
        return [.. names.Select((name, index) => file.Get(name, [.. parameters[index].Shape]))];
    }

    /// <summary>Copies what <see cref="Fitting"/> found.</summary>
    internal static void Fill(SafetensorsTensor[] tensors, SequenceModel model)
    {
        for (var index = 0; index < tensors.Length; index++)
            tensors[index].Data.Span.CopyTo(model.Parameters.ValuesOf(model.Parameters.All[index]));
    }

    /// <summary>Refuses options that ask for more numbers than the file has, before anything is allocated.</summary>
    static void CheckSize(SafetensorsFile file, SequenceModelOptions options)
    {
        var needed = SequenceModel.CountParameters(options);
        var present = file.Tensors.Sum(tensor => (long)tensor.Data.Length);
        if (needed > present)
            throw new ArgumentException($"it has {needed} parameters, but the file holds {present} numbers.");
    }
}
