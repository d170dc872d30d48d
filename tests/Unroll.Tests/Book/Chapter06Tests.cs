using Unroll.Tests.Theory;
using Unroll.Theory;
using static Unroll.Tests.Book.GateFormulas;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 6, the GRU, as printed there. Blocks are r z n.</summary>
public class Chapter06Tests
{
    const int T = 4, I = 2, H = 3;
    const int R = 0, Z = 1, N = 2;

    [Fact]
    [Equation("6.1", "GruCell.Forward")]
    public void Gates_SeeInputAndState()
    {
        var (cell, previous, x) = Step(GruResetGate.AfterProduct);
        var step = cell.Forward(x, previous);

        Close(Each(H, j => Sigma(PreActivation(cell.Parameters, R, j, x, previous.H))), step.R);
        Close(Each(H, j => Sigma(PreActivation(cell.Parameters, Z, j, x, previous.H))), step.Z);
    }

    [Fact]
    [Equation("6.2", "GruCell.Forward")]
    public void State_IsAMeanOfCandidateAndStateBefore() => Assert.All(Enum.GetValues<GruResetGate>(), form =>
    {
        var (cell, previous, x) = Step(form);
        var step = cell.Forward(x, previous);

        Close(Each(H, j => ((1 - step.Z[j]) * step.N[j]) + (step.Z[j] * previous.H[j])), step.State.H);
    });

    [Fact]
    [Equation("6.3", "GruCell.Forward")]
    public void Candidate_WithTheResetGateBeforeTheProduct()
    {
        var (cell, previous, x) = Step(GruResetGate.BeforeProduct);
        var step = cell.Forward(x, previous);

        var s = Each(H, j => step.R[j] * previous.H[j]);
        Close(s, step.ResetH);
        Close(Each(H, j => Math.Tanh(InputPart(cell.Parameters, N, j, x) + HiddenPart(cell.Parameters, N, j, s))), step.N);
    }

    [Fact]
    [Equation("6.4", "GruCell.Forward")]
    public void Candidate_WithTheResetGateAfterTheProduct()
    {
        var (cell, previous, x) = Step(GruResetGate.AfterProduct);
        var step = cell.Forward(x, previous);

        var q = Each(H, j => HiddenPart(cell.Parameters, N, j, previous.H));
        Close(q, step.ProductN);
        Close(Each(H, j => Math.Tanh(InputPart(cell.Parameters, N, j, x) + (step.R[j] * q[j]))), step.N);
    }

    [Fact]
    [Equation("6.5", "GruCell.CreateGradients")]
    public void Parameters_AreAsManyAsTheFormulaSays() =>
        Assert.Equal(3 * H * (I + H + 2), new GruCell(I, H).CreateGradients().Tensors.Sum(tensor => tensor.Values.Length));

    [Fact]
    [Equation("6.6", "Recurrent.Backward")]
    [Equation("6.7", "GruCell.Backward")]
    [Equation("6.8", "GruCell.Backward")]
    [Equation("6.9", "GruCell.Backward")]
    [Equation("6.10", "GruCell.Backward")]
    [Equation("6.11", "Recurrent.Backward")]
    public void Backward_GivesEveryGradient_WithTheResetGateAfterTheProduct()
    {
        var (cell, cache, dY, dFinal, computed) = Sequence(GruResetGate.AfterProduct);
        var p = cell.Parameters;
        var expected = cell.CreateGradients();
        var dHNext = dFinal;
        for (var t = T - 1; t >= 0; t--)
        {
            var step = (GruCache)cache.Steps[t, 0]!;
            var (r, z, n, hPrev) = (step.R, step.Z, step.N, step.Previous.H);
            var q = Each(H, j => HiddenPart(p, N, j, hPrev));

            var dH = Each(H, j => dY[t, 0, j] + dHNext[j]);                                  // (6.6)
            var dAn = Each(H, j => dH[j] * (1 - z[j]) * (1 - (n[j] * n[j])));                // (6.7)
            var dAz = Each(H, j => dH[j] * (hPrev[j] - n[j]) * z[j] * (1 - z[j]));
            var dQ = Each(H, j => dAn[j] * r[j]);                                            // (6.8)
            var dAr = Each(H, j => dAn[j] * q[j] * r[j] * (1 - r[j]));
            dHNext = Each(H, k => (z[k] * dH[k])                                             // (6.9)
                + TransposeProduct(p.WeightHh, R, k, dAr) + TransposeProduct(p.WeightHh, Z, k, dAz) + TransposeProduct(p.WeightHh, N, k, dQ));
            CheckInput(p, [dAr, dAz, dAn], computed.DX[t, 0].ToArray());                     // (6.10)
            Accumulate(expected, [dAr, dAz, dAn], step.X, [(dAr, hPrev), (dAz, hPrev), (dQ, hPrev)]); // (6.11)
        }

        Check(dHNext, expected, computed);
    }

