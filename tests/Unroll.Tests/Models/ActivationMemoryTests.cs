using Unroll.Layers;
using Unroll.Models;

namespace Unroll.Tests.Models;

public class ActivationMemoryTests
{
    [Theory]
    [InlineData(7, 3, 2, 5)]
    [InlineData(50, 32, 16, 64)]
    public void ActivationBytes_AreTheFormulaOfTheArchitecturePage(int T, int B, int I, int H)
    {
        foreach (var cell in CellOptions.All(H))
        {
            var model = new SequenceModel(new SequenceModelOptions(I, [cell, new LinearOptions(3)]), Kernels.Engine(Kernels.Chosen));
            long g = model.Parameters.Find(0, ParameterRole.BiasIh).Length / H;
            long s = cell is RnnOptions ? 0 : 1, c = cell is LstmOptions ? 1 : 0;
            long rows = (long)T * B;
            var recurrent = cell is LayerNormLstmOptions
                ? (rows * ((12 * H) + (3 * H) + 9)) + ((rows + B) * 2 * H) + (B * 7 * H)
                : (rows * ((g * H) + H + (s * H))) + ((rows + B) * (H + (c * H))) + (B * (80 + (3 * H) + (c * H)));
            var floats = recurrent + (2 * rows * 3) + (2 * rows * I);

            // 14 arrays at most, each rounded up to 64 bytes.
            Assert.InRange(model.Unroll(T, B).ActivationBytes, floats * sizeof(float), (floats * sizeof(float)) + (14 * 63));
        }
    }
}
