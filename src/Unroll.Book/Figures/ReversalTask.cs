using Unroll.Data;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Book.Figures;

/// <summary>Sequences of random symbols that an encoder–decoder learns to write backwards: the task of several figures.</summary>
/// <remarks>
/// 8 symbols, drawn independently; 1 to 12 of them in training; the target ends with an end token. Encoder and decoder are
/// GRUs of H units that read one-hot vectors. 1500 updates of 32 fresh sequences.
/// </remarks>
static class ReversalTask
{
    /// <summary>The symbols, tokens 0 to 7.</summary>
    public const int Symbols = 8;

    /// <summary>The token that ends a target.</summary>
    public const int End = 8;

    /// <summary>The longest source in training.</summary>
    public const int Longest = 12;

    const int Start = 9;

    /// <summary>A trained model of H units.</summary>
    public static EncoderDecoder Train(int hidden, AttentionOptions? attention = null)
    {
        var random = new MersenneTwister(3);
        LayerOptions[] encoder = [new OneHotOptions(Symbols), new GruOptions(hidden)];
        LayerOptions[] decoder = [new OneHotOptions(Start + 1), new GruOptions(hidden)];
        var model = new EncoderDecoder(new EncoderDecoderOptions(1, encoder, decoder, End + 1, Start) { Attention = attention }, new Engine(threads: 1));
        Initialization.OrthogonalRecurrence.Apply(model, random);
        var trainer = new Trainer(model, new Adam(model), new SoftmaxCrossEntropy(), new TrainerOptions
        {
            Epochs = 30,
            StepsPerEpoch = 50,
            BatchSize = 32,
            LearningRate = new CosineDecay(0.01, length: 30),
            ClipNorm = 1,
        });
        trainer.Fit(new Reversals(random), random);
        return model;
    }

    /// <summary>Sources of n symbols to be judged by, [n, B].</summary>
    public static float[] Sources(int n, int count)
    {
        var random = new MersenneTwister(99);
        return [.. Enumerable.Range(0, n * count).Select(_ => (float)random.NextInterval(Symbols - 1))];
    }

    /// <summary>The right target of source b among <paramref name="count"/>.</summary>
    public static int[] Target(float[] sources, int n, int count, int b) =>
        [.. Enumerable.Range(0, n).Select(t => (int)sources[((n - 1 - t) * count) + b]), End];

    /// <summary>log p of the right target of each source, [B].</summary>
    public static double[] LogProbabilities(EncoderDecoder model, float[] sources, int n, int count)
    {
        var unrolled = model.Unroll(n, n + 1, count);
        sources.CopyTo(unrolled.Source);
        for (var b = 0; b < count; b++)
        {
            int[] read = [Start, .. Target(sources, n, count, b)];
            for (var t = 0; t <= n; t++)
                unrolled.Tokens[(t * count) + b] = read[t];
        }

        unrolled.Forward();
        var sums = new double[count];
        var logits = new double[model.OutputSize];
        for (var b = 0; b < count; b++)
        {
            var target = Target(sources, n, count, b);
            for (var t = 0; t <= n; t++)
            {
                for (var k = 0; k < logits.Length; k++)
                    logits[k] = unrolled.Output[(((t * count) + b) * logits.Length) + k];
                sums[b] += Unroll.Theory.Softmax.LogProbability(logits, target[t]);
            }
        }

        return sums;
    }

    /// <summary>Fresh sequences and the same backwards.</summary>
    sealed class Reversals(MersenneTwister random) : ISequenceSource
    {
        public int Count => 1000;

        public int MaxSteps => Longest + 1;

        public int InputSize => 1;

        public int TargetSize => 0;

        public void Fill(SequenceBatch batch, ReadOnlySpan<int> indices)
        {
            var B = indices.Length;
            batch.Resize(Longest, B, Longest + 1, weights: true, lengths: true);
            batch.Inputs.Clear();
            batch.Labels.Clear();
            batch.Weights.Clear();
            for (var b = 0; b < B; b++)
            {
                var n = 1 + random.NextInterval(Longest - 1);
                batch.Lengths[b] = n;
                for (var t = 0; t < n; t++)
                {
                    var symbol = random.NextInterval(Symbols - 1);
                    (batch.Inputs[(t * B) + b], batch.Labels[((n - 1 - t) * B) + b]) = (symbol, symbol);
                }

                batch.Labels[(n * B) + b] = End;
                for (var t = 0; t <= n; t++)
                    batch.Weights[(t * B) + b] = 1;
            }
        }
    }
}
