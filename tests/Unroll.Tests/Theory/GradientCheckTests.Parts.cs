using Unroll.Theory;

namespace Unroll.Tests.Theory;

public partial class GradientCheckTests
{
    static void AddParts(Dictionary<string, Func<IReadOnlyList<GradientError>>> options)
    {
        options["Linear"] = CheckLinear;
        options["Softmax"] = CheckSoftmax;
        options["Softmax cross-entropy"] = () => CheckSoftmaxCrossEntropy();
        options["Softmax cross-entropy, weights"] = () => CheckSoftmaxCrossEntropy(Weights());
        options["Mean squared error"] = () => CheckMeanSquaredError();
        options["Mean squared error, weights"] = () => CheckMeanSquaredError(Weights());
        options["RNN + dropout + LSTM"] = CheckDropout;
        options["Attention, additive, masks"] = () => CheckAttention(new AdditiveAttention(H, 3, 5));
        options["Attention, multiplicative, masks"] = () => CheckAttention(new MultiplicativeAttention(H, 3));
        options["Attention, dot, masks"] = () => CheckAttention(new DotAttention(H));
        options["Attention, scaled dot, masks"] = () => CheckAttention(new DotAttention(H, 0.5));
        options["Embedding + GRU, lengths"] = CheckEmbedding;
        foreach (var kind in Enum.GetValues<PoolingKind>())
            options[$"Pooling, {kind}, lengths"] = () => CheckPooling(kind);
        options["LSTM + Linear + softmax cross-entropy"] = CheckClassifier;
        options["Output recurrence, own outputs"] = () => CheckOutputRecurrence(teacherForcing: false);
        options["Output recurrence, teacher forcing"] = () => CheckOutputRecurrence(teacherForcing: true);
    }

