using Unroll.Layers;
using Unroll.Models;

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
            long s = cell is GruOptions || keepsTanh ? 1 : 0, c = cell is LstmOptions ? 1 : 0;
            var withoutDY = cell is LayerNormLstmOptions
                ? (rows * ((12 * H) + (2 * H) + 9)) + ((rows + B) * 2 * H) + (B * 6 * H)
                : (rows * ((g * H) + (s * H))) + ((rows + B) * (H + (c * H))) + (B * (152 + (2 * H) + (c * H)));
            if (cell.RecurrentDropout > 0)
                withoutDY += (rows + (2 * B)) * H;
            var input = rows * I;

            Check(withoutDY + (rows * H) + input + (2 * rows * 3), [cell, new LinearOptions(3)]);
            Check(withoutDY + (B * H) + input + (2 * B * H) + (2 * B * 3), [cell, new LastStepOptions(), new LinearOptions(3)]);
            Check((2 * (withoutDY + (rows * H))) + input + (2 * rows * (I + (2 * H))), [new BidirectionalOptions(cell)]);
        }

        void Check(long floats, LayerOptions[] layers)
        {
            // Up to 28 arrays, each rounded up to 64 bytes. The gradient on the inputs is not allocated before it is asked for.
            var bytes = new SequenceModel(new SequenceModelOptions(I, layers), Kernels.Engine(Kernels.Chosen)).Unroll(T, B).ActivationBytes;
            Assert.InRange(bytes, floats * sizeof(float), (floats * sizeof(float)) + (28 * 63));
        }
    }
}
