using Unroll.Tests.Theory;
using Unroll.Theory;
using static Unroll.Tests.Book.GateFormulas;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 5, the LSTM, as printed there. Blocks are i f g o, without those of absent gates.</summary>
public class Chapter05Tests
{
    const int T = 4, I = 2, H = 3;

    [Fact]
    [Equation("5.1", "LstmCell.Forward")]
    public void Carousel_AddsTheCandidate()
    {
        var (cell, previous, x) = Step(LstmOptions.ConstantErrorCarousel);
        var step = cell.Forward(x, previous);

        var g = Each(H, j => Math.Tanh(PreActivation(cell.Parameters, 0, j, x, previous.H)));
        var c = Each(H, j => previous.C[j] + g[j]);
        Close(g, step.G);
        Close(c, step.State.C);
        Close(Each(H, j => Math.Tanh(c[j])), step.State.H);
    }

    [Fact]
    [Equation("5.2", "LstmCell.Backward")]
    public void Carousel_HandsTheErrorOnUnchanged()
    {
        var (cell, previous, x) = Step(LstmOptions.ConstantErrorCarousel);
        var step = cell.Forward(x, previous);
        var error = new CellState([0.7, -0.4, 0.9], [1.1, 0.3, -0.8]);

        var back = cell.Backward(step, error, new double[I], cell.CreateGradients());
        Close(Each(H, j => error.C[j] + (error.H[j] * (1 - (Math.Tanh(step.State.C[j]) * Math.Tanh(step.State.C[j]))))), back.C);

        var unread = cell.Backward(step, new CellState(new double[H], error.C), new double[I], cell.CreateGradients());
        Assert.Equal(error.C, unread.C);
    }

    [Fact]
    [Equation("5.3", "LstmCell.Forward")]
    public void InputAndOutputGate_ScaleWhatEntersAndLeaves()
    {
        var (cell, previous, x) = Step(LstmOptions.WithoutForgetGate);
        var step = cell.Forward(x, previous);

        var i = Each(H, j => Sigma(PreActivation(cell.Parameters, 0, j, x, previous.H)));
        var g = Each(H, j => Math.Tanh(PreActivation(cell.Parameters, 1, j, x, previous.H)));
        var o = Each(H, j => Sigma(PreActivation(cell.Parameters, 2, j, x, previous.H)));
        var c = Each(H, j => previous.C[j] + (i[j] * g[j]));
        Close(i, step.I);
        Close(o, step.O);
        Close(c, step.State.C);
        Close(Each(H, j => o[j] * Math.Tanh(c[j])), step.State.H);
    }

    [Fact]
    [Equation("5.4", "LstmCell.Forward")]
    public void ForgetGate_ScalesTheStateBefore()
    {
        var (cell, previous, x) = Step(LstmOptions.Vanilla);
        var step = cell.Forward(x, previous);

        var f = Each(H, j => Sigma(PreActivation(cell.Parameters, 1, j, x, previous.H)));
        Close(f, step.F);
        Close(Each(H, j => (f[j] * previous.C[j]) + (step.I[j] * step.G[j])), step.State.C);
    }

    [Fact]
    [Equation("5.5", "LstmCell.Backward")]
    public void Error_ShrinksByTheProductOfForgetGates_WhereNobodyReads()
    {
        var (cell, steps) = Sequence(LstmOptions.Vanilla);
        double[] last = [1.1, 0.3, -0.8];

        var error = last;
        for (var t = T - 1; t > 0; t--)
            error = cell.Backward(steps[t], new CellState(new double[H], error), new double[I], cell.CreateGradients()).C;

        Close(Each(H, j =>
        {
            var product = 1.0;
            for (var k = 1; k < T; k++)
                product *= steps[k].F[j];
            return product * last[j];
        }), error);
    }

    [Fact]
    [Equation("5.6", "LstmCell.Forward")]
    public void Peepholes_SeeTheStateBefore_AndTheOutputGateTheNewOne()
    {
        var (cell, previous, x) = Step(LstmOptions.WithPeepholes);
        var step = cell.Forward(x, previous);
        var p = cell.Parameters;
        var (pI, pF, pO) = Peepholes(p);

        var i = Each(H, j => Sigma(PreActivation(p, 0, j, x, previous.H) + (pI[j] * previous.C[j])));
        var f = Each(H, j => Sigma(PreActivation(p, 1, j, x, previous.H) + (pF[j] * previous.C[j])));
        var g = Each(H, j => Math.Tanh(PreActivation(p, 2, j, x, previous.H)));
        var c = Each(H, j => (f[j] * previous.C[j]) + (i[j] * g[j]));
        var o = Each(H, j => Sigma(PreActivation(p, 3, j, x, previous.H) + (pO[j] * c[j])));
        Close(i, step.I);
        Close(f, step.F);
        Close(g, step.G);
        Close(c, step.State.C);
        Close(o, step.O);
        Close(Each(H, j => o[j] * Math.Tanh(c[j])), step.State.H);
    }

