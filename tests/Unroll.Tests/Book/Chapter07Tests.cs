using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 7 as printed, for one row of n steps, against the members that they name.</summary>
public class Chapter07Tests
{
    const int N = 5, I = 2, H = 3;

    readonly Random _random = new(7);

    [Fact]
    [Equation("7.1", "Bidirectional.Forward")]
    [Equation("7.2", "Bidirectional.Forward")]
    public void States_OfBothDirections()
    {
        var (layer, x, states) = Layer(BidirectionalMerge.Concat);
        var cache = layer.Forward(x, states);
        var (forward, backward) = States(layer, x, states);
        for (var t = 0; t < N; t++)
        {
            Agree.Equal(forward[t + 1], cache.Forward.Y[t, 0]);
            Agree.Equal(backward[t], cache.Backward.Y[t, 0]);
        }

        Agree.Equal(forward[N], cache.FinalStates[0][0].H);
        Agree.Equal(backward[0], cache.FinalStates[1][0].H);
    }

    [Fact]
    [Equation("7.3", "Bidirectional.Forward")]
    [Equation("7.4", "Bidirectional.Forward")]
    public void Merges()
    {
        foreach (var merge in Enum.GetValues<BidirectionalMerge>())
        {
            var (layer, x, states) = Layer(merge);
            var (forward, backward) = States(layer, x, states);
            var y = layer.Forward(x, states).Y;
            for (var t = 0; t < N; t++)
                Agree.Equal(Merge(merge, forward[t + 1], backward[t]), y[t, 0]);
        }
    }

    [Fact]
    [Equation("7.5", "Bidirectional.Backward")]
    [Equation("7.6", "Bidirectional.Backward")]
    [Equation("7.7", "Bidirectional.Backward")]
    [Equation("7.8", "Bidirectional.Backward")]
    [Equation("7.9", "Bidirectional.Backward")]
    [Equation("7.10", "Bidirectional.Backward")]
    [Equation("7.11", "Bidirectional.Backward")]
    public void Gradients()
    {
        foreach (var merge in Enum.GetValues<BidirectionalMerge>())
        {
            var (layer, x, states) = Layer(merge);
            var dY = Draw.Sequence(_random, N, 1, layer.OutputSize);
            var actual = layer.Backward(layer.Forward(x, states), dY);
            var (forward, backward) = States(layer, x, states);

            // δ^y of both directions, δ of both directions; [1 + t] leaves room for t = −1 and t = n.
            var (deltaForward, deltaBackward) = (new double[N + 2][], new double[N + 2][]);
            (deltaForward[1 + N], deltaBackward[0]) = (new double[H], new double[H]);
            var (weights, reverse) = (layer.Cells[0].Parameters, layer.Cells[1].Parameters);
            for (var t = N - 1; t >= 0; t--)
            {
                deltaForward[1 + t] = new double[H];
                for (var j = 0; j < H; j++)
                {
                    var sum = FromOutput(merge, dY[t, 0], backward[t], first: true)[j];
                    for (var k = 0; k < H; k++)
                        sum += weights.WeightHh[k, j] * deltaForward[1 + t + 1][k];
                    deltaForward[1 + t][j] = (1 - (forward[t + 1][j] * forward[t + 1][j])) * sum;
                }
            }

            for (var t = 0; t < N; t++)
            {
                deltaBackward[1 + t] = new double[H];
                for (var j = 0; j < H; j++)
                {
                    var sum = FromOutput(merge, dY[t, 0], forward[t + 1], first: false)[j];
                    for (var k = 0; k < H; k++)
                        sum += reverse.WeightHh[k, j] * deltaBackward[1 + t - 1][k];
                    deltaBackward[1 + t][j] = (1 - (backward[t][j] * backward[t][j])) * sum;
                }
            }

            for (var t = 0; t < N; t++)
            {
                var dX = new double[I];
                for (var i = 0; i < I; i++)
                {
                    for (var j = 0; j < H; j++)
                        dX[i] += (weights.WeightIh[j, i] * deltaForward[1 + t][j]) + (reverse.WeightIh[j, i] * deltaBackward[1 + t][j]);
                }

                Agree.Equal(dX, actual.DX[t, 0]);
            }

            for (var direction = 0; direction < 2; direction++)
            {
                var delta = direction == 0 ? deltaForward : deltaBackward;
                var (dHh, dIh, dB) = (new double[H * H], new double[H * I], new double[H]);
                for (var t = 0; t < N; t++)
                {
                    var read = direction == 0 ? forward[t] : backward[t + 1];
                    for (var j = 0; j < H; j++)
                    {
                        dB[j] += delta[1 + t][j];
                        for (var k = 0; k < H; k++)
                            dHh[(j * H) + k] += delta[1 + t][j] * read[k];
                        for (var i = 0; i < I; i++)
                            dIh[(j * I) + i] += delta[1 + t][j] * x[t, 0, i];
                    }
                }

                var gradients = actual.DParameters[direction];
                Agree.Equal(dHh, gradients.WeightHh.Values);
                Agree.Equal(dIh, gradients.WeightIh.Values);
                Agree.Equal(dB, gradients.BiasIh);
                Agree.Equal(dB, gradients.BiasHh);
            }
        }
    }

