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
    /// <summary>Metadata key of the options of a sequence model.</summary>
    internal const string OptionsKey = "unroll.model";

    /// <summary>Metadata key of the options of an encoder–decoder.</summary>
    internal const string EncoderDecoderKey = "unroll.encoderDecoder";

    /// <summary>Prefix of tensors that a checkpoint holds beside the model's own.</summary>
    internal const string CheckpointPrefix = "checkpoint.";

    /// <summary>Saves a model, complete or not at all: an existing file is replaced only when the new one is on disk.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="IOException">The file cannot be written; an existing one is untouched.</exception>
    public static void Save(string path, TrainableModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        SafetensorsFile.Write(path, Tensors(model), Metadata(model));
    }

    /// <summary>Loads a sequence model that <see cref="Save"/> wrote, or the model within a checkpoint.</summary>
    /// <param name="path">The file.</param>
    /// <param name="engine">What the model computes with; the default engine if null.</param>
    /// <exception cref="ModelFileException">The file is missing, damaged, or describes no sequence model.</exception>
    public static SequenceModel Load(string path, Engine? engine = null)
    {
        var file = SafetensorsFile.Read(path);
        if (file.Metadata.ContainsKey(EncoderDecoderKey))
            throw new ModelFileException(path, "the file holds an encoder–decoder, not a sequence model; load it with LoadEncoderDecoder.");
        return Filled(file, new SequenceModel(Options(file), engine));
    }

    /// <summary>Loads an encoder–decoder that <see cref="Save"/> wrote, or the one within a checkpoint.</summary>
    /// <param name="path">The file.</param>
    /// <param name="engine">What the model computes with; the default engine if null.</param>
    /// <exception cref="ModelFileException">The file is missing, damaged, or describes no encoder–decoder.</exception>
    public static EncoderDecoder LoadEncoderDecoder(string path, Engine? engine = null)
    {
        var file = SafetensorsFile.Read(path);
        if (file.Metadata.ContainsKey(OptionsKey))
            throw new ModelFileException(path, "the file holds a sequence model, not an encoder–decoder; load it with Load.");
        return Filled(file, new EncoderDecoder(EncoderDecoderOptions(file), engine));
    }

    /// <summary>
    /// Fills a model's parameters from a file that need not carry options, such as one written by PyTorch with
    /// <c>safetensors.torch.save_file(module.state_dict(), path)</c>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model; untouched unless everything fits.</param>
    /// <exception cref="ModelFileException">The file is missing or damaged, or its names or shapes are not the model's.</exception>
    public static void LoadParameters(string path, TrainableModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Fill(Fitting(SafetensorsFile.Read(path), model), model);
    }

    internal static List<SafetensorsTensor> Tensors(TrainableModel model)
    {
        var parameters = model.Parameters.All;
        var names = ParameterNames.Of(model);
        return
        [
            .. parameters.Select((parameter, index) => new SafetensorsTensor(
                names[index], [.. parameter.Shape], model.Parameters.ValuesMemory.Slice(parameter.Offset, parameter.Length))),
        ];
    }

    internal static Dictionary<string, string> Metadata(TrainableModel model)
    {
        var metadata = new Dictionary<string, string> { ["format"] = "pt" }; // what tools of the safetensors family expect there
        if (model is EncoderDecoder encoderDecoder)
            metadata[EncoderDecoderKey] = ModelJson.Write(encoderDecoder.Options);
        else
            metadata[OptionsKey] = ModelJson.Write(((SequenceModel)model).Options);
        return metadata;
    }

    /// <summary>Whether the options in the metadata are those of a model.</summary>
    /// <exception cref="ModelFileException">The metadata describe no model of its kind.</exception>
    internal static bool Describes(SafetensorsFile file, TrainableModel model) => model is EncoderDecoder encoderDecoder
        ? EncoderDecoderOptions(file).Equals(encoderDecoder.Options)
        : Options(file).Equals(((SequenceModel)model).Options);

    /// <summary>The tensors of the model's parameters, in their order.</summary>
    /// <exception cref="ModelFileException">The file's names or shapes are not the model's.</exception>
    internal static SafetensorsTensor[] Fitting(SafetensorsFile file, TrainableModel model)
    {
        var parameters = model.Parameters.All;
        var names = ParameterNames.Of(model);
        file.RequireOnly([.. names, .. file.Tensors.Select(tensor => tensor.Name).Where(name => name.StartsWith(CheckpointPrefix, StringComparison.Ordinal))]);
        return [.. names.Select((name, index) => file.Get(name, [.. parameters[index].Shape]))];
    }

    /// <summary>Copies what <see cref="Fitting"/> found.</summary>
    internal static void Fill(SafetensorsTensor[] tensors, TrainableModel model)
    {
        for (var index = 0; index < tensors.Length; index++)
            tensors[index].Data.Span.CopyTo(model.Parameters.ValuesOf(model.Parameters.All[index]));
    }

    static TModel Filled<TModel>(SafetensorsFile file, TModel model)
        where TModel : TrainableModel
    {
        Fill(Fitting(file, model), model);
        return model;
    }

    static SequenceModelOptions Options(SafetensorsFile file) => Options(file, OptionsKey, ModelJson.Read, SequenceModel.CountParameters);

    static EncoderDecoderOptions EncoderDecoderOptions(SafetensorsFile file) =>
        Options(file, EncoderDecoderKey, ModelJson.ReadEncoderDecoder, EncoderDecoder.CountParameters);

    /// <summary>The options in the metadata, of a model no larger than the file.</summary>
    /// <exception cref="ModelFileException">The metadata describe no such model.</exception>
    static TOptions Options<TOptions>(SafetensorsFile file, string key, Func<string, TOptions> read, Func<TOptions, int> count)
    {
        var json = file.GetMetadata(key);
        try
        {
            var options = read(json);
            CheckSize(file, count(options));
            return options;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or OverflowException)
        {
            throw new ModelFileException(file.FilePath, $"the metadata '{key}' does not describe a model: {Describe.Message(exception)}", exception);
        }
    }

    /// <summary>Refuses options that ask for more numbers than the file has, before anything is allocated.</summary>
    static void CheckSize(SafetensorsFile file, int needed)
    {
        var present = file.Tensors.Sum(tensor => (long)tensor.Data.Length);
        if (needed > present)
            throw new ArgumentException($"it has {needed} parameters, but the file holds {present} numbers.");
    }
}
