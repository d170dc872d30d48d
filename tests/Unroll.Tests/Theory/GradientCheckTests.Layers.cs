using Unroll.Theory;

namespace Unroll.Tests.Theory;

public partial class GradientCheckTests
{
    static void AddLayers(Dictionary<string, Func<IReadOnlyList<GradientError>>> options)
    {
        foreach (var (name, make) in Draw.Cells())
        {
            options[$"{name}, one layer"] = () => CheckLayer(() => new Recurrent(make(I, H)));
            options[$"{name}, reverse"] = () => CheckLayer(() => new Recurrent(make(I, H), reverse: true));
            options[$"{name}, two layers"] = () => CheckLayer(() => new Stacked(new Recurrent(make(I, H)), new Recurrent(make(H, 3))));
            options[$"{name}, bidirectional"] = () => CheckLayer(() => new Bidirectional(make(I, H), make(I, 3)));
            foreach (var merge in new[] { BidirectionalMerge.Sum, BidirectionalMerge.Average, BidirectionalMerge.Product })
                options[$"{name}, bidirectional, {merge}"] = () => CheckLayer(() => new Bidirectional(make(I, H), make(I, H), merge), s_ragged);
            options[$"{name}, lengths"] = () => CheckLayer(() => new Recurrent(make(I, H)), s_ragged);
            options[$"{name}, two bidirectional layers, lengths"] = () => CheckLayer(
                () => new Stacked(new Bidirectional(make(I, 3), make(I, 4)), new Bidirectional(make(7, 4), make(7, 3))), s_ragged);
            options[$"{name}, variational dropout"] = () => CheckLayer(() => new Recurrent(make(I, H)), dropout: true);
            options[$"{name}, two bidirectional layers, lengths, dropout"] = () => CheckLayer(
                () => new Stacked(new Bidirectional(make(I, 3), make(I, 3), BidirectionalMerge.Sum), new Bidirectional(make(3, 3), make(3, 4))), s_ragged, dropout: true);
            options[$"{name}, two layers, truncated BPTT"] = () => CheckTruncated(() => new Stacked(new Recurrent(make(I, H)), new Recurrent(make(H, 3))), k1: 2, k2: 3);
            options[$"{name}, closed loop, mixed mask"] = () => CheckClosedLoop(MixedMask(), make(I, H));
            options[$"{name}, closed loop, two layers"] = () => CheckClosedLoop(ClosedLoop.FeedbackAfter(2, T, B), make(I, H), make(H, 3));
        }

        options["LSTM + GRU, two bidirectional layers"] = () => CheckLayer(() => new Stacked(
            new Bidirectional(new LstmCell(I, 3, LstmOptions.WithPeepholes), new GruCell(I, H)),
            new Bidirectional(new RnnCell(H + 3, 3), new LstmCell(H + 3, 3))));
    }

    static IReadOnlyList<GradientError> CheckLayer(Func<SequenceLayer> make, int[]? lengths = null, bool dropout = false)
    {
        for (var seed = 1; ; seed++)
        {
            var random = new Random(seed);
            var layer = make();
            Draw.Parameters(random, layer.Cells);
            var x = Draw.Sequence(random, T, B, layer.InputSize);
            var states = Draw.States(random, layer.Cells, B);
            var target = Draw.Sequence(random, T, B, layer.OutputSize);
            var stateTargets = Draw.States(random, layer.Cells, B);
            var masks = dropout ? Draw.Masks(random, layer.Cells, B) : null;

            var cache = layer.Forward(x, states, lengths, masks);
            if (!IsFitForDifferences(layer.Cells, Steps(cache)))
                continue;
            var gradients = layer.Backward(cache, Minus(cache.Y, target), Minus(cache.FinalStates, stateTargets));

            return GradientCheck.Run(
                () =>
                {
                    var pass = layer.Forward(x, states, lengths, masks);
                    return HalfSquare(pass.Y, target) + HalfSquare(pass.FinalStates, stateTargets);
                },
                [
                    new("x", x.Values, gradients.DX.Values),
                    .. ParameterTensors(layer.Cells, gradients.DParameters),
                    .. StateTensors(states, gradients.DInitialStates),
                ]);
        }
    }

