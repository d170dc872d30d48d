using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Unroll.Models;

namespace Unroll.Formats;

/// <summary>A model's options as JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(SequenceModelOptions))]
[JsonSerializable(typeof(EncoderDecoderOptions))]
sealed partial class ModelJson : JsonSerializerContext
{
    public static string Write(SequenceModelOptions options) => JsonSerializer.Serialize(options, Default.SequenceModelOptions);

    public static string Write(EncoderDecoderOptions options) => JsonSerializer.Serialize(options, Default.EncoderDecoderOptions);

    /// <exception cref="JsonException">The text describes no model.</exception>
    public static SequenceModelOptions Read(string json) => Read(json, Default.SequenceModelOptions);

    /// <exception cref="JsonException">The text describes no encoder–decoder.</exception>
    public static EncoderDecoderOptions ReadEncoderDecoder(string json) => Read(json, Default.EncoderDecoderOptions);

    static T Read<T>(string json, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("it is null");
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException or InvalidOperationException)
        {
            // A size out of range, or a layer type that does not exist.
            throw new JsonException(exception.Message, exception);
        }
    }
}
