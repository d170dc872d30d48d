using Unroll.Layers;
using Unroll.Models;

namespace Unroll.Formats;

/// <summary>
/// The names PyTorch gives parameters: <c>lstm.weight_ih_l0</c> for the first LSTM of a stack, <c>linear.weight</c> for
/// the first linear layer, <c>linear1.weight</c> for the second.
/// </summary>
/// <remarks>
/// Those are the keys of the state dictionary of a module with <c>self.lstm = nn.LSTM(…)</c> and
/// <c>self.linear = nn.Linear(…)</c>. What PyTorch has not is named alike: <c>lstm.weight_peephole_l0</c>,
/// <c>layer_norm_lstm.gain_ih_l0</c>. An encoder–decoder has such a stack under <c>encoder.</c> and one under
/// <c>decoder.</c>; its other parts are <c>bridge.hidden0</c> and <c>bridge.cell0</c> (of the decoder's first cell),
/// <c>attention.query</c>, <c>attention.key</c>, <c>attention.score</c>, <c>combine</c> and <c>readout</c>.
/// </remarks>
static class ParameterNames
{
    /// <summary>The name of every parameter, in the order of the model's buffer.</summary>
    public static string[] Of(TrainableModel model) => [.. model.Parameters.All.Select(parameter => model switch
    {
        EncoderDecoder encoderDecoder => Of(encoderDecoder.Structure, parameter),
        _ => Of(((SequenceModel)model).Options.Layers, parameter.LayerIndex, parameter),
    })];

    static string Of(IReadOnlyList<LayerOptions> layers, int index, Parameter parameter)
    {
        // An LSTM in both directions is an LSTM, as in PyTorch, whose backward parameters end in _reverse.
        var layer = layers[index];
        var kind = (layer.Recurrence ?? layer).GetType();
        var number = layers.Take(index).Count(other => (other.Recurrence ?? other).GetType() == kind);
        var reverse = parameter.Reverse ? "_reverse" : "";
        var module = (layer.Recurrence ?? layer) switch
        {
            RnnOptions => "rnn",
            LstmOptions => "lstm",
            LayerNormLstmOptions => "layer_norm_lstm",
            GruOptions => "gru",
            EmbeddingOptions => number == 0 ? "embedding" : $"embedding{number}",
            _ => number == 0 ? "linear" : $"linear{number}",
        };
        return parameter.Role switch
        {
            ParameterRole.WeightIh => $"{module}.weight_ih_l{number}{reverse}",
            ParameterRole.WeightHh => $"{module}.weight_hh_l{number}{reverse}",
            ParameterRole.BiasIh => $"{module}.bias_ih_l{number}{reverse}",
            ParameterRole.BiasHh => $"{module}.bias_hh_l{number}{reverse}",
            ParameterRole.WeightPeephole => $"{module}.weight_peephole_l{number}{reverse}",
            ParameterRole.GainIh => $"{module}.gain_ih_l{number}{reverse}",
            ParameterRole.GainHh => $"{module}.gain_hh_l{number}{reverse}",
            ParameterRole.GainCell => $"{module}.gain_cell_l{number}{reverse}",
            ParameterRole.BiasCell => $"{module}.bias_cell_l{number}{reverse}",
            _ => OfMap(module, parameter.Role),
        };
    }

    static string Of(EncoderDecoder.Parts parts, Parameter parameter)
    {
        var layer = parts.All[parameter.LayerIndex];
        if (Array.IndexOf(parts.Encoder, layer) is >= 0 and var encoder)
            return $"encoder.{Of(parts.Options.Encoder, encoder, parameter)}";
        if (Array.IndexOf(parts.Decoder, layer) is >= 0 and var decoder)
            return $"decoder.{Of(parts.Options.Decoder, decoder, parameter)}";
        if (Array.IndexOf(parts.Bridge.HiddenMaps, layer) is >= 0 and var hidden)
            return OfMap($"bridge.hidden{hidden}", parameter.Role);
        if (Array.IndexOf(parts.Bridge.CellMaps, layer) is >= 0 and var cell)
            return OfMap($"bridge.cell{cell}", parameter.Role);
        if (layer != parts.Attention)
            return OfMap(layer == parts.Combine ? "combine" : "readout", parameter.Role);
        return parameter.Role switch
        {
            ParameterRole.WeightQuery => "attention.query.weight",
            ParameterRole.WeightScore => "attention.score.weight",
            _ => OfMap("attention.key", parameter.Role),
        };
    }

    static string OfMap(string module, ParameterRole role) => role == ParameterRole.Bias ? $"{module}.bias" : $"{module}.weight";
}
