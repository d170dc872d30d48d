using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 8 as printed, against the members that they name.</summary>
/// <remarks>
/// One source of S steps, the last two of them padding, and one target of T tokens; a bidirectional encoder, so that the
/// bridge is a map, and a plain RNN as decoder.
/// </remarks>
public class Chapter08Tests
{
    const int S = 5, Valid = 3, T = 4, I = 2, K = 3, H = 4, V = 5, D = 3, A = 2, Start = 5;

    readonly Random _random = new(8);

    [Fact]
    [Equation("8.1", "BeamSearch.LogProbability")]
    public void LogProbability_IsTheSumOverTheTokens()
    {
        var model = Model(null);
        var x = Draw.Sequence(_random, S, 1, I);
        int[] y = [2, 0, 3, 1];
        var expected = 0.0;
        for (var t = 0; t < T; t++)
        {
            // Each term for itself, from the tokens before it.
            var read = Column([Start, .. y[..t]]);
            var probabilities = Probabilities(model.Forward(x, read).Logits[t, 0]);
            expected += Math.Log(probabilities[y[t]]);
        }

        Agree.Equal(expected, new BeamSearch(model, Start, T).LogProbability(x, y));
    }

    [Fact]
    [Equation("8.2", "EncoderDecoder.Forward")]
    public void Encoder_ReadsTheSource()
    {
        var encoder = new RnnCell(I, K);
        var model = new EncoderDecoder(new Recurrent(encoder), null, [new RnnCell(Start + 1, H)], new Linear(H, V));
        model.Parameters.Fill(() => Draw.Uniform(_random, 0.8));
        var x = Draw.Sequence(_random, S, 1, I);
        var cache = model.Forward(x, Column([Start]));
        var k = new double[K];
        for (var s = 0; s < S; s++)
        {
            k = Step(encoder, x[s, 0], k);
            Agree.Equal(k, cache.Encoded.Y[s, 0]);
        }
    }

    [Fact]
    [Equation("8.3", "StateBridge.Forward")]
    [Equation("8.9", "StateBridge.Backward")]
    public void Bridge_ForwardAndBackward()
    {
        Cell[] encoder = [new RnnCell(I, K), new RnnCell(I, K)];
        var bridge = new StateBridge(encoder, [new RnnCell(D, H)]);
        bridge.Parameters.Fill(() => Draw.Uniform(_random, 0.8));
        CellState[] states = [new(Draw.Vector(_random, K)), new(Draw.Vector(_random, K))];
        double[] e = [.. states[0].H, .. states[1].H];
        var (W, b) = (bridge.Parameters.H[0]!.Weight, bridge.Parameters.H[0]!.Bias);
        var h = new double[H];
        for (var j = 0; j < H; j++)
        {
            var a = b[j];
            for (var k = 0; k < e.Length; k++)
                a += W[j, k] * e[k];
            h[j] = Math.Tanh(a);
        }

        var first = bridge.Forward(states);
        Agree.Equal(h, first[0].H);

        var dH = Draw.Vector(_random, H);
        var dE = new double[e.Length];
        for (var k = 0; k < e.Length; k++)
        {
            for (var j = 0; j < H; j++)
                dE[k] += W[j, k] * (1 - (h[j] * h[j])) * dH[j];
        }

        var back = bridge.Backward(states, first, [new CellState(dH)], bridge.CreateGradients());
        Agree.Equal(dE, [.. back[0].H, .. back[1].H]);
    }

    [Fact]
    [Equation("8.4", "EncoderDecoder.Forward")]
    [Equation("8.5", "EncoderDecoder.Forward")]
    [Equation("8.6", "Softmax.Forward")]
    public void Decoder_ReadsItsTokens()
    {
        var model = Model(null);
        var decoder = (RnnCell)model.DecoderCells[0];
        int[] read = [Start, 2, 0, 3];
        var cache = model.Forward(Draw.Sequence(_random, S, 1, I), Column(read), lengths: [Valid]);
        var h = cache.InitialStates[0][0].H;
        for (var t = 0; t < T; t++)
        {
            h = Step(decoder, model.Parameters.Embedding!.Weight.Row(read[t]), h);
            Agree.Equal(h, cache.Steps[t, 0].Cells[0].State.H);
            var o = new double[V];
            for (var k = 0; k < V; k++)
            {
                o[k] = model.Parameters.Readout.Bias[k];
                for (var j = 0; j < H; j++)
                    o[k] += model.Parameters.Readout.Weight[k, j] * h[j];
            }

            Agree.Equal(o, cache.Logits[t, 0]);
            var p = new double[V];
            Softmax.Forward(o, p);
            Agree.Equal(Probabilities(o), p);
        }
    }

