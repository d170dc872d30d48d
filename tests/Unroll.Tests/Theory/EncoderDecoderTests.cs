using Unroll.Theory;

namespace Unroll.Tests.Theory;

public class EncoderDecoderTests
{
    const int S = 6, T = 5, B = 3, I = 2, H = 4, V = 5, E = 3;

    static readonly int[] s_lengths = [4, S, 1];

    public static TheoryData<string> Kinds => ["plain", "additive", "multiplicative", "dot"];

    static EncoderDecoder Make(Random random, string kind)
    {
        EncoderDecoder model = kind switch
        {
            "plain" => new(new Recurrent(new GruCell(I, H)), new Embedding(V, E), [new GruCell(E, H)], new Linear(H, V)),
            "additive" => new(
                new Bidirectional(new LstmCell(I, 3), new GruCell(I, 3)), new Embedding(V, E), [new LstmCell(E, H)],
                new Linear(H, V), new AdditiveAttention(H, 6, 2)),
            "multiplicative" => new(
                new Stacked(new Recurrent(new RnnCell(I, 3)), new Recurrent(new RnnCell(3, H))), null, [new RnnCell(V, H), new GruCell(H, 3)],
                new Linear(3, V), new MultiplicativeAttention(3, H)),
            _ => new(new Recurrent(new LstmCell(I, H)), new Embedding(V, E), [new LstmCell(E, H)], new Linear(H, V), new DotAttention(H)),
        };
        model.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        return model;
    }

    [Fact]
    public void WithoutAttention_EqualsLayersOneAfterTheOther()
    {
        var random = new Random(1);
        var encoder = new Recurrent(new LstmCell(I, H));
        var decoder = new Stacked(new Recurrent(new LstmCell(E, H)));
        var (embedding, readout) = (new Embedding(V, E), new Linear(H, V));
        var model = new EncoderDecoder(encoder, embedding, decoder.Cells, readout);
        model.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, S, B, I);
        var tokens = Draw.Tokens(random, T, B, V);
        var dLogits = Draw.Sequence(random, T, B, V);

        var encoded = encoder.Forward(x, lengths: s_lengths);
        var decoded = decoder.Forward(embedding.Forward(tokens), encoded.FinalStates);
        var cache = model.Forward(x, tokens, lengths: s_lengths);
        Assert.Equal(readout.Forward(decoded.Y).Values, cache.Logits.Values);

