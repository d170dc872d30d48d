using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>The gradients of the weights.</summary>
/// <remarks>
/// In large passes the two halves of the batch are summed apart and then added: two threads then read what they have
/// written themselves, and only the sums go from one to the other. It is the layer and the pass that decide, so that any number
/// of threads gives the same bits.
/// </remarks>
sealed unsafe partial class UnrolledRecurrent<TCell>
{
    // A batch of so many rows, in a forward pass of so many operations, has its weight gradients summed in two halves.
    const int SmallestSplitBatch = 32;
    const long SmallestSplitFlops = 20_000_000;

    // Weights of a layer up to which they are: a second sum of more is not read again from a near cache. In one sum LSTM and GRU
    // 32,100,64,256 train 1.7 to 1.9 % faster on one Zen 2 core, on two 0.4 % and the same; H = 512 and 1024 1.2 % on both.
    const long MostSplitWeights = 192 * 1024;

    // A first step's products with h₋₁ = 0 up to which they are not left out: that takes a product of its own for the biases and W_ih.
    const long MostZeroProducts = 128 * 1024;

    public override void AccumulateGradients(int worker, int workers)
    {
        var pass = new GradientPass { Owner = this, Worker = worker, Workers = workers };
        _context.Engine.Run(ref pass);
    }

    /// <summary>The parts of the batch whose weight gradients are summed apart.</summary>
    int GradientParts => GradientPartsOf(Steps, Batch);

    public override bool MergesGradients => GradientParts > 1;

    /// <summary>dW_ih, dW_hh, db_ih and db_hh: for each product, one pass over its gradient for all of them.</summary>
    void AccumulateGradients<S, V>(int worker, int workers)
        where S : struct, ISimd<V>
        where V : struct
    {
        // Earlier segments than the gradient has come back to add nothing.
        if (FirstStep == SummedSteps.End && AddsGradients)
            return;
        for (var part = 0; part < GradientParts; part++)
        {
            foreach (var product in _cell.Products)
            {
                var (start, end) = TallProduct.Share(product.GateCount * _h, part, GradientParts, worker, workers);
                if (start < end)
                    Accumulate<S, V>(product, part, start, end, worker);
            }
        }

        if (_layer.WeightPeephole is { } peephole && worker == 0)
            PeepholeGradient<S, V>(Gradient(peephole));
    }

    /// <summary>Rows [<paramref name="start"/>, <paramref name="end"/>) of a product's weights, from a part of the batch.</summary>
    void Accumulate<S, V>(RecurrentProduct product, int part, int start, int end, int worker)
        where S : struct, ISimd<V>
        where V : struct
    {
        var one = _context.One;
        var row = RowOf(product);
        var (b0, b1) = ParallelJob.Share(Batch, part, GradientParts);
        var hidden = RecallsHidden ? Recalled(FirstStep - 1, b0) : RecurrentInput(FirstStep, b0);
        var (sums, adds) = part == 0 ? (Gradients, AddsGradients) : (PartialGradients, false);
        ReadOnlySpan<TallColumns> columns =
        [
            TallColumns.Matrix(
                product.Operand == ProductOperand.PreviousHidden ? hidden : Saved(FirstStep, b0), _h, sums.WeightHh + (row * _h), adds),
            TallColumns.Matrix(
                Input + RowOffset(FirstStep, b0, Layer.InputSize), Layer.InputSize, sums.WeightIh + (row * Layer.InputSize), adds),
            TallColumns.Bias(one, sums.BiasIh + row, adds),
            TallColumns.Bias(one, sums.BiasHh + row, adds),
        ];

        var gates = new GradientRows { Pointer = Gates(FirstStep, b0) + row, Stride = _width };
        if (product.Gradient == ProductGradient.Gates)
        {
            Accumulate<S, V>(gates, b1 - b0, start, end, columns, worker, recurrent: true);
        }
        else
        {
            var saved = new GradientRows { Pointer = Saved(FirstStep, b0), Stride = _h };
            Accumulate<S, V>(saved, b1 - b0, start, end, [columns[0], columns[3]], worker, recurrent: true);
            Accumulate<S, V>(gates, b1 - b0, start, end, columns[1..3], worker, recurrent: false);
        }
    }

    /// <summary>
    /// A tall product over <paramref name="rows"/> rows of the batch at each step from the first one with a gradient.
    /// <paramref name="recurrent"/> columns begin with hₜ₋₁ or what comes of it, which are left out of step 0 where they
    /// are 0 and many.
    /// </summary>
    void Accumulate<S, V>(GradientRows gradient, int rows, int start, int end, ReadOnlySpan<TallColumns> columns, int worker, bool recurrent)
        where S : struct, ISimd<V>
        where V : struct
    {
        var steps = SummedSteps.End - FirstStep;
        Span<TallColumns> rest = stackalloc TallColumns[columns.Length];
        columns.CopyTo(rest);
        if (recurrent && StartsAtZero && FirstStep == 0 && (long)rows * _width * _h > MostZeroProducts)
        {
            _context.Tall.Accumulate<S, V>(new TallProblem(TallRows.First(rows), gradient.Pointer, gradient.Stride, columns[1..]), start, end, worker);
            foreach (ref var group in rest)
                group.Source += Batch * group.SourceRow;
            foreach (ref var group in rest[1..])
                group.Adds = true;
            gradient.Pointer += (nint)Batch * gradient.Stride;
            steps--;
        }

        _context.Tall.Accumulate<S, V>(new TallProblem(new TallRows(steps, rows, Batch - rows), gradient.Pointer, gradient.Stride, rest), start, end, worker);
    }