    [Fact]
    [Equation("6.12", "GruCell.Backward")]
    [Equation("6.13", "GruCell.Backward")]
    [Equation("6.14", "Recurrent.Backward")]
    public void Backward_GivesEveryGradient_WithTheResetGateBeforeTheProduct()
    {
        var (cell, cache, dY, dFinal, computed) = Sequence(GruResetGate.BeforeProduct);
        var p = cell.Parameters;
        var expected = cell.CreateGradients();
        var dHNext = dFinal;
        for (var t = T - 1; t >= 0; t--)
        {
            var step = (GruCache)cache.Steps[t, 0]!;
            var (r, z, n, hPrev) = (step.R, step.Z, step.N, step.Previous.H);
            var s = Each(H, j => r[j] * hPrev[j]);

            var dH = Each(H, j => dY[t, 0, j] + dHNext[j]);                                  // (6.6)
            var dAn = Each(H, j => dH[j] * (1 - z[j]) * (1 - (n[j] * n[j])));                // (6.7)
            var dAz = Each(H, j => dH[j] * (hPrev[j] - n[j]) * z[j] * (1 - z[j]));
            var dS = Each(H, k => TransposeProduct(p.WeightHh, N, k, dAn));                  // (6.12)
            var dAr = Each(H, j => dS[j] * hPrev[j] * r[j] * (1 - r[j]));
            dHNext = Each(H, k => (z[k] * dH[k]) + (r[k] * dS[k])                            // (6.13)
                + TransposeProduct(p.WeightHh, R, k, dAr) + TransposeProduct(p.WeightHh, Z, k, dAz));
            CheckInput(p, [dAr, dAz, dAn], computed.DX[t, 0].ToArray());                     // (6.10)
            Accumulate(expected, [dAr, dAz, dAn], step.X, [(dAr, hPrev), (dAz, hPrev), (dAn, s)]); // (6.14)
        }

        Check(dHNext, expected, computed);
    }

    static void CheckInput(CellParameters p, double[][] dA, double[] computed) =>
        Close(Each(I, k => Enumerable.Range(0, 3).Sum(m => TransposeProduct(p.WeightIh, m, k, dA[m]))), computed);

    /// <summary>Adds the sums over t of one step: on the input's side δa xᵀ, on the state's side v uᵀ, block by block.</summary>
    static void Accumulate(CellParameters expected, double[][] dA, double[] x, (double[] V, double[] U)[] hidden)
    {
        for (var m = 0; m < 3; m++)
        {
            AddOuter(expected.WeightIh, m, dA[m], x);
            AddTo(expected.BiasIh, m, dA[m]);
            AddOuter(expected.WeightHh, m, hidden[m].V, hidden[m].U);
            AddTo(expected.BiasHh, m, hidden[m].V);
        }
    }

    static void Check(double[] dH0, CellParameters expected, LayerGradients computed)
    {
        Close(dH0, computed.DInitialStates[0][0].H);
        foreach (var (printed, member) in expected.Tensors.Zip(computed.DParameters[0].Tensors))
            Close(printed.Values, member.Values);
    }

    static (GruCell Cell, CellState Previous, double[] X) Step(GruResetGate form)
    {
        var random = new Random(6);
        var cell = new GruCell(I, H, form);
        Draw.Parameters(random, [cell]);
        return (cell, Draw.States(random, [cell], 1)[0][0], Draw.Vector(random, I));
    }

    static (GruCell Cell, RecurrentCache Cache, Sequence DY, double[] DFinal, LayerGradients Computed) Sequence(GruResetGate form)
    {
        var random = new Random(6);
        var cell = new GruCell(I, H, form);
        Draw.Parameters(random, [cell]);
        var layer = new Recurrent(cell);
        var cache = layer.Forward(Draw.Sequence(random, T, 1, I), Draw.States(random, [cell], 1));
        var (dY, dFinal) = (Draw.Sequence(random, T, 1, H), Draw.States(random, [cell], 1));
        return (cell, cache, dY, dFinal[0][0].H, layer.Backward(cache, dY, dFinal));
    }
}