    [Fact]
    [Equation("7.12", "Recurrent.Forward")]
    public void BackwardDirection_IsForwardOverTheMirroredRow()
    {
        foreach (var cell in new Cell[] { new RnnCell(I, H), new LstmCell(I, H), new GruCell(I, H) })
        {
            Draw.Parameters(_random, [cell]);
            var x = Draw.Sequence(_random, N, 1, I);
            var mirrored = new Sequence(N, 1, I);
            for (var t = 0; t < N; t++)
                x[N - 1 - t, 0].CopyTo(mirrored[t, 0]);
            var backward = new Recurrent(cell, reverse: true).Forward(x).Y;
            var forward = new Recurrent(cell).Forward(mirrored).Y;
            for (var t = 0; t < N; t++)
                Agree.Equal(forward[N - 1 - t, 0].ToArray(), backward[t, 0]);
        }
    }

    [Fact]
    [Equation("7.13", "Lengths.Weights")]
    [Equation("7.14", "MeanSquaredError.Forward")]
    public void Loss_OfValidStepsOnly()
    {
        const int B = 3, O = 2;
        int[] lengths = [2, N, 0];
        var w = Lengths.Weights(N, lengths);
        var (y, target) = (Draw.Sequence(_random, N, B, O), Draw.Sequence(_random, N, B, O));
        var (loss, total) = (0.0, 0.0);
        for (var t = 0; t < N; t++)
        {
            for (var b = 0; b < B; b++)
            {
                var weight = t < lengths[b] ? 1.0 : 0.0;
                Assert.Equal(weight, w[t, b]);
                total += weight;
                for (var k = 0; k < O; k++)
                    loss += weight * (y[t, b, k] - target[t, b, k]) * (y[t, b, k] - target[t, b, k]);
            }
        }

        Agree.Equal(loss / (O * total), MeanSquaredError.Forward(y, target, w));
    }

    [Fact]
    [Equation("7.15", "Recurrent.Forward")]
    public void PaddedSteps_ArePassedBy()
    {
        int[] lengths = [2, N, 0];
        var B = lengths.Length;
        foreach (var reverse in new[] { false, true })
        {
            var cell = new RnnCell(I, H);
            Draw.Parameters(_random, [cell]);
            var x = Draw.Sequence(_random, N, B, I);
            var initial = Draw.States(_random, [cell], B);
            var cache = new Recurrent(cell, reverse).Forward(x, initial, lengths);
            for (var b = 0; b < B; b++)
            {
                var h = initial[0][b].H;
                foreach (var t in reverse ? Enumerable.Range(0, N).Reverse() : Enumerable.Range(0, N))
                {
                    var valid = t < lengths[b];
                    h = valid ? Step(cell, x[t, b], h) : h;
                    Agree.Equal(valid ? h : new double[H], cache.Y[t, b]);
                }

                Agree.Equal(h, cache.FinalStates[0][b].H);
            }
        }
    }

