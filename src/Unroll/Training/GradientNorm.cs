using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Training;

/// <summary>The length of the whole gradient, and clipping by it.</summary>
public static class GradientNorm
{
    /// <summary>‖d‖₂ = √Σ d² over every parameter, summed in double in one fixed order.</summary>
    public static double Of(ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var sum = 0.0;
        ReadOnlySpan<float> gradients = parameters.Gradients;
        for (var start = 0; start < gradients.Length; start += GradientClipper.Block)
            sum += GradientClipper.SumOfSquares(gradients.Slice(start, Math.Min(GradientClipper.Block, gradients.Length - start)));
        return Math.Sqrt(sum);
    }

    /// <summary>
    /// Scales the gradient to length <paramref name="maximum"/> if it is longer: d ← d·maximum/(‖d‖ + 1e-6). Pascanu,
    /// Mikolov and Bengio (ICML 2013), algorithm 1.
    /// </summary>
    /// <returns>‖d‖ before clipping.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximum"/> is not positive.</exception>
    public static double Clip(ParameterSet parameters, double maximum)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maximum);
        var norm = Of(parameters);
        if (norm > maximum)
            GradientClipper.Scale(parameters.Gradients, GradientClipper.Factor(norm, maximum));
        return norm;
    }
}

/// <summary><see cref="GradientNorm"/> on a model's threads, with the same bits: blocks of one size are summed in one order.</summary>
sealed class GradientClipper
{
    /// <summary>Gradients in a block: enough work to be worth a thread's while.</summary>
    public const int Block = 16_384;

    readonly TrainableModel _model;
    readonly double[] _sums;
    readonly SumJob _sum;
    readonly ScaleJob _scale;

    public GradientClipper(TrainableModel model)
    {
        _model = model;
        _sums = new double[(model.Parameters.Count + Block - 1) / Block];
        _sum = new SumJob(this);
        _scale = new ScaleJob(this);
    }

    /// <summary>‖d‖₂, clipped to <paramref name="maximum"/> afterwards if there is one.</summary>
    public double Clip(double? maximum)
    {
        var workers = Math.Min(_model.Engine.Threads, _sums.Length);
        _model.Engine.Team.Run(_sum, workers);
        var sum = 0.0;
        foreach (var block in _sums)
            sum += block;
        var norm = Math.Sqrt(sum);
        if (norm > maximum)
        {
            _scale.Factor = Factor(norm, maximum.Value);
            _model.Engine.Team.Run(_scale, workers);
        }

        return norm;
    }

    public static float Factor(double norm, double maximum) => (float)(maximum / (norm + 1e-6));

    public static void Scale(Span<float> gradients, float factor)
    {
        foreach (ref var gradient in gradients)
            gradient *= factor;
    }

    /// <summary>Σ d² of one block.</summary>
    public static double SumOfSquares(ReadOnlySpan<float> gradients)
    {
        // Four chains hide the latency of the additions; their order never depends on kernel or threads.
        double a = 0, b = 0, c = 0, d = 0;
        var i = 0;
        for (; i + 4 <= gradients.Length; i += 4)
        {
            a += (double)gradients[i] * gradients[i];
            b += (double)gradients[i + 1] * gradients[i + 1];
            c += (double)gradients[i + 2] * gradients[i + 2];
            d += (double)gradients[i + 3] * gradients[i + 3];
        }

        for (; i < gradients.Length; i++)
            a += (double)gradients[i] * gradients[i];
        return a + b + (c + d);
    }

    Span<float> BlockAt(int block)
    {
        var start = block * Block;
        return _model.Parameters.Gradients.Slice(start, Math.Min(Block, _model.Parameters.Count - start));
    }

    sealed class SumJob(GradientClipper owner) : ParallelJob
    {
        public override void Execute(int worker, int workers)
        {
            var (start, end) = Share(owner._sums.Length, worker, workers);
            for (var block = start; block < end; block++)
                owner._sums[block] = SumOfSquares(owner.BlockAt(block));
        }
    }

    sealed class ScaleJob(GradientClipper owner) : ParallelJob
    {
        public float Factor { get; set; }

        public override void Execute(int worker, int workers)
        {
            var (start, end) = Share(owner._sums.Length, worker, workers);
            for (var block = start; block < end; block++)
                Scale(owner.BlockAt(block), Factor);
        }
    }
}