    static IReadOnlyList<GradientError> CheckOutputRecurrence(bool teacherForcing)
    {
        var random = new Random(1);
        var model = new OutputRecurrence(I, H, outputSize: 3);
        model.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, B, I);
        var target = Draw.Sequence(random, T, B, 3);
        var y0 = Draw.Matrix(random, B, 3);
        var teacher = teacherForcing ? target : null;
        var cache = model.Forward(x, teacher, y0);
        var gradients = model.Backward(cache, Minus(cache.Y, target));
        return GradientCheck.Run(
            () => HalfSquare(model.Forward(x, teacher, y0).Y, target),
            [
                new("x", x.Values, gradients.DX.Values),
                new("y0", y0.Values, gradients.DInitialOutputs.Values),
                .. Pair("", model.Parameters.Tensors, gradients.DParameters.Tensors),
            ]);
    }

    static IReadOnlyList<GradientError> CheckLinear()
    {
        var random = new Random(1);
        var linear = new Linear(H, 3);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, B, H);
        var target = Draw.Sequence(random, T, B, 3);
        var gradients = linear.Backward(x, Minus(linear.Forward(x), target));
        return GradientCheck.Run(
            () => HalfSquare(linear.Forward(x), target),
            [new("x", x.Values, gradients.DX.Values), .. Pair("", linear.Parameters.Tensors, gradients.DParameters.Tensors)]);
    }

    static IReadOnlyList<GradientError> CheckSoftmax()
    {
        var random = new Random(1);
        var logits = Draw.Vector(random, 5, range: 2);
        var weights = Draw.Vector(random, 5);
        var p = new double[5];
        var dLogits = new double[5];
        Softmax.Forward(logits, p);
        Softmax.Backward(p, weights, dLogits);
        return GradientCheck.Run(
            () =>
            {
                var probabilities = new double[5];
                Softmax.Forward(logits, probabilities);
                return probabilities.Zip(weights, (a, w) => a * w).Sum();
            },
            [new("logits", logits, dLogits)]);
    }

    static IReadOnlyList<GradientError> CheckSoftmaxCrossEntropy(double[,]? weights = null)
    {
        var random = new Random(1);
        var logits = Draw.Sequence(random, T, B, 5);
        var targets = Draw.Tokens(random, T, B, 5);
        return GradientCheck.Run(
            () => SoftmaxCrossEntropy.Forward(logits, targets, weights),
            [new("logits", logits.Values, SoftmaxCrossEntropy.Backward(logits, targets, weights).Values)]);
    }

    static IReadOnlyList<GradientError> CheckMeanSquaredError(double[,]? weights = null)
    {
        var random = new Random(1);
        var y = Draw.Sequence(random, T, B, 3);
        var target = Draw.Sequence(random, T, B, 3);
        return GradientCheck.Run(
            () => MeanSquaredError.Forward(y, target, weights),
            [new("y", y.Values, MeanSquaredError.Backward(y, target, weights).Values)]);
    }

    /// <summary>Values are 0.03 apart, far more than differences move them, so no maximum changes place.</summary>
    static IReadOnlyList<GradientError> CheckPooling(PoolingKind kind)
    {
        var random = new Random(1);
        var pooling = new Pooling(kind);
        var values = Enumerable.Range(0, T * B * 4).Select(k => -1 + (0.03 * k)).ToArray();
        random.Shuffle(values);
        var x = new Sequence(T, B, 4, values.AsSpan());
        var target = Draw.Sequence(random, 1, B, 4);
        var dX = pooling.Backward(x, Minus(pooling.Forward(x, s_ragged), target), s_ragged);
        return GradientCheck.Run(() => HalfSquare(pooling.Forward(x, s_ragged), target), [new("x", x.Values, dX.Values)]);
    }

    static IReadOnlyList<GradientError> CheckDropout()
    {
        var random = new Random(1);
        var (below, above) = (new Recurrent(new RnnCell(I, H)), new Recurrent(new LstmCell(H, 3)));
        Draw.Parameters(random, [.. below.Cells, .. above.Cells]);
        var x = Draw.Sequence(random, T, B, I);
        var mask = new Sequence(T, B, H, Draw.Mask(random, T * B, H).Values.AsSpan());
        var target = Draw.Sequence(random, T, B, 3);

        var lower = below.Forward(x);
        var upper = above.Forward(Dropout.Forward(lower.Y, mask));
        var dUpper = above.Backward(upper, Minus(upper.Y, target));
        var dLower = below.Backward(lower, Dropout.Backward(dUpper.DX, mask));
        return GradientCheck.Run(
            () => HalfSquare(above.Forward(Dropout.Forward(below.Forward(x).Y, mask)).Y, target),
            [
                new("x", x.Values, dLower.DX.Values),
                .. ParameterTensors([.. below.Cells, .. above.Cells], [.. dLower.DParameters, .. dUpper.DParameters]),
            ]);
    }

    /// <summary>Two queries to the T keys of each of B samples; each sample has a mask of its own. The loss is ½ Σ (context − target)².</summary>
    static IReadOnlyList<GradientError> CheckAttention(Attention attention)
    {
        const int Queries = 2;
        var random = new Random(1);
        attention.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        bool[][] valid = [[true, true, true, true, true, true], [true, false, true, true, false, true], [false, true, true, false, false, false]];
        Matrix[] keys = [.. valid.Select(_ => Draw.Matrix(random, T, attention.KeySize))];
        var queries = Draw.Sequence(random, Queries, B, attention.QuerySize);
        var target = Draw.Sequence(random, Queries, B, attention.KeySize);

        Sequence Contexts()
        {
            var contexts = new Sequence(Queries, B, attention.KeySize);
            for (var b = 0; b < B; b++)
            {
                for (var q = 0; q < Queries; q++)
                    attention.Forward(queries[q, b], keys[b], valid[b]).Context.CopyTo(contexts[q, b]);
            }

            return contexts;
        }

        var dContexts = Minus(Contexts(), target);
        var dQueries = new Sequence(Queries, B, attention.QuerySize);
        Matrix[] dKeys = [.. keys.Select(one => new Matrix(one.Rows, one.Cols))];
        var dParameters = attention.CreateGradients();
        for (var b = 0; b < B; b++)
        {
            for (var q = 0; q < Queries; q++)
                attention.Backward(attention.Forward(queries[q, b], keys[b], valid[b]), dContexts[q, b], dQueries[q, b], dKeys[b], dParameters);
        }

        return GradientCheck.Run(
            () => HalfSquare(Contexts(), target),
            [
                new("queries", queries.Values, dQueries.Values),
                .. keys.Select((one, b) => new CheckedTensor($"keys[{b}]", one.Values, dKeys[b].Values)),
                .. Pair("", attention.Parameters.Tensors, dParameters.Tensors),
            ]);
    }

    static IReadOnlyList<GradientError> CheckEmbedding()
    {
        var random = new Random(1);
        var embedding = new Embedding(5, 3);
        embedding.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var layer = new Recurrent(new GruCell(3, H));
        Draw.Parameters(random, layer.Cells);
        var tokens = Draw.Tokens(random, T, B, 5);
        var target = Draw.Sequence(random, T, B, H);
        var cache = layer.Forward(embedding.Forward(tokens, s_ragged), lengths: s_ragged);
        var inner = layer.Backward(cache, Minus(cache.Y, target));
        return GradientCheck.Run(
            () => HalfSquare(layer.Forward(embedding.Forward(tokens, s_ragged), lengths: s_ragged).Y, target),
            [
                .. Pair("embedding ", embedding.Parameters.Tensors, embedding.Backward(tokens, inner.DX, s_ragged).Tensors),
                .. ParameterTensors(layer.Cells, inner.DParameters),
            ]);
    }

    static IReadOnlyList<GradientError> CheckClassifier()
    {
        var random = new Random(1);
        var layer = new Recurrent(new LstmCell(I, H));
        Draw.Parameters(random, layer.Cells);
        var linear = new Linear(H, 5);
        linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
        var x = Draw.Sequence(random, T, B, I);
        var states = Draw.States(random, layer.Cells, B);
        var targets = Draw.Tokens(random, T, B, 5);

        var cache = layer.Forward(x, states);
        var outer = linear.Backward(cache.Y, SoftmaxCrossEntropy.Backward(linear.Forward(cache.Y), targets));
        var inner = layer.Backward(cache, outer.DX);
        return GradientCheck.Run(
            () => SoftmaxCrossEntropy.Forward(linear.Forward(layer.Forward(x, states).Y), targets),
            [
                new("x", x.Values, inner.DX.Values),
                .. ParameterTensors(layer.Cells, inner.DParameters),
                .. Pair("linear ", linear.Parameters.Tensors, outer.DParameters.Tensors),
                .. StateTensors(states, inner.DInitialStates),
            ]);
    }

    /// <summary>Distinct weights, some of them 0.</summary>
    static double[,] Weights()
    {
        var weights = new double[T, B];
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                weights[t, b] = (t + b) % 4 == 0 ? 0 : 0.2 + (0.1 * t) + (0.7 * b);
        }

        return weights;
    }
}