    [Fact]
    [Equation("7.16", "Pooling.Forward")]
    [Equation("7.17", "Pooling.Backward")]
    public void Poolings_StopAtTheRowsLength()
    {
        const int F = 4;
        int[] lengths = [3, N];
        var x = Draw.Sequence(_random, N, lengths.Length, F);
        var delta = Draw.Sequence(_random, 1, lengths.Length, F);
        foreach (var kind in Enum.GetValues<PoolingKind>())
        {
            var pooling = new Pooling(kind);
            var y = pooling.Forward(x, lengths);
            var dX = pooling.Backward(x, delta, lengths);
            for (var b = 0; b < lengths.Length; b++)
            {
                var n = lengths[b];
                for (var k = 0; k < F; k++)
                {
                    var (sum, max, argMax) = (0.0, double.NegativeInfinity, -1);
                    for (var t = 0; t < n; t++)
                    {
                        sum += x[t, b, k];
                        if (x[t, b, k] > max)
                            (max, argMax) = (x[t, b, k], t);
                    }

                    Agree.Equal(kind switch { PoolingKind.Last => x[n - 1, b, k], PoolingKind.Mean => sum / n, _ => max }, y[0, b, k]);
                    for (var t = 0; t < N; t++)
                    {
                        var d = delta[0, b, k];
                        Agree.Equal(t >= n ? 0 : kind switch { PoolingKind.Last => t == n - 1 ? d : 0, PoolingKind.Mean => d / n, _ => t == argMax ? d : 0 }, dX[t, b, k]);
                    }
                }
            }
        }
    }

    (Bidirectional Layer, Sequence X, CellState[][] States) Layer(BidirectionalMerge merge)
    {
        var layer = new Bidirectional(new RnnCell(I, H), new RnnCell(I, H), merge);
        Draw.Parameters(_random, layer.Cells);
        return (layer, Draw.Sequence(_random, N, 1, I), Draw.States(_random, layer.Cells, 1));
    }

    /// <summary>h→_{t−1} at [t], so that [0] is the initial state; h←_t at [t], so that [n] is.</summary>
    static (double[][] Forward, double[][] Backward) States(Bidirectional layer, Sequence x, CellState[][] initial)
    {
        var (forward, backward) = (new double[N + 1][], new double[N + 1][]);
        (forward[0], backward[N]) = (initial[0][0].H, initial[1][0].H);
        for (var t = 0; t < N; t++)
            forward[t + 1] = Step((RnnCell)layer.Cells[0], x[t, 0], forward[t]);
        for (var t = N - 1; t >= 0; t--)
            backward[t] = Step((RnnCell)layer.Cells[1], x[t, 0], backward[t + 1]);
        return (forward, backward);
    }

    /// <summary>tanh(W_ih x + b_ih + W_hh h + b_hh)</summary>
    static double[] Step(RnnCell cell, ReadOnlySpan<double> x, double[] h)
    {
        var p = cell.Parameters;
        var next = new double[H];
        for (var j = 0; j < H; j++)
        {
            var a = p.BiasIh[j] + p.BiasHh[j];
            for (var i = 0; i < I; i++)
                a += p.WeightIh[j, i] * x[i];
            for (var k = 0; k < H; k++)
                a += p.WeightHh[j, k] * h[k];
            next[j] = Math.Tanh(a);
        }

        return next;
    }

    static double[] Merge(BidirectionalMerge merge, double[] forward, double[] backward) => merge switch
    {
        BidirectionalMerge.Concat => [.. forward, .. backward],
        BidirectionalMerge.Sum => [.. forward.Zip(backward, (f, b) => f + b)],
        BidirectionalMerge.Average => [.. forward.Zip(backward, (f, b) => 0.5 * (f + b))],
        _ => [.. forward.Zip(backward, (f, b) => f * b)],
    };

    /// <summary>δ^y of one direction; <paramref name="other"/> is the state of the other one.</summary>
    static double[] FromOutput(BidirectionalMerge merge, ReadOnlySpan<double> delta, double[] other, bool first)
    {
        var part = new double[H];
        for (var j = 0; j < H; j++)
        {
            part[j] = merge switch
            {
                BidirectionalMerge.Concat => delta[first ? j : H + j],
                BidirectionalMerge.Sum => delta[j],
                BidirectionalMerge.Average => delta[j] / 2,
                _ => delta[j] * other[j],
            };
        }

        return part;
    }
}