        var dReadout = readout.Backward(decoded.Y, dLogits);
        var dDecoder = decoder.Backward(decoded, dReadout.DX);
        var dEncoder = encoder.Backward(encoded, new Sequence(S, B, H), dDecoder.DInitialStates);
        var gradients = model.Backward(cache, dLogits);
        Close(dEncoder.DX.Values, gradients.DX.Values);
        Close(dReadout.DParameters.Weight.Values, gradients.DParameters.Readout.Weight.Values);
        Close(dDecoder.DParameters[0].WeightHh.Values, gradients.DParameters.Decoder[0].WeightHh.Values);
        Close(dEncoder.DParameters[0].WeightHh.Values, gradients.DParameters.Encoder[0].WeightHh.Values);
        Close(embedding.Backward(tokens, dDecoder.DX).Weight.Values, gradients.DParameters.Embedding!.Weight.Values);
        Close(CellState.JoinC(dEncoder.DInitialStates[0]), CellState.JoinC(gradients.DInitialStates[0]));
    }

    /// <summary>One step by its equations: h̃ = tanh(W_c (Σ a k, h) + b_c), from the encoder, the cell and the scores computed apart.</summary>
    [Fact]
    public void WithAttention_EqualsEquations_OverOneStep()
    {
        var random = new Random(2);
        var encoder = new Recurrent(new GruCell(I, H));
        var cell = new GruCell(V, H);
        var readout = new Linear(H, V);
        var model = new EncoderDecoder(encoder, null, [cell], readout, new DotAttention(H));
        model.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, 3, 1, I);

        var cache = model.Forward(x, new[,] { { 2 } }, lengths: [2]);

        var k = encoder.Forward(x, lengths: [2]).Y;
        var h = cell.Forward([0, 0, 1, 0, 0], new CellState(k[1, 0].ToArray())).State.H;
        var (e0, e1) = (Dot(h, k[0, 0]), Dot(h, k[1, 0]));
        var a0 = Math.Exp(e0) / (Math.Exp(e0) + Math.Exp(e1));
        var combine = model.Parameters.Combine!;
        var logits = new double[V];
        var hTilde = new double[H];
        for (var j = 0; j < H; j++)
        {
            var sum = combine.Bias[j];
            for (var m = 0; m < H; m++)
                sum += (combine.Weight[j, m] * ((a0 * k[0, 0, m]) + ((1 - a0) * k[1, 0, m]))) + (combine.Weight[j, H + m] * h[m]);
            hTilde[j] = Math.Tanh(sum);
        }

        for (var v = 0; v < V; v++)
            logits[v] = readout.Parameters.Bias[v] + Dot(hTilde, readout.Parameters.Weight.Row(v));
        Close([a0, 1 - a0, 0], cache.Steps[0, 0].Attended!.Weights);
        Close(logits, cache.Logits.Values);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void FedBackSteps_EqualTeacherForcing_WithOwnArgMax(string kind)
    {
        var random = new Random(3);
        var model = Make(random, kind);
        var x = Draw.Sequence(random, S, B, I);
        var tokens = Draw.Tokens(random, T, B, V);
        var dLogits = Draw.Sequence(random, T, B, V);
        var feedback = ClosedLoop.FeedbackAfter(1, T, B);
        feedback[3, 1] = false;

        var free = model.Forward(x, tokens, feedback, s_lengths);
        var own = (int[,])tokens.Clone();
        for (var t = 1; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                if (feedback[t, b])
                {
                    own[t, b] = Softmax.ArgMax(free.Logits[t - 1, b]);
                    tokens[t, b] = -1;
                }

                Assert.Equal(own[t, b], free.Steps[t, b].Token);
            }
        }

        var forced = model.Forward(x, own, lengths: s_lengths);
        Assert.Equal(forced.Logits.Values, free.Logits.Values);
        Assert.Equal(forced.Logits.Values, model.Forward(x, tokens, feedback, s_lengths).Logits.Values);
        AssertEqual(model.Backward(forced, dLogits), model.Backward(free, dLogits));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void PaddedSourceAndTarget_ChangeNeitherLossNorAnyGradient(string kind)
    {
        const int Extra = 3;
        var random = new Random(4);
        var model = Make(random, kind);
        var x = Draw.Sequence(random, S, B, I);
        var tokens = Draw.Tokens(random, T + Extra, B, V);
        var targets = Draw.Tokens(random, T + Extra, B, V);
        int[] targetLengths = [T, 2, 3];

        (double Loss, EncoderDecoderCache Cache, EncoderDecoderGradients Gradients) Run(Sequence source, int steps)
        {
            var (read, wanted) = (First(tokens, steps), First(targets, steps));
            var weights = Lengths.Weights(steps, targetLengths);
            var cache = model.Forward(source, read, ClosedLoop.FeedbackAfter(2, steps, B), s_lengths);
            return (
                SoftmaxCrossEntropy.Forward(cache.Logits, wanted, weights), cache,
                model.Backward(cache, SoftmaxCrossEntropy.Backward(cache.Logits, wanted, weights)));
        }

        var expected = Run(x, T);
        var padded = Run(Views.Padded(x, Extra, double.NaN), T + Extra);
        Assert.Equal(expected.Loss, padded.Loss);
        Assert.Equal(expected.Cache.Logits.Values, Views.Steps(padded.Cache.Logits, 0, T).Values);
        AssertEqual(expected.Gradients with { DX = Views.Padded(expected.Gradients.DX, Extra, 0) }, padded.Gradients);
        if (kind != "plain")
        {
            var weights = padded.Cache.Steps[1, 0].Attended!.Weights;
            Assert.Equal(1, weights.Sum(), 1e-14);
            Assert.All(weights[s_lengths[0]..], weight => Assert.Equal(0, weight));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Batch_EqualsSingleUnpaddedRuns(string kind)
    {
        var random = new Random(5);
        var model = Make(random, kind);
        var x = Draw.Sequence(random, S, B, I);
        var tokens = Draw.Tokens(random, T, B, V);
        var states = Draw.States(random, model.EncoderCells, B);
        var dLogits = Draw.Sequence(random, T, B, V);
        var batch = model.Forward(x, tokens, lengths: s_lengths, initialStates: states);
        var gradients = model.Backward(batch, dLogits);

        var sum = new double[gradients.DParameters.Tensors.Sum(tensor => tensor.Values.Length)];
        for (var b = 0; b < B; b++)
        {
            var single = model.Forward(Views.Sample(x, b, s_lengths[b]), Column(tokens, b), initialStates: [.. states.Select(all => new[] { all[b] })]);
            var dSingle = model.Backward(single, Views.Sample(dLogits, b, T));
            Assert.Equal(single.Logits.Values, Views.Sample(batch.Logits, b, T).Values);
            Assert.Equal(dSingle.DX.Values, Views.Sample(gradients.DX, b, s_lengths[b]).Values);
            Views.AssertEqual(dSingle.DInitialStates, [.. gradients.DInitialStates.Select(all => new[] { all[b] })]);
            var k = 0;
            foreach (var value in dSingle.DParameters.Tensors.SelectMany(tensor => tensor.Values))
                sum[k++] += value;
        }

        Close(sum, [.. gradients.DParameters.Tensors.SelectMany(tensor => tensor.Values)]);
    }

    [Fact]
    public void OneHotInputs_EqualEmbeddingOfUnitVectors()
    {
        var random = new Random(6);
        var encoder = new Recurrent(new GruCell(I, H));
        var (cell, readout, embedding) = (new GruCell(V, H), new Linear(H, V), new Embedding(V, V));
        var oneHot = new EncoderDecoder(encoder, null, [cell], readout);
        oneHot.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        for (var v = 0; v < V; v++)
            embedding.Parameters.Weight[v, v] = 1;
        var embedded = new EncoderDecoder(encoder, embedding, [cell], readout);
        var x = Draw.Sequence(random, S, B, I);
        var tokens = Draw.Tokens(random, T, B, V);
        Assert.Equal(embedded.Forward(x, tokens).Logits.Values, oneHot.Forward(x, tokens).Logits.Values);
    }

    [Fact]
    public void ArgMax_IsFirstOfEqualLogits() => Assert.Equal(1, Softmax.ArgMax([0, 2, 1, 2]));

    [Fact]
    public void Tensors_HaveTheNamesOfTheirParts()
    {
        var names = Make(new Random(7), "additive").Parameters.Tensors.Select(tensor => tensor.Name).ToArray();
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.Superset(
            new HashSet<string> { "encoder[1].WeightHh", "bridge.c[0].Weight", "embedding.Weight", "decoder[0].BiasIh", "attention.WeightScore", "combine.Bias", "readout.Weight" },
            names.ToHashSet());
    }

    [Fact]
    public void EncoderDecoder_Throws_WhenPartsDoNotFit()
    {
        var encoder = new Recurrent(new GruCell(I, H));
        Cell[] decoder = [new GruCell(E, H)];
        var (embedding, readout) = (new Embedding(V, E), new Linear(H, V));
        Throws("hiddenSize of the last cell = 4, got 3", () => new EncoderDecoder(encoder, embedding, decoder, new Linear(3, V)));
        Throws("inputSize of the first cell = 3, got 2", () => new EncoderDecoder(encoder, new Embedding(V, 2), decoder, readout));
        Throws("at most 3, the tokens that the decoder can read, got 5", () => new EncoderDecoder(encoder, null, decoder, readout));
        Throws("querySize = hiddenSize of the last cell = 4, got 3", () => new EncoderDecoder(encoder, embedding, decoder, readout, new MultiplicativeAttention(3, H)));
        Throws("keySize = outputSize of the encoder = 4, got 3", () => new EncoderDecoder(encoder, embedding, decoder, readout, new MultiplicativeAttention(H, 3)));
        Throws("multiple of 2", () => new EncoderDecoder(encoder, embedding, [decoder[0], new GruCell(H, H)], readout));

        var model = new EncoderDecoder(encoder, embedding, decoder, readout);
        var x = new Sequence(S, B, I);
        Throws("[5, 3], got [5, 2]", () => model.Forward(x, new int[T, 2]));
        Throws("[5, 3], got [4, 3]", () => model.Forward(x, new int[T, B], new bool[4, B]));
        Throws("[0, 1] to be false", () => model.Forward(x, new int[T, B], new[,] { { false, true, false }, { true, true, true }, { true, true, true }, { true, true, true }, { true, true, true } }));
        Throws("from 0 to 4, got 5", () => model.Forward(x, new[,] { { 0, 0, 5 } }));
        var cache = model.Forward(x, new int[T, B]);
        Throws("[5, 3, 5], got [5, 3, 4]", () => model.Backward(cache, new Sequence(T, B, 4)));
        Throws("this EncoderDecoder", () => new EncoderDecoder(encoder, embedding, decoder, readout).Backward(cache, cache.Logits));
    }

    static void Throws(string message, Func<object> action) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() => { _ = action(); }).Message, StringComparison.Ordinal);

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sum = 0.0;
        for (var k = 0; k < a.Length; k++)
            sum += a[k] * b[k];
        return sum;
    }

    static int[,] First(int[,] tokens, int steps)
    {
        var first = new int[steps, B];
        Array.Copy(tokens, first, first.Length);
        return first;
    }

    static int[,] Column(int[,] tokens, int b)
    {
        var column = new int[T, 1];
        for (var t = 0; t < T; t++)
            column[t, 0] = tokens[t, b];
        return column;
    }

    static void AssertEqual(EncoderDecoderGradients expected, EncoderDecoderGradients actual)
    {
        Assert.Equal(expected.DX.Values, actual.DX.Values);
        Views.AssertEqual(expected.DParameters.Tensors, actual.DParameters.Tensors);
        Views.AssertEqual(expected.DInitialStates, actual.DInitialStates);
    }

    static void Close(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var k = 0; k < expected.Length; k++)
            Assert.Equal(expected[k], actual[k], 1e-13);
    }
}