    [Fact]
    [Equation("8.7", "SoftmaxCrossEntropy.Forward")]
    [Equation("8.8", "SoftmaxCrossEntropy.Backward")]
    public void Loss_AndItsGradient()
    {
        const int B = 3;
        var logits = Draw.Sequence(_random, T, B, V);
        var y = Draw.Tokens(_random, T, B, V);
        var w = Lengths.Weights(T, [T, 2, 3]);
        var total = T + 2 + 3;
        var (loss, dLogits) = (0.0, new Sequence(T, B, V));
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                var p = Probabilities(logits[t, b]);
                loss -= w[t, b] * Math.Log(p[y[t, b]]) / total;
                for (var k = 0; k < V; k++)
                    dLogits[t, b, k] = w[t, b] / total * (p[k] - (k == y[t, b] ? 1 : 0));
            }
        }

        Agree.Equal(loss, SoftmaxCrossEntropy.Forward(logits, y, w));
        Agree.Equal(dLogits.Values, SoftmaxCrossEntropy.Backward(logits, y, w).Values);
    }

    [Fact]
    [Equation("8.10", "AdditiveAttention.Forward")]
    [Equation("8.11", "MultiplicativeAttention.Forward")]
    [Equation("8.12", "Attention.Forward")]
    [Equation("8.13", "Attention.Forward")]
    public void Attention_ScoresWeightsAndContext()
    {
        foreach (var attention in Attentions())
        {
            var (q, keys, valid) = Looked();
            var a = Weights(attention, q, keys);
            var c = new double[K];
            for (var s = 0; s < S; s++)
            {
                for (var k = 0; k < K; k++)
                    c[k] += a[s] * keys[s, k];
            }

            var cache = attention.Forward(q, keys, valid);
            Agree.Equal(a, cache.Weights);
            Agree.Equal(c, cache.Context);
        }
    }

    [Fact]
    [Equation("8.14", "EncoderDecoder.Forward")]
    [Equation("8.15", "EncoderDecoder.Backward")]
    public void Combination_ForwardAndBackward()
    {
        foreach (var attention in new Attention[] { new AdditiveAttention(H, 2 * K, A), new MultiplicativeAttention(H, 2 * K) })
        {
            var model = Model(attention);
            var cache = model.Forward(Draw.Sequence(_random, S, 1, I), Column([Start]), lengths: [Valid]);
            var step = cache.Steps[0, 0];
            var (c, h) = (step.Attended!.Context, step.Cells[0].State.H);
            var (W, b) = (model.Parameters.Combine!.Weight, model.Parameters.Combine.Bias);
            double[] joined = [.. c, .. h];
            var hTilde = new double[H];
            for (var j = 0; j < H; j++)
            {
                var sum = b[j];
                for (var k = 0; k < joined.Length; k++)
                    sum += W[j, k] * joined[k];
                hTilde[j] = Math.Tanh(sum);
            }

            Agree.Equal(hTilde, step.HTilde);

            // δ^h̃ from the readout, δ^c and δ^h by (8.15), then through the attention; what arrives at the decoder's pre-activation is dBiasIh.
            var dLogits = Draw.Sequence(_random, 1, 1, V);
            var dHTilde = new double[H];
            for (var j = 0; j < H; j++)
            {
                for (var k = 0; k < V; k++)
                    dHTilde[j] += model.Parameters.Readout.Weight[k, j] * dLogits[0, 0, k];
            }

            var dJoined = new double[joined.Length];
            for (var k = 0; k < joined.Length; k++)
            {
                for (var j = 0; j < H; j++)
                    dJoined[k] += W[j, k] * (1 - (hTilde[j] * hTilde[j])) * dHTilde[j];
            }

            var dH = dJoined[(2 * K)..];
            var (dKeys, dAttention) = (new Matrix(S, 2 * K), attention.CreateGradients());
            attention.Backward(step.Attended, dJoined.AsSpan(0, 2 * K), dH, dKeys, dAttention);
            var back = model.Backward(cache, dLogits).DParameters;
            Agree.Equal([.. dH.Zip(h, (d, value) => d * (1 - (value * value)))], back.Decoder[0].BiasIh);
            foreach (var (expected, actual) in dAttention.Tensors.Zip(back.Attention!.Tensors))
                Agree.Equal(expected.Values, actual.Values);
        }
    }

    [Fact]
    [Equation("8.16", "Softmax.Backward")]
    public void Softmax_Backward()
    {
        var a = Probabilities(Draw.Vector(_random, S));
        var dA = Draw.Vector(_random, S);
        var (expected, actual) = (new double[S], new double[S]);
        for (var s = 0; s < S; s++)
        {
            var sum = 0.0;
            for (var r = 0; r < S; r++)
                sum += a[r] * dA[r];
            expected[s] = a[s] * (dA[s] - sum);
        }

        Softmax.Backward(a, dA, actual);
        Agree.Equal(expected, actual);
    }

    [Fact]
    [Equation("8.17", "AdditiveAttention.Backward")]
    [Equation("8.18", "AdditiveAttention.Backward")]
    [Equation("8.19", "MultiplicativeAttention.Backward")]
    public void Attention_Backward()
    {
        foreach (var attention in Attentions())
        {
            var (q, keys, valid) = Looked();
            var dC = Draw.Vector(_random, K);
            var a = Weights(attention, q, keys);
            var (dA, dE) = (new double[S], new double[S]);
            for (var s = 0; s < Valid; s++)
            {
                for (var k = 0; k < K; k++)
                    dA[s] += keys[s, k] * dC[k];
            }

            for (var s = 0; s < Valid; s++)
                dE[s] = a[s] * (dA[s] - Enumerable.Range(0, Valid).Sum(r => a[r] * dA[r]));

            var (dQ, dKeys, d) = (new double[H], new Matrix(S, K), attention.CreateGradients());
            attention.Backward(attention.Forward(q, keys, valid), dC, dQ, dKeys, d);
            var p = attention.Parameters;
            var (dQuery, dKey, dWq, dWk, dB, dV) = (new double[H], new double[S * K], new double[A * H], new double[p.WeightKey.Values.Length], new double[A], new double[A]);
            for (var s = 0; s < Valid; s++)
            {
                for (var k = 0; k < K; k++)
                    dKey[(s * K) + k] += a[s] * dC[k];
                if (attention is MultiplicativeAttention)
                {
                    for (var j = 0; j < H; j++)
                    {
                        for (var k = 0; k < K; k++)
                        {
                            dWk[(j * K) + k] += dE[s] * q[j] * keys[s, k];
                            dQuery[j] += dE[s] * p.WeightKey[j, k] * keys[s, k];
                            dKey[(s * K) + k] += dE[s] * p.WeightKey[j, k] * q[j];
                        }
                    }

                    continue;
                }

                var u = Units(p, q, keys.Row(s));
                for (var n = 0; n < A; n++)
                {
                    var dU = dE[s] * p.WeightScore[n] * (1 - (u[n] * u[n]));
                    dV[n] += dE[s] * u[n];
                    dB[n] += dU;
                    for (var j = 0; j < H; j++)
                    {
                        dWq[(n * H) + j] += dU * q[j];
                        dQuery[j] += p.WeightQuery[n, j] * dU;
                    }

                    for (var k = 0; k < K; k++)
                    {
                        dWk[(n * K) + k] += dU * keys[s, k];
                        dKey[(s * K) + k] += p.WeightKey[n, k] * dU;
                    }
                }
            }

            Agree.Equal(dQuery, dQ);
            Agree.Equal(dKey, dKeys.Values);
            Agree.Equal(dWk, d.WeightKey.Values);
            if (attention is AdditiveAttention)
            {
                Agree.Equal(dWq, d.WeightQuery.Values);
                Agree.Equal(dB, d.Bias);
                Agree.Equal(dV, d.WeightScore);
            }
        }
    }

    [Fact]
    [Equation("8.20", "BeamSearch.Run")]
    public void Greedy_TakesTheLikeliestToken()
    {
        var model = Model(null);
        var x = Draw.Sequence(_random, S, 1, I);
        int[] y = [];
        for (var t = 0; t < T; t++)
        {
            var o = model.Forward(x, Column([Start, .. y])).Logits[t, 0].ToArray();
            y = [.. y, Array.IndexOf(o, o.Max())];
        }

        Assert.Equal(y, Assert.Single(new BeamSearch(model, Start, T).Run(x)).Tokens);
    }

    [Fact]
    [Equation("8.21", "BeamSearch.Run")]
    [Equation("8.22", "BeamSearch.Score")]
    public void Beam_KeepsTheBestContinuationsOfAll()
    {
        const int W = 3, End = 1;
        const double alpha = 0.7;
        for (var draw = 0; draw < 10; draw++)
        {
            var model = Model(null);
            var x = Draw.Sequence(_random, S, 1, I);
            List<(int[] Y, double LogP)> beam = [([], 0)], complete = [];
            for (var t = 0; t < T; t++)
            {
                List<(int[] Y, double LogP)> all = [];
                foreach (var (y, logP) in beam)
                {
                    var p = Probabilities(model.Forward(x, Column([Start, .. y])).Logits[t, 0]);
                    for (var k = 0; k < V; k++)
                        all.Add(([.. y, k], logP + Math.Log(p[k])));
                }

                all.Sort((left, right) => right.LogP.CompareTo(left.LogP));
                var top = all.Take(W - complete.Count).ToList();
                complete.AddRange(top.Where(next => next.Y[^1] == End || t == T - 1));
                beam = top.FindAll(next => next.Y[^1] != End);
            }

            var search = new BeamSearch(model, Start, T) { Width = W, EndToken = End, LengthPenalty = alpha };
            var expected = complete.OrderByDescending(each => each.LogP / Math.Pow((5.0 + each.Y.Length) / 6, alpha)).ToArray();
            var actual = search.Run(x);
            Assert.Equal(expected.Select(each => each.Y), actual.Select(each => each.Tokens.ToArray()));
            for (var rank = 0; rank < expected.Length; rank++)
            {
                var (y, logP) = expected[rank];
                Agree.Equal(logP, actual[rank].LogProbability);
                Agree.Equal(logP / Math.Pow((5.0 + y.Length) / 6, alpha), actual[rank].Score);
                Agree.Equal(search.Score(logP, y.Length), actual[rank].Score);
            }
        }
    }

    EncoderDecoder Model(Attention? attention)
    {
        var model = new EncoderDecoder(
            new Bidirectional(new RnnCell(I, K), new RnnCell(I, K)), new Embedding(Start + 1, D), [new RnnCell(D, H)], new Linear(H, V), attention);
        model.Parameters.Fill(() => Draw.Uniform(_random, 0.9));
        return model;
    }

    Attention[] Attentions()
    {
        Attention[] attentions = [new AdditiveAttention(H, K, A), new MultiplicativeAttention(H, K)];
        foreach (var attention in attentions)
            attention.Parameters.Fill(() => Draw.Uniform(_random, 0.8));
        return attentions;
    }

    /// <summary>A query, keys, and which of them are valid: the first ones.</summary>
    (double[] Query, Matrix Keys, bool[] Valid) Looked() =>
        (Draw.Vector(_random, H), Draw.Matrix(_random, S, K), [.. Enumerable.Range(0, S).Select(s => s < Valid)]);

    /// <summary>The scores of the valid keys and their softmax; 0 for the others.</summary>
    static double[] Weights(Attention attention, double[] q, Matrix keys)
    {
        var p = attention.Parameters;
        var e = new double[Valid];
        for (var s = 0; s < Valid; s++)
        {
            if (attention is AdditiveAttention)
            {
                var u = Units(p, q, keys.Row(s));
                for (var n = 0; n < A; n++)
                    e[s] += p.WeightScore[n] * u[n];
                continue;
            }

            for (var j = 0; j < H; j++)
            {
                for (var k = 0; k < K; k++)
                    e[s] += q[j] * p.WeightKey[j, k] * keys[s, k];
            }
        }

        return [.. Probabilities(e), .. new double[S - Valid]];
    }

    /// <summary>tanh(W_q q + W_k k + b)</summary>
    static double[] Units(AttentionParameters p, double[] q, ReadOnlySpan<double> key)
    {
        var u = new double[A];
        for (var n = 0; n < A; n++)
        {
            var sum = p.Bias[n];
            for (var j = 0; j < H; j++)
                sum += p.WeightQuery[n, j] * q[j];
            for (var k = 0; k < K; k++)
                sum += p.WeightKey[n, k] * key[k];
            u[n] = Math.Tanh(sum);
        }

        return u;
    }

    /// <summary>e^{o_k} / Σ_l e^{o_l}</summary>
    static double[] Probabilities(ReadOnlySpan<double> o)
    {
        var p = new double[o.Length];
        var sum = 0.0;
        for (var k = 0; k < o.Length; k++)
            sum += p[k] = Math.Exp(o[k]);
        for (var k = 0; k < o.Length; k++)
            p[k] /= sum;
        return p;
    }

    /// <summary>tanh(W_ih x + b_ih + W_hh h + b_hh)</summary>
    static double[] Step(RnnCell cell, ReadOnlySpan<double> x, double[] h)
    {
        var p = cell.Parameters;
        var next = new double[h.Length];
        for (var j = 0; j < h.Length; j++)
        {
            var a = p.BiasIh[j] + p.BiasHh[j];
            for (var i = 0; i < x.Length; i++)
                a += p.WeightIh[j, i] * x[i];
            for (var k = 0; k < h.Length; k++)
                a += p.WeightHh[j, k] * h[k];
            next[j] = Math.Tanh(a);
        }

        return next;
    }

    /// <summary>Tokens as the decoder of one sample reads them, [T, 1].</summary>
    static int[,] Column(int[] tokens)
    {
        var column = new int[tokens.Length, 1];
        for (var t = 0; t < tokens.Length; t++)
            column[t, 0] = tokens[t];
        return column;
    }
}
