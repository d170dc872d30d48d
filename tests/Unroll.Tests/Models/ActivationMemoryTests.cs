using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;

namespace Unroll.Tests.Models;

public class ActivationMemoryTests
{
    [Theory]
    [InlineData(7, 3, 2, 5)]
    [InlineData(50, 32, 16, 64)]
    [InlineData(50, 64, 16, 64)]
    public void ActivationBytes_AreTheFormulaOfTheArchitecturePage(int T, int B, int I, int H)
    {
        long rows = (long)T * B;
        foreach (var cell in CellOptions.All(H))
        {
            var single = new SequenceModel(new SequenceModelOptions(I, [cell]), Kernels.Engine(Kernels.Chosen));
            long g = single.Parameters.Find(0, ParameterRole.BiasIh).Length / H;
            var keepsTanh = cell is LstmOptions && rows * g * H < 512 * 1024;
            long s = cell is GruOptions || keepsTanh ? 1 : 0, c = cell is LstmOptions ? 1 : 0, resetsBefore = cell is GruOptions { ResetGate: ResetGate.BeforeProduct } ? 1 : 0;
            var withoutDY = cell is LayerNormLstmOptions
                ? (rows * ((12 * H) + (2 * H) + 9)) + ((rows + B) * 2 * H) + (B * 6 * H)
                : (rows * ((g * H) + (s * H))) + ((rows + B) * (H + (c * H))) + (B * (152 + H + (c * H) + (resetsBefore * H)));
            if (cell.RecurrentDropout > 0)
                withoutDY += (rows + (2 * B)) * H;
            var input = rows * I;

            Check(withoutDY + (rows * H) + input + (2 * rows * 3), [cell, new LinearOptions(3)]);
            // h of the present step, the one before it and c of the last one, in place of h of all steps.
            var recallsHidden = cell is LstmOptions { Peepholes: false, RecurrentDropout: 0 } && !keepsTanh;
            var hidden = recallsHidden ? (3 * B * H) - ((rows + B) * H) : 0;
            Check(withoutDY + hidden + (B * H) + input + (B * H) + (2 * B * 3), [cell, new LastStepOptions(), new LinearOptions(3)]);
            Check((2 * (withoutDY + (rows * H))) + input + (2 * rows * (I + (2 * H))), [new BidirectionalOptions(cell)]);
        }

        void Check(long floats, LayerOptions[] layers)
        {
            // Up to 28 arrays, each rounded up to 64 bytes. The gradient on the inputs is not allocated before it is asked for.
            Assert.InRange(Bytes(T, B, I, layers), floats * sizeof(float), (floats * sizeof(float)) + (28 * 63));
        }
    }

    [Theory]
    [InlineData(50, 64, 16, 368)]
    [InlineData(30, 100, 3, 361)]
    [InlineData(60, 16, 5, 400)]
    [InlineData(2, 1000, 5, 400)]
    public void ActivationBytes_OfALargeLstmBeforeALastStep_AreTheFormulaOfTheArchitecturePage(int T, int B, int I, int H)
    {
        long R = ((H + 15) / 16 * 16) + (4 * H % 16 == 0 ? 0 : 1), S = (R + B - 1) / B;
        var floats = ((long)T * B * I) + ((long)T * B * 4 * H) + (((Math.Min(S, T) + 1 + ((T + S - 1) / S)) * B) * H) + (B * (152L + (5 * H))) + (2L * B * H);

        // A smaller batch may have one step more in a segment; arrays are rounded up to 64 bytes.
        var bytes = Bytes(T, B, I, [new LstmOptions(H), new LastStepOptions()]);
        Assert.InRange(bytes, floats * sizeof(float), ((floats + ((long)B * H)) * sizeof(float)) + (28 * 63));
        Assert.True(T < 4 * S || bytes < 0.85 * Bytes(T, B, I, [new LstmOptions(H)]));
    }

    // With 8 lanes, a last panel of 32 columns where all weights side by side have but one of 16 that is mixed.
    [Theory]
    [InlineData(1536, 8)]
    [InlineData(1039, 1)]
    [InlineData(24, 8)]
    [InlineData(5, 2)]
    public void WeightGradientsOfAGru_HaveRoomForTheirCopies(int H, int I)
    {
        foreach (var kernel in Kernels.All)
        {
            using var engine = new Engine(1, kernel);
            var model = new SequenceModel(new SequenceModelOptions(I, [new GruOptions(H)]), engine);
            var context = new UnrollContext(engine, model.Parameters);
            var layer = model.Layers[0];
            layer.Unroll(context, layer.CreateWeights(engine), Keep.Everything, maxSteps: 1, maxBatch: 1);

            AssertRoom(2 * H, H, I, 1, 1);
            AssertRoom(2 * H, I, 1, 1);
            AssertRoom(H, H, 1);
            AssertRoom(H, I, 1);
            AssertRoom(H, 1);

            void AssertRoom(int rows, params int[] widths) =>
                Assert.InRange(TallProduct.ScratchLength(kernel, rows, widths), 0, context.Tall.ScratchLength);
        }
    }

    static long Bytes(int T, int B, int I, LayerOptions[] layers) =>
        new SequenceModel(new SequenceModelOptions(I, layers), Kernels.Engine(Kernels.Chosen)).Unroll(T, B).ActivationBytes;
}
