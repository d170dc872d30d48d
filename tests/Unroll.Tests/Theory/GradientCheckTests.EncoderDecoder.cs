using Unroll.Theory;

namespace Unroll.Tests.Theory;

public partial class GradientCheckTests
{
    const int V = 5, E = 3;

    // The argmax of logits that are fed back must not change while differences move a parameter.
    const double ArgMaxMargin = 0.02;

    // The loss is about 16, so differences round at 2⁻⁵² · 16 / (3·10⁻⁴) = 10⁻¹¹: a gradient of 10⁻⁴ (an encoder's first state, seen through all gates)
    // would have an error at the bar. Weights are drawn again until the largest element of every tensor's gradient is at least this.
    const double LeastGradient = 1e-3;

    const int MostDraws = 1000;

    static void AddEncoderDecoders(Dictionary<string, Func<IReadOnlyList<GradientError>>> options)
    {
        static Embedding Tokens() => new(V + 1, E);
        static SequenceLayer Both(Cell forward, Cell backward, BidirectionalMerge merge = BidirectionalMerge.Concat) => new Bidirectional(forward, backward, merge);

        foreach (var (name, make) in Draw.Cells())
        {
            options[$"Encoder–decoder, {name}, copied state"] = () => CheckEncoderDecoder(() => new(
                new Recurrent(make(I, H)), Tokens(), [make(E, H)], new Linear(H, V)));
            options[$"Encoder–decoder, {name}, bidirectional, additive attention"] = () => CheckEncoderDecoder(() => new(
                Both(make(I, 3), make(I, H)), Tokens(), [make(E, H)], new Linear(H, V), new AdditiveAttention(H, H + 3, 3)));
        }

        options["Encoder–decoder, one-hot, teacher forcing"] = () => CheckEncoderDecoder(
            () => new(new Recurrent(new RnnCell(I, H)), null, [new RnnCell(V, H)], new Linear(H, V)), teacher: true);
        options["Encoder–decoder, two layers, LSTM to GRU, multiplicative attention"] = () => CheckEncoderDecoder(() => new(
            new Stacked(new Recurrent(new LstmCell(I, 3)), new Recurrent(new LstmCell(3, H))), Tokens(), [new GruCell(E, H), new GruCell(H, 3)],
            new Linear(3, V), new MultiplicativeAttention(3, H)), lengths: [T, 2, 4]);
        options["Encoder–decoder, two bidirectional layers, GRU to LSTM, dot attention"] = () => CheckEncoderDecoder(() => new(
            new Stacked(Both(new GruCell(I, 3), new GruCell(I, 3)), Both(new GruCell(6, H), new GruCell(6, H), BidirectionalMerge.Sum)),
            Tokens(), [new LstmCell(E, H), new LstmCell(H, H)], new Linear(H, V), new DotAttention(H)));
        options["Encoder–decoder, bidirectional LSTM and GRU to LSTM, scaled dot attention"] = () => CheckEncoderDecoder(() => new(
            Both(new LstmCell(I, H), new GruCell(I, H), BidirectionalMerge.Product), Tokens(), [new LstmCell(E, H, LstmOptions.WithPeepholes)],
            new Linear(H, V), new DotAttention(H, 0.5)));
    }

    /// <summary>
    /// Sources of lengths 6, 0 and 4 (of none 0 where a GRU drops the c that an LSTM hands over unchanged), T = 6 target steps. The loss is the softmax cross-entropy with weights, times 10 so that gradients through all
    /// steps stay well above what is taken for vanishing.
    /// </summary>
    static IReadOnlyList<GradientError> CheckEncoderDecoder(Func<EncoderDecoder> make, bool teacher = false, int[]? lengths = null)
    {
        const double Scale = 10;
        var feedback = teacher ? null : MixedMask();
        for (var seed = 1; seed <= MostDraws; seed++)
        {
            var random = new Random(seed);
            var model = make();
            model.Parameters.Fill(() => Draw.Uniform(random, 1));
            var x = Draw.Sequence(random, T, B, I);
            var states = Draw.States(random, model.EncoderCells, B);
            var tokens = Draw.Tokens(random, T, B, model.VocabularySize);
            var targets = Draw.Tokens(random, T, B, V);
            var weights = Weights();

            var cache = model.Forward(x, tokens, feedback, lengths ?? s_ragged, states);
            var steps = Steps(cache.Encoded).Concat(cache.Steps.Cast<DecoderStep>().SelectMany(step => step.Cells));
            if (!IsFitForDifferences([.. model.EncoderCells, .. model.DecoderCells], steps) || !HasClearArgMax(cache.Logits, feedback))
                continue;
            var dLogits = SoftmaxCrossEntropy.Backward(cache.Logits, targets, weights);
            for (var k = 0; k < dLogits.Values.Length; k++)
                dLogits.Values[k] *= Scale;
            var gradients = model.Backward(cache, dLogits);
            CheckedTensor[] tensors =
            [
                new("x", x.Values, gradients.DX.Values),
                .. Pair("", model.Parameters.Tensors, gradients.DParameters.Tensors),
                .. StateTensors(states, gradients.DInitialStates),
            ];
            if (tensors.Any(tensor => tensor.Gradient.Max(Math.Abs) < LeastGradient))
                continue;
            return GradientCheck.Run(
                () => Scale * SoftmaxCrossEntropy.Forward(model.Forward(x, tokens, feedback, lengths ?? s_ragged, states).Logits, targets, weights), tensors);
        }

        throw new InvalidOperationException($"no draw of {MostDraws} is fit for differences");
    }

    static bool HasClearArgMax(Sequence logits, bool[,]? feedback)
    {
        for (var t = 1; feedback is not null && t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                double[] sorted = [.. logits[t - 1, b].ToArray().OrderDescending()];
                if (feedback[t, b] && sorted[0] - sorted[1] < ArgMaxMargin)
                    return false;
            }
        }

        return true;
    }
}
