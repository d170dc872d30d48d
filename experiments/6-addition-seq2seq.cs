#:project ../src/Unroll.Experiments

// Experiment 6: An encoder–decoder learns to add
//
//   dotnet run -c Release experiments/6-addition-seq2seq.cs
//   dotnet run -c Release experiments/6-addition-seq2seq.cs -- --ask "123+45"      afterwards: asks the trained models
//
// A question such as "123+45 " is a text of 7 characters, its answer "168 " one of 4. A GRU, the encoder, reads the question;
// another, the decoder, starts from its last state and writes the answer. 18,000 of 20,000 questions are learnt from, the
// others are asked at the end. Four ways side by side: the question read backwards; with attention; forwards; and without
// swapping the numbers at random. The settings were chosen on a part of the training questions (--validate), never on the
// test questions. The rest stands in src/Unroll.Experiments/Addition.
using Unroll.Experiments.Addition;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Training;

const int Characters = 12; // "0123456789+ "
const int Start = 12;      // the token that the decoder reads first

var plain = new AdditionRecipe
{
    Name = "plain",
    Title = "no attention; the question is read backwards, its numbers swapped at random",
    Model = hidden => new EncoderDecoderOptions(
        1, [new OneHotOptions(Characters), new GruOptions(hidden)], [new OneHotOptions(Characters + 1), new GruOptions(hidden)], Characters, Start),
    Reverse = true,
    SwapNumbers = true,
    Start = Initialization.PyTorch,
    StartText = "PyTorch's uniform distribution",
    LearningRate = 0.005,
    WeightDecay = 0.1,
};

return new AdditionExperiment
{
    Name = "6-addition-seq2seq",
    Title = "An encoder–decoder learns to add",
    Full = new AdditionScale(Digits: 3, Pairs: 20_000, HiddenSize: 128, BatchSize: 128, Epochs: 60),
    Quick = new AdditionScale(Digits: 2, Pairs: 5_050, HiddenSize: 64, BatchSize: 32, Epochs: 30),
    Recipes =
    [
        plain,
        plain with
        {
            Name = "attention",
            Title = "additive attention to an encoder that reads in both directions; numbers swapped at random",
            Model = hidden => plain.Model(hidden) with
            {
                Encoder = [new OneHotOptions(Characters), new BidirectionalOptions(new GruOptions(hidden))],
                Attention = new AdditiveAttentionOptions(hidden),
            },
            Reverse = false,
            WeightDecay = 0, // with attention it costs more than it gains
        },
        plain with { Name = "forwards", Title = "as plain, but read forwards", Reverse = false },
        plain with { Name = "unswapped", Title = "as plain, but the numbers are never swapped", SwapNumbers = false },
    ],
}.Run(args);
