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
/// <c>layer_norm_lstm.gain_ih_l0</c>.
/// </remarks>
static class ParameterNames
{
    /// <summary>The name of every parameter, in the order of the model's buffer.</summary>
    public static string[] Of(SequenceModelOptions options, IReadOnlyList<Parameter> parameters) =>
        [.. parameters.Select(parameter => Of(options, parameter))];

    static string Of(SequenceModelOptions options, Parameter parameter)
    {
        var layer = options.Layers[parameter.LayerIndex];
        // An LSTM in both directions is an LSTM, as in PyTorch, whose backward parameters end in _reverse.
        var kind = (layer.Recurrence ?? layer).GetType();
        var number = options.Layers.Take(parameter.LayerIndex).Count(other => (other.Recurrence ?? other).GetType() == kind);
        var reverse = parameter.Reverse ? "_reverse" : "";
        var module = (layer.Recurrence ?? layer) switch
        {
            RnnOptions => "rnn",
            LstmOptions => "lstm",
            LayerNormLstmOptions => "layer_norm_lstm",
            GruOptions => "gru",
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
            ParameterRole.Weight => $"{module}.weight",
            _ => $"{module}.bias",
        };
    }
}