    static IReadOnlyList<GradientError> CheckClosedLoop(bool[,] feedback, params Cell[] cells)
    {
        for (var seed = 1; ; seed++)
        {
            var random = new Random(seed);
            Draw.Parameters(random, cells);
            var linear = new Linear(cells[^1].HiddenSize, I);
            linear.Parameters.Fill(() => Draw.Uniform(random, 0.8));
            var model = new ClosedLoop(cells, linear);
            var x = Draw.Sequence(random, T, B, I);
            var states = Draw.States(random, cells, B);
            var target = Draw.Sequence(random, T, B, I);
            var stateTargets = Draw.States(random, cells, B);

            var cache = model.Forward(x, feedback, states);
            if (!IsFitForDifferences(cells, cache.Steps.Cast<CellCache>()))
                continue;
            var gradients = model.Backward(cache, Minus(cache.Y, target), Minus(cache.FinalStates, stateTargets));

            return GradientCheck.Run(
                () =>
                {
                    var pass = model.Forward(x, feedback, states);
                    return HalfSquare(pass.Y, target) + HalfSquare(pass.FinalStates, stateTargets);
                },
                [
                    new("x", x.Values, gradients.DX.Values),
                    .. ParameterTensors(cells, gradients.DParameters),
                    .. Pair("linear ", linear.Parameters.Tensors, gradients.DLinear.Tensors),
                    .. StateTensors(states, gradients.DInitialStates),
                ]);
        }
    }

    /// <summary>
    /// The truncated gradient is the gradient of a sum over pieces, each of which starts k2 steps before its end from a state taken as a constant
    /// and has the loss of its own k1 steps: that sum is what the differences are taken of.
    /// </summary>
    static IReadOnlyList<GradientError> CheckTruncated(Func<SequenceLayer> make, int k1, int k2)
    {
        for (var seed = 1; ; seed++)
        {
            var random = new Random(seed);
            var layer = make();
            Draw.Parameters(random, layer.Cells);
            var x = Draw.Sequence(random, T, B, layer.InputSize);
            var states = Draw.States(random, layer.Cells, B);
            var target = Draw.Sequence(random, T, B, layer.OutputSize);
            if (!IsFitForDifferences(layer.Cells, Steps(layer.Forward(x, states))))
                continue;

            var truncated = new TruncatedBptt(layer, k1, k2, states);
            CellParameters[] dParameters = [.. layer.Cells.Select(cell => cell.CreateGradients())];
            var dX = new Sequence(T, B, layer.InputSize);
            var pieces = new List<(int First, int From, int To, CellState[][] Start)>();
            for (var from = 0; from < T; from += k1)
            {
                var to = Math.Min(from + k1, T);
                var y = truncated.Forward(Views.Steps(x, from, to));
                var gradients = truncated.Backward(Minus(y, Views.Steps(target, from, to)));
                var first = gradients.FirstStep;
                for (var k = 0; k < gradients.DX.Values.Length; k++)
                    dX.Values[(first * B * layer.InputSize) + k] += gradients.DX.Values[k];
                for (var k = 0; k < dParameters.Length; k++)
                    dParameters[k].Add(gradients.DParameters[k]);
                pieces.Add((first, from, to, first == 0 ? states : layer.Forward(Views.Steps(x, 0, first), states).FinalStates));
            }

            Assert.Contains(pieces, piece => piece.First > 0);
            return GradientCheck.Run(
                () => pieces.Sum(piece =>
                {
                    var y = layer.Forward(Views.Steps(x, piece.First, piece.To), piece.Start).Y;
                    return HalfSquare(Views.Steps(y, piece.From - piece.First, y.T), Views.Steps(target, piece.From, piece.To));
                }),
                [new("x", x.Values, dX.Values), .. ParameterTensors(layer.Cells, dParameters)]);
        }
    }

    /// <summary>Feedback that differs from sample to sample and goes on and off; none at t = 0.</summary>
    static bool[,] MixedMask()
    {
        var feedback = new bool[T, B];
        for (var t = 1; t < T; t++)
        {
            for (var b = 0; b < B; b++)
                feedback[t, b] = ((t + b) % 3) != 0;
        }

        return feedback;
    }

    static IEnumerable<CellCache> Steps(LayerCache cache) => cache switch
    {
        RecurrentCache recurrent => recurrent.Steps.Cast<CellCache?>().OfType<CellCache>(),
        BidirectionalCache both => Steps(both.Forward).Concat(Steps(both.Backward)),
        StackedCache stacked => stacked.Layers.SelectMany(Steps),
        _ => throw new ArgumentException($"unknown cache {cache.GetType().Name}", nameof(cache)),
    };

    static bool IsFitForDifferences(IEnumerable<Cell> cells, IEnumerable<CellCache> steps)
    {
        if (steps.OfType<LayerNormLstmCache>().Any(step => new[] { step.NormX, step.NormH, step.NormC }.Min(norm => norm.Deviation) < LeastDeviation))
            return false;
        if (!cells.OfType<RnnCell>().Any(cell => cell.Activation == RnnActivation.Relu))
            return true;
        var preactivations = steps.OfType<RnnCache>().Select(step => step.A).ToArray();
        return preactivations.All(a => a.Min(Math.Abs) >= KinkMargin && a.Any(value => value > 0)) && preactivations.Any(a => a.Any(value => value < 0));
    }
}
