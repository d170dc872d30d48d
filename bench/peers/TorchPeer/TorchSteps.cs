using Unroll.Benchmarks.Protocol;
using static TorchSharp.torch;

namespace Unroll.Benchmarks.Peers;

/// <summary>
/// The steps of every mode. Tensors are [T, B, I], torch's own layout. Variants: <c>flush-denormal</c> sets the processor's
/// flush-to-zero first, <c>tcmalloc</c> also runs on that allocator; when streaming, <c>layer</c> is nn.LSTM and <c>cell</c>
/// is nn.LSTMCell.
/// </summary>
static class TorchSteps
{
    const double LearningRate = 1e-3;

    public static Action Build(Configuration configuration)
    {
        if (configuration.Variant == Configuration.TcMallocVariant && !File.ReadAllText("/proc/self/maps").Contains("tcmalloc", StringComparison.Ordinal))
            throw new NotSupportedException("The variant tcmalloc needs that library preloaded.");
        if (configuration.Variant is "flush-denormal" or Configuration.TcMallocVariant)
            FloatingPoint.FlushDenormals();
        set_num_threads(configuration.Threads);
        set_num_interop_threads(1);
        manual_seed(1);
        return configuration.Mode switch
        {
            "train" => Train(configuration, optimise: true),
            "grad" => Train(configuration, optimise: false),
            "infer" => Infer(configuration),
            "stream" => configuration.Variant == "cell" ? StreamCell(configuration) : StreamLayer(configuration),
            _ => throw new NotSupportedException($"Expected a mode of train, grad, infer or stream, got '{configuration.Mode}'."),
        };
    }

    static Action Train(Configuration configuration, bool optimise)
    {
        var (b, t, i, h) = configuration.Shape;
        var layer = new Layer(configuration);
        var head = nn.Linear(h, 1);
        var adam = optim.Adam(layer.Module.parameters().Concat(head.parameters()), lr: LearningRate);
        Tensor x = randn(t, b, i), target = randn(b, 1), zero = zeros(1, b, h);
        return () =>
        {
            using var scope = NewDisposeScope();
            adam.zero_grad();
            var loss = nn.functional.mse_loss(head.forward(layer.Forward(x, zero, zero).Hidden.squeeze(0)), target);
            loss.backward();
            if (optimise)
                adam.step();
        };
    }

    static Action Infer(Configuration configuration)
    {
        var (b, t, i, h) = configuration.Shape;
        var layer = new Layer(configuration);
        layer.Module.eval();
        Tensor x = randn(t, b, i), zero = zeros(1, b, h);
        return () =>
        {
            using var inference = inference_mode();
            using var scope = NewDisposeScope();
            layer.Forward(x, zero, zero);
        };
    }

    static Action StreamLayer(Configuration configuration)
    {
        var (_, _, i, h) = configuration.Shape;
        var layer = new Layer(configuration);
        layer.Module.eval();
        var x = randn(1, 1, i);
        return Stream(zeros(1, 1, h), zeros(1, 1, h), (hidden, cell) => layer.Forward(x, hidden, cell));
    }

    static Action StreamCell(Configuration configuration)
    {
        var (_, _, i, h) = configuration.Shape;
        var x = randn(1, i);
        Func<Tensor, Tensor, (Tensor, Tensor)> advance;
        switch (configuration.Cell)
        {
            case "lstm":
                var lstm = nn.LSTMCell(i, h);
                advance = (hidden, cell) => lstm.forward(x, (hidden, cell));
                break;
            case "gru":
                var gru = nn.GRUCell(i, h);
                advance = (hidden, cell) => (gru.forward(x, hidden), cell);
                break;
            default:
                var rnn = nn.RNNCell(i, h);
                advance = (hidden, cell) => (rnn.forward(x, hidden), cell);
                break;
        }

        return Stream(zeros(1, h), zeros(1, h), advance);
    }

    static Action Stream(Tensor hidden, Tensor cell, Func<Tensor, Tensor, (Tensor Hidden, Tensor Cell)> advance) => () =>
    {
        using var inference = inference_mode();
        using var scope = NewDisposeScope();
        var next = advance(hidden, cell);
        Replace(ref hidden, next.Hidden);
        Replace(ref cell, next.Cell);
    };

    static void Replace(ref Tensor state, Tensor next)
    {
        if (ReferenceEquals(state, next))
            return;
        state.Dispose();
        state = next.DetachFromDisposeScope();
    }

    /// <summary>One recurrent layer, whichever cell it has.</summary>
    sealed class Layer
    {
        readonly Func<Tensor, Tensor, Tensor, (Tensor, Tensor)> _forward;

        public Layer(Configuration configuration)
        {
            var (_, _, i, h) = configuration.Shape;
            switch (configuration.Cell)
            {
                case "lstm":
                    var lstm = nn.LSTM(i, h);
                    Module = lstm;
                    _forward = (x, hidden, cell) =>
                    {
                        var (_, hiddenNext, cellNext) = lstm.forward(x, (hidden, cell));
                        return (hiddenNext, cellNext);
                    };
                    break;
                case "gru":
                    var gru = nn.GRU(i, h);
                    Module = gru;
                    _forward = (x, hidden, cell) => (gru.forward(x, hidden).Item2, cell);
                    break;
                default:
                    var rnn = nn.RNN(i, h);
                    Module = rnn;
                    _forward = (x, hidden, cell) => (rnn.forward(x, hidden).Item2, cell);
                    break;
            }
        }

        public nn.Module Module { get; }

        /// <summary>The state [1, B, H] after x [T, B, I]; the cell state is the one given where the cell has none.</summary>
        public (Tensor Hidden, Tensor Cell) Forward(Tensor x, Tensor hidden, Tensor cell) => _forward(x, hidden, cell);
    }
}