    public override void MergeGradients(int worker, int workers)
    {
        if (!MergesGradients)
            return;
        var merge = new MergePass { Sums = Gradients, Parts = PartialGradients, Owner = this, Worker = worker, Workers = workers };
        _context.Engine.Run(ref merge);
    }

    /// <summary>Where the gradients are summed.</summary>
    WeightGradients Gradients => new()
    {
        WeightHh = Gradient(_layer.WeightHh),
        BiasHh = Gradient(_layer.BiasHh),
        WeightIh = Gradient(_layer.WeightIh),
        BiasIh = Gradient(_layer.BiasIh),
    };

    /// <summary>Where the second part's are summed.</summary>
    WeightGradients PartialGradients
    {
        get
        {
            var weightHh = _partialGradients!.Pointer;
            var weightIh = weightHh + ((nint)_width * _h);
            var biasHh = weightIh + ((nint)_width * Layer.InputSize);
            return new() { WeightHh = weightHh, WeightIh = weightIh, BiasHh = biasHh, BiasIh = biasHh + _width };
        }
    }

    int GradientPartsOf(int steps, int batch) =>
        batch < SmallestSplitBatch || WeightCount > MostSplitWeights || FlopsPerStep * steps * batch < SmallestSplitFlops ? 1 : 2;

    /// <summary>dp[j] = Σ over t and b of dGate[t, b, j]·c[t, b, j], or what it was and that, in rising order of t·B + b.</summary>
    void PeepholeGradient<S, V>(float* dPeephole)
        where S : struct, ISimd<V>
        where V : struct
    {
        var rows = (nint)(Steps - FirstStep) * Batch;
        for (var block = 0; block < _cell.PeepholeCount; block++)
        {
            var (gate, current) = _cell.Peephole(block);
            for (var j = 0; j < _h; j += S.Count)
            {
                var n = _h - j;
                var dGate = Gates(FirstStep, 0) + (nint)gate * _h + j;
                var c = CellState(current ? FirstStep : FirstStep - 1, 0) + j;
                var sum = AddsGradients ? Lanes<S, V>.Load(dPeephole + (block * _h) + j, n) : S.Broadcast(0f);
                for (nint row = 0; row < rows; row++)
                {
                    sum = S.Fma(Lanes<S, V>.Load(dGate, n), Lanes<S, V>.Load(c, n), sum);
                    dGate += _width;
                    c += _h;
                }

                Lanes<S, V>.Store(dPeephole + (block * _h) + j, sum, n);
            }
        }
    }

    /// <summary>dW_hh [G·H, H], dW_ih [G·H, I], db_hh and db_ih [G·H].</summary>
    struct WeightGradients
    {
        public float* WeightHh, WeightIh, BiasHh, BiasIh;
    }

    struct MergePass : IKernelAction
    {
        public WeightGradients Sums, Parts;
        public UnrolledRecurrent<TCell> Owner;
        public int Worker, Workers;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct
        {
            // Rows of weights as the worker has summed them.
            var (start, end) = TallProduct.Share(Owner._width, Worker, Workers);
            Add<S, V>(Sums.WeightHh, Parts.WeightHh, start * Owner._h, end * Owner._h);
            Add<S, V>(Sums.WeightIh, Parts.WeightIh, start * Owner.Layer.InputSize, end * Owner.Layer.InputSize);
            Add<S, V>(Sums.BiasHh, Parts.BiasHh, start, end);
            Add<S, V>(Sums.BiasIh, Parts.BiasIh, start, end);
        }

        static void Add<S, V>(float* sums, float* parts, nint start, nint end)
            where S : struct, ISimd<V>
            where V : struct
        {
            for (var i = start; i < end; i += S.Count)
            {
                var n = (int)Math.Min(end - i, S.Count);
                Lanes<S, V>.Store(sums + i, S.Add(Lanes<S, V>.Load(sums + i, n), Lanes<S, V>.Load(parts + i, n)), n);
            }
        }
    }

    struct GradientPass : IKernelAction
    {
        public UnrolledRecurrent<TCell> Owner;
        public int Worker, Workers;

        public readonly void Invoke<S, V>()
            where S : struct, ISimd<V>
            where V : struct => Owner.AccumulateGradients<S, V>(Worker, Workers);
    }
}
