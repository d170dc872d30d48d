using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>What a backward pass shows of one recurrent layer: how long ∂loss/∂h and ∂loss/∂c are after every step of every row.</summary>
/// <remarks>
/// A step's entry is written once, by the thread that has its row, and summed afterwards in a fixed order, so the threads'
/// number changes no bit. What a pass does not come to (padding, steps before which everything has vanished) stays 0.
/// </remarks>
sealed unsafe class GradientTrace
{
    readonly UnrolledRecurrent _layer;
    readonly int _h, _batch;
    readonly double[] _hidden;
    readonly double[] _cell = [];

    // ∂loss/∂c of the step in hand [B, H].
    readonly AlignedBuffer? _dC;

    /// <param name="layer">The layer, in the sizes of the pass that is to be recorded.</param>
    public GradientTrace(UnrolledRecurrent layer)
    {
        (_layer, _h, _batch) = (layer, layer.Layer.OutputSize, layer.Batch);
        _hidden = new double[checked(layer.Steps * _batch)];
        if (layer.CellAt(-1) == null)
            return;
        _cell = new double[_hidden.Length];
        _dC = new AlignedBuffer((long)_batch * _h);
    }

    /// <summary>√(Σ over the rows of ‖∂loss/∂hₜ‖²) of every step [T], each row in its own order of time.</summary>
    public double[] HiddenNorms() => Norms(_hidden);

    /// <summary>The same of c; empty for a cell without one.</summary>
    public double[] CellNorms() => Norms(_cell);

    /// <summary>Where the backward step leaves ∂loss/∂c from row <paramref name="b"/> on; null for a cell without one.</summary>
    public float* CellGradient(int b) => _dC is null ? null : _dC.Pointer + ((nint)b * _h);

    /// <summary>Before a step goes back: ∂loss/∂h = dY + dH of rows [b, b + rows).</summary>
    public void TakeHidden(int t, int b, int rows, float* dY, float* dH)
    {
        for (var row = b; row < b + rows; row++, dY += _h, dH += _h)
        {
            var sum = 0.0;
            for (var j = 0; j < _h; j++)
                sum += Square(dY[j] + dH[j]);
            _hidden[At(t, row)] = sum;
        }
    }

    /// <summary>After a step has gone back: ∂loss/∂c of rows [b, b + rows).</summary>
    public void TakeCell(int t, int b, int rows)
    {
        for (var row = b; _dC is not null && row < b + rows; row++)
        {
            var sum = 0.0;
            foreach (var dC in new ReadOnlySpan<float>(CellGradient(row), _h))
                sum += Square(dC);
            _cell[At(t, row)] = sum;
        }
    }

    static double Square(double x) => x * x;

    int At(int t, int b) => (_layer.TimeOf(t, b) * _batch) + b;

    double[] Norms(double[] squares)
    {
        var norms = new double[squares.Length / _batch];
        for (var at = 0; at < squares.Length; at++)
            norms[at / _batch] += squares[at];
        for (var t = 0; t < norms.Length; t++)
            norms[t] = Math.Sqrt(norms[t]);
        return norms;
    }
}