    [Fact]
    [Equation("5.7", "LstmCell.CreateGradients")]
    public void Parameters_AreAsManyAsTheFormulaSays_ForEveryVariant()
    {
        Assert.All(Draw.LstmVariants(), options =>
        {
            var (G, P) = (options.GateCount, options.PeepholeCount);
            var N = (G * H * (I + H + 2)) + (P * H);
            Assert.Equal(N, new LstmCell(I, H, options).CreateGradients().Tensors.Sum(tensor => tensor.Values.Length));
        });
    }

    [Fact]
    [Equation("5.8", "Recurrent.Backward")]
    [Equation("5.9", "LstmCell.Backward")]
    [Equation("5.10", "LstmCell.Backward")]
    [Equation("5.11", "LstmCell.Backward")]
    [Equation("5.12", "LstmCell.Backward")]
    [Equation("5.13", "LstmCell.Backward")]
    [Equation("5.14", "Recurrent.Backward")]
    [Equation("5.15", "Recurrent.Backward")]
    public void Backward_GivesEveryGradient_OverAWholeSequence()
    {
        var random = new Random(5);
        var cell = new LstmCell(I, H, LstmOptions.WithPeepholes);
        Draw.Parameters(random, [cell]);
        var layer = new Recurrent(cell);
        var cache = layer.Forward(Draw.Sequence(random, T, 1, I), Draw.States(random, [cell], 1));
        var (dY, dFinal) = (Draw.Sequence(random, T, 1, H), Draw.States(random, [cell], 1));
        var computed = layer.Backward(cache, dY, dFinal);

        var p = cell.Parameters;
        var (pI, pF, pO) = Peepholes(p);
        var expected = cell.CreateGradients();
        var (dHNext, dCNext) = (dFinal[0][0].H, dFinal[0][0].C);
        for (var t = T - 1; t >= 0; t--)
        {
            var step = (LstmCache)cache.Steps[t, 0]!;
            var (i, f, g, o, c) = (step.I, step.F, step.G, step.O, step.State.C);
            var (hPrev, cPrev) = (step.Previous.H, step.Previous.C);

            var dH = Each(H, j => dY[t, 0, j] + dHNext[j]);                                                          // (5.8)
            var dAo = Each(H, j => dH[j] * Math.Tanh(c[j]) * o[j] * (1 - o[j]));                                     // (5.9)
            var dC = Each(H, j => dCNext[j] + (dH[j] * o[j] * (1 - Math.Pow(Math.Tanh(c[j]), 2))) + (pO[j] * dAo[j])); // (5.10)
            var dAi = Each(H, j => dC[j] * g[j] * i[j] * (1 - i[j]));                                                // (5.11)
            var dAf = Each(H, j => dC[j] * cPrev[j] * f[j] * (1 - f[j]));
            var dAg = Each(H, j => dC[j] * i[j] * (1 - (g[j] * g[j])));
            dCNext = Each(H, j => (f[j] * dC[j]) + (pI[j] * dAi[j]) + (pF[j] * dAf[j]));                             // (5.12)

            double[][] dA = [dAi, dAf, dAg, dAo];
            Close(Each(I, k => Enumerable.Range(0, 4).Sum(m => TransposeProduct(p.WeightIh, m, k, dA[m]))), computed.DX[t, 0].ToArray()); // (5.13)
            dHNext = Each(H, k => Enumerable.Range(0, 4).Sum(m => TransposeProduct(p.WeightHh, m, k, dA[m])));
            for (var m = 0; m < 4; m++)
            {
                AddOuter(expected.WeightIh, m, dA[m], step.X);                                                       // (5.14)
                AddOuter(expected.WeightHh, m, dA[m], hPrev);
                AddTo(expected.BiasIh, m, dA[m]);
                AddTo(expected.BiasHh, m, dA[m]);
            }

            AddTo(expected.WeightPeephole, 0, Each(H, j => dAi[j] * cPrev[j]));                                      // (5.15)
            AddTo(expected.WeightPeephole, 1, Each(H, j => dAf[j] * cPrev[j]));
            AddTo(expected.WeightPeephole, 2, Each(H, j => dAo[j] * c[j]));
        }

        Close(dHNext, computed.DInitialStates[0][0].H);
        Close(dCNext, computed.DInitialStates[0][0].C);
        foreach (var (printed, member) in expected.Tensors.Zip(computed.DParameters[0].Tensors))
            Close(printed.Values, member.Values);
    }

    static (LstmCell Cell, CellState Previous, double[] X) Step(LstmOptions options)
    {
        var random = new Random(5);
        var cell = new LstmCell(I, H, options);
        Draw.Parameters(random, [cell]);
        return (cell, Draw.States(random, [cell], 1)[0][0], Draw.Vector(random, I));
    }

    static (LstmCell Cell, LstmCache[] Steps) Sequence(LstmOptions options)
    {
        var (cell, state, _) = Step(options);
        var random = new Random(6);
        var steps = new LstmCache[T];
        for (var t = 0; t < T; t++)
        {
            steps[t] = cell.Forward(Draw.Vector(random, I), state);
            state = steps[t].State;
        }

        return (cell, steps);
    }

    static (double[] I, double[] F, double[] O) Peepholes(CellParameters p) =>
        (p.WeightPeephole[..H], p.WeightPeephole[H..(2 * H)], p.WeightPeephole[(2 * H)..]);
}
